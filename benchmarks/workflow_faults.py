"""Kill the workflow, its jobs and what they run, start it again, and compare the results with an undisturbed run's.

    python benchmarks/workflow_faults.py [--kills 100] [--in-a-row 6] [--minutes 60] [--seed 1] [--cores 2]

In a copy of the tree the workflow takes a small project (benchmarks/toy_project.py) through discovery, scan,
contribution, interaction and report: the reference. Then it is started from the beginning again and again; each time it
is killed at random moments some times in a row, every time with the same command after it, and then left to end. Kills
are SIGKILL, in turn to

- a command alone: its job fails, and the workflow runs it again by itself;
- Snakemake alone: the jobs go on while the same command is given again;
- everything: Snakemake, its jobs and their commands at the same time, as when a machine loses its power.

After each kill no result may be there that is not the reference's (the report, which grows, is left out); after the end
all results are the reference's, byte by byte but for times, and no unfinished file is there. At the end the workflow is
started twice at the same time: the second is refused.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import yaml

from benchmarks.faults import GROWING
from benchmarks.processes import Files, Run, files_of, restore
from benchmarks.sessions import kill_session, processes_of
from benchmarks.toy_project import commands, write_project
from benchmarks.tree_copy import HERE, start_in_copy

MESSAGES, LENGTH, LAYERS, NEURONS = 60, 120, 2, 4
SETTINGS = {
    "interpreting": "configs/interpreting/toy.yaml", "interaction": "configs/interaction/toy.yaml", "layers": "2-3",
    "interaction_layers": "3-3", "neurons": f"1-{NEURONS}", "neurons_per_shard": 2,
    "neurons_per_shard_of_layer": {2: 4}, "neurons_per_mutagenesis_shard": 2, "messages_per_scan_shard": 1,
    "statistics": True, "report": True, "device": "cpu", "repository": "", "local_devices": [],
}  # fmt: skip
FOLDERS = ("motif_discovery", "motif_contribution", "motif_interaction", "report/toy")
KINDS = {".h5", ".meme", ".tsv", ".csv", ".yaml", ".txt", ".html", ".png", ".bed"}
TIMES = re.compile(rb'combmotif-settings" content="[0-9a-f]{16}"|\d{4}-\d\d-\d\d|\d\d:\d\d')
ALREADY = "error: the workflow is already running in this folder"
LONGEST = 900  # seconds of a run
ONE = "a command alone"
KINDS_OF_KILLS = (ONE, "Snakemake alone", "everything")


def results(tree: Path) -> Files:
    """Return all files that the stages have written, by their paths."""
    found = {}
    for folder in FOLDERS:
        for path in (tree / folder).rglob("*"):
            if path.is_file() and path.suffix in KINDS and "__pycache__" not in path.parts:
                found[str(path.relative_to(tree))] = path.read_bytes()
    return found


def undated(name: str, content: bytes) -> bytes:
    """Return a file as it is, a page of the report without times of files and the key that has them in it."""
    return TIMES.sub(b"", content) if name.startswith("report/") and name.endswith(".html") else content


class Workflow:
    """The workflow of a copy of the tree.

    Args:
        tree: the copy.
        cores: that it may use.
    """

    def __init__(self, tree: Path, cores: int) -> None:
        self.tree, self.cores, self.log = tree, cores, tree.parent / "workflow.log"
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()

    def start(self) -> subprocess.Popen:
        """Start it in a session of its own."""
        command = [sys.executable, "-m", "snakemake", "--configfile", "mine.yaml", "--profile"]
        command += ["workflow/profiles/local", "--cores", str(self.cores)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "3000"}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.tree, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def fail(self, what: str) -> None:
        """Remember and print a failure."""
        self.failures.append(what)
        print(f"  FAILED: {what}", flush=True)

    def end(self, process: subprocess.Popen, what: str) -> None:
        """Wait until it has ended well."""
        try:
            status = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            kill_session(process.pid)
            status = "none: it hangs"
        if status != 0:
            self.fail(f"{what}: status {status}: {self.log.read_text(errors='replace')[-1500:]}")

    def kill(self, process: subprocess.Popen, kind: str, chance: random.Random) -> bool:
        """Kill it, or one of its commands; return whether there was something to kill."""
        if process.poll() is not None:
            return False
        if kind == "everything":
            kill_session(process.pid)
        elif kind == "Snakemake alone":
            process.kill()
        else:
            of_stages = [
                number for number, command in processes_of(process.pid).items()
                if " -m motif_" in command or " -m report" in command
            ]  # fmt: skip
            if not of_stages:
                return False
            try:
                os.kill(chance.choice(of_stages), signal.SIGKILL)
            except ProcessLookupError:  # it has ended
                return False
        return True

    def compare(self, wanted: Files, what: str, finished: bool) -> None:
        """Compare the results with the reference's."""
        now = results(self.tree)
        for name in sorted(now.keys() - wanted.keys()):
            if not Path(name).name.startswith((".part-", ".lock")) and "/.part-" not in name:
                self.fail(f"{what}: {name} is left over")
        for name in sorted(now.keys() & wanted.keys()):
            grows = not finished and (name.endswith(GROWING) or name.startswith("report/"))
            if not grows and undated(name, now[name]) != undated(name, wanted[name]):
                self.fail(f"{what}: {name} is {'wrong' if finished else 'half-written or wrong'}")
        if finished:
            for name in sorted(wanted.keys() - now.keys()):
                self.fail(f"{what}: {name} is lost")
            for path in self.tree.rglob(".part-*"):
                self.fail(f"{what}: {path.relative_to(self.tree)} is left over")


