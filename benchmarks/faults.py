"""Kill, starve and disturb every stage, run it again, and compare its files with those of an undisturbed run.

    python benchmarks/faults.py [--kills 100] [--stages training,scan] [--tests kills,disk] [--minutes 60] [--seed 1]

In a copy of the tree a small project (benchmarks/toy_project.py) is run through all stages: the reference. Then, for
each stage, from the files of the stages before it:

- kills: SIGKILL at a random moment of the run (every fourth time a second one while it goes on), then the same command
  again;
- disk: the disk is full after a share of what the stage writes; a limit on the size of a file; both are taken away;
- read-only: the tree cannot be written into; then it can;
- vanished: an input is taken away at a random moment, and put back;
- twice: the command is started twice, the second at a random moment of the first.

After the disturbance no file may be there that is neither the reference's nor of an earlier state of a growing one;
after the same command again all files are those of the reference, byte by byte, and there is no other. A run that ends
by itself must have ended well, or with exit status 1 or 2 and one line that says why.
"""

import argparse
import importlib
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.processes import HANG, TIME, Command, Files, Run, files_of, restore, same
from benchmarks.toy_project import commands, write_project
from benchmarks.tree_copy import HERE, remount, start_in_copy

MESSAGES, LENGTH, LAYERS, NEURONS = 150, 120, 2, 2
SMALL_BLOCKS = 2**12  # nucleotides of a block of the scan: this data set is to have several
GROWING = (
    "log.csv", "last.pth", "index.html", "_neuron_contribution.csv", "thresholds.csv", "stats.csv",
    "_contribution.html",
)  # fmt: skip
TESTS = ("kills", "disk", "read-only", "vanished", "twice")


