"""Reads the stack of convolutions out of a network of the user's, from a trace of its ``forward`` (torch.fx).

What can be read is what looks at positions locally: Conv1d of any width, stride, dilation, padding and groups, maximum
and average pools, crops and padding, and whatever works on each position by itself: activations, BatchNorm and dropout
in evaluation mode, LayerNorm and linear layers over channels, sums and products of branches. Everything else (flatten,
recurrent layers, attention, means over positions, control flow that depends on values) ends the stack on its branch.
"""

import operator
from dataclasses import dataclass

import torch
from torch import fx, nn

from utils.network_trace import Root, traced_network
from utils.stack import Convolution, Layer, Pointwise, Pool, Sliding, Stack, Step
from utils.stack_nodes import (
    ALIASES,
    AXES,
    ELEMENTWISE,
    OVER_AXIS,
    bare,
    bound,
    described,
    numbers_of,
    place_of,
    single,
)  # fmt: skip

MIXING = (nn.Softmin, nn.Softmax2d, nn.MultiheadAttention)  # no activations
SAME = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout)  # in evaluation mode
PADDINGS = (nn.ConstantPad1d, nn.ZeroPad1d, nn.ReflectionPad1d, nn.ReplicationPad1d, nn.CircularPad1d)


class Unreadable(Exception):
    """A network, or a convolution that is to be interpreted, that cannot be read. The message names the module."""


@dataclass(frozen=True)
class _Map:
    """A feature map: its number in the stack, and its axes where it stands in the code (see ``Pointwise``)."""

    number: int
    axes: str = "ncl"


@dataclass(frozen=True)
class _Foreign:
    """What comes out of something that cannot be read: of what."""

    what: str


@dataclass(frozen=True)
class _Chunks:
    """A feature map in so many parts, by channels."""

    whole: _Map
    count: int


def read_stack(module: nn.Module, names: tuple[str, ...] = (), tracks: int = 4) -> Stack:
    """Return the stack of a module.

    Args:
        module: in evaluation mode; called with one-hot sequences (batch, tracks, length).
        names: of the convolutions to interpret; without them all of the module.
        tracks: of the input.

    Raises:
        Unreadable: a convolution that is to be interpreted cannot be read, or there is none.
    """
    graph, traced, stopped = traced_network(module, tracks)
    reader = _Reader(Root(module), traced)
    for node in graph.nodes:
        reader.read(node)
    return _chosen(reader, module, names, tracks, stopped)


def _is_convolution(node: fx.Node) -> bool:
    """Return whether a node calls torch's function."""
    return node.op == "call_function" and getattr(node.target, "__name__", "") == "conv1d"


def _chosen(reader: "_Reader", module: nn.Module, names: tuple[str, ...], tracks: int, stopped: str) -> Stack:
    """Return the stack with the layers that are interpreted."""
    found = {layer.name: layer for layer in reader.layers}
    convolutions = [name for name, one in module.named_modules() if isinstance(one, nn.Conv1d)]
    behind = f"what forward does could not be followed ({stopped})" if stopped else ""
    if not found:
        seen = next(iter(reader.foreign.values()), "") or next(iter(reader.ends), "")
        reason = behind or (f"the input goes into {seen}, which cannot be read" if seen else "forward calls no Conv1d")
        raise Unreadable(f"holds no convolution (Conv1d) that can be read: {reason}")
    again = next((name for name in names if names.count(name) > 1), "")
    if again:
        raise Unreadable(f"'{again}' is named twice under layers")
    for name in names or dict.fromkeys([*convolutions, *reader.foreign]):
        reason = reader.foreign.get(name, "")
        said = f"it stands behind {reason}, which cannot be read window by window" if reason else ""
        if not reason and name in convolutions:
            said = behind or ("what its own forward does cannot be read" if name in reader.entered else "")
        if name not in found and said:
            readable = ", ".join(found)
            raise Unreadable(f"'{name}' (Conv1d): {said}; name the convolutions to interpret, layers: [{readable}]")
        if name not in found and names:
            raise Unreadable(f"has no convolution '{name}' in its forward; its convolutions are {', '.join(found)}")
    layers = [found[name] for name in names] if names else list(found.values())
    return Stack(tuple(reader.steps), tuple(sorted(layers, key=lambda one: one.map)), tracks)


