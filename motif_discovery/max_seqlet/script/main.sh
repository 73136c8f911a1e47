#!/usr/bin/env bash
# Maximum-activation seqlets of the neurons of a model: motifs, matches, reports.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../../utils/wrapper.sh"
usage 1 "bash main.sh CONFIG [--messages] [--from 2 --to 5] [--neurons 1-4] [--overwrite] [key=value ...]" "$@"
config="$(file_path "$1")"
exec "$PYTHON" -m motif_discovery.max_seqlet.discover --config "$config" "${@:2}"
