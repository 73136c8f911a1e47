"""Where in real messages the neurons of a layer fire: from the scan of the data set and the messages themselves."""

from collections.abc import Sequence
from functools import cached_property

import h5py
import numpy as np

from report.settings import Work
from utils.data import SPLITS, read_split
from utils.dense_scan import bases_of_codes
from utils.motif import to_ppm
from utils.runtime import InputError, shown
from utils.sequence import decode

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
        """Start and end of the coding sequence of each message, int64 (n, 2), -1 without one; None without the track."""
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


def best_place(bases: np.ndarray, ppm: np.ndarray) -> int:
    """Return where a motif (4, width) fits bases uint8 (n,) best, by log-odds; -1 where it does not fit in."""
    width = ppm.shape[1]
    if len(bases) < width:
        return -1
    score = np.log2(np.vstack([np.maximum(ppm, 0.01), np.full(width, 0.25)]) / 0.25)
    windows = np.lib.stride_tricks.sliding_window_view(np.minimum(bases, 4), width)
    return int(score[windows, np.arange(width)].sum(axis=1).argmax())


def read_firing(
    work: Work, messages: Messages, layer: int, motifs: Sequence[np.ndarray | None]
) -> tuple[str, list[dict]]:
    """Return what is wrong with the scan of a layer, or an empty text, and the facts of each of its neurons.

    Args:
        work: the model.
        messages: of its data set.
        layer: counted from 1.
        motifs: counts or probabilities (4, width) of the strongest segment of each neuron, None without one.
    """
    path = work.scan(layer)
    try:
        with h5py.File(path, "r") as file:
            weights, data = (str(file.attrs[f"{key}_sha256"]) for key in ("checkpoint", "dataset"))
            highest, start = file["message_maximum"][:], file["message_start"][:].astype(np.int64)
            of_neuron, field = file["neuron_maximum"][:], int(file.attrs["receptive_field"])
    except (OSError, KeyError) as error:
        return f"{shown(path)}: damaged ({str(error)[:80]}); scan again", []
    if weights != work.checkpoint.sha256 or data != work.dataset_sha256:
        return f"{shown(path)}: of another checkpoint or data set; scan again", []
    share = work.interaction.threshold
    expected = [] if messages.coding is None else expected_regions(messages.length, messages.coding, field)
    found = []
    for neuron in range(highest.shape[1]):
        top = float(of_neuron[neuron])
        facts: dict = {"maximum": top, "activating": 0, "regions": [], "histogram": [], "fragments": []}
        found.append(facts)
        if not top > 0:
            continue
        rows = np.flatnonzero(highest[:, neuron] > share * top)
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
        facts["fragments"] = [
            _fragment(messages, int(row), int(start[row, neuron]), field, float(highest[row, neuron]) / top, motif)
            for row in order
            for motif in [motifs[neuron]]
        ]
    return "", found


def _fragment(
    messages: Messages, row: int, start: int, field: int, share: float, motif: np.ndarray | None
) -> dict[str, object]:
    bases = messages.bases(row, start, start + field)
    place = -1 if motif is None else best_place(bases, to_ppm(motif))
    region = ""
    if messages.coding is not None:
        number = int(regions(np.array([start + field // 2]), messages.coding[row : row + 1])[0])
        region = REGIONS[number] if number >= 0 else ""
    return {
        "row": row,
        "id": messages.id[row],
        "split": SPLITS[messages.place(row)[0]],
        "start": start,
        "length": int(messages.length[row]),
        "share": share,
        "region": region,
        "text": decode(bases),
        "mark": [place, place + motif.shape[1]] if motif is not None and place >= 0 else [],
    }
