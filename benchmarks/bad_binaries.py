"""Changes of binary files: TFRecords, HDF5, checkpoints. Each has a name and says whether it is wrong."""

import io
import os
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import torch

from benchmarks.bad_project import framed, message, record, varint
from benchmarks.bad_texts import Changes, always


def tfrecord_changes(chance: random.Random) -> Changes:
    """Yield changes of TFRecords whose checksums are right."""
    good = message(np.random.default_rng(chance.randrange(99)), 50)
    for name, more in {
        "length 0": {"lengths": 0}, "another length": {"lengths": 51}, "a huge length": {"lengths": 2**63},
        "no targets": {"targets": b""}, "half a target": {"targets": b"\0"}, "two targets": {"targets": bytes(4)},
        "sequence of numbers": {"sequence": 5}, "base 9": {"sequence": b"\x09" * 50},
        "codon 2": {"coding": b"\x02" * 50},
        "infinite target": {"targets": np.array([np.inf], "<f2").tobytes()},
    }.items():  # fmt: skip
        yield name, always(zlib.compress(framed(record(good | more)))), name != "infinite target"
    data = record(good)
    yield "a record of 1 TiB", lambda _: zlib.compress(framed(data, 2**40) + bytes(2**28)), True
    yield "a number of 1 MB", always(zlib.compress(framed(b"\xff" * 1_000_000 + b"\x01"))), True
    yield "no message", always(zlib.compress(framed(varint(2**40) * 5))), True
    yield "a bomb of zeros", lambda _: zlib.compress(bytes(2**30), level=1), True
    yield "bytes behind", lambda content: content + b"x", True
    yield "not compressed", lambda content: zlib.decompress(content), True


ARRAYS: dict[str, Callable[[np.ndarray], object]] = {
    "not numbers": lambda values: np.full(values.shape, np.nan, dtype=np.float32),
    "infinite": lambda values: np.full(values.shape, np.inf),
    "negative": lambda values: -1 - np.abs(values.astype(np.float64)),
    "huge": lambda values: np.full(values.shape, 1e300),
    "huge whole numbers": lambda values: np.full(values.shape, 2**62),
    "a row less": lambda values: values[:-1],
    "flat": lambda values: values.ravel(),
    "an axis more": lambda values: values[..., None],
    "transposed": lambda values: values.T,
    "empty": lambda values: values[:0],
    "a number": lambda values: np.float64(3),
    "complex": lambda values: values.astype(np.complex64),
    "bytes": lambda values: np.full(values.shape, b"text"),
    "text": lambda values: np.full(values.shape, "text", dtype=object),
    "true and false": lambda values: values > 0,
}


Edits = Iterator[tuple[str, Callable[[Path], None], bool]]  # name, change of the file below a root, as above


def array_changes(root: Path, path: str, chance: random.Random, each: int) -> Edits:
    """Yield changes of the arrays and attributes of an HDF5 file."""
    with h5py.File(root / path) as file:
        arrays, attributes = list(file), list(file.attrs)
    for name in arrays:
        for how in chance.sample(list(ARRAYS), each):
            change = ARRAYS[how]
            yield f"{name} {how}", lambda root, name=name, change=change: _changed(root / path, name, change), False
    for name in chance.sample(arrays, min(3, len(arrays))):
        yield f"{name} missing", lambda root, name=name: _edit(root / path, lambda file: file.__delitem__(name)), False
        yield f"{name} a group", lambda root, name=name: _edit(root / path, lambda file: _grouped(file, name)), False
        yield f"{name} of 10^15", lambda root, name=name: _edit(root / path, lambda file: _declared(file, name)), False
        yield f"{name} elsewhere", lambda root, name=name: _edit(root / path, lambda file: _linked(file, name)), False
    for name in attributes:
        for value in chance.sample([np.nan, np.inf, -1.0, "text", [1, 2, 3], b"\xff\xfe", 1e300], 2):
            yield (
                f"attribute {name} = {value!r:.20}",
                lambda root, name=name, value=value: _edit(
                    root / path, lambda file: file.attrs.__setitem__(name, value)
                ),
                False,
            )
        yield (
            f"attribute {name} missing",
            lambda root, name=name: _edit(root / path, lambda file: file.attrs.__delitem__(name)),
            False,
        )


