#!/usr/bin/env bash
# Fragments of messages that activate the neurons of a layer, from its scan.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../utils/wrapper.sh"
usage 2 "bash run_fragment_location.sh LAYER CONFIG [--neurons 1-4] [--overwrite] [key=value ...]" "$@"
config="$(file_path "$2")"
exec "$PYTHON" -m motif_interaction.fragments --layer "$1" --config "$config" "${@:3}"
