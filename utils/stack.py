"""The part of a network that reads a sequence window by window, as a small program of steps.

A ``Stack`` is a list of steps on feature maps: convolutions, pools, shifts along the sequence (crops, explicit padding)
and operations on each position by itself (activation, normalisation, sums of branches). It is evaluated in two ways
that give the same numbers: on windows, walking back from a position of a convolution what each step has to compute; and
densely, at every window start of a long sequence at once, each stride replaced by dilation of all that follows.

Both describe interior positions, whose receptive field lies inside the sequence: there no padding is seen.

Coordinates: a map computed at every nucleotide has at x = i x jump what the network has at index i. So a step that
reads index i x stride - padding + dilation x k below reads x + jump x (dilation x k - padding) there.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

Range = tuple[int, int]  # of indices of a map, half-open


@dataclass(frozen=True)
class Sliding:
    """A step that slides over positions; by itself, with width 1, it only shifts them by -``padding``.

    Attributes:
        width: taps.
        stride: positions from one output to the next.
        padding: positions before the first one that the first output reads.
        dilation: positions from one tap to the next.
        behind: positions of padding behind the last one, where that differs; nothing is computed from it.
    """

    width: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    behind: int = 0

    def reads(self, wanted: Range) -> Range:
        """Return the positions of the input that some of the output need."""
        first = wanted[0] * self.stride - self.padding
        last = (wanted[1] - 1) * self.stride - self.padding + self.dilation * (self.width - 1)
        return first, last + 1

    def taps(self, x: torch.Tensor, dilation: int, stride: int) -> list[torch.Tensor]:
        """Return what each tap reads of (n, channels, positions), without padding."""
        span = dilation * (self.width - 1)
        return [x[..., tap : x.shape[-1] - span + tap : stride] for tap in range(0, span + 1, dilation)]

    def run(self, x: torch.Tensor, dilation: int, stride: int) -> torch.Tensor:
        """Return the output (n, channels, positions), without padding, at this dilation and stride."""
        return self.taps(x, dilation, stride)[0]


@dataclass(frozen=True)
class Convolution(Sliding):
    """A convolution: weight (out, in / groups, width), bias (out,) or None."""

    weight: torch.Tensor = field(default_factory=lambda: torch.zeros(0, 0, 1))
    bias: torch.Tensor | None = None
    groups: int = 1

    def run(self, x: torch.Tensor, dilation: int, stride: int) -> torch.Tensor:
        """Return the output (n, channels, positions), without padding, at this dilation and stride."""
        bias = None if self.bias is None else self.bias.to(x)
        return F.conv1d(x, self.weight.to(x), bias, stride=stride, dilation=dilation, groups=self.groups)


@dataclass(frozen=True)
class Pool(Sliding):
    """A pool: the mean or the maximum of its taps."""

    mean: bool = False

    def run(self, x: torch.Tensor, dilation: int, stride: int) -> torch.Tensor:
        """Return the output (n, channels, positions), without padding, at this dilation and stride."""
        taps = self.taps(x, dilation, stride)
        if self.mean:
            return functools.reduce(torch.add, taps) / self.width
        return functools.reduce(torch.maximum, taps)


@dataclass(frozen=True)
class Pointwise:
    """A step on each position by itself, of one map or of several with the same positions.

    Attributes:
        function: of the maps, in the axes it expects.
        axes: of these, in order, such as ``ncl`` or ``nlc``: n batch, c channels, l positions, 1 an axis of length 1.
        in_place: it overwrites its first map.
    """

    function: Callable[..., torch.Tensor]
    axes: str = "ncl"
    in_place: bool = False

    def run(self, *maps: torch.Tensor) -> torch.Tensor:
        """Return the output (n, channels, positions)."""
        given = [self._arranged(x) for x in maps]
        if self.in_place:
            given[0] = given[0].clone()
        found = self.function(*given)
        for place in reversed([place for place, axis in enumerate(self.axes) if axis == "1"]):
            found = found.squeeze(place)
        bare = self.axes.replace("1", "")
        return found.permute([bare.index(axis) for axis in "ncl"])

    def _arranged(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(["ncl".index(axis) for axis in self.axes.replace("1", "")])
        for place, axis in enumerate(self.axes):
            if axis == "1":
                x = x.unsqueeze(place)
        return x


@dataclass(frozen=True)
class Step:
    """An operation and the numbers of the maps it reads; 0 is the input, i + 1 the map of step i."""

    operation: Sliding | Pointwise
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A convolution that is interpreted.

    Attributes:
        name: in the module.
        map: number of its map.
        channels: its neurons.
        call: which of the network's calls of a convolution it is, counted from 0.
    """

    name: str
    map: int
    channels: int
    call: int = 0


