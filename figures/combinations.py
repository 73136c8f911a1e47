"""What a logo table shows: the best motif of each cluster, and motifs that stand together, with their matrices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from motif_discovery.summary import in_order
from motif_interaction.statistics import was_tested
from utils.sequence import iupac_ppm


@dataclass(frozen=True)
class Logo:
    """A motif in a row.

    Attributes:
        name: of the database's cluster, or the word where nothing names it.
        ppm: probabilities float64 (4, width).
        source: the segment, or the word.
        q: of the database match; NaN where there is none.
    """

    name: str
    ppm: np.ndarray
    source: str
    q: float


@dataclass(frozen=True)
class Row:
    """A row of the table: one motif, or two that stand together.

    Attributes:
        logos: from 5' to 3'.
        note: where it is from.
        gap: nt between two motifs; 0 for one.
    """

    logos: tuple[Logo, ...]
    note: str
    gap: int = 0

    @property
    def name(self) -> str:
        """The names of its motifs."""
        return " + ".join(logo.name for logo in self.logos)


def bounds(segment: str) -> tuple[int, int]:
    """Return the half-open [start, end) in a segment's name, ``conv5_neuron2_0-1_12-20``."""
    start, end = segment.rpartition("_")[2].split("-")
    return int(start), int(end)


def logo_of(match: dict, ppm_of: Callable[[int, int, str], np.ndarray]) -> Logo:
    """Return the logo of a row of matches; ``ppm_of`` gives the matrix (4, RF) of a layer, neuron and part."""
    start, end = bounds(match["segment"])
    ppm = ppm_of(match["layer"], match["neuron"], match["part"])[:, start:end]
    return Logo(match["cluster_name"], ppm, match["segment"], match["q"])


def best_motifs(matches: pd.DataFrame, chosen: Sequence[int], rows: int, ppm_of: Callable) -> list[Row]:
    """Return the best match of each cluster; where none is chosen a segment is shown once, under its best cluster.

    Args:
        matches: of all neurons, with clusters.
        chosen: clusters, in the order shown; empty: those with the smallest q-values.
        rows: how many at most, where none is chosen.
        ppm_of: see ``logo_of``.
    """
    best = in_order(matches).drop_duplicates("cluster")
    if chosen:
        best = best[best["cluster"].isin(chosen)]
        best = best.iloc[np.argsort([list(chosen).index(one) for one in best["cluster"]], kind="stable")]
    else:
        best = best.drop_duplicates("segment").head(rows)
    return [
        Row((logo_of(match, ppm_of),), f"conv{match['layer']} neuron {match['neuron']}, q = {match['q']:.1g}")
        for match in best.to_dict("records")
    ]


def part_combinations(matches: pd.DataFrame, rows: int, ppm_of: Callable) -> list[Row]:
    """Return two segments of one part that both match the database, at the distance they have in it.

    Each segment counts with its best match. Of several parts with the same two clusters in the same order the one whose
    worse q-value is the smallest is shown, and such are first.
    """
    best = in_order(matches).drop_duplicates(["layer", "neuron", "segment"])
    found = []
    for (layer, neuron, _), own in best.groupby(["layer", "neuron", "part"], sort=True):
        ordered = sorted(own.to_dict("records"), key=lambda match: bounds(match["segment"]))
        for one, other in combinations(ordered, 2):
            q = sorted((one["q"], other["q"]), reverse=True)
            found.append((*q, layer, neuron, one["segment"], other["segment"], one, other))
    found.sort(key=lambda entry: entry[:6])
    kept = {}
    for *_, one, other in found:
        kept.setdefault((one["cluster"], other["cluster"]), (one, other))
    shown = []
    for one, other in list(kept.values())[:rows]:
        gap = bounds(other["segment"])[0] - bounds(one["segment"])[1]
        note = f"conv{one['layer']} neuron {one['neuron']}, {gap} nt apart, q = {one['q']:.1g}, {other['q']:.1g}"
        shown.append(Row((logo_of(one, ppm_of), logo_of(other, ppm_of)), note, gap))
    return shown


def tested_pairs(stats: pd.DataFrame, rows: int) -> list[Row]:
    """Return pairs of the tables of motif_interaction that were tested, the smallest q-value of epistasis first.

    Of several words of a motif the first is drawn. The median distance between them is that of the table; the motif
    that stands first more often is left. Two motifs are shown once.
    """
    tested = stats[was_tested(stats)]
    tested = tested.sort_values(["q_eps", "task", "motif_a", "motif_b"], kind="stable")
    kept: dict[frozenset[str], Row] = {}
    for pair in tested.to_dict("records"):
        logos = []
        for side in "ab":
            words, name = pair[f"motif_{side}"], pair[f"name_{side}"]
            named = isinstance(name, str) and name != ""
            logos.append(Logo(name if named else words, iupac_ppm(words.partition("+")[0]), words, np.nan))
        if pair["a_first"] < 0.5:
            logos.reverse()
        gap = round(pair["spacing"])
        label = str(pair["class"]).replace("_", " ")
        neuron = pair["task"].replace("_neuron", " neuron ")
        note = f"{neuron}, ~{gap} nt, {label}, q = {pair['q_eps']:.1g}"
        kept.setdefault(frozenset(logo.source for logo in logos), Row(tuple(logos), note, gap))
    return list(kept.values())[:rows]
