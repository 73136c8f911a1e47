"""Networks of the user's: a class from a Python file or package, its weights, and the convolutions read from it.

The user's code is run from the path that the model's config gives, and from nowhere else.
"""

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from utils.config import OwnModelSettings
from utils.network_trace import copied
from utils.runtime import InputError, file_sha256, fingerprint, shown
from utils.stack import Stack
from utils.stack_reader import Unreadable, read_stack

logger = logging.getLogger(__name__)

TOLERANCE = 1e-3  # share of the largest output by which what was read may differ from the network itself
MARGIN = 64  # nucleotides beside the receptive field, in the sequence on which this is looked at
LONGEST_CHECK = 2**17  # nt


class OwnNetwork(nn.Module):
    """A network of the user's with the geometry of its convolutions (``utils.geometry.Geometry``).

    Args:
        module: the network, its weights loaded.
        settings: of the model.

    Raises:
        Unreadable: a convolution that is to be interpreted cannot be read.
    """

    def __init__(self, module: nn.Module, settings: OwnModelSettings) -> None:
        super().__init__()
        self.module = module.eval().requires_grad_(False)
        self.label = settings.network
        self.in_channels, self.targets = settings.tracks, settings.targets
        self.alphabet, self.reverse_complement = settings.alphabet, settings.reverse_complement
        self.stack = read_stack(self.module, tuple(settings.layers), settings.tracks)
        first = next((one for one in self.module.parameters() if one.is_floating_point()), torch.zeros(0))
        self.dtype = first.dtype
        _require_agreement(self.module, self.stack, self.dtype)

    @property
    def layers(self) -> int:
        """Convolutions that are interpreted."""
        return len(self.stack.layers)

    @property
    def padding(self) -> int:
        """Widest padding of what the convolutions read through; 0 without any."""
        return self.stack.padding()

    def channels_of(self, layer: int) -> int:
        """Return the neurons of a layer."""
        return self.stack.layers[layer - 1].channels

    def receptive_field(self, layer: int) -> int:
        """Return how many nucleotides one position of a layer sees."""
        return self.stack.receptive_field(layer)

    def stride(self, layer: int) -> int:
        """Return the distance, in nucleotides, between neighbouring positions of a layer."""
        return self.stack.stride(layer)

    def pool_width(self, layer: int, upper: int) -> int:
        """Return over how many positions of a layer the pools reach below the next layer, towards an upper one."""
        return self.stack.pool_width(layer, upper)

    def layers_below(self, layer: int) -> list[int]:
        """Return the layers that a layer reads, directly or through others, the lowest first."""
        return self.stack.layers_below(layer)

    def reads_length(self, length: int) -> bool:
        """Return whether inputs of a length can be long enough; what else it needs ``forward`` says."""
        return length > 0

    def reads_tracks(self, tracks: int) -> bool:
        """Return whether a data set has the tracks of the network, or some of them: the others are held at zero."""
        return tracks <= self.in_channels

    def forward(self, X: torch.Tensor, longest: int | None = None) -> torch.Tensor:
        """Return predictions (batch, targets) of (batch, tracks, length); tracks that are not given are zero.

        The whole length is read, padding included: ``longest``, which spares the predictor some of it, is not used.

        Raises:
            InputError: the network cannot read inputs of this shape, or gives something else than its targets.
        """
        del longest
        X = nn.functional.pad(X, (0, 0, 0, self.in_channels - X.shape[1])).to(self.dtype)
        try:
            y_hat = self.module(X)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 the code is the user's
            raise InputError(
                f"network {self.label}: forward ends with {type(error).__name__} on inputs {tuple(X.shape)} ({error}); "
                "use a data set of the length and tracks that it was made for"
            ) from None
        shape = tuple(y_hat.shape) if isinstance(y_hat, torch.Tensor) else type(y_hat).__name__
        n, targets = len(X), self.targets
        squeezed = {(n,)} if targets == 1 else set()  # an axis of length 1 may be left out, be it that of the batch
        squeezed |= ({(targets,)} if n == 1 else set()) | ({()} if n == targets == 1 else set())
        if shape in squeezed:
            return y_hat.reshape(n, targets).float()
        if shape != (n, targets):
            raise InputError(
                f"network {self.label}: gives {shape} for {n} sequences, but (batch, {targets}) is expected; "
                "correct key 'targets' of the model config"
            )
        return y_hat.float()

    def predict_parts(self, parts: Iterable[tuple[torch.Tensor, int | None]]) -> torch.Tensor:
        """Return predictions (batch, targets) of a batch given in parts."""
        return torch.cat([self(X, longest) for X, longest in parts])


