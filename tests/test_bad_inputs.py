"""A part of the corpus of bad inputs, and of the faults; all of both: python benchmarks/bad_inputs.py, faults.py."""

import os
import re
import subprocess
import sys

from utils.runtime import ROOT


def run(script, *arguments):
    """Run a benchmark and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_bad_inputs_are_refused_in_one_line_or_rightly_accepted():
    """Three of a hundred cases; none ends with a traceback, hangs, takes 4 GiB or writes elsewhere."""
    counts = re.search(r"(\d+) cases: (\d+) refused, (\d+) accepted, 0 failed", run("bad_inputs.py", "--share", "0.03"))
    assert counts, "there were failures"
    assert int(counts[2]) > int(counts[3]) > 0


def test_a_killed_and_a_starved_run_go_on():
    printed = run("faults.py", "--kills", "4", "--stages", "data set", "--tests", "kills,disk,twice")
    assert re.search(r"^data set .* 0$", printed, re.MULTILINE)
