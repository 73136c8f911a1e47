"""A corpus of bad inputs, made from good ones: each is refused in one line, or rightly accepted.

    python benchmarks/bad_inputs.py [--seed 1] [--share 1.0] [--only WORD] [--list]

In a copy of the tree every stage of a small project (benchmarks/toy_project.py) has run. A case changes one file and
runs a command that reads it, in a process of its own. It must end with exit status 2 and one line that names the file,
or a key of it, or end well. Failures are any other status, a traceback, several lines, a file written elsewhere, more
than 60 s and more than 4 GiB of memory.
"""

import argparse
import os
import random
import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.bad_cases import Case, all_cases
from benchmarks.bad_project import CODE, make_project
from benchmarks.processes import Run, files_of, restore
from benchmarks.tree_copy import HERE, start_in_copy

MEMORY = 4 * 2**30  # bytes
SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        said: ``refused``, ``accepted`` or what is wrong.
        message: the error line.
        seconds: wall time.
        memory: most resident bytes.
    """

    said: str
    message: str
    seconds: float
    memory: int

    @property
    def fine(self) -> bool:
        """Whether it ended as it must."""
        return self.said in ("refused", "accepted")


def try_out(case: Case, good: dict[str, bytes]) -> Outcome:
    """Run a case and restore the files."""
    place = HERE.parent
    outside = {path for path in place.rglob("*") if HERE not in [path, *path.parents]}
    case.change(HERE)
    changed = files_of(HERE)
    started = time.monotonic()
    run = Run(case.command, place / "log", memory=MEMORY)
    status = run.wait(SECONDS)
    seconds = time.monotonic() - started
    if status is None:
        run.kill()
    text = (place / "log").read_text(encoding="utf-8", errors="replace")
    errors = [line for line in text.splitlines() if line.startswith(("error: ", "usage: "))]
    message = errors[0] if errors else ""
    said = _judged(case, status, text, errors)
    after = files_of(HERE)
    program = [name for name in after.keys() | changed.keys() if name.endswith(CODE) and "/assets/" not in name]
    if any(after.get(name) != changed.get(name) for name in program):  # a report has scripts of its own
        said = "a file of the program was written"
    new = {path for path in place.rglob("*") if HERE not in [path, *path.parents]} - outside - {place / "log"}
    if new:
        said = f"written elsewhere: {sorted(map(str, new))}"
    if run.memory > MEMORY:
        said = f"{run.memory / 2**30:.1f} GiB"
    restore(HERE, good)
    return Outcome(said, message, seconds, run.memory)


def _judged(case: Case, status: int | None, text: str, errors: list[str]) -> str:
    if status is None:
        return "hangs"
    if "Traceback" in text or "Exception ignored" in text:
        return f"a traceback: {text.strip().splitlines()[-1][:200]}"
    if status == 0 and case.noted and case.names[0] not in text:
        return f"goes on without naming {case.names[0]}"
    if status == 0:
        return "accepted, which is wrong" if case.refused else "accepted"
    if status != 2 or len(errors) != 1:
        return f"status {status}, {len(errors)} error lines: {text.strip()[-200:]}"
    if errors[0].startswith("error: ") and not any(name in errors[0] for name in case.names):
        return f"names none of {', '.join(case.names)}: {errors[0][:200]}"
    return "refused"


def run(arguments: argparse.Namespace) -> int:
    """Run the corpus; returns how many cases failed."""
    home = HERE.parent / "home"
    home.mkdir()
    os.environ["HOME"] = str(home)
    make_project(HERE)
    good = files_of(HERE)
    cases = all_cases(HERE, arguments.seed)
    cases = [case for case in cases if any(word in case.name for word in arguments.only.split(","))]
    chosen = random.Random(arguments.seed).sample(cases, max(1, round(arguments.share * len(cases))))
    counts: Counter[str] = Counter()
    failed, most, longest = [], 0, 0.0
    for case in sorted(chosen, key=cases.index):
        outcome = try_out(case, good)
        counts[outcome.said if outcome.fine else "failed"] += 1
        most, longest = max(most, outcome.memory), max(longest, outcome.seconds)
        if not outcome.fine:
            failed.append(case)
        if arguments.list or not outcome.fine:
            line = f"{'ok' if outcome.fine else 'FAILED'} {case.name}: {outcome.said} {outcome.message}"
            print(line[:400], flush=True)
    print(
        f"{len(chosen)} cases: {counts['refused']} refused, {counts['accepted']} accepted, {counts['failed']} failed; "
        f"at most {most / 2**30:.2f} GiB and {longest:.1f} s"
    )
    return len(failed)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default: %(default)s)")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases, drawn (default: all)")
    parser.add_argument("--only", default="", help="cases with one of these words (commas between them) in their name")
    parser.add_argument("--list", action="store_true", help="print every case, not only those that failed")
    start_in_copy(parser, __file__, run)


if __name__ == "__main__":
    main()
