"""Motifs and pairs that a simulation plants: what an instance of a motif is, and where messages hold one.

Sequences are indices uint8 (n, length), 0 to 3, and 4 behind the end of a message.
"""

from dataclasses import dataclass

import numpy as np

from utils.motif import Motif
from utils.sequence import N, decode


@dataclass(frozen=True)
class PlantedMotif:
    """A motif to be planted.

    Attributes:
        motif: name and probabilities (4, width).
        hits: bool (4**width,), which words are instances; a word is the number its bases write to the base of 4.
        effect: of an instance, in label units; 0 for a decoy.
        shares: of the messages that get 1, 2, ... instances of it by itself.
        position: relative probabilities of equal parts of the message, 5' to 3'.
    """

    motif: Motif
    hits: np.ndarray
    effect: float
    shares: tuple[float, ...]
    position: tuple[float, ...] = (1.0,)

    @property
    def width(self) -> int:
        """Nucleotides."""
        return self.motif.ppm.shape[1]


@dataclass(frozen=True)
class PlantedPair:
    """Two motifs that act together where they stand in a window of spacings.

    Attributes:
        a: number of the first motif.
        b: number of the second motif.
        spacing: fewest and most nucleotides between the end of one and the start of the other, both included.
        ordered: whether a has to be the one at the 5' side.
        eps: epistasis, in label units: what the pair adds to the sum of its single effects.
        share: of the messages that get the pair.
        position: relative probabilities of equal parts of the message, 5' to 3'.
    """

    a: int
    b: int
    spacing: tuple[int, int]
    ordered: bool
    eps: float
    share: float
    position: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, eq=False)
class Instances:
    """Instances of motifs, sorted by message and position.

    Attributes:
        row: int64 (k,), message.
        motif: int64 (k,), number of the motif.
        start: int64 (k,), 0-based.
    """

    row: np.ndarray
    motif: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same instances in the same order."""
        columns = ("row", "motif", "start")
        return isinstance(other, Instances) and all(
            np.array_equal(getattr(self, column), getattr(other, column)) for column in columns
        )

    __hash__ = None

    def sorted(self) -> "Instances":
        """Return them by message, position and motif."""
        order = np.lexsort((self.motif, self.start, self.row))
        return Instances(self.row[order], self.motif[order], self.start[order])


def hit_table(ppm: np.ndarray, threshold: float) -> np.ndarray:
    """Return which words of a motif's width are instances, bool (4**width,).

    A word is one when its log-odds score against equal base frequencies, sum log2(p / 0.25), is at least ``threshold``
    times the highest possible one; one with a base of probability 0 never is. Of an IUPAC word these are the words it
    stands for.
    """
    weights = np.where(ppm > 0, np.log2(np.where(ppm > 0, ppm, 1) / 0.25), -np.inf)
    score = np.zeros(1)
    for column in weights.T:
        score = (score[:, None] + column).ravel()
    return score >= threshold * weights.max(axis=0).sum() - 1e-9


def shared_word(one: np.ndarray, other: np.ndarray) -> str | None:
    """Return a word of a motif that is or holds a word of another motif; None when there is none.

    Args:
        one: hit table bool (4**width,).
        other: hit table of the other motif; the wider one of the two is searched for words of the narrower.
    """
    wide, narrow = (one, other) if len(one) >= len(other) else (other, one)
    words, width, inner_width = np.flatnonzero(wide), width_of(wide), width_of(narrow)
    for offset in range(width - inner_width + 1):
        holds = narrow[words // 4 ** (width - inner_width - offset) % len(narrow)]
        if holds.any():
            return decode(letters(words[holds][:1], width)[0])
    return None


def width_of(hits: np.ndarray) -> int:
    """Return the nucleotides of the words of a hit table."""
    return (len(hits).bit_length() - 1) // 2


def letters(words: np.ndarray, width: int) -> np.ndarray:
    """Return the bases uint8 (n, width) of words (n,)."""
    return (words[:, None] // 4 ** np.arange(width - 1, -1, -1) % 4).astype(np.uint8)


def draw_instances(motif: PlantedMotif, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n instances uint8 (n, width): words drawn with the probabilities of the motif from those that are hits."""
    bases = letters(np.flatnonzero(motif.hits), motif.width)
    probability = motif.motif.ppm[bases, np.arange(motif.width)].prod(axis=1)
    return bases[rng.choice(len(bases), size=n, p=probability / probability.sum())]


def scan(sequences: np.ndarray, motifs: list[PlantedMotif]) -> Instances:
    """Return every instance of every motif in messages (n, length); a window with an N is none."""
    found = []
    known = sequences < N
    bases = np.where(known, sequences, 0)
    words: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for number, motif in enumerate(motifs):
        width = motif.width
        if width not in words:
            span = sequences.shape[1] - width + 1
            word, whole = np.zeros((len(sequences), span), dtype=np.int32), np.ones((len(sequences), span), dtype=bool)
            for offset in range(width):
                word = 4 * word + bases[:, offset : offset + span]
                whole &= known[:, offset : offset + span]
            words[width] = word, whole
        word, whole = words[width]
        row, start = np.nonzero(motif.hits[word] & whole)
        found.append((row, np.full(len(row), number), start))
    return Instances(*(np.concatenate(column).astype(np.int64) for column in zip(*found, strict=True))).sorted()
