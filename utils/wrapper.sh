# Sourced by every wrapper: where the repository is, which Python to use, and what a config path means.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
STAGE="$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)"
while [ "$STAGE" != "$ROOT" ] && [ "$(dirname "$STAGE")" != "$ROOT" ]; do STAGE="$(dirname "$STAGE")"; done

# shellcheck disable=SC2034  # the wrappers use it
if [ -x "$ROOT/.venv/bin/python" ]; then PYTHON="$ROOT/.venv/bin/python"; else PYTHON="$(command -v python3)"; fi
export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
# Threads that wait for each other give the core away soon: where another program needs it, spinning longer makes
# everything up to six times slower (sampling a conv5 neuron: 72 s against 16 s), and on an idle machine 10 % faster.
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-3000}"

# file_path PATH: a path from where the caller stands, else from the stage folder, else from the root.
file_path() {
    local base
    for base in "$PWD" "$STAGE" "$ROOT"; do
        case "$1" in /*) base="" ;; esac
        if [ -f "${base:+$base/}$1" ]; then
            printf '%s\n' "${base:+$base/}$1"
            return
        fi
    done
    printf 'error: %s: no such file (looked from %s, %s and %s)\n' "$1" "$PWD" "$STAGE" "$ROOT" >&2
    return 2
}

# usage WANTED TEXT ARGUMENTS: stop with the usage when fewer came than are wanted, or where the first asks for help.
usage() {
    local wanted="$1" text="$2"
    shift 2
    case "${1:-}" in -h | --help)
        printf 'usage: %s\n' "$text"
        exit 0
        ;;
    esac
    if [ "$#" -lt "$wanted" ]; then
        printf 'usage: %s\n' "$text" >&2
        exit 2
    fi
}
