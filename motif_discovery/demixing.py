"""Layer-wise demixing of a neuron's sample into parts that hold one motif each (Wei et al. 2023, NeuronMotif)."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from utils.activation import WindowNetwork
from utils.motif import consensus, pfm_of, to_ppm

FIT_VALUES = 2**21  # numbers in a k-means fit: at most 8 MiB
PROJECTED = 128  # dimensions of a k-means fit
ASSIGN_VALUES = 2**20  # numbers in a block that is assigned to centres


@dataclass(frozen=True)
class Part:
    """One leaf of the demixing tree.

    Attributes:
        path: branches taken, such as ``0-1-3``.
        pfm: counts float64 (4, receptive field), each sequence weighted by a power of its activation.
        size: sequences.
        max_activation: highest in the part.
        consensus_activation: of the part's consensus sequence.
        drawn_ratio: mean activation of sequences drawn from the matrix over that of the part's own sequences; not a
            number where it was not measured.
        copies: parts that were joined in it, at their shifts.
    """

    path: str
    pfm: np.ndarray
    size: int
    max_activation: float
    consensus_activation: float
    drawn_ratio: float = math.nan
    copies: int = 1

    @property
    def consensus_ratio(self) -> float:
        """Consensus activation over maximal activation: above 0.95 one pattern, far below still mixed.

        NaN where the maximum is not above 0 (a pattern of the output that does nothing).
        """
        return self.consensus_activation / self.max_activation if self.max_activation > 0 else math.nan


def smallest_part(receptive_field: int) -> int:
    """Return the sequences a part needs to be a motif: 20, or 5 where fewer than 7 nt leave few sequences."""
    return 5 if receptive_field < 7 else 20


def layers_split(network: WindowNetwork, layer: int) -> list[int]:
    """Return the layers on whose maps a sample of a layer is split, in order; 0, the input, where it reads none."""
    return network.model.layers_below(layer)[::-1] or [0]


def clusters_at(clusters: int | Sequence[int], lower: int) -> int:
    """Return k of a split on the map of a layer; the input (layer 0), on which conv1 is split, has that of conv1."""
    return clusters if isinstance(clusters, int) else clusters[max(lower, 1) - 1]


def effective_size(weight: np.ndarray) -> float:
    """Return how many equally weighted sequences tell as much as these do (Kish 1965): (sum w)^2 / sum w^2."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def part_weight(weight: np.ndarray, enough: int) -> np.ndarray:
    """Return the weights of a part, evened out (square roots) until the effective size is ``enough``.

    Otherwise a few sequences far above the others would make a motif of their chance letters.
    """
    for _ in range(8):
        if effective_size(weight) >= enough:
            return weight
        weight = np.sqrt(weight)
    return np.ones_like(weight)


@lru_cache(maxsize=8)
def directions(width: int, seed: int) -> torch.Tensor:
    """Return random directions (width, 128), the same for all splits of a layer."""
    return torch.randn(width, PROJECTED, generator=torch.Generator().manual_seed(seed))