class Stage:
    """A stage, the files before it and those after it.

    Args:
        root: of the copy.
        name: of the stage.
        command: module and arguments.
        before: files of the stages before it.
    """

    def __init__(self, root: Path, name: str, command: Command, before: Files) -> None:
        self.root, self.name, self.command, self.before = root, name, command, before
        self.log = root.parent / "log"
        restore(root, before)
        started = time.monotonic()
        run = Run(command, self.log)
        if run.wait(10 * HANG) != 0:
            raise SystemExit(f"{name}: the undisturbed run ended with {run.complaint() or run.log.read_text()}")
        self.seconds = time.monotonic() - started
        self.after = files_of(root)
        self.written = {name for name, content in self.after.items() if before.get(name) != content}
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()

    def fail(self, what: str) -> None:
        """Remember and print a failure."""
        self.failures.append(what)
        print(f"  FAILED {self.name}: {what}", flush=True)

    def check_between(self, what: str, left: bool = False) -> None:
        """Check what a disturbed run has left; ``left`` allows unfinished files, which the next run removes."""
        for name, content in files_of(self.root).items():
            hidden = Path(name).name.startswith((".part-", ".lock")) or "/.part-" in name
            if hidden and not left and "/.part-conv" not in name:
                self.fail(f"{what}: {name} is left over")
            known = content in (self.after.get(name), self.before.get(name))
            if not (hidden or known or name.endswith(GROWING) or name.startswith("report/")):
                self.fail(f"{what}: {name} is half-written or wrong")

    def check_again(self, what: str) -> None:
        """Run the command again and compare all files with the reference."""
        started = time.monotonic()
        run = Run(self.command, self.log)
        if run.wait() != 0:
            self.fail(f"{what}, run again: {run.complaint() or run.log.read_text()[-300:]}")
        self.seconds = (self.seconds + time.monotonic() - started) / 2  # as busy as the machine is now
        now = files_of(self.root)
        for name in sorted(self.after.keys() - now.keys()):
            self.fail(f"{what}: {name} is lost")
        for name in sorted(now.keys() - self.after.keys()):
            self.fail(f"{what}: {name} is left over")
        for name in sorted(now.keys() & self.after.keys()):
            if not same(name, now[name], self.after[name]):
                there, wanted = now[name], self.after[name]
                place = next((n for n, (a, b) in enumerate(zip(there, wanted, strict=False)) if a != b), len(there))
                excerpt = [content[max(0, place - 30) : place + 30] for content in (there, wanted)]
                self.fail(f"{what}: {name} differs at {place}: {excerpt[0]} instead of {excerpt[1]}")

    # -- disturbances -------------------------------------------------------------------------------------------

    def kills(self, count: int, chance: random.Random, end: float) -> None:
        """Kill it at random moments."""
        for number in range(count):
            if time.monotonic() > end:
                break
            restore(self.root, self.before)
            for _ in range(2 if number % 4 == 3 else 1):
                run = Run(self.command, self.log)
                moment = chance.uniform(0, self.seconds)
                hit = run.wait(moment) is None
                if hit:
                    run.kill()
                self.counts["kills" if hit else "over before the kill"] += 1
                self.check_between(f"kill after {moment:.2f} s", left=True)
            self.check_again(f"kill after {moment:.2f} s")

    def disk(self) -> None:
        """Let the disk be full, and files be limited, after a share of what the stage writes."""
        sizes = [len(self.after[name]) for name in self.written]
        for share in (0.0, 0.3, 0.7):
            restore(self.root, self.before)
            stat = os.statvfs(self.root)
            used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
            if remount(f"size={used + 4096 + int(share * sum(sizes))}"):
                self._starved(f"disk full after {share:.0%}")
                remount("size=1g")
                self.check_again(f"disk full after {share:.0%}")
            restore(self.root, self.before)
            self._starved(f"files of at most {share:.0%}", limit=1 + int(share * max(sizes)))
            self.check_again(f"files of at most {share:.0%}")

    def _starved(self, what: str, limit: int = 0) -> None:
        log = Path("/dev/shm" if Path("/dev/shm").is_dir() else self.root.parent) / f"combmotif-{os.getpid()}"
        run = Run(self.command, log, limit)
        wrong = run.complaint()
        self.counts["full disks"] += run.status != 0
        log.unlink(missing_ok=True)
        if wrong:
            self.fail(f"{what}: {wrong}")
        self.check_between(what)

    def read_only(self) -> None:
        """Let the tree be read-only."""
        restore(self.root, self.before)
        if not remount("ro"):
            return
        log = Path(f"/dev/shm/combmotif-{os.getpid()}")
        run = Run(self.command, log)
        wrong = run.complaint() or ("it ended well" if run.status == 0 else "")
        self.counts["read-only"] += 1
        log.unlink(missing_ok=True)
        remount("rw")
        if wrong:
            self.fail(f"read-only: {wrong}")
        self.check_between("read-only")
        self.check_again("read-only")

    def vanished(self, inputs: list[str], chance: random.Random) -> None:
        """Take an input away at a random moment."""
        for name in inputs:
            for moment in (0.0, chance.uniform(0, self.seconds)):
                restore(self.root, self.before)
                run = Run(self.command, self.log) if moment else None
                if run:
                    run.wait(moment)
                (self.root / name).unlink()
                run = run or Run(self.command, self.log)
                wrong = run.complaint()
                self.counts["vanished inputs"] += 1
                if wrong:
                    self.fail(f"without {name} after {moment:.2f} s: {wrong}")
                (self.root / name).write_bytes(self.before[name])
                os.utime(self.root / name, (TIME, TIME))
                self.check_between(f"without {name}")
                self.check_again(f"without {name} after {moment:.2f} s")

    def twice(self, chance: random.Random) -> None:
        """Start it twice, the second time soon and later."""
        for moment in (0.0, chance.uniform(0, self.seconds / 2), chance.uniform(0, self.seconds)):
            restore(self.root, self.before)
            first = Run(self.command, self.log)
            first.wait(moment)
            second = Run(self.command, self.log.with_name("log2"))
            for run in (first, second):
                if run.wait() != 0:
                    self.fail(f"twice, {moment:.2f} s apart: {run.complaint() or run.log.read_text()[-300:]}")
            self.counts["pairs of runs"] += 1
            self.check_between(f"twice, {moment:.2f} s apart")
            self.check_again(f"twice, {moment:.2f} s apart")


