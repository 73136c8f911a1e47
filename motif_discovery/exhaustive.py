"""Every sequence of a short receptive field, evaluated: the exact maximum and the exact population of each bin."""

from collections.abc import Callable

import numpy as np
import torch

from motif_discovery.bins import BINS, bin_of
from motif_discovery.files import Sample
from utils.activation import WindowNetwork

WORDS_AT_ONCE = 2**14  # bounds the memory beside the activations


def words_of(number: np.ndarray, field: int) -> np.ndarray:
    """Return the sequences uint8 (n, field) of numbers (n,) below 4^field, which count them in alphabetical order."""
    return (number[:, None] // 4 ** np.arange(field - 1, -1, -1, dtype=np.int64) % 4).astype(np.uint8)


class ExhaustiveSampler:
    """Draws samples from all sequences of a layer's receptive field, each bin evenly.

    Args:
        network: the predictor's lower layers.
        layer: of the neurons.
        quota: sequences that a bin takes.
        seed: of the draws; the same seed gives the same samples, whatever other neurons are sampled beside.
    """

    def __init__(self, network: WindowNetwork, layer: int, quota: int, seed: int) -> None:
        self.network, self.layer, self.quota, self.seed = network, layer, quota, seed
        self.field = network.model.receptive_field(layer)

    def activations(self, neurons: list[int]) -> np.ndarray:
        """Return the activation of neurons (counted from 0) on all sequences, float32 (neurons, 4^field)."""
        found = np.empty((len(neurons), 4**self.field), dtype=np.float32)
        chosen = torch.tensor(neurons, device=self.network.device)
        for start in range(0, found.shape[1], WORDS_AT_ONCE):
            words = words_of(np.arange(start, min(start + WORDS_AT_ONCE, found.shape[1])), self.field)
            maps = self.network.feature_map(torch.from_numpy(words), self.layer)  # one position: (words, channels)
            found[:, start : start + len(words)] = maps[:, chosen].T.cpu().numpy()
        return found

    def sample(self, neurons: list[int], progress: Callable[[int], None] | None = None) -> list[Sample]:
        """Return the sample of each neuron (counted from 0); ``progress`` is told of the one step there is."""
        if progress:
            progress(0)
        return [
            self._draw(neuron, activation)
            for neuron, activation in zip(neurons, self.activations(neurons), strict=True)
        ]

    def _draw(self, neuron: int, activation: np.ndarray) -> Sample:
        firing = np.flatnonzero(activation > 0)
        if not len(firing):
            return Sample(np.empty((0, self.field), np.uint8), np.empty(0, np.float32), 0.0, np.zeros(BINS, np.int64))
        value = activation[firing]
        maximum = float(value.max())
        bins = bin_of(value, maximum)
        population = np.bincount(bins, minlength=BINS)
        key = np.random.default_rng((self.seed, self.layer, neuron)).random(len(firing))
        key[value.argmax()] = -1  # the maximum is always there
        order = np.lexsort((key, bins))
        first = np.concatenate([[0], np.cumsum(population)[:-1]])
        kept = order[np.arange(len(order)) - first[bins[order]] < self.quota]
        kept = kept[np.argsort(-value[kept], kind="stable")]
        return Sample(words_of(firing[kept], self.field), value[kept], maximum, population)
