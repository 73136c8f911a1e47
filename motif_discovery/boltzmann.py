"""Independent draws at every activation level of a layer whose convolution reads short words (conv3: 10 nt).

The activation of such a neuron is a sum over the taps of its convolution, and each tap sees a word of the sequence: tap
k the word that begins ``stride`` x k nt in. With a table of what each tap makes of each word the activation is that of
a path through the words, each overlapping the next, and dynamic programming does exactly what else is guessed at: the
best path is the highest activation of all 4^18 sequences, and sequences are drawn one by one with probability
proportional to exp(beta x activation), the distribution of the greatest entropy at its mean activation (Jaynes 1957,
doi:10.1103/PhysRev.106.620). beta rises from 0 until the mean nears the maximum; each step moves the mean by a bin or
two or most of a standard deviation, since its derivative is the variance. (Best path: Viterbi 1967,
doi:10.1109/TIT.1967.1054010; draws: Chib 1996, doi:10.1016/0304-4076(95)01770-4.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from motif_discovery.bins import BINS, SampleBins, bin_of
from motif_discovery.exhaustive import words_of
from utils.activation import WindowNetwork
from utils.samplers import word_length

NEURONS_AT_ONCE = 4  # whose tables are made together: the network below is run once for all of them
DRAWS = 2048  # sequences drawn at a time
STEP, SPREAD = 1.5, 0.7  # bins, or standard deviations if more, by which the mean rises from one beta to the next
STEPS = 100  # at most
TOP = 0.99  # share of the maximum that the mean reaches at the end
WORTH = 0.05  # of the draws so many must be wanted, or the next beta is tried
LEAST = -40.0  # exponents below are not told apart: no draw meets them, and numbers near 0 are slow
NEVER = 1e-6  # a maximum below this share of what the taps add up to is rounding


@dataclass(frozen=True)
class Paths:
    """Sequences of a neuron as paths through words.

    Attributes:
        table: float32 (taps, 4^word), what each tap adds for each word; words count in alphabetical order.
        word: nt.
        stride: nt by which the next word begins later.
    """

    table: torch.Tensor
    word: int
    stride: int

    def _by_next(self, k: int) -> torch.Tensor:
        """Return the table of a tap as (letters that go, letters of both words, letters that come)."""
        new = 4**self.stride
        return self.table[k].view(new, -1, new)

    def _carried(self, k: int, ahead: torch.Tensor) -> torch.Tensor:
        """Return what lies ahead of each word of tap k, broadcastable to ``_by_next``: (1, kept, new)."""
        return ahead.view(1, *self._by_next(k).shape[1:])

    @cached_property
    def following(self) -> list[torch.Tensor]:
        """The most that the taps from each on, the first left out, add for each beginning that a word before sets.

        float64 (4^(word - stride),) each; the last, behind all taps, is 0.
        """
        ahead = [torch.zeros(4 ** (self.word - self.stride), device=self.table.device, dtype=torch.float64)]
        for k in range(len(self.table) - 1, 0, -1):
            total = self._by_next(k).double() + self._carried(k, ahead[0])
            ahead.insert(0, total.amax(dim=2).flatten())
        return ahead

    def best(self) -> tuple[np.ndarray, float]:
        """Return the sequence uint8 (field,) with the highest activation, and that activation."""
        taps, new, ahead = len(self.table), 4**self.stride, self.following
        first = self._by_next(0).double() + self._carried(0, ahead[0])
        word = int(first.argmax())
        words = [word]
        for k in range(1, taps):
            begin = word % len(ahead[k])
            following = torch.arange(new, device=self.table.device) + begin * new
            word = int(following[(self.table[k, following].double() + ahead[k][following % len(ahead[k])]).argmax()])
            words.append(word)
        return self.spelled(np.array(words)[:, None])[0], float(first.max())

    def spelled(self, words: np.ndarray) -> np.ndarray:
        """Return sequences uint8 (n, field) of the words of their taps, int64 (taps, n)."""
        return np.concatenate([words_of(words[0], self.word), *(words_of(w, self.stride) for w in words[1:])], axis=1)

    @cached_property
    def less(self) -> torch.Tensor:
        """The table so that each path adds up to its activation less the highest, and none of its taps is above 0.

        What may follow is paid for in advance (as in the reduced costs of a shortest path), so the best path is 0 at
        every tap, and float32 holds the weights of all that matter, however steep they are.
        """
        found = torch.empty_like(self.table)
        for k, (row, ahead) in enumerate(zip(found, self.following, strict=True)):
            total = self._by_next(k).double() + self._carried(k, ahead)
            begin = total.max() if k == 0 else self.following[k - 1].view(*total.shape[:2], 1)
            row.copy_((total - begin).flatten())
        return found

    @cached_property
    def negated(self) -> "Paths":
        """The same sequences with activations of the other sign."""
        return Paths(-self.table, self.word, self.stride)

    def tilted(self, beta: float) -> "Tilted":
        """Return the sequences weighted by exp(beta x activation); 0 weights all sequences alike.

        Args:
            beta: per unit of activation.
        """
        less = self.less if beta >= 0 else self.negated.less
        weights = Paths((less * abs(beta)).clamp_(min=LEAST).exp_(), self.word, self.stride)
        ahead = [torch.ones(4 ** (self.word - self.stride), device=less.device)]
        for k in range(len(less) - 1, 0, -1):
            total = (weights._by_next(k) * self._carried(k, ahead[0])).sum(dim=2).flatten()
            ahead.insert(0, (total / total.max()).clamp_(min=np.exp(LEAST)))
        first = (weights._by_next(0) * self._carried(0, ahead[0])).flatten()
        return Tilted(self, weights.table, ahead, first.cumsum(0, dtype=torch.float64))


@dataclass(frozen=True)
class Tilted:
    """Sequences of a neuron with their probabilities.

    Attributes:
        paths: the sequences.
        weights: (taps, 4^word), of each word at each tap.
        ahead: for each tap (4^(word - stride),), the summed weight of all that may follow, up to a factor.
        share: float64 (4^word,), cumulative weight of the first words.
    """

    paths: Paths
    weights: torch.Tensor
    ahead: list[torch.Tensor]
    share: torch.Tensor

    def draw(self, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return independent draws, uint8 (n, field), and their activations by the tables, float64 (n,).

        Args:
            uniform: float64 (taps, n), independent in [0, 1).
        """
        draws = torch.from_numpy(uniform).to(self.share.device)
        word = torch.searchsorted(self.share, draws[0] * self.share[-1], right=True).clamp(max=len(self.share) - 1)
        words, total = [word], self.paths.table[0, word].double()
        new = 4**self.paths.stride
        for k in range(1, len(self.weights)):
            word = word % len(self.ahead[k])  # what the next word begins with; a row for each way it may end
            rows = self.weights[k].view(-1, new)[word] * self.ahead[k].view(-1, new)[word % (len(self.ahead[k]) // new)]
            share = rows.cumsum(1, dtype=torch.float64)
            choice = (share <= (draws[k] * share[:, -1])[:, None]).sum(dim=1).clamp(max=new - 1)
            word = new * word + choice
            words.append(word)
            total += self.paths.table[k, word]
        return self.paths.spelled(torch.stack(words).cpu().numpy()), total.cpu().numpy()


class BoltzmannSampler:
    """Draws samples of neurons whose convolution reads short words: see ``utils.samplers.reads_short_words``.

    Args:
        network: the predictor's lower layers.
        layer: of the neurons.
        quota: sequences that a bin takes.
        seed: the same seed gives the same samples, whatever other neurons are sampled beside.
    """

    def __init__(self, network: WindowNetwork, layer: int, quota: int, seed: int) -> None:
        self.network, self.layer, self.quota, self.seed = network, layer, quota, seed
        self.word, self.stride = word_length(network.model, layer), network.model.stride(layer)

    def sample(self, neurons: list[int], progress: Callable[[int], None] | None = None) -> list[SampleBins]:
        """Return the filled bins of each neuron (counted from 0); ``progress`` is told of each step."""
        found: dict[int, SampleBins] = {}
        for start in sorted({neuron - neuron % NEURONS_AT_ONCE for neuron in neurons}):
            # the same tables for a neuron whatever others are asked for: a product of fewer rows rounds otherwise
            block = list(range(start, min(start + NEURONS_AT_ONCE, self.network.model.channels)))
            for neuron, table in zip(block, self.tables(block), strict=True):
                if neuron in neurons:
                    paths = Paths(table, self.word, self.stride)
                    found[neuron] = self._sample(neuron, paths, progress or (lambda step: None))
        return [found[neuron] for neuron in neurons]

    @torch.no_grad()
    def tables(self, neurons: list[int]) -> torch.Tensor:
        """Return what each tap of neurons (counted from 0) adds for each word, float32 (neurons, taps, 4^word)."""
        convolution = self.network.model.convolution(self.layer)
        weight = convolution.weight[neurons]  # (neurons, channels, taps)
        read = self.network.read_of_words(self.layer, self.word)  # (4^word, channels)
        found = (weight.transpose(1, 2).flatten(0, 1) @ read.T).view(len(neurons), weight.shape[2], -1)
        if convolution.bias is not None:
            found[:, 0] += convolution.bias[neurons][:, None]
        return found

    def _sample(self, neuron: int, paths: Paths, progress: Callable[[int], None]) -> SampleBins:
        bins = SampleBins(self.network.model.receptive_field(self.layer), self.quota, self.seed)
        random = np.random.default_rng((self.seed, self.layer, neuron))
        best, highest = paths.best()
        reach = float(paths.table.amax(dim=1).sum())  # what no sequence exceeds
        if highest <= NEVER * max(reach, 1.0):
            return bins
        self._offer(bins, neuron, best[None], np.array([highest]))
        self._rise(bins, neuron, paths, random, progress)
        return bins

    def _rise(
        self, bins: SampleBins, neuron: int, paths: Paths, random: np.random.Generator,
        progress: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Draw with beta from 0 up to the maximum; then from 0 down to where nothing fires, if lower bins want more."""
        highest = bins.maximum
        for sign in (1, -1):
            beta = 0.0
            for step in range(STEPS):
                activation = self._draw(bins, neuron, paths.tilted(beta), random)
                progress(step)
                mean, variance = float(activation.mean()), float(activation.var())
                place = int(bin_of(np.array([max(mean, 0.0)]), highest)[0])
                ahead = bins.wanted[place:] if sign > 0 else bins.wanted[: place + 1]
                beyond = mean > TOP * highest if sign > 0 else mean <= 0
                if beyond or not ahead.any() or variance <= 0:
                    break
                beta += sign * max(STEP * highest / BINS, SPREAD * variance**0.5) / variance

    def _draw(self, bins: SampleBins, neuron: int, tilted: Tilted, random: np.random.Generator) -> np.ndarray:
        """Draw until hardly anything is wanted any more; return the activations float64 of the last draws."""
        while True:
            sequence, activation = tilted.draw(random.random((len(tilted.weights), DRAWS)))
            before = len(bins)
            self._offer(bins, neuron, sequence, activation)
            if len(bins) - before < WORTH * DRAWS:
                return activation

    def _offer(self, bins: SampleBins, neuron: int, sequence: np.ndarray, about: np.ndarray) -> None:
        """Offer those sequences to the bins that look wanted, with the network's own activation."""
        highest = max(bins.maximum, float(about.max()))
        if highest <= 0:
            return
        chosen = np.flatnonzero(about > 0)
        if bins.maximum > 0:
            chosen = chosen[bins.wanted[bin_of(about[chosen], highest)] > 0]
        if len(chosen):
            windows = torch.from_numpy(sequence[chosen])
            owner = torch.full((len(chosen),), neuron)
            bins.add(sequence[chosen], self.network.activation(windows, self.layer, owner).cpu().numpy())