def k_means(
    maps: np.ndarray, weight: np.ndarray, clusters: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the clusters (n,) of maps (n, dimensions) by weighted k-means, and their centres (clusters, same)."""
    model = KMeans(n_clusters=clusters, n_init=1, max_iter=20, random_state=int(random.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct maps than clusters: fewer parts then
        model.fit(maps, sample_weight=weight)
    return model.labels_, model.cluster_centers_


def clusters_of(
    maps: np.ndarray, weight: np.ndarray, clusters: int, fit_samples: int, random: np.random.Generator
) -> np.ndarray:
    """Return the cluster int64 (n,) of maps (n, dimensions) by weighted k-means.

    The centres are fitted on at most ``fit_samples`` random maps; of more, each goes to the nearest centre.
    """
    fitted = np.sort(random.permutation(len(maps))[:fit_samples])
    _, centres = k_means(maps[fitted], weight[fitted], clusters, random)
    return ((centres**2).sum(axis=1) - 2 * maps @ centres.T).argmin(axis=1)


def split(
    network: WindowNetwork,
    sequence: torch.Tensor,
    weight: np.ndarray,
    layer: int,
    upper: int,
    clusters: int,
    fit_samples: int,
    seed: int,
) -> np.ndarray:
    """Return the cluster int64 (n,) of sequences by weighted k-means on a layer's feature map (layer 0: the input).

    The sequences are windows of an upper layer.

    k-means runs on at most ``fit_samples`` random sequences, their maps brought to 128 random directions, which keeps
    distances (Johnson and Lindenstrauss 1984); of more sequences, each goes to the centre nearest to its whole map.
    """
    n = len(sequence)
    random = np.random.default_rng((seed, layer, n))
    width = network.feature_width(sequence.shape[1], layer, upper)
    fitted = min(n, fit_samples, max(50 * clusters, FIT_VALUES // width))
    rows = torch.from_numpy(np.sort(random.permutation(n)[:fitted]))
    features = network.feature_map(sequence[rows], layer, upper)
    projected = features
    if width > PROJECTED:
        projected = features @ directions(width, seed).to(network.device)
    member, _ = k_means(projected.cpu().numpy(), weight[rows], clusters, random)
    if fitted == n:
        return member.astype(np.int64)
    share = weight[rows] * (member == np.arange(clusters)[:, None])  # (clusters, fitted)
    share = share[share.sum(axis=1) > 0]
    share = torch.from_numpy((share / share.sum(axis=1, keepdims=True)).astype(np.float32))
    centres = share.to(network.device) @ features
    label = np.empty(n, dtype=np.int64)
    block = max(1, ASSIGN_VALUES // width)
    for start in range(0, n, block):
        part = network.feature_map(sequence[start : start + block], layer, upper)
        distance = (centres**2).sum(dim=1) - 2 * part @ centres.T
        label[start : start + block] = distance.argmin(dim=1).cpu().numpy()
    return label


def demix(
    network: WindowNetwork,
    layer: int,
    neuron: int,
    sequence: np.ndarray,
    activation: np.ndarray,
    clusters: int | Sequence[int] = 4,
    fit_samples: int = 1000,
    weight_power: float = 6.0,
    seed: int = 1,
) -> list[Part]:
    """Split the sample of a neuron by k-means on the feature maps of each layer that it reads in turn, down to conv1.

    Args:
        network: the predictor's lower layers.
        layer: of the neuron; one that reads no other, such as conv1, is split on its input.
        neuron: counted from 0.
        sequence: uint8 (n, receptive field).
        activation: float32 (n,).
        clusters: k of each split, or that on each layer from conv1 on. A part of at most 20 k
            sequences is not split further.
        fit_samples: sequences that the centres of a split are fitted on.
        weight_power: a sequence counts, in k-means and in the matrix, by this power of its activation. A sample covers
            all activations evenly, so without weights (0, the published rule) its many weak members blur the motif.
        seed: of the k-means.

    Returns:
        The parts that are large enough to be a motif, in the order of the tree.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(sequence))
    weight = (activation / activation.max()).astype(np.float64) ** weight_power if len(activation) else activation
    leaves: list[tuple[tuple[int, ...], np.ndarray]] = [((), np.arange(len(sequence)))]
    for step, lower in enumerate(layers_split(network, layer)):
        below, k = [], clusters_at(clusters, lower)
        for path, rows in leaves:
            stopped = len(path) < step  # was too small to be split at an earlier layer
            if stopped or len(rows) <= 20 * k:
                below.append((path, rows))
                continue
            part = tensor[torch.from_numpy(rows)]
            label = split(network, part, weight[rows], lower, layer, k, fit_samples, seed)
            below += [((*path, branch), rows[label == branch]) for branch in np.unique(label).tolist()]
        leaves = below
    enough = smallest_part(sequence.shape[1])
    leaves = [(path, rows) for path, rows in leaves if len(rows) >= enough]
    if not leaves:
        return []
    pfms = np.stack([pfm_of(sequence[rows], part_weight(weight[rows], enough)) for _, rows in leaves])
    best = torch.from_numpy(consensus(to_ppm(pfms)))
    own = torch.full((len(best),), neuron, dtype=torch.int64)
    of_consensus = network.activation(best, layer, own).cpu().numpy()
    return [
        Part("-".join(map(str, path)) or "all", pfm, len(rows), float(activation[rows].max()), float(ratio))
        for (path, rows), pfm, ratio in zip(leaves, pfms, of_consensus, strict=True)
    ]
