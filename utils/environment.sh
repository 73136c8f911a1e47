# Sourced by main.sh and test.sh: makes .venv with everything that is needed, once; afterwards it returns at once.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PYTHON="$ROOT/.venv/bin/python"

# find_python: the newest Python on this machine that is 3.11 or newer.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    printf 'error: no Python 3.11 or newer on this machine; install one and run this again\n' >&2
    return 2
}

# environment REQUIREMENTS...: .venv with these requirement files installed; does nothing when that is done already.
environment() {
    local wanted stamp="$ROOT/.venv/installed" base
    wanted="$ROOT $(cat "$@" | cksum) $*"
    if [ -x "$PYTHON" ] && [ -f "$stamp" ] && grep -qxF -- "$wanted" "$stamp"; then return; fi
    base="$(find_python)"
    printf 'installing the environment into .venv (a few minutes, once)\n' >&2
    "$base" -m venv "$ROOT/.venv" || {
        printf 'error: %s cannot make a virtual environment; install its venv module (Debian: python3-venv)\n' "$base" >&2
        return 2
    }
    local file arguments=()
    for file in "$@"; do arguments+=(-r "$file"); done
    "$PYTHON" -m pip install --no-compile --quiet --quiet --disable-pip-version-check "${arguments[@]}"
    # to bytecode on all cores; pip takes one. Packages hold templates that are no Python: those stay as they are
    "$PYTHON" -m compileall -q -j 0 "$ROOT/.venv/lib" >/dev/null 2>&1 || true
    # every step is then python -m STAGE.STEP from anywhere
    "$PYTHON" - "$ROOT" <<'PYTHON_END'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "combmotif.pth").write_text(sys.argv[1] + "\n", encoding="utf-8")
PYTHON_END
    printf 'compiling the Tomtom kernel (a minute, once)\n' >&2
    (cd "$ROOT" && "$PYTHON" -m utils.tomtom)
    printf '%s\n' "$wanted" >>"$stamp"
}
