"""Demixing that stops where a part is one pattern, and joins parts that are one pattern at different places.

The tree goes down the layers as in the published rule (motif_discovery.demixing), but a part is split only while it is
not one pattern, and the split is kept only if it makes better ones. One pattern is what its matrix alone explains: the
consensus sequence fires nearly as much as the best member (consensus ratio, Wei et al. 2023), and so, on average, do
sequences drawn from the matrix as the members (drawn ratio). The consensus ratio alone will not do: where a
sample is diverse the consensus of everything fires, though the matrix is blurred.

A part whose split was not kept is split on the next layer: a path has a branch for each split, not for each layer.

The maps of all lower layers are computed once, in one pass, and brought to 128 random directions, which keeps distances
(Johnson and Lindenstrauss 1984). At the end parts whose matrices are the same up to a shift become one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from motif_discovery.demixing import (
    Part,
    clusters_at,
    clusters_of,
    directions,
    layers_split,
    part_weight,
    smallest_part,
)
from utils.activation import WindowNetwork
from utils.motif import consensus, information, pfm_of, to_ppm

ONE_PATTERN = 0.95  # consensus ratio from which a part can be one pattern
SUFFICES = 0.8  # drawn ratio, likewise
DRAWS = 32  # sequences drawn from a matrix
SAME = 0.9  # cosine of two information matrices, at their best shift, from which they are one motif


@dataclass(frozen=True)
class _Node:
    """A part on the way down: its branches, its rows of the sample, and what it is as a motif."""

    path: tuple[int, ...]
    rows: np.ndarray
    mean: float  # activation, by weight
    part: Part

    @property
    def quality(self) -> float:
        """The lower of the two ratios, at most 1."""
        return min(1.0, self.part.consensus_ratio, self.part.drawn_ratio)

    @property
    def one_pattern(self) -> bool:
        """Whether it need not be split."""
        return self.part.consensus_ratio >= ONE_PATTERN and self.part.drawn_ratio >= SUFFICES


@dataclass(frozen=True)
class _Sample:
    """What is demixed: sequences uint8 (n, field), activations and weights (n,), and how to fire their neuron."""

    network: WindowNetwork
    layer: int
    neuron: int
    sequence: np.ndarray
    activation: np.ndarray
    weight: np.ndarray
    random: np.random.Generator

    def nodes(self, branches: list[tuple[tuple[int, ...], np.ndarray]]) -> list[_Node]:
        """Return the nodes of (path, rows)."""
        pfms, means = [], []
        for _, rows in branches:
            weight = part_weight(self.weight[rows], smallest_part(self.sequence.shape[1]))
            pfms.append(pfm_of(self.sequence[rows], weight))
            means.append(float(np.average(self.activation[rows], weights=weight)))
        return self.judged(branches, pfms, means, [1] * len(pfms))

    def judged(
        self, branches: list[tuple[tuple[int, ...], np.ndarray]], pfms: list[np.ndarray], means: list[float],
        copies: list[int],
    ) -> list[_Node]:  # fmt: skip
        """Return nodes with their ratios; what their matrices fire is evaluated in one batch."""
        if not branches:
            return []
        ppms = to_ppm(np.stack(pfms))
        windows = np.concatenate([consensus(ppms)[:, None], drawn(ppms, DRAWS, self.random)], axis=1)
        windows = torch.from_numpy(windows).flatten(0, 1)
        own = torch.full((len(windows),), self.neuron, dtype=torch.int64)
        fired = self.network.activation(windows, self.layer, own).cpu().double().view(len(ppms), -1)
        best, draws = fired[:, 0].tolist(), fired[:, 1:].mean(dim=1).tolist()
        found = []
        for (path, rows), pfm, mean, number, top, draw in zip(branches, pfms, means, copies, best, draws, strict=True):
            highest = float(self.activation[rows].max())
            name = "-".join(map(str, path)) or "all"
            found.append(_Node(path, rows, mean, Part(name, pfm, len(rows), highest, top, draw / mean, number)))
        return found

    def quality(self, nodes: list[_Node]) -> float:
        """Return the mean quality of nodes, by the weight of their sequences."""
        return float(np.average([node.quality for node in nodes], weights=[self.mass(node) for node in nodes]))

    def mass(self, node: _Node) -> float:
        """Return the weight of a node's sequences."""
        return float(self.weight[node.rows].sum())


