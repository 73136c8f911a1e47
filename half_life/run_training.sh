#!/usr/bin/env bash
# Train a model and evaluate it on its test split.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../utils/wrapper.sh"
usage 1 "bash run_training.sh CONFIG [--overwrite] [key=value ...]" "$@"
config="$(file_path "$1")"
"$PYTHON" -m half_life.train --config "$config" "${@:2}"
overrides=()
for argument in "${@:2}"; do
    case "$argument" in --*) ;; *) overrides+=("$argument") ;; esac
done
exec "$PYTHON" -m half_life.evaluate --config "$config" "${overrides[@]}"