def _require_agreement(module: nn.Module, stack: Stack, dtype: torch.dtype) -> None:
    """Check on a random sequence that what was read gives what the network's own convolutions give inside it.

    Where the network cannot read a sequence of that length, what comes before it fails is compared.

    Raises:
        Unreadable: it does not.
    """
    widest = max(end - first for first, end in (stack.fields[one.map] for one in stack.layers))
    cropped = max(abs(stack.fields[one.map][0]) for one in stack.layers)  # as much at the other end, as people do
    length = 2 * (widest + cropped) + max(stack.jumps) * 4 + MARGIN
    seen, interior = [], stack.interior(length)
    if length <= LONGEST_CHECK:
        bases = torch.randint(4, (1, length), generator=torch.Generator().manual_seed(0))
        X = nn.functional.one_hot(bases, 4).transpose(1, 2).to(dtype)
        X = nn.functional.pad(X, (0, 0, 0, stack.tracks - 4))
        seen = _convolutions_of(copied(module), X.clone())
    compared = [one for one in stack.layers if one.call < len(seen) and interior[one.map][0] < interior[one.map][1]]
    if len(compared) < len(stack.layers):
        names = ", ".join(one.name for one in stack.layers if one not in compared)
        logger.warning("%s: not compared with the network itself, which does not come to it on %d nt", names, length)
    dense: dict[int, torch.Tensor] = {}
    with contextlib.suppress(RuntimeError, TypeError, ValueError, IndexError):  # what was not read rightly may not fit
        dense.update(stack.dense(X, {layer.map for layer in compared}) if compared else ())
    for layer in compared:
        first, end = interior[layer.map]
        offset, jump = stack.fields[layer.map][0], stack.jumps[layer.map]
        found = dense.get(layer.map)
        found = None if found is None else found[..., offset + first * jump : offset + end * jump : jump]
        expected = seen[layer.call][..., first:end]
        margin = TOLERANCE * float(expected.nan_to_num(0, 0, 0).abs().max()) + 1e-6 if expected.numel() else 0.0
        if (
            found is None
            or found.shape != expected.shape
            or not torch.allclose(found.double(), expected.double(), 0, margin, True)
        ):
            below = [one.name for one in stack.layers if one.map < layer.map]
            raise Unreadable(
                f"'{layer.name}' (Conv1d): what was read from forward gives other numbers than the network itself; "
                + (f"name the convolutions below it under layers: [{', '.join(below)}]" if below else "it is the first")
            )


class _Recorder(TorchFunctionMode):
    """Keeps what every call of torch's convolution gives, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[torch.Tensor] = []

    def __torch_function__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        given = func(*args, **(kwargs or {}))
        if func is nn.functional.conv1d:
            self.found.append(given.clone())
        return given


@torch.no_grad()
def _convolutions_of(module: nn.Module, X: torch.Tensor) -> list[torch.Tensor]:
    """Return the raw outputs of the network's convolutions, in the order of their calls, of those it comes to."""
    with _Recorder() as recorder, contextlib.suppress(Exception):
        module(X)  # dense layers of a fixed length fail here, behind the convolutions
    return recorder.found


# -- the class and its weights --------------------------------------------------------------------------------------


def build(settings: OwnModelSettings) -> tuple[nn.Module, str]:
    """Return the network that a config names, with the weights it starts with, and the SHA-256 of its code.

    Raises:
        InputError: no such file, package or class, or it cannot be made with these arguments.
    """
    place, _, name = settings.network.rpartition(":")
    what = f"key 'network': {settings.network}"
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise InputError(f"{what}: {shown(path)} is no file; write the path of the file that holds the class")
    else:
        path = None
    try:
        loaded = _imported(path) if path else importlib.import_module(place)
    except Exception as error:  # noqa: BLE001 the code is the user's
        raise InputError(f"{what}: importing it ends with {type(error).__name__} ({error})") from None
    made = getattr(loaded, name, None)
    if not (inspect.isclass(made) and issubclass(made, nn.Module)):  # nothing else is ever called
        known = [key for key, one in vars(loaded).items() if inspect.isclass(one) and issubclass(one, nn.Module)]
        raise InputError(f"{what}: {name} is no torch.nn.Module; it holds {', '.join(known) or 'no network'}")
    try:
        module = made(**settings.arguments)
    except Exception as error:  # noqa: BLE001
        raise InputError(
            f"{what}: making it ends with {type(error).__name__} ({error}); correct key 'arguments'"
        ) from None
    return module, fingerprint(files=[file_sha256(one) for one in _code(path, loaded)])


