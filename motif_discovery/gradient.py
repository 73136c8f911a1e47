"""Chains aimed at activation levels, moved by substitutions along the gradient, for a block of neurons at once.

First some chains climb, half of them from the best windows of a random stretch, which one dense pass evaluates; then
others fill the bins below the maximum. In a step every chain has children, which substitute some positions so as to
come near their target levels or take over a part of another sequence (motif_discovery.proposals). Children are
evaluated exactly and offered to the neuron's bins; a chain goes on from the child that came nearest to its target.

A climber's target is above the maximum. Most of its children take over a part of another climber, so that what each
found comes together, in the first steps rather of one of many good windows of the stretch: what no climber has at the
beginning none would find later. A climber goes on from its own best child only, so that they stay different for long.

The other chains' targets are drawn from the bins that still want sequences; chains and targets are paired in order of
activation, so each chain is near its targets. Half of their children take over a part of a chain of about the same
activation; the highest chains go on climbing. Most of what is stored, but for the highest two bins, are windows of
these chains laid end to end, which one dense pass evaluates at a tenth of the price.

Ideas: locally informed proposals (Zanella 2020, doi:10.1080/01621459.2019.1585255; Grathwohl et al. 2021, Gibbs with
gradients, arXiv:2102.04509) and flat-histogram sampling (Berg and Neuhaus 1992, doi:10.1103/PhysRevLett.68.9). The
chains have no stationary distribution that matters: what is wanted is different sequences at every level.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch

from motif_discovery.bins import BINS, SampleBins
from motif_discovery.proposals import recombined, substituted
from utils.activation import WindowNetwork

STRETCH = 2**15  # windows of the random stretch
CHUNK = 2**14  # of them in a dense pass
LIBRARY = 2**10  # the best ones of each neuron; at the first of these every other climber begins
FROM_LIBRARY, LIBRARY_STEPS = 0.8, 8  # share of parts that is taken of these at first; it falls to 0 in so many steps
CLIMBER_CHILDREN, CLIMBER_CHANGES, CHANGE_FIELD = 10, 2, 150  # children; positions a child changes, one more per 150 nt
TAKEN, TAKEN_MOVED = 3, 3  # of the children: have a part of another climber in the same place, or moved
JUMPS = TAKEN + TAKEN_MOVED + 1  # one child has a part of itself moved
LONGEST_PART = 0.5  # share of the field that a part which is taken over has at most
MOVED = (-4, -3, -2, -1, 1, 2, 3, 4)  # nt by which a part is moved: motifs come to the distance that they want
ABOVE = 0.25  # climbers are aimed up to this share of the maximum above themselves
POLISHED = 96  # single substitutions that are tried on the highest climber then
FILLERS, FILLER_CHILDREN, FILLER_CHANGES = 64, 16, 0.25  # the last as share of the positions, but at most
LEAST_CHANGES, MOST_CHANGES = 5, 32
TOPS = 4  # of the fillers begin at the highest climbers, the others at random
FILLER_JUMPS, NEAR = 8, 24  # of the children: have a part of a chain up to so many places above or below
RISING, RISING_POLISHED = 6, 4  # fillers, the highest, that go on climbing; steps after which the highest is polished
WANDERS = 0.1  # how often a filler goes on from a child that came no nearer
REBORN = 0.25  # how often it goes on from a stored sequence near the levels that are wanted
JOINTS_YIELD = 0.03  # of the windows over the joints of fillers so many must be wanted, or they are not read again
JOINTS_AT_ONCE = 2**23  # nt of them that are stored at once
GAIN, CLIMB_PATIENCE = 0.002, 10  # the maximum must rise by this share within so many steps, or climbing ends
STEPS = 200  # at most, of climbing and of filling
YIELD, FILL_PATIENCE = 0.07, 4  # of the children so many must be wanted, averaged over so many steps, or filling ends


@dataclass(frozen=True)
class Climbing:
    """How many chains climb.

    Attributes:
        climbers: of a neuron.
        polished: steps after which the highest is polished.
        refreshed: steps after which gradients are of the sequences of now; between, those of where a climber was will
            do, as most of its children have no use for them.
    """

    climbers: int
    polished: int
    refreshed: int


CLIMBING = {40: Climbing(192, 4, 2), 100: Climbing(48, 6, 3)}  # up to so many nt; the shorter, the cheaper a climber
FEW = Climbing(20, 6, 3)  # above


@dataclass
class _Chains:
    """What evolves, a row per neuron that is still running."""

    neuron: torch.Tensor  # int64 (n,), counted from 0
    sequence: torch.Tensor  # uint8 (n, chains, receptive field)
    activation: torch.Tensor  # float32 (n, chains)
    gradient: torch.Tensor  # float32 (n, chains, 4, receptive field)
    stale: torch.Tensor  # bool (n, chains), whether the gradient is of an earlier sequence
    reached: torch.Tensor  # float32 (n,), what was reached at the last improvement
    waiting: torch.Tensor  # int64 (n,), steps since then

    def keep(self, rows: torch.Tensor) -> None:
        """Drop the other neurons."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[rows])

    def sort(self) -> None:
        """Put the chains of each neuron in the order of their activation."""
        order = self.activation.argsort(dim=1, stable=True)
        self.activation, self.stale = self.activation.gather(1, order), self.stale.gather(1, order)
        self.sequence = self.sequence.gather(1, order[..., None].expand_as(self.sequence))
        self.gradient = self.gradient.gather(1, order[..., None, None].expand_as(self.gradient))


