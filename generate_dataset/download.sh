#!/usr/bin/env bash
# Fetch public files by name into data/downloads/, checked and resumable; without a name: list them. See --help.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../utils/wrapper.sh"
exec "$PYTHON" -m generate_dataset.download "$@"
