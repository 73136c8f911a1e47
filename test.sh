#!/usr/bin/env bash
# Fresh machine -> environment -> the test suite. Further arguments go to pytest.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/utils/environment.sh"
environment "$ROOT/requirements.txt" "$ROOT/tests/requirements.txt" "$ROOT/workflow/requirements.txt"
cd "$ROOT"
"$PYTHON" -m ruff check .
exec "$PYTHON" -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