def _code(path: Path | None, loaded: object) -> list[Path]:
    """Return the files that a network's code is in: a file and what it imports beside it, or all of a package."""
    if path:
        return _with_files_beside(path)
    folders = getattr(sys.modules[loaded.__name__.partition(".")[0]], "__path__", ())
    if folders:
        return [one for folder in folders for one in sorted(Path(folder).rglob("*.py"))]
    source = inspect.getsourcefile(loaded)
    return _with_files_beside(Path(source)) if source else []


def _with_files_beside(source: Path) -> list[Path]:
    """Return a file of Python and those in its folder, or in a package there, that it imports, or that these import."""
    found, waiting = [source], [source]
    while waiting:
        try:
            tree = ast.parse(waiting.pop().read_bytes())
        except (SyntaxError, ValueError):  # such as a template, which nothing imports
            continue
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                beside = source.parent / name.partition(".")[0]
                files = sorted(beside.rglob("*.py")) if beside.is_dir() else [beside.with_suffix(".py")]
                new = [file for file in files if file.is_file() and file not in found]
                found += new
                waiting += new
    return [source, *sorted(found[1:])]


def _imported(path: Path) -> object:
    """Import exactly this file, as a module of its own; it may import files beside it, unless their names are taken."""
    name = f"combmotif_network_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    known = folder in sys.path
    if not known:
        sys.path.append(folder)  # behind all that is installed, and only while this file is imported
    try:
        spec.loader.exec_module(module)
    finally:
        if not known:
            sys.path.remove(folder)
    return module


def state_of(content: object) -> dict[str, torch.Tensor]:
    """Return the state dict in what a checkpoint holds: by itself, or under the key that trainers give it.

    Raises:
        ValueError: there is none.
    """
    for key in ("model_state_dict", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not any(isinstance(one, torch.Tensor) for one in content.values()):
        raise ValueError("it holds no state dict; write one with torch.save(model.state_dict(), FILE)")
    return {key: value for key, value in content.items() if isinstance(key, str)}


def load_state(module: nn.Module, state: dict[str, torch.Tensor], prefix: str) -> None:
    """Give a network its weights: those whose keys begin with the prefix, without it.

    Raises:
        ValueError: they are not exactly those of the network.
    """
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    if not own:
        raise ValueError(f"none of its keys begins with '{prefix}', they begin with '{next(iter(state))}'")
    wanted = module.state_dict()
    missing, strange = sorted(wanted.keys() - own.keys()), sorted(own.keys() - wanted.keys())
    if missing or strange:
        longest = max((re.sub(rf"{re.escape(missing[0])}$", "", key) for key in own if missing and
                       key.endswith(missing[0]) and key != missing[0]), default="", key=len)  # fmt: skip
        if longest:
            raise ValueError(f"its keys begin with '{longest}'; write prefix: \"{prefix}{longest}\"")
        lacks = f"lacks '{missing[0]}'" if missing else f"has '{strange[0]}', which the network has not"
        raise ValueError(f"it {lacks}; is it of this network, with these arguments?")
    for key, value in wanted.items():
        if own[key].shape != value.shape:
            raise ValueError(
                f"'{key}' is {tuple(own[key].shape)}, in the network {tuple(value.shape)}; correct key 'arguments'"
            )
    module.load_state_dict(own)


def identity(settings: OwnModelSettings, weights: str, code: str) -> str:
    """Return the SHA-256 of all that decides results: weights, code, class, and every setting of how it is read."""
    facts = settings.model_dump(exclude={"name", "checkpoint", "dataset", "network"})
    facts["class"] = settings.network.rpartition(":")[2]
    text = json.dumps({"weights": weights, "code": code, **facts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
