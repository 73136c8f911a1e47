"""The published genetic sampler written plainly, faults included: what benchmarks/sampling.py compares ours with.

It is our own reconstruction from the description of the method and of its faults, since the published code is not at
hand. What the description leaves open was chosen as a straightforward research script would have it: one neuron at a
time, one-hot float arrays, a Python loop over the individuals for mutation, crossover, shifts and storage; the network
reads them in batches. It takes no shortcut: each window's whole feature map is computed, in every layer.

Its faults, which are kept on purpose: every individual may be mutated before the next selection, the best too, which
can so be lost; bins are open at the top, so the best sequence is in none, and a stored sequence stays in its bin when
the maximum grows; duplicates are removed through a set of strings (sorted here, because the order of a set would make
each run another one); bases are drawn by comparing a number with float32 sums, which can leave a column without a base.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from utils.model import Predictor
from utils.sequence import decode, encode, one_hot

BINS = 20
BEST, SHIFTED = 0.4, 0.2  # shares of the next generation; the rest are crossovers
MUTATED_POSITIONS = 0.2
RATE, RAISED_RATE, RAISES_AFTER = 0.4, 0.9, 30  # mutation rates; generations before the rate may rise
GAIN = 0.01
BATCH = 100  # windows the network reads at once


@dataclass
class PublishedSample:
    """What a run has stored.

    Attributes:
        bins: per bin the one-hot sequences float32 (4, receptive field) with their activations.
        maximum: the highest activation seen, whether stored or not.
        generations: evaluated.
        stop: why it ended: ``bins``, ``patience``, ``generations`` or ``time``.
    """

    bins: list[list[tuple[np.ndarray, float]]] = field(default_factory=lambda: [[] for _ in range(BINS)])
    maximum: float = -np.inf
    generations: int = 0
    stop: str = "generations"
    texts: set[str] = field(default_factory=set)

    def store(self, X: np.ndarray, activation: np.ndarray, quota: int) -> None:
        """Put individuals (n, 4, receptive field) into the bins [i, i + 1) / 20 of the maximum that have room."""
        self.maximum = max(self.maximum, float(activation.max()))
        for x, value in zip(X, activation.tolist(), strict=True):
            number = int(value / self.maximum * BINS) if value > 0 else BINS
            if number >= BINS or len(self.bins[number]) >= quota:  # the maximum itself gives 20, which is no bin
                continue
            text = decode(x.argmax(axis=0))
            if text not in self.texts:
                self.texts.add(text)
                self.bins[number].append((x.copy(), value))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the sequences as one-hot float32 (n, 4, receptive field) and their activations float32 (n,)."""
        held = [pair for one in self.bins for pair in one]
        return np.array([x for x, _ in held], dtype=np.float32), np.array([value for _, value in held], np.float32)


