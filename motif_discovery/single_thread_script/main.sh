#!/usr/bin/env bash
# Interpret layers of a model in one process: sample, cluster, match, report.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../utils/wrapper.sh"
usage 3 "bash main.sh FROM TO CONFIG [--neurons 1-4] [--overwrite] [key=value ...]" "$@"
config="$(file_path "$3")"
exec "$PYTHON" -m motif_discovery.discover --from "$1" --to "$2" --config "$config" "${@:4}"