def disturb(arguments: argparse.Namespace) -> int:
    """Run what is asked for; returns how many failures there were."""
    chance, end = random.Random(arguments.seed), time.monotonic() + 60 * arguments.minutes
    write_project(HERE, MESSAGES, LENGTH, LAYERS, NEURONS - 1)
    for name in ("data set", "training"):
        if Run(commands(LAYERS + 1, NEURONS)[name], HERE.parent / "log").wait(600) != 0:
            raise SystemExit((HERE.parent / "log").read_text())
    (HERE / "mine.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    before = files_of(HERE)
    workflow = Workflow(HERE, arguments.cores)
    started = time.monotonic()
    workflow.end(workflow.start(), "undisturbed")
    seconds, wanted = time.monotonic() - started, results(HERE)
    print(f"undisturbed: {seconds:.0f} s, {len(wanted)} files", flush=True)
    runs = 0
    while sum(workflow.counts.values()) < arguments.kills and time.monotonic() < end and not workflow.failures:
        restore(HERE, before)
        runs += 1
        going, what = [workflow.start()], f"run {runs}"
        for _ in range(arguments.in_a_row):
            kind = KINDS_OF_KILLS[sum(workflow.counts.values()) % 3]
            moment = chance.uniform(0, arguments.share * seconds)
            time.sleep(moment)
            if not workflow.kill(going[-1], kind, chance):
                if going[-1].poll() is not None:
                    break
                continue
            workflow.counts[kind] += 1
            workflow.compare(wanted, f"{what}, {kind} killed after {moment:.1f} s", finished=False)
            if kind != ONE:
                going.append(workflow.start())
        workflow.end(going[-1], f"{what}, the last time")
        for process in going:  # commands that went on without Snakemake
            while processes_of(process.pid):
                time.sleep(0.1)
            process.wait()
        workflow.compare(wanted, what, finished=True)
        counts = ", ".join(f"{kind} {count}" for kind, count in workflow.counts.items())
        print(f"{what}: kills so far: {counts}; failures {len(workflow.failures)}", flush=True)
    restore(HERE, before)
    first = workflow.start()
    time.sleep(chance.uniform(seconds / 6, seconds / 3))
    second = workflow.start()
    if second.wait(LONGEST) != 2 or ALREADY not in workflow.log.read_text(errors="replace"):
        workflow.fail("the second of two at the same time is not refused")
    workflow.end(first, "two at the same time")
    workflow.compare(wanted, "two at the same time", finished=True)
    total = sum(workflow.counts.values())
    print(f"{total} kills in {runs} runs, two at the same time: {len(workflow.failures)} failures")
    return len(workflow.failures)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--in-a-row", type=int, default=6, help="kills before it is left to end (default: %(default)s)")
    parser.add_argument("--share", type=float, default=0.5, help="of an undisturbed run, the latest kill")
    parser.add_argument("--minutes", type=float, default=600, help="bound (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="of the workflow (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    start_in_copy(parser, __file__, disturb)


if __name__ == "__main__":
    main()
