"""A cluster of one machine, for Snakemake's generic executor: every job is a process of its own, and some are killed.

    python toy_cluster.py FOLDER submit JOBSCRIPT      starts a job and prints its name
    python toy_cluster.py FOLDER status NAME           success, failed or running

FOLDER/kill.json maps a word of a job's target to a file: the first job with that word in its target is killed, with all
its processes and without warning, when the file, a log, has something in it. FOLDER/NAME holds target, log and status.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.sessions import kill_session


def submit(folder: Path, jobscript: str) -> None:
    """Start a job and print its name."""
    text = Path(jobscript).read_text(encoding="utf-8")
    target = re.search(r"--target-jobs (\S+)", text)[1].strip("'\"")
    name = f"job{len(list(folder.glob('job*'))) + 1}"
    (folder / name).mkdir()
    (folder / name / "target").write_text(target)
    command = [sys.executable, __file__, str(folder), "run", name, jobscript]
    with (folder / name / "log").open("w") as log:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    print(name)


def run(folder: Path, name: str, jobscript: str) -> None:
    """Be the node: run the job, kill it where it is to be killed, and keep its status."""
    job = subprocess.Popen(["bash", jobscript], start_new_session=True)
    target = (folder / name / "target").read_text()
    earlier = sum(path.read_text() == target for path in folder.glob("job*/target"))
    wanted = json.loads((folder / "kill.json").read_text())
    log = next((Path(path) for word, path in wanted.items() if word in target and earlier == 1), None)
    while log and job.poll() is None:
        if log.is_file() and log.stat().st_size:
            kill_session(job.pid)
            break
        time.sleep(0.02)
    partly = folder / name / "status.new"
    partly.write_text(str(job.wait()))
    partly.rename(folder / name / "status")


def status(folder: Path, name: str) -> None:
    """Print what has become of a job."""
    path = folder / name / "status"
    print("running" if not path.is_file() else "success" if path.read_text() == "0" else "failed")


if __name__ == "__main__":
    {"submit": submit, "status": status, "run": run}[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
