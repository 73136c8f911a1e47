#!/usr/bin/env bash
# Interpret layers of a model in several processes, each with its own neurons: sample, cluster, match, report.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../utils/wrapper.sh"
usage 5 "bash main.sh NEURONS PROCESSES FROM TO CONFIG [--overwrite] [key=value ...]" "$@"
config="$(file_path "$5")"
exec "$PYTHON" -m motif_discovery.discover --neurons "1-$1" --processes "$2" --from "$3" --to "$4" --config "$config" "${@:6}"
