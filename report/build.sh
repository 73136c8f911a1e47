#!/usr/bin/env bash
# The report of a model, from whatever results exist: report/MODEL/index.html.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../utils/wrapper.sh"
usage 1 "bash report/build.sh CONFIG [--zip] [--overwrite] [--output FOLDER] [key=value ...]" "$@"
config="$(file_path "$1")"
exec "$PYTHON" -m report.build --config "$config" "${@:2}"
