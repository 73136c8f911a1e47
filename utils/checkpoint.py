"""Checkpoints: self-describing ones of this project, and bare published ones."""

import hashlib
import io
import json
import math
import pickle
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import torch

from utils.config import ModelSettings, OwnModelSettings
from utils.model import Predictor
from utils.own_network import OwnNetwork, build, identity, load_state, state_of
from utils.runtime import InputError, atomic_path, file_sha256, root_path, shown
from utils.stack_reader import Unreadable

# what torch.load raises on files that are cut short, damaged or something else
UNREADABLE = (RuntimeError, pickle.UnpicklingError, EOFError, zipfile.BadZipFile, LookupError, ValueError, OSError,
              AttributeError, TypeError)  # fmt: skip

SIZES = ("num_layers", "in_channels", "channels", "kernel_size", "num_targets")  # that a state tells by itself


@dataclass(frozen=True)
class Checkpoint:
    """A trained model with what is known of its training.

    Attributes:
        model: the predictor, or a network of the user's, in evaluation mode.
        training: settings, seed, metrics, label scaling, data SHA-256; empty for a bare published checkpoint.
        sha256: of the file; of a bare one, of the file and its padding; of a network of the user's, of its weights,
            code and settings together.
        name: of the model.
    """

    model: Predictor | OwnNetwork
    training: dict = field(default_factory=dict)
    sha256: str = ""
    name: str = ""

    @property
    def label_scaling(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of the training labels, one per target (0 and 1 where not known)."""
        targets = self.model.targets
        scaling = self.training.get("label_scaling", {})
        return scaling.get("mean", [0.0] * targets), scaling.get("std", [1.0] * targets)


def save_checkpoint(path: str | Path, model: Predictor, training: dict, **more: object) -> None:
    """Write a checkpoint whole or not at all. ``training`` and ``more`` hold tensors, numbers, text, lists, dicts."""
    content = {"model_state_dict": model.state_dict(), "model": model.arguments, "training": training, **more}
    packed = io.BytesIO()  # torch's own writer ends with an error of its own where the disk is full
    torch.save(content, packed)
    with atomic_path(path) as temporary:
        temporary.write_bytes(packed.getbuffer())


def read_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> dict:
    """Return the raw content of a checkpoint file; nothing in it is executed.

    Raises:
        InputError: no such file, or not a checkpoint.
    """
    content = _read_file(Path(path), device)
    if isinstance(content, dict) and "conv1.weight" in content:
        content = {"model_state_dict": content}
    if not isinstance(content, dict) or not isinstance(content.get("model_state_dict"), dict):
        raise InputError(f"{shown(path)}: holds no 'model_state_dict'; it is not a checkpoint of a predictor")
    return content


def _read_file(path: Path, device: torch.device | str) -> object:
    """Return what a file of torch's holds; nothing in it is executed.

    Raises:
        InputError: no such file, or not such a file.
    """
    if not path.is_file():
        raise InputError(f"{shown(path)}: no such checkpoint; train the model first or correct the model config")
    try:
        _require_unpacked(path)
        with warnings.catch_warnings(action="ignore"):  # of what is refused in a moment
            return torch.load(path, map_location=device, weights_only=True)
    except UNREADABLE as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"{shown(path)}: not a readable checkpoint ({reason}); get or train it again") from None


def _require_unpacked(path: Path) -> None:
    """Check that a zip archive holds no more than its own size: torch compresses nothing, and reads what is there.

    Raises:
        ValueError: it would unpack to more.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(one.file_size for one in archive.infolist())
        if unpacked > path.stat().st_size:
            raise ValueError(f"{unpacked:,} bytes packed into {path.stat().st_size:,}")


def _require_weights(state: dict, size: int) -> None:
    """Check that a state holds tensors of numbers, and no more of them than the file has room for.

    Raises:
        ValueError: something else.
    """
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"{key!r} is no tensor")
    if sum(value.numel() * value.element_size() for value in state.values()) > size:
        raise ValueError("its tensors are larger than the file")
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"'{key}' holds a value that is not a number")


