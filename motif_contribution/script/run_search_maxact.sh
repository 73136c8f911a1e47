#!/usr/bin/env bash
# Maximal activation of every neuron of some layers in every message of the data set.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../utils/wrapper.sh"
usage 3 "bash run_search_maxact.sh FROM TO CONFIG [--overwrite] [key=value ...]" "$@"
config="$(file_path "$3")"
exec "$PYTHON" -m motif_contribution.scan --from "$1" --to "$2" --config "$config" "${@:4}"
