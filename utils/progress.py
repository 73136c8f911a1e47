"""Progress of long work: a bar in a terminal; in a log a line now and then of how far it is, and how long is left."""

import sys
from collections.abc import Iterable

from tqdm import tqdm

IN_TERMINAL, IN_LOG = 0.5, 15.0  # seconds between two looks
LINE = "{desc}: {n_fmt} of {total_fmt} ({percentage:.0f} %) after {elapsed}, {remaining} to go"
LINE_WITHOUT_END = "{desc}: {n_fmt} after {elapsed}"


class _Lines:
    """A log: what would be drawn over what is there becomes a line of its own."""

    def __init__(self) -> None:
        self._last = ""

    def write(self, text: str) -> None:
        line = text.strip()
        if line and line != self._last:
            self._last = line
            sys.stderr.write(line + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress_bar(iterable: Iterable | None = None, **options: object) -> tqdm:
    """Return a progress bar of ``tqdm``, with its options, on standard error or in the log that it is led into.

    ``disable=None``, as of ``tqdm``: for a terminal alone; in a log only what takes long has lines.
    """
    if sys.stderr.isatty():
        return tqdm(iterable, **{"mininterval": IN_TERMINAL, **options})
    total = options.get("total", len(iterable) if hasattr(iterable, "__len__") else None)
    if total == 0:
        options["disable"] = True
    line = LINE if total else LINE_WITHOUT_END
    brief = not options.get("leave", True) or options.get("disable", False) is None  # no line of what is over soon
    pace = {"mininterval": IN_LOG, "maxinterval": IN_LOG, "delay": IN_LOG if brief else 0}
    return tqdm(iterable, **options, **pace, position=0, file=_Lines(), bar_format=line)  # no bar below another