class GradientSampler:
    """Samples the sequences that fire neurons of one layer.

    A neuron's climbers end when the maximum has not risen by 0.2 % in 10 steps, its other chains when all bins are full
    or fewer than 7 % of the children of 4 steps were wanted.

    Args:
        network: the predictor's lower layers.
        layer: of the neurons.
        quota: sequences that a bin takes.
        seed: the same seed gives the same samples, whatever other neurons are sampled beside.
    """

    def __init__(self, network: WindowNetwork, layer: int, quota: int, seed: int) -> None:
        self.network, self.layer, self.quota, self.seed = network, layer, quota, seed
        self.field = network.model.receptive_field(layer)
        self.device = network.device
        self.climbing = next((one for longest, one in CLIMBING.items() if self.field <= longest), FEW)
        self.changes = min(CLIMBER_CHANGES + self.field // CHANGE_FIELD, self.field)

    @cached_property
    def library(self) -> torch.Tensor:
        """The best windows of a random stretch for every neuron of the layer, uint8 (neurons, 1024, field)."""
        rng = np.random.default_rng((self.seed, self.layer))
        stretch = torch.from_numpy(rng.integers(4, size=STRETCH + self.field - 1, dtype=np.uint8)).to(self.device)
        found, place = [], []
        for start in range(0, STRETCH, CHUNK):
            part = stretch[None, start : start + CHUNK + self.field - 1]
            *_, (_, x) = self.network.dense_maps(part, self.layer, self.layer)
            highest = x[0, :, 0].topk(LIBRARY, dim=1)
            found.append(highest.values)
            place.append(highest.indices + start)
        best = torch.cat(found, dim=1).topk(LIBRARY, dim=1).indices
        return stretch.unfold(0, self.field, 1)[torch.cat(place, dim=1).gather(1, best)]

    def sample(self, neurons: list[int], progress: Callable[[int], None] | None = None) -> list[SampleBins]:
        """Return the filled bins of each neuron (counted from 0); ``progress`` is told of each step."""
        self.bins = {neuron: SampleBins(self.field, self.quota, self.seed) for neuron in neurons}
        self.random = {one: np.random.Generator(np.random.SFC64((self.seed, self.layer, one))) for one in neurons}
        self.progress = progress or (lambda step: None)
        self.tops: dict[int, torch.Tensor] = {}
        good = self.climbing.climbers // 2
        others = self._random(neurons, self.climbing.climbers - good)
        self._climb(self._start(neurons, torch.cat([others, self.library[neurons, :good]], dim=1)))
        firing = [neuron for neuron in neurons if self.bins[neuron].maximum > 0]
        if firing:
            tops = torch.stack([self.tops[neuron] for neuron in firing])
            self.scanning = set(firing)
            self._fill(self._start(firing, torch.cat([self._random(firing, FILLERS - TOPS), tops], dim=1)))
        return [self.bins[neuron] for neuron in neurons]

    def _random(self, neurons: list[int], chains: int) -> torch.Tensor:
        return self._draws(neurons, lambda rng: rng.integers(4, size=(chains, self.field), dtype=np.uint8))

    def _start(self, neurons: list[int], sequence: torch.Tensor) -> _Chains:
        """Return chains that begin at sequences (n, chains, field)."""
        neuron = torch.tensor(neurons, device=self.device)
        everyone = torch.ones(sequence.shape[:2], dtype=torch.bool, device=self.device)
        reached = torch.full((len(neurons),), -torch.inf, device=self.device)
        state = _Chains(
            neuron, sequence, torch.zeros(sequence.shape[:2], device=self.device),
            torch.zeros(*sequence.shape[:2], 4, self.field, device=self.device), ~everyone, reached,
            torch.zeros_like(neuron),
        )  # fmt: skip
        self._set(state, everyone, sequence)
        self._offer(neuron, sequence, state.activation)
        return state

    # -- climbing -----------------------------------------------------------------------------------------------

    def _climb(self, state: _Chains) -> None:
        """Look for the highest activation of each neuron."""
        for step in range(STEPS):
            state.sort()
            size = state.activation[:, -1:].abs().clamp(min=1e-3)
            shape = (state.sequence.shape[1], CLIMBER_CHILDREN)
            draws = self._draws(state.neuron.tolist(), lambda rng, shape=shape: rng.random(shape))
            target = state.activation[..., None] + (ABOVE * size)[..., None] * draws.float()
            changes = torch.full(shape, self.changes, device=self.device)
            children = self._children(state, target, changes, self.changes, power=2.0)
            children[:, :, :JUMPS] = self._jumps(state, FROM_LIBRARY * max(0.0, 1 - step / LIBRARY_STEPS))
            activation = self._evaluate(children.flatten(1, 2), state.neuron)
            highest, child = activation.view(*target.shape).max(dim=2)
            moves = highest > state.activation
            moved = children.gather(2, child[..., None, None].expand(-1, -1, 1, self.field))[:, :, 0]
            self._offer(state.neuron, moved, highest)  # the other children are too much alike
            state.sequence = torch.where(moves[..., None], moved, state.sequence)
            state.activation, state.stale = torch.maximum(highest, state.activation), state.stale | moves
            if (step + 1) % self.climbing.refreshed == 0:
                self._set(state, state.stale, state.sequence)
            if (step + 1) % self.climbing.polished == 0:
                self._polish(state)
            self.progress(step)
            reached = state.activation.max(dim=1).values
            for row, neuron in enumerate(state.neuron.tolist()):
                self.tops[neuron] = state.sequence[row, -TOPS:]
            gained = reached > state.reached + GAIN * state.reached.abs().nan_to_num(0, 0, 0)
            if self._finished(state, gained, reached, CLIMB_PATIENCE):
                return

    def _polish(self, state: _Chains) -> None:
        """Put the highest climber of each neuron on the best of its most promising single substitutions."""
        best = state.activation.argmax(dim=1, keepdim=True)
        sequence = _take(state.sequence, best)  # (n, 1, field)
        effect = state.gradient.gather(1, best[..., None, None].expand(-1, -1, 4, self.field))[:, 0]
        effect = effect - effect.gather(1, sequence.long())  # (n, 4, field), of each substitution
        effect = effect.scatter(1, sequence.long(), -torch.inf)
        chosen = effect.flatten(1).topk(min(POLISHED, 3 * self.field), dim=1).indices
        near = sequence.repeat(1, chosen.shape[1], 1)
        near.scatter_(2, (chosen % self.field)[..., None], (chosen // self.field)[..., None].to(near.dtype))
        activation = self._evaluate(near, state.neuron)
        highest, which = activation.max(dim=1, keepdim=True)
        higher = highest > state.activation.gather(1, best)
        moves = torch.zeros_like(state.activation, dtype=torch.bool).scatter_(1, best, higher)
        moved = torch.where(moves[..., None], _take(near, which), state.sequence)
        self._offer(state.neuron, _take(near, which), highest)
        self._set(state, moves, moved)

    def _jumps(self, state: _Chains, from_library: float) -> torch.Tensor:
        """Return for each climber children with a part of another climber, in its place or moved, and one of its own.

        Args:
            state: the climbers.
            from_library: share of the parts that are of a window of the library instead of another climber.

        Returns:
            uint8 (n, climbers, 7, field).
        """
        climbers, field = state.sequence.shape[1:]
        draws = self._draws(state.neuron.tolist(), lambda rng: rng.random((5, JUMPS, climbers)))
        who, size, start, far, which = draws.unbind(dim=1)  # (n, JUMPS, climbers) each
        other = _take(state.sequence, (who * climbers).long())
        if from_library:
            known = self.library[state.neuron[:, None, None], (who * LIBRARY).long()]
            other = torch.where((which < from_library)[..., None], known, other)
        other[:, -1] = state.sequence
        longest = torch.full((JUMPS, 1), LONGEST_PART * field, device=self.device)
        longest[-1] = field
        return recombined(state.sequence, other, self._moves(far, TAKEN), size, start, longest)

    def _moves(self, far: torch.Tensor, taken: int) -> torch.Tensor:
        """Return by how much parts are moved, from even numbers (n, jumps, chains); the first ``taken`` stay."""
        moved = torch.tensor(MOVED, device=self.device)[(far * len(MOVED)).long()]
        moved[:, :taken] = 0
        return moved

    # -- filling ------------------------------------------------------------------------------------------------

    def _fill(self, state: _Chains) -> None:
        """Fill the bins below the maximum of each neuron."""
        most = min(max(LEAST_CHANGES, round(FILLER_CHANGES * self.field)), MOST_CHANGES, self.field)
        rising = torch.arange(FILLERS, device=self.device) >= FILLERS - RISING  # of the chains in order of activation
        for step in range(STEPS):
            state.sort()
            self._scan_joints(state)
            target = self._wanted(state)
            sizes = self._draws(state.neuron.tolist(), lambda rng: rng.random((FILLERS, FILLER_CHILDREN)))
            highest = torch.tensor([self.bins[neuron].maximum for neuron in state.neuron.tolist()], device=self.device)
            room = (1.1 - target / highest[:, None, None]).clamp(0.1, 1)  # the higher, the fewer changes are borne
            children = self._children(state, target, 1 + (sizes * room * most).long(), most, power=1.0)
            children[:, :, :FILLER_JUMPS] = self._parts_of_near(state)
            activation = self._evaluate(children.flatten(1, 2), state.neuron)
            self._offer(state.neuron, children.flatten(1, 2), activation)
            activation = activation.view(*target.shape)
            miss, child = (activation - target).abs().min(dim=2)
            own = target.gather(2, child[..., None])[..., 0]
            wander = self._draws(state.neuron.tolist(), lambda rng: rng.random(FILLERS)) < WANDERS
            moves = (miss <= (state.activation - own).abs()) | wander
            best, best_child = activation.max(dim=2)
            child = torch.where(rising, best_child, child)
            moves = torch.where(rising, best > state.activation, moves)
            moved = children.gather(2, child[..., None, None].expand(-1, -1, 1, self.field))[:, :, 0]
            reborn = self._draws(state.neuron.tolist(), lambda rng: rng.random(FILLERS)) < REBORN
            reborn &= ~rising
            stored = [self.bins[one].draw(FILLERS, self.random[one]) for one in state.neuron.tolist()]
            moved = torch.where(reborn[..., None], torch.from_numpy(np.stack(stored)).to(self.device), moved)
            self._set(state, moves | reborn, moved)
            if (step + 1) % RISING_POLISHED == 0:
                self._polish(state)
            self.progress(step)
            own = [self.bins[neuron] for neuron in state.neuron.tolist()]
            stored = torch.tensor([float(one.counts.sum()) for one in own], device=self.device)
            enough = YIELD * FILLERS * FILLER_CHILDREN * (1 + state.waiting)
            full = torch.tensor([one.full for one in own], device=self.device)
            state.waiting[full] = FILL_PATIENCE
            if self._finished(state, (stored >= state.reached + enough) & ~full, stored, FILL_PATIENCE):
                return

    def _parts_of_near(self, state: _Chains) -> torch.Tensor:
        """Return for each filler children uint8 (n, fillers, 8, field) with a part of one of about its activation."""
        draws = self._draws(state.neuron.tolist(), lambda rng: rng.random((4, FILLER_JUMPS, FILLERS)))
        who, size, start, far = draws.unbind(dim=1)
        rank = torch.arange(FILLERS, device=self.device)
        low, high = (rank - NEAR).clamp(min=0), (rank + NEAR).clamp(max=FILLERS - 1)
        other = _take(state.sequence, low + (who * (high - low + 1)).long())
        longest = torch.full((FILLER_JUMPS, 1), LONGEST_PART * self.field, device=self.device)
        return recombined(state.sequence, other, self._moves(far, FILLER_JUMPS // 2), size, start, longest)

    def _scan_joints(self, state: _Chains) -> None:
        """Offer every window of the chains laid end to end, in random order: parts of two chains each.

        Most are not wanted, but a window of a dense pass costs a tenth of one by itself.
        """
        for neuron, sequence in zip(state.neuron.tolist(), state.sequence, strict=True):
            own = self.bins[neuron]
            if neuron not in self.scanning:
                continue
            laid = sequence[torch.from_numpy(self.random[neuron].permutation(FILLERS)).to(self.device)].flatten()
            *_, (_, x) = self.network.dense_maps(laid[None], self.layer, self.layer)
            before = int(own.counts.sum())
            windows, values = laid.unfold(0, self.field, 1).cpu().numpy(), x[0, neuron, 0].cpu().numpy()
            size = max(1, JOINTS_AT_ONCE // self.field)  # they lie over each other: a copy of all would be large
            for start in range(0, len(values), size):
                own.add(windows[start : start + size], values[start : start + size])
            if int(own.counts.sum()) - before < JOINTS_YIELD * x.shape[-1]:
                self.scanning.discard(neuron)

    def _wanted(self, state: _Chains) -> torch.Tensor:
        """Return levels float32 (n, chains, children), rising over the chains: where sequences are wanted."""
        rows = []
        for neuron in state.neuron.tolist():
            own, rng = self.bins[neuron], self.random[neuron]
            bins, within = rng.random((2, FILLERS * FILLER_CHILDREN))
            wanted = own.wanted + 1e-9
            chosen = np.searchsorted(np.cumsum(wanted) / wanted.sum(), bins).clip(max=BINS - 1)
            rows.append(np.sort((chosen + within) * (own.maximum / BINS)).reshape(FILLERS, FILLER_CHILDREN))
        return torch.from_numpy(np.stack(rows).astype(np.float32)).to(self.device)

    # -- both ---------------------------------------------------------------------------------------------------

    def _children(
        self, state: _Chains, target: torch.Tensor, changes: torch.Tensor, most: int, power: float
    ) -> torch.Tensor:
        """Return sequences uint8 (n, chains, children, field) that should come near their targets (see proposals)."""
        shape = (*target.shape[1:], self.field + most)
        draws = self._draws(state.neuron.tolist(), lambda rng: rng.random(shape, dtype=np.float32))
        gap = target - state.activation[..., None]
        return substituted(state.sequence, state.gradient, gap, changes, most, power, draws)

    def _finished(self, state: _Chains, improved: torch.Tensor, reached: torch.Tensor, patience: int) -> bool:
        """Drop the neurons that wait too long; return whether none is left."""
        state.reached = torch.where(improved, reached, state.reached)
        state.waiting = torch.where(improved, 0, state.waiting + 1)
        running = state.waiting < patience
        if not bool(running.all()):
            state.keep(running.nonzero()[:, 0])
        return not len(state.neuron)

    def _set(self, state: _Chains, moves: torch.Tensor, sequence: torch.Tensor) -> None:
        """Put chains where ``moves`` is true on new sequences, with activation and gradient."""
        state.sequence = torch.where(moves[..., None], sequence, state.sequence)
        owner = state.neuron[:, None].expand(moves.shape)
        found, gradient = self.network.gradient(state.sequence[moves], self.layer, owner[moves])
        state.activation[moves], state.gradient[moves], state.stale[moves] = found, gradient, False

    def _evaluate(self, sequence: torch.Tensor, neuron: torch.Tensor) -> torch.Tensor:
        n, size, field = sequence.shape
        owner = neuron[:, None].expand(n, size).reshape(-1)
        return self.network.activation(sequence.reshape(-1, field), self.layer, owner).view(n, size)

    def _offer(self, neuron: torch.Tensor, sequence: torch.Tensor, activation: torch.Tensor) -> None:
        rows, values = sequence.cpu().numpy(), activation.cpu().numpy()
        for row, one in enumerate(neuron.tolist()):
            self.bins[one].add(rows[row], values[row])

    def _draws(self, neurons: list[int], draw: Callable[[np.random.Generator], np.ndarray]) -> torch.Tensor:
        """Return what each neuron's own generator draws, stacked."""
        return torch.from_numpy(np.stack([draw(self.random[neuron]) for neuron in neurons])).to(self.device)


def _take(sequence: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return sequences (n, ..., field) of chains (n, size, field) by row numbers (n, ...)."""
    flat = rows.flatten(1)[..., None].expand(-1, -1, sequence.shape[2])
    return sequence.gather(1, flat).view(*rows.shape, sequence.shape[2])
