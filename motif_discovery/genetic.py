"""The genetic sampler of NeuronMotif (Wei et al. 2023, doi:10.1073/pnas.2216698120), for a block of neurons at once.

Populations are indices uint8 (neurons, population, receptive field); the network reads all of them in one batch.
A generation: the best individuals survive as they are; offspring are shifts of the best and crossovers by fitness; a
share of all, mutated, is added. Every sequence that is evaluated is offered to the neuron's bins.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch

from motif_discovery.bins import SampleBins
from utils.activation import WindowNetwork

ELITE, SHIFTED = 0.4, 0.2  # shares of the next generation; the rest are crossovers
MUTATED_POSITIONS = 0.2
DOWNHILL = 0.5  # share of the mutations along the gradient that go down: the lower bins want sequences too
RATE, RAISED_RATE = 0.4, 0.9
RAISES_AFTER = 30  # generations
GAIN = 0.01  # a rise of the maximum that raises the rate
WORTHWHILE_CLIMB = 0.1  # likewise, while nothing fires yet, the share of the way up to 0
WORTHWHILE_GAIN = 0.01  # share by which the maximum must rise within ``patience`` generations to go on
WORTHWHILE_FILL = 0.06  # or by which the wanted sequences must become more


@dataclass
class _State:
    """What evolves, a row per neuron that is still running."""

    neuron: torch.Tensor  # int64 (n,), counted from 0
    population: torch.Tensor  # uint8 (n, population, receptive field), the highest activation first
    activation: torch.Tensor  # float32 (n, population)
    gradient: torch.Tensor  # float32 (n, elites, 4, receptive field) of the best; NaN where not computed yet
    rate: torch.Tensor  # float32 (n,)
    best: torch.Tensor  # float32 (n,), the maximum when the rate was last raised
    highest: torch.Tensor  # float32 (n,), the maximum at the last improvement
    filled: torch.Tensor  # float32 (n,), at the last improvement
    waiting: torch.Tensor  # int64 (n,), generations since the last improvement

    def keep(self, rows: torch.Tensor) -> None:
        """Drop the other neurons."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[rows])


