#!/usr/bin/env bash
# All motifs of a method and a model, of all layers, as one workbook and as CSV.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../../utils/wrapper.sh"
usage 2 "bash run_collect_all_motifs.sh METHOD MODEL [--layers 1-7] [--clusters FILE] [key=value ...]" "$@"
config="$(file_path "configs/interpreting/$2.yaml")"
exec "$PYTHON" -m motif_discovery.summarize --config "$config" --method "$1" "${@:3}"
