"""TF-MoDISco through modisco-lite, on one strand and on windows of any length (Shrikumar 2018, arXiv:1811.00416).

modisco-lite compares everything with its reverse complement too and has no switch for it. RNA has one strand. So while
it runs, ``single_strand`` gives it the forward sequence wherever it asks for the reverse complement: as it prefers the
reverse complement only where that fits better, and the same does not, it never does. That no seqlet was turned is
checked at the end.

The package leaves out ``flank_size`` positions at either end and drops seqlets that leave the sequence. Windows are as
long as a receptive field, and a motif may lie at their very edge, so they get flanks without attribution and with even
probabilities of the bases: short ones where seqlets are extracted, as the package's null distribution would become one
of zeros, and wide ones where they are aligned and widened.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np

from motif_discovery.methods import ModiscoSettings

logger = logging.getLogger(__name__)
FAILURES = (ValueError, IndexError, ZeroDivisionError, AttributeError)  # of modisco-lite on degenerate input


@dataclass(frozen=True)
class Pattern:
    """A pattern: aligned seqlets.

    Attributes:
        sign: 1 where the seqlets raise what is attributed, -1 where they lower it.
        example: the sequence of each seqlet, int64 (n,).
        start: where its first column lies in that sequence, int64 (n,); negative where the pattern begins before it.
        width: columns.
    """

    sign: int
    example: np.ndarray
    start: np.ndarray
    width: int


@dataclass(frozen=True)
class Sizes:
    """The sizes of modisco-lite for sequences of one length, nt.

    Attributes:
        window: of a seqlet without flanks.
        flank: on either side of it, and of a pattern that is polished.
        trim: of a pattern before its flanks are added.
        near: flank without attribution on either side of a sequence where seqlets are extracted; holds no whole window.
        wide: the same where they are aligned; holds a seqlet shifted and widened as far as the package does.
    """

    window: int
    flank: int
    trim: int
    near: int
    wide: int


def sizes(settings: ModiscoSettings, length: int) -> Sizes:
    """Return the settings' sizes, as far as sequences of a length allow them."""
    window = min(settings.sliding_window_size, length)
    flank = min(settings.flank_size, max(1, window // 2))
    trim = min(settings.trim_to_window_size, length, window + 4 * flank)
    return Sizes(window, flank, trim, max(window - 1, flank), 3 * (window + 2 * flank))


@contextmanager
def single_strand() -> Iterator[None]:
    """Let modisco-lite compare forward sequences only, as long as the block runs."""
    from modiscolite import gapped_kmer, util

    matplotlib.use("Agg")  # the package chooses one for PDF, which cannot measure the names of our plots
    both, kmers = util.get_2d_data_from_patterns, gapped_kmer._seqlet_to_gkmers

    def forward_twice(*arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        forward, _ = both(*arguments, **options)
        return forward, forward

    def forward_kmers(seqlets, topn, min_k, max_k, max_gap, max_len, max_entries, take_fwd, sign):
        del take_fwd
        return kmers(seqlets, topn, min_k, max_k, max_gap, max_len, max_entries, True, sign)

    util.get_2d_data_from_patterns, gapped_kmer._seqlet_to_gkmers = forward_twice, forward_kmers
    try:
        yield
    finally:
        util.get_2d_data_from_patterns, gapped_kmer._seqlet_to_gkmers = both, kmers


def padded(X: np.ndarray, hypothetical: np.ndarray, pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one-hot and hypothetical attributions float64 (n, length + 2 pad, 4) of (n, 4, length), as the package's.

    In the flanks every base has a probability of 1/4 and no attribution.
    """
    wide = ((0, 0), (pad, pad), (0, 0))
    X, hypothetical = (np.asarray(one, dtype=np.float64).transpose(0, 2, 1) for one in (X, hypothetical))
    return np.pad(X, wide, constant_values=0.25), np.pad(hypothetical, wide)


def has_both_signs(contribution: np.ndarray, window: int) -> bool:
    """Return whether some windows' contributions (n, length) add up to less than zero, and others not.

    The package fits a null distribution to either; without one of them it stops with an error.
    """
    total = np.cumsum(np.pad(contribution, ((0, 0), (1, 0))), axis=1)
    total = total[:, window:] - total[:, :-window]
    return bool((total < 0).any() and (total >= 0).any())


def seqlet_places(contribution: np.ndarray, size: Sizes, settings: ModiscoSettings) -> dict[int, np.ndarray]:
    """Return of either sign the sequence and first position of each seqlet, flanks included, int64 (n, 2).

    Sequences no longer than a window are one seqlet each: there is nothing to find in them, and sums over so few
    letters have no null distribution. In longer ones as ``modiscolite.tfmodisco.TFMoDISco`` does it: windows above the
    threshold of the false-discovery rate, of a sequence the strongest first, apart from each other.

    Args:
        contribution: (n, length).
        size: for sequences of this length.
        settings: of the package.

    Raises:
        ValueError: in longer ones all windows have one sign.
    """
    if contribution.shape[1] <= size.window:
        place = np.stack([np.arange(len(contribution)), np.full(len(contribution), -size.flank)], axis=1)
        total = contribution.sum(axis=1)
        return {1: place[total > 0], -1: place[total < 0]}
    from modiscolite.extract_seqlets import extract_seqlets

    contribution = np.pad(contribution, ((0, 0), (size.near, size.near)))
    if not has_both_signs(contribution, size.window):
        raise ValueError("all contributions have one sign: no null distribution")
    found, threshold = extract_seqlets(
        attribution_scores=contribution, window_size=size.window, flank=size.flank,
        suppress=size.window // 2 + size.flank, target_fdr=settings.target_seqlet_fdr, min_passing_windows_frac=0.03,
        max_passing_windows_frac=settings.max_passing_windows_frac, weak_threshold_for_counting_sign=0.8,
    )  # fmt: skip
    place = np.array([(one.example_idx, one.start) for one in found], dtype=np.int64).reshape(-1, 2)
    total = np.cumsum(np.pad(contribution, ((0, 0), (1, 0))), axis=1)
    row, inner = place[:, 0], place[:, 1] + size.flank
    total = total[row, inner + size.window] - total[row, inner]
    place = place - [0, size.near]
    return {1: place[total > threshold], -1: place[total < -threshold]}


def find_patterns(X: np.ndarray, hypothetical: np.ndarray, settings: ModiscoSettings, name: str = "") -> list[Pattern]:
    """Return the patterns in sequences, those that raise first and of a sign the one with the most seqlets first.

    Args:
        X: one-hot (n, 4, length).
        hypothetical: attributions of all four bases at every position (n, 4, length).
        settings: of the package.
        name: of what the sequences are of, for warnings.

    Returns:
        Patterns; none where there are too few sequences or seqlets, and where the package cannot do with them, which a
        warning says.
    """
    if len(X) <= settings.min_metacluster_size:
        return []
    size = sizes(settings, X.shape[2])
    one_hot, scores = padded(X, hypothetical, size.wide)
    contribution = (X * hypothetical).sum(axis=1)
    return aligned(
        lambda: seqlet_places(contribution, size, settings), one_hot, scores, size.wide, size, settings, name
    )


def aligned(
    places_of: Callable[[], dict[int, np.ndarray]], one_hot: np.ndarray, scores: np.ndarray, pad: int, size: Sizes,
    settings: ModiscoSettings, name: str,
) -> list[Pattern]:  # fmt: skip
    """Return the patterns that seqlets fall into, in the frame of the sequences without their flanks.

    Args:
        places_of: gives of either sign sequence and first position of each seqlet, flanks included, int64 (n, 2).
        one_hot: float64 (sequences, positions, 4), flanks of ``pad`` positions included; a quarter where no base is.
        scores: hypothetical attributions, of the same shape.
        pad: flank on either side of a sequence.
        size: of seqlets and patterns.
        settings: of the package.
        name: for warnings.
    """
    from modiscolite.core import Seqlet, TrackSet
    from modiscolite.tfmodisco import seqlets_to_patterns

    tracks = TrackSet(one_hot, one_hot * scores, scores)
    patterns: list[Pattern] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"), single_strand():
        warnings.simplefilter("ignore")  # correlations of constants; the package drops such seqlets
        try:
            for sign, places in places_of().items():
                if len(places) <= settings.min_metacluster_size:
                    continue
                width = size.window + 2 * size.flank
                seqlets = [Seqlet(row, start + pad, start + pad + width, False) for row, start in places.tolist()]
                found = seqlets_to_patterns(
                    tracks.create_seqlets(seqlets), tracks, track_signs=sign, trim_to_window_size=size.trim,
                    initial_flank_to_add=size.flank, n_leiden_runs=settings.n_leiden_runs,
                    final_min_cluster_size=settings.final_min_cluster_size,
                )  # fmt: skip
                patterns += [_pattern(sign, one, pad) for one in found or []]
        except FAILURES as error:
            say_failure(name, error, len(patterns))
    return patterns


def say_failure(name: str, error: Exception, count: int) -> None:
    """Warn that the package cannot do with some sequences."""
    reason = " ".join(str(error).split())[:80]
    logger.warning("%s: modisco-lite fails on these sequences (%s); %d patterns", name, reason, count)


def _pattern(sign: int, found: Any, wide: int) -> Pattern:
    """Return a pattern of the package in the frame of the sequences."""
    if any(seqlet.is_revcomp for seqlet in found.seqlets):
        raise RuntimeError("modisco-lite has turned a seqlet round: this version of it is not kept on one strand")
    example, start = np.array([(seqlet.example_idx, seqlet.start) for seqlet in found.seqlets], dtype=np.int64).T
    return Pattern(sign, example, start - wide, len(found))
