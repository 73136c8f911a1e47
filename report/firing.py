"""Where in real messages the neurons of a layer fire: from the scan of the data set and the messages themselves."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from report.settings import Work
from utils.data import SPLITS, read_split
from utils.dense_scan import bases_of_codes
from utils.hdf5 import Damaged, read_arrays
from utils.motif import iupac_consensus
from utils.motif_places import best_places
from utils.runtime import InputError, shown
from utils.sequence import IUPAC, decode, spelled

CODON_TRACK = 4  # bit of the first base of each codon
HISTOGRAM = 20  # bins of the relative position
BEST = 10  # fragments shown
REGIONS = ("5' UTR", "CDS", "3' UTR")


class Messages:
    """The messages of a data set, train, valid and test in this order; read when they are first needed.

    Args:
        work: the model and its data set.
    """

    def __init__(self, work: Work) -> None:
        self.work = work

    @cached_property
    def splits(self) -> list:
        """The splits."""
        return [read_split(self.work.dataset, name) for name in SPLITS]

    @cached_property
    def length(self) -> np.ndarray:
        """Nucleotides of each message, int64 (n,)."""
        return np.concatenate([split.length for split in self.splits]).astype(np.int64)

    @cached_property
    def id(self) -> list[str]:
        """Identifiers."""
        return [name for split in self.splits for name in split.id]

    def place(self, row: int) -> tuple[int, int]:
        """Return the split of a row and the row in it."""
        for number, split in enumerate(self.splits):
            if row < len(split):
                return number, row
            row -= len(split)
        raise InputError(f"{shown(self.work.dataset)}: row {row} is beyond its messages; scan again")

    def bases(self, row: int, start: int, end: int) -> np.ndarray:
        """Return the bases [start, end) of a message, uint8: 0 to 3, and 4 for N."""
        split, inside = self.place(row)
        return bases_of_codes(self.splits[split].codes[inside : inside + 1, start:end])[0]

    @cached_property
    def coding(self) -> np.ndarray | None:
        """Start and end of each coding sequence, int64 (n, 2), -1 without one; None without the track."""
        if self.splits[0].tracks <= CODON_TRACK:
            return None
        parts = []
        for split in self.splits:
            bounds = np.full((len(split), 2), -1, dtype=np.int64)
            for begin in range(0, len(split), 1024):
                codon = split.codes[begin : begin + 1024] >> CODON_TRACK & 1
                rows = np.flatnonzero(codon.any(axis=1))
                bounds[begin + rows, 0] = codon[rows].argmax(axis=1)
                bounds[begin + rows, 1] = codon.shape[1] - codon[rows, ::-1].argmax(axis=1) + 2
            parts.append(bounds)
        found = np.concatenate(parts)
        return found if (found >= 0).any() else None


def regions(middle: np.ndarray, coding: np.ndarray) -> np.ndarray:
    """Return the region of positions int (n,) in messages with bounds (n, 2): 0 to 2 as ``REGIONS``, -1 unknown."""
    start, end = coding.T
    region = np.where(middle < start, 0, np.where(middle < end, 1, 2))
    return np.where(start < 0, -1, region)


def expected_regions(length: np.ndarray, coding: np.ndarray, field: int) -> list[float]:
    """Return the share of all windows of the messages whose middle lies in each region."""
    known = (coding[:, 0] >= 0) & (length >= field)
    first, last = field // 2, length[known] - field + field // 2 + 1  # of the middles, half-open
    start, end = (np.clip(bound, first, last) for bound in coding[known].T)
    counts = np.array([(start - first).sum(), (end - start).sum(), (last - end).sum()], dtype=np.float64)
    return (counts / counts.sum()).tolist() if counts.sum() else [0.0, 0.0, 0.0]


def best_motifs(
    bases: np.ndarray, motifs: Sequence[tuple[str, np.ndarray]]
) -> list[tuple[str, int, np.ndarray] | None]:
    """Return for each sequence the motif that fits it best by log-odds: its name, where it starts, and its matrix.

    Args:
        bases: uint8 (n, length), 4 for N.
        motifs: names and probabilities (4, width).
    """
    if not motifs:
        return [None] * len(bases)
    score, start = best_places(bases, [ppm for _, ppm in motifs])
    found: list[tuple[str, int, np.ndarray] | None] = []
    for row, best in enumerate(score.argmax(axis=1).tolist()):
        name, ppm = motifs[best]
        found.append((name, int(start[row, best]), ppm) if score[row, best] > 0 else None)
    return found


def pieces(text: str, place: tuple[str, int, np.ndarray] | None) -> list[list[str]]:
    """Return a fragment in pieces: ``out`` of the motif that fits it, and in it ``same`` or ``other`` than its word."""
    if place is None:
        return [["out", text]]
    _, start, ppm = place
    word = iupac_consensus(ppm)
    kinds = ["out"] * len(text)
    for offset, letter in enumerate(word):
        kinds[start + offset] = "same" if text[start + offset] in IUPAC[letter] else "other"
    runs: list[list[str]] = []
    for kind, letter in zip(kinds, text, strict=True):
        if runs and runs[-1][0] == kind:
            runs[-1][1] += letter
        else:
            runs.append([kind, letter])
    return runs


def read_firing(
    work: Work, messages: Messages, layer: int, motifs: Sequence[Sequence[tuple[str, np.ndarray]]], share: float
) -> tuple[str, list[dict]]:
    """Return what is wrong with the scan of a layer, or an empty text, and the facts of each of its neurons.

    Args:
        work: the model.
        messages: of its data set.
        layer: counted from 1.
        motifs: segments of each neuron that are looked for in its fragments: part and probabilities (4, width).
        share: of a neuron's maximum above which a window activates it.
    """
    path = work.scan(layer)
    try:
        made_of = read_arrays(path, {}, {"checkpoint_sha256": str, "dataset_sha256": str})
        if list(made_of.values()) != [work.checkpoint.sha256, work.dataset_sha256]:
            return f"{shown(path)}: of another checkpoint or data set; scan again", []
        channels = work.channels_of(layer)
        each = (len(messages.length), channels)
        shapes = {"message_maximum": each, "message_start": each, "neuron_maximum": (channels,)}
        highest, start, of_neuron = read_arrays(path, shapes).values()
    except Damaged as error:
        return f"{shown(path)}: damaged ({error}); scan again", []
    start, field = start.astype(np.int64), work.checkpoint.model.receptive_field(layer)
    expected = [] if messages.coding is None else expected_regions(messages.length, messages.coding, field)
    found = []
    for neuron in range(highest.shape[1]):
        top = float(of_neuron[neuron])
        facts: dict = {"maximum": top, "activating": 0, "regions": [], "histogram": [], "fragments": []}
        found.append(facts)
        if not top > 0:
            continue
        rows = np.flatnonzero(highest[:, neuron] > share * top)
        if not len(rows):  # such as for a maximum of a damaged scan, which no message reaches
            continue
        middle = start[rows, neuron] + field // 2
        facts["activating"] = len(rows)
        relative = (middle + 0.5) / messages.length[rows]
        facts["histogram"] = np.histogram(relative, bins=HISTOGRAM, range=(0, 1))[0].tolist()
        if messages.coding is not None:
            region = regions(middle, messages.coding[rows])
            counts = [int((region == one).sum()) for one in range(len(REGIONS))]
            facts["regions"] = [
                [name, count, part] for name, count, part in zip(REGIONS, counts, expected, strict=True)
            ]
        order = rows[np.argsort(-highest[rows, neuron], kind="stable")][:BEST]
        bases = np.stack(
            [messages.bases(int(row), int(start[row, neuron]), int(start[row, neuron]) + field) for row in order]
        )
        for row, own, place in zip(order.tolist(), bases, best_motifs(bases, motifs[neuron]), strict=True):
            facts["fragments"].append(
                {
                    "id": messages.id[row],
                    "split": SPLITS[messages.place(row)[0]],
                    "start": int(start[row, neuron]),
                    "length": int(messages.length[row]),
                    "share": float(highest[row, neuron]) / top,
                    "region": _region(messages, row, int(start[row, neuron]) + field // 2),
                    "pieces": [[kind, spelled(text, work.alphabet)] for kind, text in pieces(decode(own), place)],
                    "part": place[0] if place else "",
                }
            )
    return "", found


def _region(messages: Messages, row: int, middle: int) -> str:
    if messages.coding is None:
        return ""
    number = int(regions(np.array([middle]), messages.coding[row : row + 1])[0])
    return REGIONS[number] if number >= 0 else ""
