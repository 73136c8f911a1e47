"""From a neuron's gradients to attributions, and from patterns to parts in the frame of its receptive field."""

import numpy as np
import torch

from motif_discovery.demixing import Part
from motif_discovery.files import Sample
from motif_discovery.methods import ModiscoSettings
from motif_discovery.tf_modisco.patterns import Pattern, find_patterns
from utils.activation import WindowNetwork
from utils.motif import consensus, pfm_of, to_ppm
from utils.sequence import N, one_hot


def hypothetical_attributions(network: WindowNetwork, layer: int, neuron: int, sequence: np.ndarray) -> np.ndarray:
    """Return the attributions float64 (n, 4, length) that each base would have at each position.

    They are gradients at the one-hot input, less their mean over the four bases of a position: what a base adds, to
    first order, to an even mixture of the bases. Only this part of a gradient is defined by sequences: a constant over
    the four bases never changes a prediction (Majdandzic et al. 2023, doi:10.1186/s13059-023-02956-3).

    Args:
        network: the predictor's lower layers.
        layer: of the neuron.
        neuron: counted from 0.
        sequence: uint8 (n, length), 0 to 3.
    """
    owner = torch.full((len(sequence),), neuron, dtype=torch.int64)
    _, gradient = network.gradient(torch.from_numpy(np.ascontiguousarray(sequence)), layer, owner)
    gradient = gradient.cpu().numpy().astype(np.float64)
    return gradient - gradient.mean(axis=1, keepdims=True)


def seqlet_bases(sequence: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Return the bases uint8 (seqlets, width) of a pattern's seqlets in sequences (n, length); N where they end."""
    place = pattern.start[:, None] + np.arange(pattern.width)
    inside = (place >= 0) & (place < sequence.shape[1])
    return np.where(inside, sequence[pattern.example[:, None], place.clip(0, sequence.shape[1] - 1)], N).astype(
        np.uint8
    )


def placed(bases: np.ndarray, offset: int, length: int) -> np.ndarray:
    """Return counts float64 (4, length) of aligned bases (seqlets, width) whose first column lies at ``offset``.

    Every column adds up to the number of seqlets: one that has no base there counts a quarter of each, so a column
    that few seqlets reach looks as uncertain as it is, and one that none reaches is even. Columns outside are cut.
    """
    counts = pfm_of(bases) + 0.25 * (bases == N).sum(axis=0)
    pfm = np.full((4, length), len(bases) / 4)
    first, end = max(offset, 0), min(offset + bases.shape[1], length)
    if first < end:
        pfm[:, first:end] = counts[:, first - offset : end - offset]
    return pfm


def consensus_window(sequence: np.ndarray, activation: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Return the pattern's strongest sequence uint8 (length,) with the consensus of the pattern at its place in it.

    A pattern need not fill the receptive field and moves in it, so its consensus by itself is no window.
    """
    bases = seqlet_bases(sequence, pattern)
    best = int(activation[pattern.example].argmax())
    window = sequence[pattern.example[best]].copy()
    place = pattern.start[best] + np.arange(pattern.width)
    inside = (place >= 0) & (place < len(window))
    window[place[inside]] = consensus(to_ppm(pfm_of(bases)))[inside]
    return window


def neuron_parts(
    network: WindowNetwork, layer: int, neuron: int, sample: Sample, settings: ModiscoSettings, name: str = ""
) -> list[Part]:
    """Return the patterns of a neuron as parts ``pos-0``, ``pos-1``, ..., ``neg-0``, ...

    Args:
        network: the predictor's lower layers.
        layer: of the neuron.
        neuron: counted from 0.
        sample: the highest activation first.
        settings: of TF-MoDISco.
        name: of the neuron, for warnings.
    """
    if sample.maximum <= 0:
        return []
    sequence, activation = sample.sequence[: settings.sequences], sample.activation[: settings.sequences]
    hypothetical = hypothetical_attributions(network, layer, neuron, sequence)
    patterns = find_patterns(one_hot(sequence).numpy(), hypothetical, settings, name)
    if not patterns:
        return []
    windows = np.stack([consensus_window(sequence, activation, one) for one in patterns])
    owner = torch.full((len(windows),), neuron, dtype=torch.int64)
    of_consensus = network.activation(torch.from_numpy(windows), layer, owner).cpu().numpy()
    parts, counted = [], {1: 0, -1: 0}
    for pattern, found in zip(patterns, of_consensus, strict=True):
        pfm = placed(seqlet_bases(sequence, pattern), int(np.median(pattern.start)), sequence.shape[1])
        path = f"{'pos' if pattern.sign > 0 else 'neg'}-{counted[pattern.sign]}"
        counted[pattern.sign] += 1
        highest = float(activation[pattern.example].max())
        parts.append(Part(path, pfm, len(pattern.example), highest, float(found)))
    return parts