def sample_published(
    model: Predictor,
    layer: int,
    neuron: int,
    seed: int,
    population: int = 1000,
    generations: int = 350,
    patience: int = 30,
    seconds: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> PublishedSample:
    """Sample one neuron as published.

    Args:
        model: the predictor, in evaluation mode; it is run without padding, on windows of the receptive field.
        layer: of the neuron.
        neuron: counted from 0.
        seed: the same seed gives the same sample.
        population: individuals.
        generations: at most.
        patience: generations without a rise of the maximum by 0.01 after which it ends.
        seconds: after which it ends too, for benchmarks of bounded time.
        progress: told of each generation.
    """
    started = time.perf_counter()
    model, width = without_padding(model), model.receptive_field(layer)
    quota = width * 20 // 100 * 100 + 100
    random = np.random.default_rng(seed)
    X = random_individuals(population, width, random)
    found, highest, waiting, rate = PublishedSample(), -np.inf, 0, RATE
    for generation in range(generations):
        activation = activations(model, X, layer, neuron)
        found.store(X, activation, quota)
        found.generations = generation + 1
        if progress:
            progress(generation)
        gained = found.maximum >= highest + GAIN
        highest, waiting = (found.maximum, 0) if gained else (highest, waiting + 1)
        rate = max(RATE, rate - (RAISED_RATE - RATE) / patience)
        if gained and generation >= RAISES_AFTER:
            rate = RAISED_RATE
        if all(len(one) >= quota for one in found.bins):
            found.stop = "bins"
        elif waiting >= patience:
            found.stop = "patience"
        elif seconds is not None and time.perf_counter() - started > seconds:
            found.stop = "time"
        if found.stop != "generations":
            break
        X = next_generation(X, activation, random)
        X = without_duplicates(X, random)
        X = mutated(X, rate, model, layer, neuron, random)
    return found


# -- the network ------------------------------------------------------------------------------------------------------


def without_padding(model: Predictor) -> Predictor:
    """Return a copy of the predictor whose convolutions have no padding: the published interpreter always has none."""
    device = next(model.parameters()).device
    plain = Predictor(**{**model.arguments, "padding": 0})
    plain.load_state_dict(model.state_dict())
    return plain.to(device).eval().requires_grad_(False)


def activations(model: Predictor, X: np.ndarray, layer: int, neuron: int) -> np.ndarray:
    """Return the activations float32 (n,) of one-hot windows (n, 4, receptive field)."""
    device = next(model.parameters()).device
    with torch.no_grad():
        parts = [model.trunk(part.to(device), layer)[:, neuron, 0].cpu() for part in torch.from_numpy(X).split(BATCH)]
    return torch.cat(parts).numpy()


def gradients(model: Predictor, X: np.ndarray, layer: int, neuron: int) -> np.ndarray:
    """Return the gradients (n, 4, receptive field) of the activations at one-hot windows."""
    device = next(model.parameters()).device
    parts = []
    for part in torch.from_numpy(X).split(BATCH):
        part = part.to(device).requires_grad_()
        model.trunk(part, layer)[:, neuron, 0].sum().backward()
        parts.append(part.grad.cpu())
    return torch.cat(parts).numpy()


# -- a generation -----------------------------------------------------------------------------------------------------


def random_individuals(count: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Return random one-hot sequences float32 (count, 4, width)."""
    return one_hot(random.integers(4, size=(count, width))).numpy()


def next_generation(X: np.ndarray, activation: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return 40 % best, 20 % cyclic shifts of the best and 40 % one-point crossovers of parents drawn by fitness."""
    size, width = X.shape[0], X.shape[2]
    order = np.argsort(-activation, kind="stable")
    X, activation = X[order], activation[order]
    sums = np.cumsum(activation - activation.min(), dtype=np.float32)
    best, shifted = int(BEST * size), int(SHIFTED * size)
    new = [X[i] for i in range(best)]
    for i in range(shifted):
        new.append(np.roll(X[i], random.integers(1, width), axis=1))
    while len(new) < size:
        one, other = (min(np.searchsorted(sums, random.random() * sums[-1]), size - 1) for _ in range(2))
        point = random.integers(1, width)
        new.append(np.concatenate([X[one][:, :point], X[other][:, point:]], axis=1))
    return np.stack(new)


def without_duplicates(X: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the different individuals and as many random ones as there were duplicates."""
    texts = sorted({decode(x.argmax(axis=0)) for x in X})
    different = one_hot(np.stack([encode(text) for text in texts])).numpy()
    return np.concatenate([different, random_individuals(len(X) - len(texts), X.shape[2], random)])


def mutated(
    X: np.ndarray, rate: float, model: Predictor, layer: int, neuron: int, random: np.random.Generator
) -> np.ndarray:
    """Return the individuals with a share of them mutated in their place, half of these along the gradient."""
    X = X.copy()
    chosen = [i for i in range(len(X)) if random.random() < rate]
    guided = [i for i in chosen if random.random() < 0.5]
    gradient = dict(zip(guided, gradients(model, X[guided], layer, neuron), strict=True)) if guided else {}
    for i in chosen:
        X[i] = mutate_along(X[i], gradient[i], random) if i in gradient else mutate_at_random(X[i], random)
    return X


def mutate_at_random(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a sequence (4, width) with 20 % of its positions drawn anew."""
    x = x.copy()
    for position in random.choice(x.shape[1], max(1, int(MUTATED_POSITIONS * x.shape[1])), replace=False):
        x[:, position] = 0
        x[random.integers(4), position] = 1
    return x


def mutate_along(x: np.ndarray, gradient: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a sequence (4, width) with 20 % of its positions changed along the gradient (4, width).

    Positions are drawn by the information of the normalised positive gradient, bases from that itself.
    """
    x, uphill = x.copy(), np.maximum(gradient, 0)
    total = uphill.sum(axis=0)
    share = np.where(total > 0, uphill / np.maximum(total, 1e-30), 0.25).astype(np.float32)
    bits = 2 + (share * np.log2(np.maximum(share, 1e-30))).sum(axis=0, dtype=np.float64)
    bits = np.maximum(bits, 1e-6)
    count = max(1, int(MUTATED_POSITIONS * x.shape[1]))
    for position in random.choice(x.shape[1], count, replace=False, p=bits / bits.sum()):
        x[:, position] = roulette(share[:, position], random)
    return x


def roulette(share: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a one-hot column (4,) drawn by shares float32 (4,); without a base where their float32 sum falls short."""
    column, total, draw = np.zeros(4, dtype=np.float32), np.float32(0), random.random()
    for base in range(4):
        total += share[base]
        if draw < total:
            column[base] = 1
            break
    return column
