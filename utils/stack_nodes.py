"""What stands in a torch.fx trace of a network: names of functions, their arguments, and the order of axes.

Axes are written as letters in order, such as ``ncl`` or ``nlc``: n batch, c channels, l positions, 1 one of length 1.
"""

import operator

from torch import fx, nn

ELEMENTWISE = {  # functions and methods of a map, of maps, and of weights
    "abs", "add", "celu", "clamp", "clamp_max", "clamp_min", "cos", "div", "double", "elu", "exp", "expm1", "float",
    "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log", "log1p", "logsigmoid", "maximum", "minimum",
    "mish", "mul", "multiply", "neg", "pow", "reciprocal", "relu", "relu6", "rsqrt", "rsub", "selu", "sigmoid", "silu",
    "sin", "softplus", "softsign", "sqrt", "square", "sub", "subtract", "tanh", "tanhshrink", "true_divide", "truediv",
}  # fmt: skip
ALIASES = {"detach", "to", "type_as"}  # what they give may be the same numbers in the same place
OVER_AXIS = {"glu": -1, "softmax": None, "log_softmax": None}  # functions along one axis, and which it is by default
COMPARED = {operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge}


def swapped(axes: str, one: int, other: int) -> str:
    """Return axes of which two have changed places."""
    letters = list(axes)
    letters[one], letters[other] = letters[other], letters[one]
    return "".join(letters)


def squeezed(axes: str, *places: int) -> str:
    """Return axes without some of length 1; empty where one is another one, or where all would go."""
    if not places or any(axes[place] != "1" for place in places):
        return ""
    gone = {place % len(axes) for place in places}
    return "".join(axis for place, axis in enumerate(axes) if place not in gone)


def unsqueezed(axes: str, place: int) -> str:
    """Return axes with one of length 1 more."""
    place %= len(axes) + 1
    return f"{axes[:place]}1{axes[place:]}"


AXES = {  # what methods and functions make of the order of axes
    "transpose": swapped,
    "swapaxes": swapped,
    "permute": lambda axes, *places: "".join(axes[place] for place in places),
    "squeeze": squeezed,
    "unsqueeze": unsqueezed,
}


def numbers_of(node: fx.Node) -> list[int]:
    """Return the numbers among the arguments of a call, those of a list too."""
    found = []
    for one in [*node.args[1:], *node.kwargs.values()]:
        found += one if isinstance(one, list | tuple) else [one]
    return found


def bound(node: fx.Node, *names: str) -> dict:
    """Return the arguments of a call by name."""
    return dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def of_input(node: object, shape: tuple[int | None, ...]) -> object:
    """Return what a node of a trace is, where it follows from the axes of the input alone, such as ``x.dim() == 3``.

    Args:
        node: or a constant.
        shape: of the input, None where it is not known.

    Raises:
        LookupError: something else decides it.
    """
    if isinstance(node, int):
        return node
    if not isinstance(node, fx.Node) or not node.args:
        raise LookupError
    first, *more = node.args
    more += node.kwargs.values()
    found = None
    if isinstance(first, fx.Node) and first.op == "placeholder":
        asked = more[0] if node.target is getattr else node.target
        if asked in ("dim", "ndimension", "ndim"):
            found = len(shape)
        elif asked == "shape" or (asked == "size" and not more):
            return shape
        elif asked == "size":
            found = shape[more[0]]
    elif node.target is operator.getitem and isinstance(more[0], int) and of_input(first, shape) is shape:
        found = shape[more[0]]
    elif node.target in COMPARED:
        one, other = (of_input(given, shape) for given in node.args)
        if isinstance(one, int) and isinstance(other, int):
            found = node.target(one, other)
    if found is None:
        raise LookupError
    return found


def single(value: int | tuple[int, ...]) -> int:
    """Return a setting that may be written as a tuple of one."""
    return value[0] if isinstance(value, list | tuple) else value


def bare(name: str) -> str:
    """Return a module's name without that of the root above it."""
    return name.removeprefix("module").removeprefix(".")


def place_of(node: fx.Node) -> str:
    """Return the name of the module in whose forward a node stands; empty for the network itself."""
    stack = node.meta.get("nn_module_stack") or {}
    return bare(next(reversed(stack), ""))


def described(node: fx.Node, module: nn.Module | None) -> str:
    """Return what people call a node: a module by its name, a function by the module in whose forward it stands."""
    if module is not None:
        return f"'{bare(node.target)}' ({type(module).__name__})"
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    where = place_of(node)
    return f"'{name}' in the forward of " + (f"'{where}'" if where else "the network")
