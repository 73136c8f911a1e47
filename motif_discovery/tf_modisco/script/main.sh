#!/usr/bin/env bash
# TF-MoDISco on the gradients of the neurons of a model, or of its output: motifs, matches, reports.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../../../utils/wrapper.sh"
usage 1 "bash main.sh CONFIG [--from 2 --to 5] [--neurons 1-4] [--target output] [--overwrite] [key=value ...]" "$@"
config="$(file_path "$1")"
exec "$PYTHON" -m motif_discovery.tf_modisco.discover --config "$config" "${@:2}"