def _edit(path: Path, change: Callable[[h5py.File], object]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def _changed(path: Path, name: str, change: Callable[[np.ndarray], object]) -> None:
    with h5py.File(path, "r+") as file:
        stored = file[name]
        values = np.zeros(stored.shape, np.uint8) if stored.dtype.kind == "O" else stored[()]
        changed = np.asarray(change(values))
        del file[name]
        file.create_dataset(name, data=changed, dtype=h5py.string_dtype() if changed.dtype.kind == "O" else None)


def _grouped(file: h5py.File, name: str) -> None:
    del file[name]
    file.create_group(name)["inside"] = 1


def _declared(file: h5py.File, name: str) -> None:
    shape, kind = (10**9, *file[name].shape[1:]), file[name].dtype
    del file[name]
    file.create_dataset(name, (10**15 // max(1, int(np.prod(shape[1:]))), *shape[1:]), kind, chunks=(1, *shape[1:]))


def _linked(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


class _Command:
    """Pickles to a command."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch HACKED",)


TENSORS = {
    "not a number": lambda x: x * float("nan"), "empty": lambda x: x[..., :0] if x.dim() else x.new_zeros(3),
    "text": lambda x: "text", "doubled": lambda x: torch.cat([x.view(-1), x.view(-1)]),
}  # fmt: skip
ARGUMENTS = (
    ("channels", 10**6), ("num_layers", 10**6), ("kernel_size", 10**6), ("padding", 10**6), ("padding", -1),
    ("num_targets", "one"), ("dropout", float("nan")), ("readout", "../../x"), ("in_channels", 0), ("ln_epsilon", "x"),
    ("unknown", 3),
)  # fmt: skip
FACTS = (
    "text", [1], {"label_scaling": {"mean": ["x"], "std": [1.0]}}, {"label_scaling": [1]}, {"settings": [1]},
    {"label_scaling": {"mean": [float("nan")], "std": [1.0]}}, {"label_scaling": {"mean": [], "std": []}},
)  # fmt: skip
STATE = ("average", "optimizer", "schedule", "epoch", "best_state", "best_level", "log", "best_loss")


def weights_changes(content: bytes, chance: random.Random, state: bool) -> Changes:
    """Yield changes of a checkpoint, or of the state of a training."""

    def loaded() -> dict:
        return torch.load(io.BytesIO(content), weights_only=True)

    for key in chance.sample(list(loaded()["model_state_dict"]), 3):
        for how, value in TENSORS.items():
            changed = loaded()
            changed["model_state_dict"][key] = value(changed["model_state_dict"][key])
            yield f"{key} {how}", always(_packed(changed)), not state
        changed = loaded()
        del changed["model_state_dict"][key]
        yield f"{key} missing", always(_packed(changed)), not state
    for key, value in () if state else ARGUMENTS:
        changed = loaded()
        changed["model"][key] = value
        yield f"model {key} = {value}", always(_packed(changed)), False
    for value in FACTS:
        yield f"training = {value}", always(_packed(loaded() | {"training": value})), not state
    for key in STATE if state else ():
        for value in (None, "text", [], {"a": 1}, -1):
            yield f"{key} = {value}", always(_packed(loaded() | {key: value})), False
    yield "a command", always(_packed({"model_state_dict": _Command()})), True
    yield "a command beside the weights", always(_packed(loaded() | {"training": _Command()})), True
    yield "a list", always(_packed([1, 2])), True
    yield "a number", always(_packed(3)), True
    yield "stretched", always(_packed({"conv1.weight": torch.zeros(1).expand(10**6, 4, 10**6)})), not state
    yield "a zip bomb", _bomb, True


def _packed(content: object) -> bytes:
    packed = io.BytesIO()
    torch.save(content, packed)
    return packed.getvalue()


def _bomb(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            new.writestr(one.filename, bytes(2**28) if one.filename.endswith("data/0") else old.read(one))
    return packed.getvalue()
