#!/usr/bin/env bash
# Evaluate a checkpoint on the test split of its data set.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../utils/wrapper.sh"
usage 2 "bash run_test.sh CONFIG CHECKPOINT [--split valid] [key=value ...]" "$@"
config="$(file_path "$1")"
checkpoint="$(file_path "$2")"
exec "$PYTHON" -m mrl.evaluate --config "$config" --checkpoint "$checkpoint" "${@:3}"