def demix_adaptively(
    network: WindowNetwork,
    layer: int,
    neuron: int,
    sequence: np.ndarray,
    activation: np.ndarray,
    clusters: int | Sequence[int] = 4,
    fit_samples: int = 1000,
    weight_power: float = 6.0,
    most: int = 10_000,
    seed: int = 1,
) -> list[Part]:
    """Split the sample of a neuron until its parts are one pattern each, and join what is the same pattern.

    Args:
        network: the predictor's lower layers.
        layer: of the neuron; one that reads no other, such as conv1, is split on its input.
        neuron: counted from 0.
        sequence: uint8 (n, receptive field), the highest activation first.
        activation: float32 (n,).
        clusters: branches of a split, or of that on each layer from conv1 on. A part of at most 20 times so
            many sequences is not split further.
        fit_samples: sequences that the centres of a split are fitted on.
        weight_power: see ``motif_discovery.demixing.demix``.
        most: sequences that are demixed, at even steps from the highest activation to the lowest.
        seed: of the k-means.

    Returns:
        The parts that are large enough to be a motif, in the order of the tree.
    """
    enough = smallest_part(sequence.shape[1])
    if len(sequence) < enough:
        return []
    chosen = np.unique(np.linspace(0, len(sequence) - 1, min(len(sequence), most)).round().astype(np.int64))
    activation = activation[chosen]
    weight = (activation / activation.max()).astype(np.float64) ** weight_power
    random = np.random.default_rng(seed)
    sequence = np.ascontiguousarray(sequence[chosen])
    sample = _Sample(network, layer, neuron, sequence, activation, weight, random)
    maps = _maps(network, layer, torch.from_numpy(sequence), seed)
    nodes = sample.nodes([((), np.arange(len(chosen)))])
    for lower in layers_split(network, layer):
        branches, parents, k = [], [], clusters_at(clusters, lower)
        for place, node in enumerate(nodes):
            if node.one_pattern or len(node.rows) <= 20 * k:
                continue
            label = clusters_of(maps[lower][node.rows], weight[node.rows], k, fit_samples, random)
            own = [((*node.path, branch), node.rows[label == branch]) for branch in range(k)]
            own = [one for one in own if len(one[1]) >= enough]
            branches += own
            parents += [place] * len(own)
        offspring: dict[int, list[_Node]] = {}
        for place, node in zip(parents, sample.nodes(branches), strict=True):
            offspring.setdefault(place, []).append(node)
        below = []
        for place, node in enumerate(nodes):
            better = place in offspring and sample.quality(offspring[place]) > node.quality
            below += offspring[place] if better else [node]
        nodes = below
    return [node.part for node in _joined(sample, nodes)]


def _maps(network: WindowNetwork, layer: int, sequence: torch.Tensor, seed: int) -> dict[int, np.ndarray]:
    """Return the maps (n, dimensions) of the layers it is split on, along random directions where they are wide."""
    below = layers_split(network, layer)
    if below == [0]:
        return {0: network.feature_map(sequence, 0).cpu().numpy()}
    along = {lower: directions(network.feature_width(sequence.shape[1], lower, layer), seed) for lower in sorted(below)}
    found = network.projected_maps(sequence, {lower: one.to(network.device) for lower, one in along.items()}, layer)
    return {lower: one.cpu().numpy() for lower, one in found.items()}


def _joined(sample: _Sample, nodes: list[_Node]) -> list[_Node]:
    """Return nodes of which those that are the same motif up to a shift are one.

    The node whose consensus fires most takes in the others, their counts added at the shift. What together would be
    less of one pattern than the worst of them stays apart.
    """
    likeness, shift = alignments(np.stack([node.part.pfm for node in nodes]))
    free = np.ones(len(nodes), dtype=bool)
    groups: dict[int, list[int]] = {}
    for head in np.argsort([-node.part.consensus_activation for node in nodes], kind="stable").tolist():
        if free[head]:
            free[head] = False
            others = np.flatnonzero(free & (likeness[head] >= SAME))
            free[others] = False
            if len(others):
                groups[head] = [head, *others.tolist()]
    branches, pfms, means = [], [], []
    for head, group in groups.items():
        branches.append((nodes[head].path, np.concatenate([nodes[one].rows for one in group])))
        pfms.append(sum(shifted(nodes[one].part.pfm, int(shift[head, one])) for one in group))
        mass = [sample.mass(nodes[one]) for one in group]
        means.append(float(np.average([nodes[one].mean for one in group], weights=mass)))
    kept: list[_Node | None] = list(nodes)
    joined = sample.judged(branches, pfms, means, [len(group) for group in groups.values()])
    for (head, group), node in zip(groups.items(), joined, strict=True):
        if node.one_pattern or node.quality >= min(nodes[one].quality for one in group):
            for one in group:
                kept[one] = None
            kept[head] = node
    return [node for node in kept if node]


def alignments(pfms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how alike matrices are, and at which shift.

    Args:
        pfms: counts (k, 4, width).

    Returns:
        The cosine (k, k) of the information matrices (probability times information) at the best shift of up to half
        the width, columns without a partner counting as no likeness; and the shift int (k, k): so many columns to the
        right the second must be moved to lie on the first.
    """
    ppm = to_ppm(pfms)
    icm = torch.from_numpy((ppm * information(ppm)[:, None]).astype(np.float32))
    icm = icm / icm.flatten(1).norm(dim=1).clamp(min=1e-9)[:, None, None]
    reach = icm.shape[2] // 2
    found = F.conv1d(icm, icm, padding=reach)  # [i, j, s]: i moved left by s - reach lies on j
    best, place = found.max(dim=2)
    return best.numpy(), (place - reach).numpy()


def drawn(ppm: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Return sequences uint8 (k, count, width) drawn from matrices (k, 4, width), each column by itself."""
    below = ppm.cumsum(axis=1)[:, None, :3]
    return (random.random((len(ppm), count, 1, ppm.shape[2])) > below).sum(axis=2).astype(np.uint8)


def shifted(pfm: np.ndarray, by: int) -> np.ndarray:
    """Return counts (4, width) moved right by ``by`` columns; what leaves is lost, what enters is empty."""
    moved = np.zeros_like(pfm)
    width = pfm.shape[1]
    if abs(by) < width:
        moved[:, max(0, by) : width + min(0, by)] = pfm[:, max(0, -by) : width - max(0, by)]
    return moved
