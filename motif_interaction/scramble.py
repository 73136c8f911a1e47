"""Scrambling the motifs of a pair: replacements that break them and create none.

Motif A and motif B are replaced by their own bases in another order. A draw is taken where, with A replaced, with B
replaced and with both, what is replaced has changed and no word of A or B overlaps it; else it is drawn again. A motif
that no reordering of ``SHUFFLES`` breaks (UUUUUU, or one among its likes) gets random bases, all four equally
probable, instead; a draw that is not found within ``ROUNDS`` is missing.
"""

from dataclasses import dataclass

import numpy as np

from motif_interaction.words import Motif, Places, hashed, match, uniform
from utils.sequence import N

SHUFFLES, ROUNDS = 40, 120
CONTEXTS_AT_ONCE = 2**22  # positions that are searched for words together: bounds the memory


@dataclass(frozen=True)
class Scrambled:
    """Replacements of motif A and motif B.

    Attributes:
        bases: uint8 (places, draws, 2, width): what stands instead of A and of B, then 4 up to the widest.
        broken: bool (places,), whether a draw was found for each that was asked for.
        random: bool (places,), whether random bases were needed.
    """

    bases: np.ndarray
    broken: np.ndarray
    random: np.ndarray


def around(sequences: np.ndarray, places: Places, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs with ``margin`` nt on either side, uint8 (places, width), and where they start in the message.

    Args:
        sequences: uint8 (places, length), the message of each place.
        places: of the pairs.
        margin: nt; where the message ends there is N.
    """
    width = int((places.high - places.low).max()) + 2 * margin
    first = places.low - margin
    column = first[:, None] + np.arange(width)
    inside = (column >= 0) & (column < sequences.shape[1])
    bases = np.take_along_axis(sequences, np.clip(column, 0, sequences.shape[1] - 1), axis=1)
    return np.where(inside, bases, N).astype(np.uint8), first


def touched(contexts: np.ndarray, words: list[str], start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return whether a word in contexts (n, width) overlaps the stretch [start, end) of each, bool (n,)."""
    found = np.zeros(len(contexts), dtype=bool)
    for word in words:
        place = np.arange(contexts.shape[1] - len(word) + 1)
        overlaps = (place < end[:, None]) & (place + len(word) > start[:, None])
        found |= (match(contexts, word) & overlaps).any(axis=1)
    return found


def put(contexts: np.ndarray, bases: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return contexts (n, width) with [start, end) of each replaced by the first of its bases (n, widest)."""
    place = np.arange(contexts.shape[1]) - start[:, None]
    inside = (place >= 0) & (place < (end - start)[:, None])
    new = np.take_along_axis(bases, np.clip(place, 0, bases.shape[1] - 1), axis=1)
    return np.where(inside, new, contexts)


def scramble(sequences: np.ndarray, places: Places, a: Motif, b: Motif, draws: int, key: np.ndarray) -> Scrambled:
    """Draw replacements of both motifs at each place.

    Args:
        sequences: uint8 (places, length), the message of each place.
        places: of the pairs; also of other stretches than the motifs, for controls.
        a: one motif; its words must not be created.
        b: the other one.
        draws: replacements of each place.
        key: uint64 (places,), which decides what is drawn, whatever other places there are.
    """
    words = list(dict.fromkeys([*a.words, *b.words]))
    margin = max(map(len, words))
    widest = int((places.end - places.start).max())
    bases = np.full((len(places), draws, 2, widest), N, dtype=np.uint8)
    open_draw = np.ones((len(places), draws), dtype=bool)
    random = np.zeros(len(places), dtype=bool)
    size = max(1, CONTEXTS_AT_ONCE // (draws * (2 * margin + int((places.high - places.low).max()))))
    for begin in range(0, len(places), size):
        part = slice(begin, begin + size)
        contexts, first = around(sequences[part], places[part], margin)
        start, end = places.start[part] - first[:, None], places.end[part] - first[:, None]
        _draw(contexts, start, end, words, key[part], bases[part], open_draw[part], random[part])
    return Scrambled(bases, ~open_draw.any(axis=1), random)


def _draw(
    contexts: np.ndarray, start: np.ndarray, end: np.ndarray, words: list[str], key: np.ndarray,
    bases: np.ndarray, open_draw: np.ndarray, random: np.ndarray,
) -> None:  # fmt: skip
    """Fill ``bases``, ``open_draw`` and ``random`` (views of arrays) for some places, round by round."""
    widest = bases.shape[3]
    breakable = np.zeros((len(contexts), 2), dtype=bool)  # by a reordering
    place = np.minimum(start[..., None] + np.arange(widest), contexts.shape[1] - 1)
    own = np.take_along_axis(contexts[:, None, :], place, axis=2)
    behind = np.arange(widest) >= (end - start)[..., None]
    for number in range(ROUNDS):
        item, draw = np.nonzero(open_draw)
        if not len(item):
            return
        numbers = uniform(hashed(key[item], draw, number), 2 * widest).reshape(len(item), 2, widest)
        shuffled = np.take_along_axis(own[item], np.where(behind[item], 2.0, numbers).argsort(axis=2), axis=2)
        at_random = (number >= SHUFFLES) & ~breakable[item]
        new = np.where(at_random[..., None], (4 * numbers).astype(np.uint8), shuffled)
        new = np.where(behind[item], N, new)
        left, right = (put(contexts[item], new[:, motif], start[item, motif], end[item, motif]) for motif in (0, 1))
        both = put(left, new[:, 1], start[item, 1], end[item, 1])
        good = np.empty((len(item), 2), dtype=bool)
        for motif, context in ((0, left), (1, right)):
            changed = (context != contexts[item]).any(axis=1)
            good[:, motif] = changed & ~touched(context, words, start[item, motif], end[item, motif])
        if number < SHUFFLES:
            np.logical_or.at(breakable, item, good)
        fine = good.all(axis=1)
        for motif in (0, 1):
            fine[fine] &= ~touched(both[fine], words, start[item[fine], motif], end[item[fine], motif])
        bases[item[fine], draw[fine]] = new[fine]
        open_draw[item[fine], draw[fine]] = False
        np.logical_or.at(random, item[fine], at_random[fine].any(axis=1))


def control_places(blocked: np.ndarray, places: Places, key: np.ndarray) -> tuple[Places, np.ndarray]:
    """Return two stretches as wide and as far apart as the motifs elsewhere in each message, and where there is room.

    Args:
        blocked: bool (places, length), positions that must not be in the control or between its two stretches.
        places: of the pairs.
        key: uint64 (places,), which decides the position among those that are free.

    Returns:
        The places of those with room, and their numbers int64 (k,).
    """
    before = np.zeros((len(places), blocked.shape[1] + 1), dtype=np.int32)
    np.cumsum(blocked, axis=1, out=before[:, 1:])
    span = (places.high - places.low)[:, None]
    end = np.arange(blocked.shape[1])[None, :] + span
    free = end <= blocked.shape[1]
    free &= np.take_along_axis(before, np.minimum(end, blocked.shape[1]), axis=1) == before[:, :-1]
    count = free.sum(axis=1)
    room = np.flatnonzero(count)
    wanted = (uniform(key, 1)[:, 0] * count).astype(np.int64)
    position = (np.cumsum(free, axis=1) > wanted[:, None]).argmax(axis=1)
    moved = (position - places.low)[room, None]
    return Places(places.row[room], places.start[room] + moved, places.end[room] + moved), room
