"""A copy of the repository in which a benchmark may break things: results land in fixed folders below the tree."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".*", "data", "results", "__pycache__", "model_weights", "screenshots", "maxactivation_samples", "clustering",
    "tomtom_match_results", "motifs", "maxact_from_trainSet", "fragment_location",
)  # fmt: skip
SIZE = "1g"  # of a file system in memory; what is not used takes none


def run_in_copy(script: str, arguments: list[str]) -> int:
    """Run a script of this folder in a copy of the tree and return its exit status; the copy is removed.

    Where the system allows it (as root) the copy lies on a file system of its own in memory, which can be filled up and
    made read-only.

    Args:
        script: its path.
        arguments: of the script, which also gets ``--inside``.
    """
    place = Path(tempfile.mkdtemp(prefix="combmotif-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "combmotif", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        tree = place / "tree"
        shutil.copytree(HERE, tree, ignore=LEFT_OUT)
        environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(tree / "benchmarks" / Path(script).name), "--inside", *arguments]
        return subprocess.run(command, cwd=tree, env=environment, check=False).returncode
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)
        shutil.rmtree(place, ignore_errors=True)


def start_in_copy(parser: argparse.ArgumentParser, script: str, work: Callable[[argparse.Namespace], int]) -> NoReturn:
    """Parse the command line of a script of this folder, run its work in a copy of the tree, and exit.

    Args:
        parser: of the script.
        script: its path.
        work: done in the copy; returns how many failures there were.
    """
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        raise SystemExit(run_in_copy(script, sys.argv[1:]))
    raise SystemExit(1 if work(arguments) else 0)


def remount(options: str) -> bool:
    """Change the options of the file system that this copy lies on; returns whether it is one of its own."""
    place = HERE.parent
    if not os.path.ismount(place):
        return False
    command = ["mount", "-o", f"remount,{options}", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