INPUTS = {
    "data set": ["data/toy.csv", "configs/datasets/toy.yaml"],
    "training": ["data/toy.h5", "configs/models/toy.yaml"],
    "discovery": ["model_weights/toy-best.pth", "data/toy.meme"],
    "discovery in 2": ["model_weights/toy-best.pth", "configs/models/toy.yaml"],
    "scan": ["data/toy.h5", "model_weights/toy-best.pth"],
    "contribution": ["motif_contribution/maxact_from_trainSet/toy/conv2.h5"],
    "fragments": ["motif_contribution/maxact_from_trainSet/toy/conv3.h5"],
    "mutagenesis": ["motif_interaction/fragment_location/toy/conv3_neuron1_fragment_location.yaml"],
    "report": ["model_weights/toy-best.pth", "data/toy.h5"],
}


def disturb(arguments: argparse.Namespace) -> int:
    """Run all stages and what is asked for; returns how many failures there were."""
    from utils import scan  # noqa: F401  loaded before the processes are forked

    sys.modules["utils.scan"].BLOCK_NUCLEOTIDES = SMALL_BLOCKS
    chance, end, failures = random.Random(arguments.seed), time.monotonic() + 60 * arguments.minutes, 0
    write_project(HERE, MESSAGES, LENGTH, LAYERS, NEURONS)
    every = commands(LAYERS + 1, NEURONS)
    for module, _ in every.values():
        importlib.import_module(module)
    chosen = arguments.stages.split(",") if arguments.stages else list(every)
    unknown = set(chosen) - set(every)
    if unknown:
        raise SystemExit(f"stages are {', '.join(every)}; not {', '.join(unknown)}")
    before, left = files_of(HERE), list(chosen)
    undiscovered = before
    print(f"{'stage':16s} {'seconds':>7s} {'kills':>6s} {'over':>5s} {'disk':>5s} {'gone':>5s} {'twice':>5s} failures")
    for name, command in every.items():
        if not left:
            break
        if name == "discovery":
            undiscovered = before
        if name == "discovery in 2":  # makes what one process made, from the same files
            if name not in chosen:
                continue
            before = undiscovered
        stage = Stage(HERE, name, command, before)
        before = stage.after
        if name not in chosen:
            continue
        share = (end - time.monotonic()) / len(left)
        left.remove(name)
        if "disk" in arguments.tests:
            stage.disk()
        if "read-only" in arguments.tests:
            stage.read_only()
        if "vanished" in arguments.tests:
            stage.vanished(INPUTS[name], chance)
        if "twice" in arguments.tests:
            stage.twice(chance)
        if "kills" in arguments.tests:
            stage.kills(arguments.kills, chance, time.monotonic() + share)
        failures += len(stage.failures)
        counts = stage.counts
        row = [counts["kills"], counts["over before the kill"], counts["full disks"] + counts["read-only"]]
        row += [counts["vanished inputs"], counts["pairs of runs"]]
        print(
            f"{name:16s} {stage.seconds:7.1f} {row[0]:6d} {row[1]:5d} {row[2]:5d} {row[3]:5d} {row[4]:5d} "
            f"{len(stage.failures)}", flush=True,
        )  # fmt: skip
        restore(HERE, before)
    return failures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of each stage (default: %(default)s)")
    parser.add_argument("--stages", default="", help="names with commas between them (default: all)")
    parser.add_argument("--tests", default=",".join(TESTS), help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=600, help="bound of all kills (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    start_in_copy(parser, __file__, disturb)


if __name__ == "__main__":
    main()
