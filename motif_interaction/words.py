"""Motifs as IUPAC words, and where sequences hold them.

Sequences are indices uint8 (n, length): 0 to 3, and 4 for N and padding, which no letter matches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.runtime import InputError
from utils.sequence import ALPHABET, IUPAC

GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Motif:
    """A motif of a pair.

    Attributes:
        words: IUPAC words, any of which is the motif.
        name: as databases name it; empty where none matches.
    """

    words: tuple[str, ...]
    name: str = ""

    @property
    def text(self) -> str:
        """The words as one text that may stand in a file name."""
        return "+".join(self.words)


def read_word(text: object, where: str) -> str:
    """Return an IUPAC word as RNA in capitals.

    Raises:
        InputError: not a text, an unknown letter, or only N.
    """
    if not isinstance(text, str) or not text:
        raise InputError(f"{where}: {text!r} is not a word; write IUPAC letters such as UGUANA")
    word = text.upper().replace("T", "U")
    unknown = sorted(set(word) - set(IUPAC))
    if unknown:
        raise InputError(f"{where}: {text!r} holds {unknown[0]!r}, which is not an IUPAC letter ({''.join(IUPAC)})")
    if set(word) == {"N"}:
        raise InputError(f"{where}: {text!r} is every sequence; give a word with a base in it")
    return word


def match(sequences: np.ndarray, word: str) -> np.ndarray:
    """Return where sequences (n, length) hold an IUPAC word, overlapping places included: bool (n, starts)."""
    starts = sequences.shape[1] - len(word) + 1
    found = np.ones((len(sequences), max(0, starts)), dtype=bool)
    for offset, letter in enumerate(word if starts > 0 else ""):
        meant = np.array([base in IUPAC[letter] for base in ALPHABET] + [False])
        found &= meant[sequences[:, offset : offset + starts]]
    return found


def occurrences(sequences: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Return every occurrence of a motif: int64 (k, 3) of sequence, start, end, sorted.

    Overlapping ones are all there; one that lies within another (a short word in a long one) is not.
    """
    found = []
    for word in dict.fromkeys(words):
        row, start = np.nonzero(match(sequences, word))
        found.append(np.stack([row, start, start + len(word)], axis=1))
    places = np.unique(np.concatenate(found), axis=0)
    order = np.lexsort((-places[:, 2], places[:, 1], places[:, 0]))  # of one start the longest first
    places = places[order]
    reach = places[:, 2] + places[:, 0] * (sequences.shape[1] + 1)  # grows from sequence to sequence
    before = np.concatenate([[-1], np.maximum.accumulate(reach)[:-1]])
    return places[reach > before].astype(np.int64)


@dataclass(frozen=True)
class Places:
    """Where motif A and motif B of a pair stand together.

    Attributes:
        row: int64 (k,), message.
        start: int64 (k, 2), 0-based first position of A and of B in the message.
        end: int64 (k, 2), the positions behind them.
    """

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, chosen: np.ndarray) -> "Places":
        return Places(self.row[chosen], self.start[chosen], self.end[chosen])

    @property
    def low(self) -> np.ndarray:
        """First position of the pair, int64 (k,)."""
        return self.start.min(axis=1)

    @property
    def high(self) -> np.ndarray:
        """Position behind the pair, int64 (k,)."""
        return self.end.max(axis=1)

    @property
    def spacing(self) -> np.ndarray:
        """Nucleotides between the two, int64 (k,)."""
        return self.start.max(axis=1) - self.end.min(axis=1)


def find_pairs(
    fragments: np.ndarray, row: np.ndarray, start: np.ndarray, a: Motif, b: Motif, seed: int = 1,
    max_sequences: int = 200, max_places: int = 4,
) -> Places:  # fmt: skip
    """Return the places in fragments where both motifs of a pair stand without overlap.

    Each unordered pair of occurrences is there once, also where A and B are the same motif or share words. Of more than
    ``max_places`` in a fragment, and of more than ``max_sequences`` fragments, so many are drawn.

    Args:
        fragments: uint8 (n, length).
        row: int64 (n,), message of each fragment.
        start: int64 (n,), where it starts there.
        a: one motif.
        b: the other one.
        seed: of the draws.
        max_sequences: fragments.
        max_places: of a pair in a fragment.
    """
    of_a, of_b = occurrences(fragments, a.words), occurrences(fragments, b.words)
    first = np.searchsorted(of_b[:, 0], of_a[:, 0], side="left")
    count = np.searchsorted(of_b[:, 0], of_a[:, 0], side="right") - first
    one = np.repeat(np.arange(len(of_a)), count)
    other = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    left, right = of_a[one], of_b[other]
    apart = (left[:, 2] <= right[:, 1]) | (right[:, 2] <= left[:, 1])
    left, right = left[apart], right[apart]
    in_order = (left[:, 1] < right[:, 1])[:, None]
    both = np.concatenate([np.where(in_order, left, right), np.where(in_order, right, left)[:, 1:]], axis=1)
    _, kept = np.unique(both, axis=0, return_index=True)  # x as A with y as B, and y as A with x as B, are one
    left, right = left[kept], right[kept]
    if set(a.words) == set(b.words):  # then the one at the 5' side is A
        swap = (left[:, 1] > right[:, 1])[:, None]
        left, right = np.where(swap, right, left), np.where(swap, left, right)
    fragment = left[:, 0]
    key = uniform(hashed(np.full(len(left), seed), row[fragment], left[:, 1], right[:, 1]), 1)[:, 0]
    order = np.lexsort((key, fragment))
    rank = np.arange(len(order)) - np.searchsorted(fragment[order], fragment[order], side="left")
    kept = np.sort(order[rank < max_places])
    holding = np.unique(fragment)
    if len(holding) > max_sequences:
        key = uniform(hashed(np.full(len(holding), seed), row[holding]), 1)[:, 0]
        kept = kept[np.isin(fragment[kept], holding[np.argsort(key, kind="stable")[:max_sequences]])]
    left, right, fragment = left[kept], right[kept], fragment[kept]
    offset = start[fragment][:, None]
    return Places(
        row[fragment].astype(np.int64),
        np.stack([left[:, 1], right[:, 1]], axis=1) + offset,
        np.stack([left[:, 2], right[:, 2]], axis=1) + offset,
    )


# -- random numbers that belong to a place, whatever else is computed beside it -----------------------------------


def _mixed(x: np.ndarray) -> np.ndarray:
    """Return the output function of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA), uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hashed(key: np.ndarray, *numbers: np.ndarray) -> np.ndarray:
    """Return uint64 (n,) that depends on a key and on integers (n,), each taken in turn."""
    with np.errstate(over="ignore"):
        x = np.asarray(key, dtype=np.uint64)
        for number in numbers:
            x = _mixed((x + np.uint64(GOLDEN)) ^ np.asarray(number, dtype=np.uint64))
    return x


def uniform(key: np.ndarray, count: int) -> np.ndarray:
    """Return float64 (..., count) in [0, 1): the first numbers of the SplitMix64 stream of each key (...)."""
    with np.errstate(over="ignore"):
        steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        return (_mixed(key[..., None] + steps) >> np.uint64(11)) * 2.0**-53
