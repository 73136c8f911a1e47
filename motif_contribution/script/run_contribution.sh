#!/usr/bin/env bash
# Contribution of every neuron of some layers, from their scans.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../utils/wrapper.sh"
usage 3 "bash run_contribution.sh FROM TO CONFIG [--overwrite] [key=value ...]" "$@"
config="$(file_path "$3")"
exec "$PYTHON" -m motif_contribution.contribution --from "$1" --to "$2" --config "$config" "${@:4}"
