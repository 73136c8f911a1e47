"""Chains aimed at activation levels, moved by substitutions along the gradient, for a block of neurons at once.

First some chains climb, half of them from the best windows of a random stretch, which one dense pass evaluates; then
others fill the bins below the maximum. In a step every chain has children, which substitute some positions so as to
come near their target levels or take over a part of another sequence (motif_discovery.proposals). Children are
evaluated exactly and offered to the neuron's bins; a chain goes on from the child that came nearest to its target.

A climber's target is above the maximum. Two or three of its four children take over a part of another climber, so
that what each found comes together, in the first steps rather of one of many good windows of the stretch: what no
climber has at the beginning none would find later. A climber goes on from its own best child only, so that they stay
different for long. Few children in many steps find more than many in few. Now and then the highest climbers are
polished: the best single substitutions by gradient are tried, and several that help together.

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
# climbers of a neuron with a field of up to so many nt, and steps after which their gradients are of now: the shorter,
# the cheaper a climber; most of its children have no use for a gradient
CLIMBERS = {40: (256, 2), 100: (48, 5)}
FEW_CLIMBERS = (20, 5)  # above
LIBRARY = 2**10  # the best ones of each neuron; at the first of these every other climber begins
FROM_LIBRARY, LIBRARY_STEPS = 0.8, 16  # share of parts that is taken of these at first; it falls to 0 in so many steps
CLIMBER_CHILDREN = 4
SEARCHING = 40  # steps in which two of them are substituted or have a part of themselves moved; then one
CLIMBER_CHANGES, CHANGE_FIELD = 2, 150  # positions that a substituted child changes, one more per 150 nt of the field
LONGEST_PART = 0.5  # share of the field that a part which is taken over has at most
MOVED = (-4, -3, -2, -1, 1, 2, 3, 4)  # nt by which a part is moved: motifs come to the distance that they want
ABOVE = 0.25  # climbers are aimed up to this share of the maximum above themselves
POLISHING = 10  # steps after which the highest are polished
POLISHED, SINGLES = 2, 48  # how many are, and single substitutions that are tried on each
TOGETHER = (2, 3, 4, 6, 8)  # so many of those that help are tried together
FILLERS, FILLER_CHILDREN, FILLER_CHANGES = 64, 8, 0.25  # the last as share of the positions, but at most
LEAST_CHANGES, MOST_CHANGES = 5, 32
TOPS = 4  # of the fillers begin at the highest climbers, the others at random
FILLER_JUMPS, NEAR = 4, 24  # of the children: have a part of a chain up to so many places above or below
RISING, RISING_POLISHED = 3, 6  # fillers, the highest, that go on climbing; steps after which they are polished
WANDERS = 0.1  # how often a filler goes on from a child that came no nearer
FILLER_REFRESHED, REBORN = 2, 0.5  # steps after which gradients are of now; share that then goes on from a stored one
JOINTS_ORDERS = 3  # in which the fillers are laid end to end in a step
JOINTS_YIELD, JOINTS_REST = 0.03, 4  # of the windows over joints so many must be wanted, or none is read for so long
JOINTS_AT_ONCE = 2**23  # nt of them that are stored at once
GAIN, CLIMB_PATIENCE = 0.002, 25  # the maximum must rise by this share within so many steps, or climbing ends
CLIMB_STEPS, FILL_STEPS = 500, 200  # at most
YIELD, FILL_PATIENCE = 0.07, 4  # of the children so many must be wanted, averaged over so many steps, or filling ends


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
        self.sequence = _take(self.sequence, order)
        self.gradient = self.gradient.gather(1, order[..., None, None].expand_as(self.gradient))

    def move(self, moves: torch.Tensor, sequence: torch.Tensor, activation: torch.Tensor) -> None:
        """Put chains where ``moves`` is true on new sequences; their gradients are of earlier ones from now on."""
        self.sequence = torch.where(moves[..., None], sequence, self.sequence)
        self.activation, self.stale = torch.where(moves, activation, self.activation), self.stale | moves


class GradientSampler:
    """Samples the sequences that fire neurons of one layer.

    A neuron's climbers end when the maximum has not risen by 0.2 % in 25 steps, its other chains when all bins are full
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
        chosen = (one for longest, one in CLIMBERS.items() if self.field <= longest)
        self.climbers, self.refreshed = next(chosen, FEW_CLIMBERS)
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
        good = self.climbers // 2
        others = self._random(neurons, self.climbers - good)
        self._climb(self._start(neurons, torch.cat([others, self.library[neurons, :good]], dim=1)))
        firing = [neuron for neuron in neurons if self.bins[neuron].maximum > 0]
        if firing:
            tops = torch.stack([self.tops[neuron] for neuron in firing])
            self.joints_from = dict.fromkeys(firing, 0)
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
            torch.zeros(*sequence.shape[:2], 4, self.field, device=self.device), everyone, reached,
            torch.zeros_like(neuron),
        )  # fmt: skip
        self._refresh(state)
        self._offer(neuron, sequence, state.activation)
        return state

    # -- climbing -----------------------------------------------------------------------------------------------

    def _climb(self, state: _Chains) -> None:
        """Look for the highest activation of each neuron."""
        state.sort()
        for step in range(CLIMB_STEPS):
            children = self._climbers_children(state, step)
            activation = torch.full(children.shape[:3], -torch.inf, device=self.device)
            new = (children != state.sequence[:, :, None]).any(dim=3)  # late, many parts are what was there already
            owner = state.neuron[:, None, None].expand(new.shape)
            activation[new] = self.network.activation(children[new], self.layer, owner[new])
            highest, child = activation.max(dim=2)
            moved = _chosen(children, child)
            self._offer(state.neuron, moved, highest)  # the other children are too much alike
            state.move(highest > state.activation, moved, highest)
            if (step + 1) % self.refreshed == 0:
                self._refresh(state)
            if (step + 1) % POLISHING == 0:
                self._polish(state)
            state.sort()
            self.progress(step)
            reached = state.activation[:, -1]
            for row, neuron in enumerate(state.neuron.tolist()):
                self.tops[neuron] = state.sequence[row, -TOPS:]
            gained = reached > state.reached + GAIN * state.reached.abs().nan_to_num(0, 0, 0)
            if self._finished(state, gained, reached, CLIMB_PATIENCE):
                return

    def _climbers_children(self, state: _Chains, step: int) -> torch.Tensor:
        """Return sequences uint8 (n, climbers, 4, field), with parts of others and substituted ones.

        In every other step one has a part of itself moved. Parts help for longer than substitutions.
        """
        own = step % 2 == 1
        drawn = (2 if step < SEARCHING else 1) - own
        share = FROM_LIBRARY * max(0.0, 1 - step / LIBRARY_STEPS)
        jumps = self._jumps(state, CLIMBER_CHILDREN - drawn - own, own, share)
        if not drawn:
            return jumps
        shape = (state.sequence.shape[1], drawn)
        draws = self._draws(state.neuron.tolist(), lambda rng: rng.random(shape))
        size = state.activation[:, -1:, None].abs().clamp(min=1e-3)
        target = state.activation[..., None] + ABOVE * size * draws.float()
        changes = torch.full(shape, self.changes, device=self.device)
        return torch.cat([jumps, self._children(state, target, changes, self.changes, power=2.0)], dim=2)

    def _polish(self, state: _Chains) -> None:
        """Put the highest chains of each neuron on their best most promising substitution, or several together."""
        highest = state.activation.topk(POLISHED, dim=1).indices
        self._refresh(state, torch.zeros_like(state.stale).scatter_(1, highest, True))
        sequence, activation = _take(state.sequence, highest), state.activation.gather(1, highest)
        effect = state.gradient.gather(1, highest[..., None, None].expand(-1, -1, 4, self.field))
        own = sequence.long()[:, :, None]
        effect = (effect - effect.gather(2, own)).scatter(2, own, -torch.inf)  # of each substitution
        chosen = effect.flatten(2).topk(min(SINGLES, 3 * self.field), dim=2).indices  # (n, chains, singles)
        place, base = chosen % self.field, chosen // self.field
        near = sequence[:, :, None].repeat(1, 1, chosen.shape[2], 1)
        near.scatter_(3, place[..., None], base[..., None].to(near.dtype))
        found = self._evaluate(near.flatten(1, 2), state.neuron).view(chosen.shape)
        # the best substitution of each position, of which the best ones come together
        gain = torch.full((*highest.shape, 4 * self.field), -torch.inf, device=self.device)
        gain.scatter_(2, chosen, found - activation[..., None])
        gain, best = gain.unflatten(2, (4, self.field)).max(dim=2)  # (n, chains, field)
        rank = gain.argsort(dim=2, descending=True, stable=True).argsort(dim=2)
        together = torch.tensor(TOGETHER, device=self.device)[:, None]
        used = (rank[:, :, None] < together) & (gain > 0)[:, :, None]
        joined = torch.where(used, best[:, :, None].to(near.dtype), sequence[:, :, None])
        of_joined = self._evaluate(joined.flatten(1, 2), state.neuron).view(joined.shape[:3])
        found, which = torch.cat([found, of_joined], dim=2).max(dim=2)
        moved = _chosen(torch.cat([near, joined], dim=2), which)
        self._offer(state.neuron, moved, found)
        moves = torch.zeros_like(state.stale).scatter_(1, highest, found > activation)
        wide = highest[..., None].expand_as(moved)
        state.move(moves, state.sequence.scatter(1, wide, moved), state.activation.scatter(1, highest, found))

    def _jumps(self, state: _Chains, others: int, own: bool, from_library: float) -> torch.Tensor:
        """Return for each climber children with a part of another climber, the last of them moved.

        Args:
            state: the climbers.
            others: how many of them.
            own: whether there is one more, with a part of itself moved.
            from_library: share of the parts that are of a window of the library instead of another climber.

        Returns:
            uint8 (n, climbers, others, or one more, field).
        """
        climbers, field = state.sequence.shape[1:]
        jumps = others + own
        draws = self._draws(state.neuron.tolist(), lambda rng: rng.random((5, jumps, climbers)))
        who, size, start, far, which = draws.unbind(dim=1)  # (n, jumps, climbers) each
        other = _take(state.sequence, (who * climbers).long())
        if from_library:
            known = self.library[state.neuron[:, None, None], (who * LIBRARY).long()]
            other = torch.where((which < from_library)[..., None], known, other)
        longest = torch.full((jumps, 1), LONGEST_PART * field, device=self.device)
        if own:
            other[:, -1], longest[-1] = state.sequence, field
        return recombined(state.sequence, other, self._moves(far, others - 1), size, start, longest)

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
        for step in range(FILL_STEPS):
            state.sort()
            self._scan_joints(state, step)
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
            state.move(moves, _chosen(children, child), activation.gather(2, child[..., None])[..., 0])
            if (step + 1) % FILLER_REFRESHED == 0:
                reborn = self._draws(state.neuron.tolist(), lambda rng: rng.random(FILLERS)) < REBORN
                stored = [self.bins[one].draw(FILLERS, self.random[one]) for one in state.neuron.tolist()]
                stored = torch.from_numpy(np.stack(stored)).to(self.device)
                state.move(reborn & ~rising, stored, state.activation)  # which refreshing makes their own
                self._refresh(state)
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
        """Return for each filler children uint8 (n, fillers, 4, field) with a part of one of about its activation."""
        draws = self._draws(state.neuron.tolist(), lambda rng: rng.random((4, FILLER_JUMPS, FILLERS)))
        who, size, start, far = draws.unbind(dim=1)
        rank = torch.arange(FILLERS, device=self.device)
        low, high = (rank - NEAR).clamp(min=0), (rank + NEAR).clamp(max=FILLERS - 1)
        other = _take(state.sequence, low + (who * (high - low + 1)).long())
        longest = torch.full((FILLER_JUMPS, 1), LONGEST_PART * self.field, device=self.device)
        return recombined(state.sequence, other, self._moves(far, FILLER_JUMPS // 2), size, start, longest)

    def _scan_joints(self, state: _Chains, step: int) -> None:
        """Offer every window of the chains laid end to end, in random orders: parts of two chains each.

        Most are not wanted, but a window of a dense pass costs a tenth of one by itself. Where too few are, joints are
        read again some steps later, when the chains are higher.
        """
        size = max(1, JOINTS_AT_ONCE // self.field)  # the windows lie over each other: a copy of all would be large
        for neuron, sequence in zip(state.neuron.tolist(), state.sequence, strict=True):
            own = self.bins[neuron]
            for _ in range(JOINTS_ORDERS):
                if step < self.joints_from[neuron]:
                    break
                laid = sequence[torch.from_numpy(self.random[neuron].permutation(FILLERS)).to(self.device)].flatten()
                *_, (_, x) = self.network.dense_maps(laid[None], self.layer, self.layer)
                before = int(own.counts.sum())
                windows, values = laid.unfold(0, self.field, 1).cpu().numpy(), x[0, neuron, 0].cpu().numpy()
                for start in range(0, len(values), size):
                    own.add(windows[start : start + size], values[start : start + size])
                if int(own.counts.sum()) - before < JOINTS_YIELD * len(values):
                    self.joints_from[neuron] = step + JOINTS_REST

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

    def _refresh(self, state: _Chains, among: torch.Tensor | None = None) -> None:
        """Compute activations and gradients of chains whose gradients are stale, of some of them or of all."""
        wanted = state.stale if among is None else state.stale & among
        owner = state.neuron[:, None].expand(wanted.shape)
        found, gradient = self.network.gradient(state.sequence[wanted], self.layer, owner[wanted])
        state.activation[wanted], state.gradient[wanted] = found, gradient
        state.stale = state.stale & ~wanted

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


def _chosen(children: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Return of children (n, chains, children, field) one for each chain, by its number (n, chains)."""
    wide = which[..., None, None].expand(-1, -1, 1, children.shape[3])
    return children.gather(2, wide)[:, :, 0]
