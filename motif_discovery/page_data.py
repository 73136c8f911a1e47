"""What the pages of motif discovery show: plain data, made from the results by ``report``."""

import math
from dataclasses import dataclass

import numpy as np

from motif_discovery.methods import NEURONMOTIF


@dataclass(frozen=True)
class Match:
    """A database motif that a segment of a part matches.

    Attributes:
        target: identifier of the database motif.
        alt: its second name, such as the protein; may be empty.
        p: p-value.
        q: q-value.
        start: first column of the segment in the part, counted from 0.
        end: one past its last column.
        query_consensus: of the segment.
        target_consensus: of the database motif.
        offset: column of the target at which the segment starts (Tomtom's Optimal_offset); may be negative.
        overlap: columns compared.
        strand: ``-`` where it is the reverse complement of the database motif.
    """

    target: str
    alt: str
    p: float
    q: float
    start: int
    end: int
    query_consensus: str
    target_consensus: str
    offset: int
    overlap: int
    strand: str = "+"


@dataclass(frozen=True)
class PartRow:
    """A part of a neuron's sample.

    Attributes:
        path: branches of the demixing tree, such as ``0-1-3``.
        size: sequences.
        max_activation: highest in the part.
        consensus_activation: of the part's consensus sequence.
        pfm: counts int (4, receptive field).
        segments: informative runs of columns, half-open, counted from 0.
        matches: of the segments, by q-value; one above the page's threshold is shown as the nearest, not as a match.
        drawn_ratio: activation of sequences drawn from the matrix over that of the part's own; not a number if unknown.
        copies: parts that were joined in it, at their shifts.
    """

    path: str
    size: int
    max_activation: float
    consensus_activation: float
    pfm: np.ndarray
    segments: list[tuple[int, int]]
    matches: list[Match]
    drawn_ratio: float = math.nan
    copies: int = 1

    @property
    def consensus_ratio(self) -> float:
        """Consensus activation over maximal activation; not a number where the maximum is not positive."""
        return self.consensus_activation / self.max_activation if self.max_activation > 0 else math.nan


@dataclass(frozen=True)
class NeuronPage:
    """What the page of a neuron shows.

    Attributes:
        model: name of the model.
        layer: number of the convolution.
        neuron: counted from 1.
        neurons: neurons of the layer that have a page.
        receptive_field: nt.
        maximum: highest activation of the sample; 0 or less for a neuron that never fires.
        bin_counts: sequences per activation bin, int (20,).
        bin_quota: sequences a bin takes; 0 where nothing was sampled.
        parts: of the sample, in any order.
        databases: names of the motif databases compared with.
        q_threshold: of a match.
        context: a sentence on what the windows are.
        settings: hash of the settings, kept in the page so that an outdated page can be told.
        bin_population: sequences that exist in each bin, int (20,), where all were evaluated; else None.
        alphabet: RNA, or DNA, whose words and logos have T.
        method: that made the parts, see ``motif_discovery.methods``.
        used: sequences that the parts are made of, the strongest of those in the bins; None: all.
    """

    model: str
    layer: int
    neuron: int
    neurons: list[int]
    receptive_field: int
    maximum: float
    bin_counts: np.ndarray
    bin_quota: int
    parts: list[PartRow]
    databases: list[str]
    q_threshold: float
    context: str
    settings: str
    bin_population: np.ndarray | None = None
    alphabet: str = "RNA"
    method: str = NEURONMOTIF
    used: int | None = None

    @property
    def sequences(self) -> int:
        """Sequences that the parts are made of."""
        return int(np.sum(self.bin_counts)) if self.used is None else self.used


@dataclass(frozen=True)
class NeuronSummary:
    """A neuron's row of the index.

    Attributes:
        neuron: counted from 1.
        maximum: highest activation; 0 or less for a neuron that never fires.
        samples: sequences that the parts are made of.
        parts: number of parts.
        best_ratio: consensus ratio of the part whose consensus fires most, among those with a segment, if any has one;
            not a number without parts.
        best_pfm: counts (4, w) of the most informative segment of that part; None without one.
        best_start: column of the part where it starts, counted from 0.
        best_match: match with the smallest q-value over all parts.
        significant: whether it reaches the threshold; otherwise it is only the nearest.
        one_pattern: whether any part is one pattern.
    """

    neuron: int
    maximum: float
    samples: int
    parts: int
    best_ratio: float
    best_pfm: np.ndarray | None
    best_start: int
    best_match: Match | None
    significant: bool
    one_pattern: bool
