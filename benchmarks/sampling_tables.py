"""The tables of benchmarks/sampling.py: what two samplers did for the same neurons."""

from dataclasses import dataclass

import numpy as np

from generate_dataset.motif_database import cluster_numbers, linked
from motif_discovery.adaptive import ONE_PATTERN
from motif_discovery.bins import BINS, bin_of
from motif_discovery.demixing import Part
from motif_discovery.files import part_segments
from motif_discovery.settings import Discovery
from utils.motif import shuffled_columns
from utils.tomtom import tomtom

UPPER = 5  # bins of the upper quarter
ROUNDING = 1e-4  # by which the two ways to compute the same activation may differ


@dataclass(frozen=True)
class Run:
    """What one sampler did for one neuron.

    Attributes:
        seed: of the sampler.
        activation: of the stored sequences, float32 (n,).
        maximum: the highest seen.
        seconds: of the processor.
        generations: done, or steps.
        windows: evaluated one by one, those of which the gradient was taken too included.
        climbing: of the seconds, those of the gradient sampler's climbers.
        stop: why it ended, where known.
        empty: stored sequences with a column that holds no base.
        sequence: uint8 (n, receptive field), what is stored.
        demixing: seconds it took.
        parts: what it gave.
    """

    seed: int
    activation: np.ndarray
    maximum: float
    seconds: float
    generations: int
    stop: str = ""
    empty: int = 0
    sequence: np.ndarray | None = None
    demixing: float = float("nan")
    parts: tuple[Part, ...] = ()
    windows: float = float("nan")
    climbing: float = float("nan")

    def held(self, maximum: float, quota: int) -> np.ndarray:
        """Return how many sequences, up to the quota, lie in each of the 20 bins of (0, maximum]."""
        if not len(self.activation):
            return np.zeros(BINS, dtype=np.int64)
        return np.minimum(np.bincount(bin_of(self.activation, maximum), minlength=BINS), quota)

    @property
    def highest(self) -> float:
        """The highest stored activation; 0 where nothing is stored."""
        return float(self.activation.max(initial=0))


def distances(run: Run, maximum: float) -> np.ndarray:
    """Return the mean share of positions in which 2,000 random pairs of each of the upper five bins differ.

    The bins are those of (0, maximum]; what lies above is left out.

    Returns:
        float64 (5,), NaN where a bin has fewer than two sequences.
    """
    rng, shares = np.random.default_rng(0), np.full(UPPER, np.nan)
    below = run.activation <= maximum
    if not below.any():
        return shares
    bins = bin_of(run.activation[below], maximum)
    for place, one in enumerate(range(BINS - UPPER, BINS)):
        own = run.sequence[below][bins == one]
        if len(own) > 1:
            left, right = rng.integers(len(own), size=(2, 2000))
            shares[place] = (own[left] != own[right])[left != right].mean()
    return shares


def mean_distance(run: Run, maximum: float) -> float:
    """Return the mean of ``distances`` over the bins that have one, or NaN."""
    shares = distances(run, maximum)
    return float(np.nanmean(shares)) if np.isfinite(shares).any() else float("nan")


def summary(runs: list[tuple[int, Run, Run]], quota: int) -> str:
    """Return the medians over the neurons that fire, each seed's a neuron of its own."""
    firing = [(ours, other) for _, ours, other in runs if max(ours.maximum, other.maximum) > 0]
    if not firing:
        return "no neuron fires"
    ratio = np.median([other.seconds / ours.seconds for ours, other in firing])
    higher = np.median([ours.maximum / max(other.maximum, ROUNDING) for ours, other in firing])
    wins = sum(ours.maximum >= other.maximum - ROUNDING for ours, other in firing)
    full = [np.median([(run.held(run.highest, quota) >= quota).sum() for run in column])
            for column in zip(*firing, strict=True)]  # fmt: skip
    far = [np.nanmedian([mean_distance(run, run.highest) for run in column]) for column in zip(*firing, strict=True)]
    same = [[mean_distance(run, min(one.highest for one in both)) for run in both] for both in firing]
    of_bins = [[distances(run, min(one.highest for one in both)) for run in both] for both in firing]
    of_bins = [", ".join(f"{one:.3f}" for one in of_run) for of_run in np.nanmedian(of_bins, axis=0)]
    level = np.nanmedian(same, axis=0)
    alike = sum(ours >= other for ours, other in same)
    return (
        f"medians of {len(firing)} neurons that fire: {ratio:.1f} times as fast; maximum {higher:.3f} times the "
        f"other's, at least as high in {wins}; full bins {full[0]:g} against {full[1]:g}; distance in the upper "
        f"quarter {far[0]:.3f} against {far[1]:.3f}, at the same levels (up to the lower of the two maxima) "
        f"{level[0]:.3f} against {level[1]:.3f}, ours not below in {alike}; there by bin {of_bins[0]} against "
        f"{of_bins[1]}"
    )