class GeneticSampler:
    """Samples the sequences that fire neurons of one layer.

    Args:
        network: the predictor's lower layers.
        layer: of the neurons.
        population: individuals per neuron.
        generations: at most.
        patience: generations within which the maximum must rise by 1 % or the wanted sequences by 6 %, else the neuron
            is finished.
        quota: sequences that a bin takes.
        seed: the same seed gives the same samples, whatever other neurons are sampled beside.
    """

    def __init__(
        self, network: WindowNetwork, layer: int, population: int, generations: int, patience: int, quota: int,
        seed: int,
    ) -> None:  # fmt: skip
        self.network, self.layer, self.quota, self.seed = network, layer, quota, seed
        self.population, self.generations, self.patience = population, generations, patience
        self.elites, self.shifted = max(1, int(ELITE * population)), int(SHIFTED * population)
        self.field = network.model.receptive_field(layer)
        self.device = network.device

    def sample(self, neurons: list[int], progress: Callable[[int], None] | None = None) -> list[SampleBins]:
        """Return the filled bins of each neuron (counted from 0); ``progress`` is told of each generation."""
        bins = {neuron: SampleBins(self.field, self.quota, self.seed) for neuron in neurons}
        self.random = {neuron: self._generator(neuron) for neuron in neurons}
        n = len(neurons)
        neuron = torch.tensor(neurons, device=self.device)
        start = self._random_sequences(neurons, self.population)
        activation = self._evaluate(start, neuron)
        order = activation.argsort(dim=1, descending=True, stable=True)
        state = _State(
            neuron=neuron,
            population=_take(start, order),
            activation=activation.gather(1, order),
            gradient=torch.full((n, self.elites, 4, self.field), torch.nan, device=self.device),
            rate=torch.full((n,), RATE, device=self.device),
            best=activation.max(dim=1).values,
            highest=activation.max(dim=1).values,
            filled=torch.zeros(n, device=self.device),
            waiting=torch.zeros(n, dtype=torch.int64, device=self.device),
        )
        self._offer(bins, state.neuron, state.population, state.activation)
        for generation in range(self.generations):
            if not len(state.neuron):
                break
            self._step(state, bins)
            self._judge(state, bins, generation)
            if progress:
                progress(generation)
        return [bins[neuron] for neuron in neurons]

    # -- a generation -------------------------------------------------------------------------------------------

    def _step(self, state: _State, bins: dict[int, SampleBins]) -> None:
        elites = self.elites
        elite = state.population[:, :elites]
        crossed = self.population - elites - self.shifted
        offspring = torch.cat([self._shift(elite, self.shifted, state), self._cross(state, crossed)], dim=1)
        mutated, mutant, parent_activation = self._mutate(torch.cat([elite, offspring], dim=1), state)
        self._offer(bins, state.neuron, offspring, parent_activation[:, elites:])
        # an elite keeps its place and its mutant is added; of the offspring the mutant takes the place, unless the
        # gradient has told the activation of the parent: then both stand for the next generation
        new = torch.cat([mutant[:, elites:], mutant[:, :elites]], dim=1)
        fresh = torch.cat([torch.ones_like(mutated[:, elites:]), mutated[:, :elites]], dim=1)
        candidates = torch.cat([elite, new, offspring], dim=1)
        again = self._stand_before(candidates)
        parent_activation = parent_activation[:, elites:].masked_fill(again[:, self.population + elites :], -torch.inf)
        again = again[:, elites : self.population + elites, None]
        new = torch.where(again, self._random_sequences(state.neuron.tolist(), self.population), new)
        activation = torch.full(new.shape[:2], -torch.inf, device=self.device)
        owner = state.neuron[:, None].expand(new.shape[:2])
        activation[fresh] = self.network.activation(new[fresh], self.layer, owner[fresh])
        self._offer(bins, state.neuron, new, activation)
        candidates = torch.cat([elite, new, offspring], dim=1)
        activation = torch.cat([state.activation[:, :elites], activation, parent_activation], dim=1)
        top = activation.argsort(dim=1, descending=True, stable=True)[:, : self.population]
        state.population, state.activation = _take(candidates, top), activation.gather(1, top)
        stayed = top[:, :elites, None, None]
        gradient = state.gradient.gather(1, stayed.clamp(max=elites - 1).expand_as(state.gradient))
        state.gradient = torch.where(stayed < elites, gradient, torch.nan)

    def _judge(self, state: _State, bins: dict[int, SampleBins], generation: int) -> None:
        """Set the mutation rates and drop the neurons that are finished."""
        best = state.activation[:, 0]
        own = [bins[neuron] for neuron in state.neuron.tolist()]
        filled = torch.tensor([one.filled for one in own], dtype=torch.float32, device=self.device)
        gained = best >= state.best + GAIN
        gain = torch.where(state.highest > 0, WORTHWHILE_GAIN, WORTHWHILE_CLIMB)
        risen = best > state.highest + gain * state.highest.abs()
        improved = risen | (filled >= state.filled + WORTHWHILE_FILL)
        state.best = torch.where(gained, best, state.best)
        state.highest = torch.where(improved, best, state.highest)
        state.filled = torch.where(improved, filled, state.filled)
        state.waiting = torch.where(improved, 0, state.waiting + 1)
        step = (RAISED_RATE - RATE) / self.patience
        state.rate = (state.rate - step).clamp(min=RATE)
        if generation >= RAISES_AFTER:
            state.rate = torch.where(gained, RAISED_RATE, state.rate)
        full = torch.tensor([one.full for one in own], device=self.device)
        running = ~full & (state.waiting < self.patience)
        if not bool(running.all()):
            state.keep(running.nonzero()[:, 0])

    # -- operators ----------------------------------------------------------------------------------------------

    def _shift(self, elite: torch.Tensor, count: int, state: _State) -> torch.Tensor:
        """Return ``count`` cyclic shifts of random elites."""
        who = self._draw(state, count, elite.shape[1])
        by = self._draw(state, count, max(1, self.field - 1)) + 1
        columns = (torch.arange(self.field, device=self.device) - by[..., None]) % self.field
        return _take(elite, who).gather(2, columns)

    def _cross(self, state: _State, count: int) -> torch.Tensor:
        """Return ``count`` one-point crossovers of parents drawn in proportion to their fitness."""
        fitness = (state.activation - state.activation.min(dim=1, keepdim=True).values).double() + 1e-9
        cumulated = fitness.cumsum(dim=1)
        draw = self._uniform(state, 2 * count) * cumulated[:, -1:]
        parents = torch.searchsorted(cumulated, draw).clamp(max=fitness.shape[1] - 1)
        one, other = _take(state.population, parents[:, :count]), _take(state.population, parents[:, count:])
        point = self._draw(state, count, max(1, self.field - 1)) + 1
        left = torch.arange(self.field, device=self.device) < point[..., None]
        return torch.where(left, one, other)

    def _mutate(self, everyone: torch.Tensor, state: _State) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mutate a share of the individuals, half of them along the gradient.

        Returns:
            which were mutated, bool (n, individuals); all individuals with these mutated; the activations of the
            parents where the gradient told them, minus infinity elsewhere.
        """
        n, size, field = everyone.shape
        mutated = self._uniform(state, size) < state.rate[:, None]
        guided = mutated & (self._uniform(state, size) < 0.5)
        activation = torch.full((n, size), -torch.inf, device=self.device)
        owners = mutated.nonzero()[:, 0]
        bases = self._draw_rows(state, owners, 4)
        score = self._uniform_rows(state, owners)
        among = guided[mutated]  # which of the mutated follow the gradient
        if bool(among.any()):
            share = self._favoured_share(everyone, guided, activation, state)
            bits = (2 + torch.xlogy(share, share).sum(dim=1) / np.log(2)).clamp(min=1e-6)  # (m, field)
            # positions without replacement, by their information: the smallest of exponential races
            score[among] = -torch.log1p(-score[among]) / bits
            pick = self._uniform_rows(state, owners)[among]
            bases[among] = (pick[:, None] > share.cumsum(dim=1)[:, :3]).sum(dim=1).to(torch.uint8)
        changes = max(1, round(MUTATED_POSITIONS * field))
        chosen = score.topk(changes, dim=1, largest=False, sorted=False).indices
        result = everyone.clone()
        result[mutated] = everyone[mutated].scatter(1, chosen, bases.gather(1, chosen))
        return mutated, result, activation

    def _favoured_share(
        self, everyone: torch.Tensor, guided: torch.Tensor, activation: torch.Tensor, state: _State
    ) -> torch.Tensor:
        """Return the normalised positive part of the gradient (m, 4, field) of the ``guided``, of some of its negative.

        Gradients of elites are kept for later generations; ``activation`` gets what the others turn out to have.
        """
        n, size, field = everyone.shape
        elites = state.gradient.shape[1]
        gradient = torch.full((n, size, 4, field), torch.nan, device=self.device)
        gradient[:, :elites] = state.gradient
        missing = guided & gradient[:, :, 0, 0].isnan()
        owner = state.neuron[:, None].expand(n, size)
        activation[missing], gradient[missing] = self.network.gradient(everyone[missing], self.layer, owner[missing])
        state.gradient = gradient[:, :elites]
        down = (self._uniform(state, size) < DOWNHILL)[guided]
        favoured = torch.where(down[:, None, None], -gradient[guided], gradient[guided]).clamp(min=0)
        total = favoured.sum(dim=1, keepdim=True)
        return torch.where(total > 0, favoured / total.clamp(min=1e-30), 0.25)

    def _stand_before(self, everyone: torch.Tensor) -> torch.Tensor:
        """Return which individuals (n, size) are the same as an earlier one of their neuron."""
        random = torch.Generator().manual_seed(self.seed)
        words = torch.randint(-(2**62), 2**62, (self.field, 4), generator=random).to(self.device)
        hashes = torch.zeros(everyone.shape[:2], dtype=torch.int64, device=self.device)
        for place in range(self.field):
            hashes += words[place][everyone[:, :, place].long()]
        ordered, order = hashes.sort(dim=1, stable=True)
        again = torch.zeros_like(hashes, dtype=torch.bool)
        return again.scatter_(1, order[:, 1:], ordered[:, 1:] == ordered[:, :-1])

    # -- network and chance --------------------------------------------------------------------------------------

    def _evaluate(self, population: torch.Tensor, neuron: torch.Tensor) -> torch.Tensor:
        n, size, field = population.shape
        owner = neuron[:, None].expand(n, size).reshape(-1)
        return self.network.activation(population.reshape(-1, field), self.layer, owner).view(n, size)

    def _offer(
        self, bins: dict[int, SampleBins], neuron: torch.Tensor, population: torch.Tensor, activation: torch.Tensor
    ) -> None:
        sequence, activation = population.cpu().numpy(), activation.cpu().numpy()
        for row, own in enumerate(neuron.tolist()):
            bins[own].add(sequence[row], activation[row])

    def _generator(self, neuron: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64((self.seed, self.layer, neuron)))

    def _uniform(self, state: _State, count: int) -> torch.Tensor:
        """Return float64 (n, count) in [0, 1), each row from its neuron's own generator."""
        rows = [self.random[neuron].random(count) for neuron in state.neuron.tolist()]
        return torch.from_numpy(np.stack(rows)).to(self.device)

    def _draw(self, state: _State, count: int, below: int) -> torch.Tensor:
        """Return int64 (n, count) in [0, below), each row from its neuron's own generator."""
        rows = [self.random[neuron].integers(below, size=count) for neuron in state.neuron.tolist()]
        return torch.from_numpy(np.stack(rows)).to(self.device)

    def _uniform_rows(self, state: _State, owners: torch.Tensor) -> torch.Tensor:
        """Return float32 (m, receptive field) in (0, 1), each row from the generator of its neuron."""
        counts = torch.bincount(owners, minlength=len(state.neuron)).tolist()
        rows = [
            self.random[neuron].random((count, self.field), dtype=np.float32)
            for neuron, count in zip(state.neuron.tolist(), counts, strict=True)
        ]
        return torch.from_numpy(np.concatenate(rows)).to(self.device).clamp_(1e-7, 1 - 1e-7)

    def _draw_rows(self, state: _State, owners: torch.Tensor, below: int) -> torch.Tensor:
        """Return uint8 (m, receptive field) in [0, below), rows as in ``_uniform_rows``."""
        counts = torch.bincount(owners, minlength=len(state.neuron)).tolist()
        rows = [
            self.random[neuron].integers(below, size=(count, self.field), dtype=np.uint8)
            for neuron, count in zip(state.neuron.tolist(), counts, strict=True)
        ]
        return torch.from_numpy(np.concatenate(rows)).to(self.device)

    def _random_sequences(self, neurons: list[int], count: int) -> torch.Tensor:
        rows = [self.random[neuron].integers(4, size=(count, self.field), dtype=np.uint8) for neuron in neurons]
        return torch.from_numpy(np.stack(rows)).to(self.device)


def _take(population: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return individuals (n, k, field) of a population (n, size, field) by row numbers (n, k)."""
    return population.gather(1, rows[..., None].expand(*rows.shape, population.shape[2]))