class Stack:
    """A program of steps, and the convolutions of it that are interpreted, counted from 1.

    Args:
        steps: in order of execution.
        layers: in order of execution.
        tracks: channels of the input; the first four are the bases, the others are held at zero.
    """

    def __init__(self, steps: tuple[Step, ...], layers: tuple[Layer, ...], tracks: int = 4) -> None:
        self.steps, self.layers, self.tracks = steps, layers, tracks
        self.jumps, self.origins = [1], [0]
        for step in steps:
            jump = self.jumps[step.inputs[0]]
            if isinstance(step.operation, Sliding):
                self.origins.append(self.origins[step.inputs[0]] + jump * step.operation.padding)
                jump *= step.operation.stride
            else:
                self.origins.append(max(self.origins[one] for one in step.inputs))
            self.jumps.append(jump)
        self.fields = [self._field(number) for number in range(len(steps) + 1)]

    # -- geometry -----------------------------------------------------------------------------------------------

    def walked_back(self, wanted: Mapping[int, Range]) -> dict[int, Range]:
        """Return the positions of every map that some positions of some maps need, themselves included."""
        found = dict(wanted)
        for number in range(max(found), 0, -1):
            if number not in found:
                continue
            step, own = self.steps[number - 1], found[number]
            needed = step.operation.reads(own) if isinstance(step.operation, Sliding) else own
            for one in step.inputs:
                known = found.get(one, needed)
                found[one] = min(known[0], needed[0]), max(known[1], needed[1])
        return found

    def _field(self, number: int) -> Range:
        """Return the nucleotides that index 0 of a map sees."""
        return self.walked_back({number: (0, 1)})[0]

    def field(self, layer: int) -> Range:
        """Return the nucleotides [first, end) that index 0 of a layer sees; at an end of the input some are padding."""
        return self.fields[self.layers[layer - 1].map]

    def receptive_field(self, layer: int) -> int:
        """Return how many nucleotides one position of a layer sees."""
        first, end = self.field(layer)
        return end - first

    def stride(self, layer: int) -> int:
        """Return the distance, in nucleotides, between neighbouring positions of a layer."""
        return self.jumps[self.layers[layer - 1].map]

    def padding(self) -> int:
        """Return the widest padding, at either end, of a step that a layer reads through."""
        below = self.walked_back({layer.map: (0, 1) for layer in self.layers})
        steps = [self.steps[number - 1].operation for number in below if number]
        return max((max(one.padding, one.behind) for one in steps if isinstance(one, Sliding)), default=0)

    def layers_below(self, layer: int) -> list[int]:
        """Return the layers that a layer reads, directly or through others, the lowest first."""
        read = self.walked_back({self.layers[layer - 1].map: (0, 1)})
        return [lower for lower in range(1, layer) if self.layers[lower - 1].map in read]

    def pool_width(self, layer: int, upper: int) -> int:
        """Return over how many positions of a layer the pools reach below the next layer, towards an upper one.

        A pool of width 3 upon one of width 2 reaches over 6; of several branches the widest counts; 1 without a pool.
        What the upper layer does not read, such as a pool before the network's end, does not count.
        """
        others = {one.map for one in self.layers}
        read = self.walked_back({self.layers[upper - 1].map: (0, 1)})
        width = {self.layers[layer - 1].map: 1}
        for number, step in enumerate(self.steps, 1):
            reached = [width[one] for one in step.inputs if one in width]
            if reached and number in read and number not in others:
                own = step.operation.width if isinstance(step.operation, Pool) else 1
                width[number] = own * max(reached)
        return max(width.values())

    def interior(self, length: int) -> list[Range]:
        """Return the indices of every map that see no padding, of an input of some length, at crops neither."""
        found = [(0, length)]
        ends = [length]  # of the maps: so many indices have they
        for step in self.steps:
            own, given = step.operation, [found[one] for one in step.inputs]
            first, end = max(one[0] for one in given), min(one[1] for one in given)
            last = min(ends[one] for one in step.inputs)
            if isinstance(own, Sliding):
                span = own.dilation * (own.width - 1)
                last = (last + own.padding + own.behind - span - 1) // own.stride + 1
                first = max(-(-(first + own.padding) // own.stride), 0)
                end = min((end - 1 + own.padding - span) // own.stride + 1, last)
            found.append((first, max(first, end)))
            ends.append(last)
        return found

    def positions(self, lower: int, upper: int) -> Range:
        """Return the positions of a layer whose receptive fields lie in that of index 0 of a layer above."""
        (first, end), (low, high) = self.field(upper), self.field(lower)
        jump = self.stride(lower)
        begin = -((low - first) // jump)
        return begin, max(begin, (end - high) // jump + 1)

    # -- evaluation ---------------------------------------------------------------------------------------------

    def windows(self, X: torch.Tensor, first: int, wanted: Mapping[int, Range]) -> dict[int, torch.Tensor]:
        """Return some positions of some maps, computed from no more than they see.

        Args:
            X: (n, tracks, width), the input from position ``first`` on, as far as ``walked_back`` says or farther.
            first: position of its first column.
            wanted: positions of each map, by its number.

        Returns:
            For each (n, channels, positions).
        """
        ranges = self.walked_back(wanted) | {0: (first, first + X.shape[-1])}
        last, maps = self._last_use(wanted), {0: X}
        for number in sorted(last)[1:]:
            step, needed = self.steps[number - 1], ranges[number]
            own = step.operation
            if isinstance(own, Sliding):
                needed = own.reads(needed)
            given = [_cut(maps[one], needed, ranges[one][0]) for one in step.inputs]
            maps[number] = own.run(*given, own.dilation, own.stride) if isinstance(own, Sliding) else own.run(*given)
            _forget(maps, last, number)
        return {number: _cut(maps[number], own, ranges[number][0]) for number, own in wanted.items()}

    def dense(self, X: torch.Tensor, wanted: set[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield some maps at every window start, in one pass.

        Args:
            X: (n, tracks, length), as long as the longest of the receptive fields or longer.
            wanted: numbers of the maps.

        Yields:
            The number and (n, channels, length - receptive field + 1), by the first nucleotide of the window.
        """
        last, maps = self._last_use(wanted), {0: X}
        for number in sorted(last)[1:]:
            step = self.steps[number - 1]
            own, origin = step.operation, self.origins[number]
            if isinstance(own, Sliding):
                below = step.inputs[0]
                maps[number] = own.run(maps[below], self.jumps[below] * own.dilation, 1)
            else:  # of several maps what all of them have
                given = [maps[one][..., origin - self.origins[one] :] for one in step.inputs]
                width = min(one.shape[-1] for one in given)
                maps[number] = own.run(*(one[..., :width] for one in given))
            if number in wanted:
                yield number, maps[number]
            _forget(maps, last, number)

    def _last_use(self, wanted: Iterable[int]) -> dict[int, int]:
        """Return the maps that must be computed for some, each with the last step that reads it; these are kept."""
        last = dict.fromkeys([*wanted, 0], len(self.steps) + 1)
        for number in range(max(last), 0, -1):
            if number in last:
                for one in self.steps[number - 1].inputs:
                    last.setdefault(one, number)
        return last


def _cut(x: torch.Tensor, wanted: Range, first: int) -> torch.Tensor:
    """Return some positions of a map whose first column is position ``first``."""
    return x[..., wanted[0] - first : wanted[1] - first]


def _forget(maps: dict[int, torch.Tensor], last: Mapping[int, int], number: int) -> None:
    """Drop the maps that no step after ``number`` reads."""
    for one in [one for one in maps if last[one] == number]:
        del maps[one]