class _Reader:
    """Turns the nodes of a trace into steps.

    Args:
        root: calls the network, whose modules and weights are read.
        traced: the copy of it that was traced, which holds the constants of the trace.

    Attributes:
        steps: so far.
        layers: convolutions so far, in order of execution.
        foreign: of each convolution that cannot be read, what stands before it.
        ends: what the stack ends at.
        entered: modules whose forward is in the trace.
        calls: of convolutions so far, those that cannot be read too.
    """

    def __init__(self, root: nn.Module, traced: nn.Module) -> None:
        self.root, self.traced = root, traced
        self.steps: list[Step] = []
        self.layers: list[Layer] = []
        self.foreign: dict[str, str] = {}
        self.ends: list[str] = []
        self.entered: set[str] = set()
        self.calls = 0
        self._jumps = [1]
        self._known: dict[fx.Node, _Map | _Foreign | torch.Tensor | float | tuple | None] = {}

    def read(self, node: fx.Node) -> None:
        """Take in the next node."""
        if node.op == "output":
            return
        module = self.root.get_submodule(node.target) if node.op == "call_module" else None
        self.calls += isinstance(module, nn.Conv1d) or _is_convolution(node)
        self.entered |= {bare(name) for name in node.meta.get("nn_module_stack") or ()}
        if node.op == "placeholder":
            self._known[node] = _Map(0)
        elif node.op == "get_attr":
            self._known[node] = self._attribute(node.target)
        else:
            self._known[node] = self._called(node)

    def _attribute(self, name: str) -> object:
        """Return a weight, or a constant of the trace."""
        find = operator.attrgetter(name)
        try:
            return find(self.root)
        except AttributeError:
            return find(self.traced)

    def _called(self, node: fx.Node) -> "_Map | _Foreign | torch.Tensor | float | tuple | None":
        """Return what a call gives: a constant where it is of weights alone; None for what depends on lengths."""
        given = [self._known.get(one) for one in node.all_input_nodes]
        foreign = next((one for one in given if isinstance(one, _Foreign)), None)
        module = self.root.get_submodule(node.target) if node.op == "call_module" else None
        if foreign:
            if isinstance(module, nn.Conv1d) or _is_convolution(node):
                self.foreign[bare(node.target) if module is not None else place_of(node) or "conv1d"] = foreign.what
            return foreign
        chunks = next((one for one in given if isinstance(one, _Chunks)), None)
        if chunks:
            if node.target is not operator.getitem or not isinstance(node.args[1], int):
                return self._ended(node, module)
            place, axis = node.args[1], chunks.whole.axes.index("c")
            return self._point(lambda x: x.chunk(chunks.count, axis)[place], [chunks.whole])
        if node.target is getattr and node.args[1] in ("dtype", "device"):
            return None
        maps = [one for one in given if isinstance(one, _Map)]
        if not maps and node.target in ALIASES:
            return self._known[node.args[0]]
        if not maps:
            constant = node.op != "call_module" and given and all(one is not None for one in given)
            return self._folded(node) if constant else None
        try:
            found = self._module(node, module, maps[0]) if module is not None else self._function(node, maps)
        except (TypeError, ValueError, LookupError, AttributeError):  # arguments that no call here is known to have
            found = None
        if found is None:
            found = self._ended(node, module)
            if isinstance(module, nn.Conv1d):
                self.foreign[bare(node.target)] = f"its input ({maps[0].axes})"
            elif _is_convolution(node):  # in the forward of a convolution of the user's
                self.foreign[place_of(node) or "conv1d"] = found.what
        return found

    def _ended(self, node: fx.Node, module: nn.Module | None) -> _Foreign:
        """Return what comes out of a call that cannot be read."""
        found = _Foreign(described(node, module))
        self.ends.append(found.what)
        return found

    def _folded(self, node: fx.Node) -> torch.Tensor | float | tuple | None:
        """Return what a function makes of weights alone, such as a normalised weight or the size of one."""
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), self._known.get)
        try:
            function = node.target if node.op == "call_function" else getattr(torch.Tensor, node.target)
            with torch.no_grad():
                found = function(*args, **kwargs)
        except (RuntimeError, TypeError, ValueError, LookupError, AttributeError):
            return None
        return found if isinstance(found, torch.Tensor | int | float | tuple) else None

    # -- steps --------------------------------------------------------------------------------------------------

    def _step(self, operation: Sliding | Pointwise, maps: list[_Map], axes: str = "ncl") -> _Map | None:
        """Add a step; None where its maps have positions of different kinds."""
        jumps = {self._jumps[one.number] for one in maps}
        if len(jumps) > 1 or len({one.axes for one in maps}) > 1:
            return None
        self.steps.append(Step(operation, tuple(one.number for one in maps)))
        self._jumps.append(jumps.pop() * (operation.stride if isinstance(operation, Sliding) else 1))
        return _Map(len(self.steps), axes)

    def _slide(self, operation: Sliding, source: _Map) -> _Map | None:
        return self._step(operation, [source]) if source.axes == "ncl" else None

    def _point(self, function: object, maps: list[_Map], in_place: bool = False) -> _Map | None:
        """Add a step on each position; where it overwrites a map, whoever reads that map later reads the new one."""
        new = self._step(Pointwise(function, maps[0].axes, in_place), maps, maps[0].axes)
        if new and in_place:
            for node, known in self._known.items():
                if isinstance(known, _Map) and known.number == maps[0].number:
                    self._known[node] = _Map(new.number, known.axes)
        return new

    def _convolve(self, name: str, source: _Map, weight: torch.Tensor, more: dict) -> _Map | None:
        width, dilation, padding = weight.shape[2], single(more["dilation"]), more["padding"]
        both = dilation * (width - 1) if padding == "same" else 0 if padding == "valid" else 2 * single(padding)
        padding = both // 2
        given = {"weight": weight, "bias": more["bias"], "groups": more["groups"], "behind": both - padding}
        new = self._slide(Convolution(width, single(more["stride"]), padding, dilation, **given), source)
        if new:
            again = sum(layer.name.partition(" (")[0] == name for layer in self.layers)
            self.layers.append(
                Layer(f"{name} ({again + 1})" if again else name, new.number, len(weight), self.calls - 1)
            )
        return new

    # -- modules ------------------------------------------------------------------------------------------------

    def _module(self, node: fx.Node, module: nn.Module, source: _Map) -> _Map | None:
        """Return what one of torch's own modules makes of a map."""
        in_place = bool(getattr(module, "inplace", False))
        if isinstance(module, SAME):
            return source
        if isinstance(module, nn.Conv1d):
            return self._convolve(bare(node.target), source, module.weight, vars(module) | {"bias": module.bias})
        if isinstance(module, nn.MaxPool1d | nn.AvgPool1d):
            return self._pool(source, isinstance(module, nn.AvgPool1d), vars(module))
        if isinstance(module, PADDINGS):
            return self._slide(Sliding(padding=module.padding[0], behind=module.padding[1]), source)
        if isinstance(module, nn.BatchNorm1d):
            fine = source.axes == "ncl" and module.running_mean is not None
        elif isinstance(module, nn.LayerNorm):
            fine = source.axes[-1] == "c" and len(module.normalized_shape) == 1
        elif isinstance(module, nn.Linear):
            fine = source.axes[-1] == "c"
        elif isinstance(module, nn.GLU | nn.Softmax | nn.LogSoftmax):
            fine = module.dim is not None and source.axes[module.dim] == "c"
        elif isinstance(module, nn.PReLU):
            fine = module.num_parameters == 1 or source.axes[1] == "c"
        else:
            fine = type(module).__module__ == nn.ReLU.__module__ and not isinstance(module, MIXING)
        return self._point(module, [source], in_place) if fine else None

    def _pool(self, source: _Map, mean: bool, given: dict) -> _Map | None:
        """Add a pool; settings that make no difference inside a sequence, such as ``ceil_mode``, are left out."""
        if given.get("return_indices") or given.get("divisor_override"):
            return None
        width, stride = single(given["kernel_size"]), given.get("stride")
        stride = single(stride) if stride not in (None, ()) else width
        padding, dilation = single(given.get("padding", 0)), single(given.get("dilation", 1))
        return self._slide(Pool(width, stride, padding, dilation, padding, mean), source)

    # -- functions ----------------------------------------------------------------------------------------------

    def _function(self, node: fx.Node, maps: list[_Map]) -> _Map | None:
        """Return what a function or method makes of maps."""
        name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
        source = maps[0]
        if name in ALIASES:
            types = [one for one in (*node.args[1:], *node.kwargs.values()) if isinstance(one, torch.dtype)]
            return self._known[node.args[0]] if all(one.is_floating_point for one in types) else None
        if name == "clone" or (name == "contiguous" and source.axes != "ncl"):  # a copy, which stays as it is
            return self._point(lambda x: x, [source])
        if name == "contiguous":
            return source
        if name.rstrip("_") in ELEMENTWISE:
            in_place = name.endswith("_") or bool(node.kwargs.get("inplace"))
            return self._elementwise(node, maps, in_place)
        if name in ("cat", "concat", "concatenate"):
            given = bound(node, "tensors", "dim")
            together = source.axes[given.get("dim", 0)] == "c" and len(maps) == len(node.all_input_nodes)
            return self._elementwise(node, maps) if together else None
        if len(maps) > 1:
            return None
        if name == "layer_norm":
            fine = source.axes[-1] == "c" and len(bound(node, "input", "shape")["shape"]) == 1
            return self._elementwise(node, maps) if fine else None
        if name in OVER_AXIS:
            dim = bound(node, "input", "dim").get("dim", OVER_AXIS[name])
            return self._elementwise(node, maps) if dim is not None and source.axes[dim] == "c" else None
        if name == "chunk":
            given = bound(node, "input", "chunks", "dim")
            return _Chunks(source, given["chunks"]) if source.axes[given.get("dim", 0)] == "c" else None
        if name in AXES:
            axes = AXES[name](source.axes, *numbers_of(node))
            return _Map(source.number, axes) if axes else None
        if name == "getitem":
            return self._indexed(source, node.args[1])
        reads = {"dropout": self._dropout, "pad": self._padded, "conv1d": self._conv1d, "max_pool1d": self._pooled,
                 "avg_pool1d": self._pooled}  # fmt: skip
        return reads[name](node, source) if name in reads else None

    def _elementwise(self, node: fx.Node, maps: list[_Map], in_place: bool = False) -> _Map | None:
        """Add a function of the maps and of weights that are the same at every position."""
        nodes = [one for one in node.all_input_nodes if isinstance(self._known[one], _Map)]
        weights = {one: self._known[one] for one in node.all_input_nodes if one not in nodes}
        axes = maps[0].axes
        for weight in weights.values():
            if not isinstance(weight, torch.Tensor | int | float) or any(
                size > 1
                for size, axis in zip(getattr(weight, "shape", ())[::-1], axes[::-1], strict=False)
                if axis != "c"
            ):
                return None

        def function(*given: torch.Tensor) -> torch.Tensor:
            known = {one: _beside(weight, given[0]) for one, weight in weights.items()}
            known |= dict(zip(nodes, given, strict=True))
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
            return getattr(args[0], node.target)(*args[1:], **kwargs) if named else node.target(*args, **kwargs)

        named = node.op == "call_method"
        return self._point(function, maps, in_place)

    def _indexed(self, source: _Map, index: object) -> _Map | None:
        """Add a slice along the channels, along the sequence, such as ``x[:, :, 2:-2]`` or ``x[..., 2:-2]``, or both.

        One that ends at a place of its own, such as ``x[:, :, :100]``, reads no more than that of any sequence, which
        no window by itself can tell: it ends the stack.
        """
        index = index if isinstance(index, tuple) else (index,)
        if index.count(...) == 1:
            place = index.index(...)
            index = (*index[:place], *[slice(None)] * (4 - len(index)), *index[place + 1 :])
        if source.axes != "ncl" or len(index) > 3 or not all(isinstance(one, slice) for one in index):
            return None
        batch, channels, places = [*index, slice(None), slice(None)][:3]
        ends = [channels.start, channels.stop, channels.step, places.start, places.stop]
        if batch != slice(None) or not all(isinstance(one, int | None) for one in ends) or places.step not in (None, 1):
            return None
        start = places.start or 0
        if start < 0 or (places.stop is not None and places.stop >= 0):
            return None
        if channels != slice(None):
            source = self._point(lambda x: x[:, channels], [source])
        if places == slice(None):
            return source
        return self._slide(Sliding(padding=-start, behind=places.stop or 0), source)

    def _dropout(self, node: fx.Node, source: _Map) -> _Map | None:
        return None if bound(node, "input", "p", "training").get("training", True) else source

    def _padded(self, node: fx.Node, source: _Map) -> _Map | None:
        pad = bound(node, "input", "pad")["pad"]
        fine = len(pad) == 2 and all(isinstance(one, int) for one in pad)
        return self._slide(Sliding(padding=pad[0], behind=pad[1]), source) if fine else None

    def _conv1d(self, node: fx.Node, source: _Map) -> _Map | None:
        given = bound(node, "input", "weight", "bias", "stride", "padding", "dilation", "groups")
        weight, bias = (self._known.get(given.get(key)) for key in ("weight", "bias"))
        if not isinstance(weight, torch.Tensor) or (given.get("bias") is not None and bias is None):
            return None
        more = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | given | {"bias": bias}
        return self._convolve(place_of(node) or "conv1d", source, weight, more)

    def _pooled(self, node: fx.Node, source: _Map) -> _Map | None:
        mean = node.target.__name__ == "avg_pool1d"
        last = ("ceil_mode",) if mean else ("dilation", "ceil_mode", "return_indices")
        return self._pool(source, mean, bound(node, "input", "kernel_size", "stride", "padding", *last))


def _beside(weight: torch.Tensor | float, x: torch.Tensor) -> torch.Tensor | float:
    """Return a weight of the type and on the device of a map; a number stays one."""
    return weight.to(x) if isinstance(weight, torch.Tensor) else weight
