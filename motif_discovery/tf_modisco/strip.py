"""Real messages with attributions, one after the other in a strip, and the patterns of their seqlets.

Messages differ in length, so they are no array of examples. In the strip, room without bases lies between them: a
seqlet that is shifted and widened as far as the package does never reaches another message.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motif_discovery.methods import ModiscoSettings
from motif_discovery.tf_modisco.patterns import FAILURES, Pattern, Sizes, aligned, say_failure, sizes
from utils.sequence import N, one_hot


@dataclass(frozen=True)
class Strip:
    """Messages with the attributions that each base would have at each position.

    Attributes:
        bases: uint8 (positions,), 0 to 3; N where a message has one, and between messages.
        hypothetical: float32 (positions, 4); 0 where ``bases`` is N.
        first: int64 (messages,), where each message begins in the strip, ascending.
        size: of seqlets and patterns in messages of this length.
    """

    bases: np.ndarray
    hypothetical: np.ndarray
    first: np.ndarray
    size: Sizes

    @cached_property
    def contribution(self) -> np.ndarray:
        """Attribution float64 (positions,) of the base that is there; 0 where none is."""
        known = self.bases < N
        chosen = np.take_along_axis(self.hypothetical, np.where(known, self.bases, 0)[:, None].astype(np.int64), axis=1)
        return np.where(known, chosen[:, 0], 0.0)

    def scores(self, pattern: Pattern) -> np.ndarray:
        """Return what the columns of each seqlet of a pattern contribute, float64 (n,)."""
        return self.contribution[pattern.start[:, None] + np.arange(pattern.width)].sum(axis=1)

    def message_of(self, place: np.ndarray) -> np.ndarray:
        """Return the message int64 (n,) that positions of the strip belong to."""
        return np.searchsorted(self.first, place, side="right") - 1


def empty_strip(bases: np.ndarray, length: np.ndarray, settings: ModiscoSettings) -> Strip:
    """Return messages, bases uint8 (n, longest) with N behind each of ``length`` (n,), without attributions yet."""
    size = sizes(settings, int(length.max()))
    first = size.wide + np.concatenate([[0], np.cumsum(length[:-1] + size.wide)]).astype(np.int64)
    strip = np.full(int(first[-1] + length[-1]) + size.wide, N, dtype=np.uint8)
    for row, (start, own) in enumerate(zip(first.tolist(), length.tolist(), strict=True)):
        strip[start : start + own] = bases[row, :own]
    return Strip(strip, np.zeros((len(strip), 4), dtype=np.float32), first, size)


def window_sums(values: np.ndarray, window: int) -> np.ndarray:
    """Return the sum float64 (n - window + 1,) of the values (n,) in every window."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return total[window:] - total[:-window]


def strongest_apart(value: np.ndarray, start: np.ndarray, apart: int, length: int) -> np.ndarray:
    """Return which of the windows are taken, the strongest first: none within ``apart`` of one that is.

    Args:
        value: strength of each window, (n,).
        start: where it begins, int64 (n,).
        apart: least distance, less one.
        length: of the strip.
    """
    taken, blocked = [], np.zeros(length, dtype=bool)
    for one in np.argsort(-value, kind="stable").tolist():
        place = start[one]
        if not blocked[place]:
            taken.append(one)
            blocked[max(0, place - apart) : place + apart + 1] = True
    return np.array(taken, dtype=np.int64)


def strip_places(strip: Strip, settings: ModiscoSettings) -> dict[int, np.ndarray]:
    """Return of either sign the places int64 (n, 2) of seqlets: 0, and the first position, flanks included.

    As in modisco-lite: windows above the threshold of the false-discovery rate, the strongest first, apart from each
    other. Only windows count that hold neither N nor padding; the flanks around them may.

    Raises:
        ValueError: no window, or all of one sign: no null distribution.
    """
    from modiscolite import extract_seqlets as package

    size = strip.size
    total = window_sums(strip.contribution, size.window)
    start = np.flatnonzero(window_sums(strip.bases < N, size.window) == size.window)
    value = total[start]
    if not ((value > 0).any() and (value < 0).any()):
        raise ValueError("all contributions have one sign: no null distribution")
    raising, lowering, _ = package._smooth_and_split(value[None], 1)
    null = package._laplacian_null([value], size.window, 10_000)
    thresholds = [
        package._isotonic_thresholds(own, of_null, increasing, settings.target_seqlet_fdr)
        for own, of_null, increasing in ((raising, null[0], True), (lowering, null[1], False))
    ]
    high, low = package._refine_thresholds(
        np.concatenate([raising, lowering]), *thresholds, 0.03, settings.max_passing_windows_frac
    )
    passing = (value >= high) | (value <= low)
    value, start = value[passing], start[passing]
    taken = strongest_apart(np.abs(value), start, size.window // 2 + size.flank, len(strip.bases))
    found = {}
    for sign in (1, -1):
        own = taken[np.sign(value[taken]) == sign][: settings.max_seqlets_per_metacluster]
        found[sign] = np.stack([np.zeros(len(own), dtype=np.int64), np.sort(start[own]) - size.flank], axis=1)
    return found


def strip_patterns(strip: Strip, settings: ModiscoSettings, name: str = "") -> list[Pattern]:
    """Return the patterns of the seqlets of a strip; their ``example`` is 0, their ``start`` a position of the strip.

    The package is given the surroundings of the seqlets only, which are little of long messages.

    Args:
        strip: messages.
        settings: of the package.
        name: of what is attributed, for warnings.
    """
    try:
        places = strip_places(strip, settings)
    except FAILURES as error:
        say_failure(name, error, 0)
        return []
    size, kept = strip.size, np.zeros(len(strip.bases), dtype=bool)
    for start in np.concatenate([places[1], places[-1]])[:, 1].tolist():
        kept[max(0, start - size.wide) : start + size.window + 2 * size.flank + size.wide] = True
    old, new = np.flatnonzero(kept), np.cumsum(kept) - 1
    bases = strip.bases[old]
    letters = one_hot(bases).numpy().T.astype(np.float64)
    letters[bases == N] = 0.25
    moved = {sign: np.stack([own[:, 0], new[own[:, 1]]], axis=1) for sign, own in places.items()}
    scores = strip.hypothetical[old].astype(np.float64)
    found = aligned(lambda: moved, letters[None], scores[None], 0, size, settings, name)
    return [Pattern(one.sign, one.example, old[one.start], one.width) for one in found]