def main_table(runs: list[tuple[int, Run, Run]], name: str, against: str, layer: int, quota: int) -> list[str]:
    """Return a row per neuron: time, generations, maximum, full bins, and whether ours is at least as good."""
    lines = [
        f"| neuron | seconds {against} | ours | ratio | generations {against} (stop) | ours "
        f"| maximum {against} (stored) | ours (stored) | full bins {against} | ours | sequences {against} | ours "
        f"| distance at the same levels {against} | ours | ours >= in maximum | in bins |",
        "|" + " --- |" * 16,
    ]
    for neuron, ours, published in runs:
        full = [int((run.held(run.highest, quota) >= quota).sum()) for run in (published, ours)]
        larger, smaller = max(ours.maximum, published.maximum), min(ours.highest, published.highest)
        bins = int((ours.held(larger, quota) >= published.held(larger, quota)).sum())
        cells = [
            f"{name} conv{layer} {neuron} (seed {ours.seed})", f"{published.seconds:.1f}", f"{ours.seconds:.1f}",
            f"{published.seconds / ours.seconds:.1f}", f"{published.generations} ({published.stop})",
            f"{ours.generations}", f"{published.maximum:.3f} ({published.highest:.3f})",
            f"{ours.maximum:.3f} ({ours.highest:.3f})",
            f"{full[0]}", f"{full[1]}", f"{len(published.activation)}", f"{len(ours.activation)}",
            f"{mean_distance(published, smaller):.3f}", f"{mean_distance(ours, smaller):.3f}",
            "yes" if ours.maximum >= published.maximum - ROUNDING else "no", f"{bins} of {BINS}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def bin_table(runs: list[tuple[int, Run, Run]], layer: int, quota: int, common: bool) -> list[str]:
    """Return a row per bin: sequences of the published sampler / ours, a * where ours holds fewer.

    The bins are those of the larger of the two maxima (``common``), or each sampler's own.
    """
    columns = []
    for _, ours, published in runs:
        larger = max(ours.maximum, published.maximum)
        theirs = published.held(larger if common else published.highest, quota)
        own = ours.held(larger if common else ours.highest, quota)
        columns.append([f"{one} / {two}{' *' if two < one else ''}" for one, two in zip(theirs, own, strict=True)])
    heads = [f"conv{layer} {neuron} (seed {ours.seed})" for neuron, ours, _ in runs]
    lines = ["| bin | " + " | ".join(heads) + " |", "|" + " --- |" * (len(heads) + 1)]
    for number, cells in enumerate(zip(*columns, strict=True), 1):
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    return lines


def worth_table(runs: list[tuple[int, Run, Run]], discovery: Discovery) -> list[str]:
    """Return what the parts of both ways are worth, over all neurons."""
    database = discovery.database
    cluster = dict(zip((motif.name for motif in database), cluster_numbers(linked(database, 0.001, True)), strict=True))
    shuffled = shuffled_columns(database)
    lines = [
        "| | seconds of demixing, median | parts | strong parts that are one pattern | segments | matched (q < 0.01) "
        "| database motifs | clusters | motifs of a shuffled database |",
        "|" + " --- |" * 9,
    ]
    for name, column in (("ours", 1), ("other", 2)):
        own = [(row[0], row[column]) for row in runs]
        segments = [m for neuron, run in own for part in run.parts for m, _ in part_segments(f"n{neuron}", part)]
        found, by_chance = (tomtom(segments, motifs, 0.01) for motifs in (database, shuffled))
        strong = [part for _, run in own for part in run.parts if part.max_activation > run.maximum / 2]
        pure = np.mean([part.consensus_ratio >= ONE_PATTERN for part in strong])
        targets = set(found["Target_ID"])
        lines.append(
            f"| {name} | {np.median([run.demixing for _, run in own]):.2f} | {sum(len(run.parts) for _, run in own)} "
            f"| {pure:.2f} | {len(segments)} | {found['Query_ID'].nunique()} | {len(targets)} "
            f"| {len({cluster[target] for target in targets})} | {by_chance['Target_ID'].nunique()} |"
        )
    return lines
