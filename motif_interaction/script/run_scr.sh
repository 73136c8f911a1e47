#!/usr/bin/env bash
# Mutagenesis and interaction of the motif pairs of neurons FIRST to LAST of a layer (half-open, counted from 0).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../utils/wrapper.sh"
usage 4 "bash run_scr.sh LAYER FIRST LAST CONFIG [--overwrite] [key=value ...]" "$@"
config="$(file_path "$4")"
exec "$PYTHON" -m motif_interaction.interaction --layer "$1" --first "$2" --last "$3" --config "$config" "${@:5}"