def _require_training(training: object, targets: int) -> None:
    """Check what a checkpoint says of its training.

    Raises:
        ValueError: no such facts, or a scaling that is not a finite number a target.
    """
    if not isinstance(training, dict) or not isinstance(training.get("settings", {}), dict):
        raise ValueError("'training' is no group of facts")
    scaling = training.get("label_scaling", {})
    for key in ("mean", "std") if scaling else ():
        values = scaling.get(key) if isinstance(scaling, dict) else None
        if not isinstance(values, list) or len(values) != targets:
            raise ValueError(f"its label_scaling has no '{key}' of {targets}")
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            raise ValueError(f"its label_scaling has a '{key}' that is not a number")


def arguments_of_state(state: dict, settings: ModelSettings) -> dict:
    """Return the constructor arguments of a bare checkpoint: sizes from its tensors, padding from the model config."""
    channels, in_channels, kernel_size = state["conv1.weight"].shape
    return {
        "num_layers": sum(key.startswith("conv_layers.") and key.endswith(".weight") for key in state),
        "in_channels": in_channels,
        "channels": channels,
        "kernel_size": kernel_size,
        "num_targets": state["head.weight"].shape[0],
        "padding": settings.network.padding,
        "dropout": settings.network.dropout,
        "readout": "last",
    }


def only_checkpoint(settings: ModelSettings | OwnModelSettings) -> Path:
    """Return the path of the one checkpoint of a model.

    Raises:
        InputError: the config names several, which only ``evaluate`` averages.
    """
    named = [settings.checkpoint] if isinstance(settings.checkpoint, str) else settings.checkpoint
    if len(named) != 1:
        raise InputError(
            f"model {settings.name}: 'checkpoint' names {len(named)} files; their predictions can be averaged by "
            "evaluate, but one network is trained or interpreted at a time: name one"
        )
    return root_path(named[0])


def load_checkpoint(
    settings: ModelSettings | OwnModelSettings, device: torch.device | str = "cpu", path: Path | None = None
) -> Checkpoint:
    """Load a model in evaluation mode.

    Args:
        settings: the model's config.
        device: where to put it.
        path: another file than the config's ``checkpoint``.

    Raises:
        InputError: missing, unreadable, of another network, or the config names several files.
    """
    path = path or only_checkpoint(settings)
    if isinstance(settings, OwnModelSettings):
        return _load_own(settings, device, path)
    content = read_checkpoint(path, device)
    state, training = content["model_state_dict"], content.get("training") or {}
    try:
        _require_weights(state, path.stat().st_size)
        sizes = arguments_of_state(state, settings)
        arguments = content.get("model") or sizes
        for key in SIZES:  # before a network of another size takes memory
            if arguments.get(key, sizes[key]) != sizes[key]:
                raise ValueError(f"it says {key} = {arguments[key]!r}, but its tensors have {sizes[key]}")
        for key, value in arguments.items():
            if key != "readout" and not (isinstance(value, int | float) and 0 <= value < math.inf):
                raise ValueError(f"it says {key} = {value!r}")
        model = Predictor(**arguments)
        model.load_state_dict(state)
        _require_training(training, sizes["num_targets"])
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{shown(path)}: its weights do not fit the predictor ({reason})") from None
    model = model.to(device).eval().requires_grad_(False)
    sha256 = file_sha256(path)
    if not content.get("model"):  # a bare one: what the model config says of it decides results too
        decides = {key: arguments[key] for key in ("padding", "readout")}
        sha256 = hashlib.sha256(json.dumps({"weights": sha256, **decides}).encode()).hexdigest()
    return Checkpoint(model, training, sha256, settings.name)


def _load_own(settings: OwnModelSettings, device: torch.device | str, path: Path) -> Checkpoint:
    """Load a network of the user's in evaluation mode.

    Raises:
        InputError: code, weights and settings do not fit each other, or its convolutions cannot be read.
    """
    content = _read_file(path, "cpu")
    module, code = build(settings)
    try:
        state = state_of(content)
        _require_weights(state, path.stat().st_size)
        load_state(module, state, settings.prefix)
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{shown(path)}: its weights do not fit {settings.network} ({error})") from None
    try:
        model = OwnNetwork(module, settings)
    except Unreadable as error:
        raise InputError(f"network {settings.network}: {error}") from None
    return Checkpoint(model.to(device), {}, identity(settings, file_sha256(path), code), settings.name)
