"""Checkpoints: those of this project say everything, published ones load; nothing in a file is executed."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from tests.toy import plain_prediction, random_messages, seeded_model
from utils.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint
from utils.config import ModelSettings
from utils.runtime import InputError, file_sha256


def settings_of(path, **network):
    """Return a model config that names a checkpoint."""
    return ModelSettings(name="toy", checkpoint=str(path), dataset="none.h5", network=network)


def failure(path, one_line, **network):
    """Return the one-line message of loading a checkpoint."""
    with pytest.raises(InputError) as raised:
        load_checkpoint(settings_of(path, **network))
    message = one_line(raised)
    assert path.name in message
    return message


@pytest.mark.parametrize("readout", ["last", "first"])
@pytest.mark.parametrize("padding", [0, 2])
def test_a_checkpoint_describes_itself(tmp_path, readout, padding):
    """Nothing in the model config changes the network of a checkpoint that says what it is (row 9)."""
    path = tmp_path / "toy.pth"
    model = seeded_model(3, 4, padding, readout=readout, num_targets=2, dropout=0.1, ln_epsilon=0.01)
    training = {"seed": 3, "label_scaling": {"mean": [1.5, 0.0], "std": [2.0, 0.5]}, "settings": {"model": "toy"}}
    save_checkpoint(path, model, training)
    other = {"num_layers": 6, "in_channels": 6, "padding": 2 - padding, "readout": "last", "dropout": 0.5}
    loaded = load_checkpoint(settings_of(path, **other))
    assert loaded.model.arguments == model.arguments
    assert (loaded.training, loaded.name, loaded.sha256) == (training, "toy", file_sha256(path))
    assert loaded.label_scaling == ([1.5, 0.0], [2.0, 0.5])
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    X = random_messages([60, 33, 5], 4, 60)
    assert torch.equal(loaded.model(X), model(X))


def test_the_padding_of_a_bare_checkpoint_decides_what_results_are_of(tmp_path):
    """The config says it, so it is in the hash by which results are known to be of these weights."""
    path = tmp_path / "published.pth"
    torch.save(seeded_model(3, 4, seed=4).state_dict(), path)
    first, again, padded = (load_checkpoint(settings_of(path, padding=padding)).sha256 for padding in (0, 0, 2))
    assert first == again != padded


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize(("layers", "tracks", "padding", "full"), [(6, 6, 0, 400), (3, 4, 2, 50)])
def test_a_published_checkpoint_gives_the_same_predictions(tmp_path, layers, tracks, padding, full, bare):
    """method.md, Compatibility: read 5' to 3', the last state, the padding of the model config."""
    path = tmp_path / "published.pth"
    state = seeded_model(layers, tracks, seed=4).state_dict()
    torch.save(state if bare else {"model_state_dict": state}, path)
    loaded = load_checkpoint(settings_of(path, padding=padding, readout="first"))
    arguments = loaded.model.arguments
    assert (arguments["num_layers"], arguments["in_channels"]) == (layers, tracks)
    assert (arguments["readout"], arguments["padding"]) == ("last", padding)
    assert loaded.training == {}
    assert loaded.label_scaling == ([0.0], [1.0])
    X = random_messages([full, 20, full // 2], tracks, full)
    expected = plain_prediction(state, X, padding, "last")
    torch.testing.assert_close(loaded.model(X), expected, atol=1e-5, rtol=1e-5)


def test_another_file_than_the_configs(tmp_path):
    save_checkpoint(tmp_path / "other.pth", seeded_model(1, 4), {"seed": 8})
    loaded = load_checkpoint(settings_of(tmp_path / "none.pth"), path=tmp_path / "other.pth")
    assert loaded.training == {"seed": 8}


def test_a_missing_file_is_named(tmp_path, one_line):
    assert "no such checkpoint" in failure(tmp_path / "none.pth", one_line)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_an_error(tmp_path, one_line, share):
    path = tmp_path / "toy.pth"
    save_checkpoint(path, seeded_model(1, 4), {})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    failure(path, one_line)


@pytest.mark.parametrize("content", [b"text, not a checkpoint\n" * 5, b"\x89HDF\r\n\x1a\n" + bytes(500), b"PK" * 9])
def test_a_file_that_is_something_else_is_an_error(tmp_path, one_line, content):
    path = tmp_path / "toy.pth"
    path.write_bytes(content)
    failure(path, one_line)


def test_random_bytes_are_an_input_error(tmp_path):
    """Whatever the bytes: an input error, no other."""
    path, rng = tmp_path / "toy.pth", np.random.default_rng(0)
    for _ in range(300):
        path.write_bytes(b"\x80\x02" * int(rng.integers(2)) + rng.bytes(200))
        with pytest.raises(InputError):
            read_checkpoint(path)


class Code:
    """Pickles to a call of os.mkdir."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
def test_code_in_a_file_is_not_executed(tmp_path, one_line, how):
    """layout.md: no pickles; files are loaded with weights only."""
    path, trace = tmp_path / "toy.pth", tmp_path / "executed"
    content = {"model_state_dict": seeded_model(1, 4).state_dict(), "training": Code(trace)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(Code(trace)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    failure(path, one_line)
    assert not trace.exists()
    with open(path, "rb") as handle:  # the trap is real: an unguarded load falls into it
        if how == "pickle":
            pickle.load(handle)
        else:
            torch.load(handle, weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"weights": 1}, [1, 2], torch.zeros(3), {"model_state_dict": [1]}, {"model_state_dict": {}},
        {"model_state_dict": {"conv1.weight": 3}}, {"conv1.weight": torch.zeros(64, 4, 5)},
        {"model_state_dict": {}, "model": {"layers": 3}}, {"model_state_dict": {}, "model": [3]},
    ],
)  # fmt: skip
def test_content_that_is_not_a_predictor_is_an_error(tmp_path, one_line, content):
    path = tmp_path / "toy.pth"
    torch.save(content, path)
    failure(path, one_line)


def test_weights_of_another_network_are_an_error(tmp_path, one_line):
    path = tmp_path / "toy.pth"
    model, other = seeded_model(3, 4), seeded_model(2, 6)
    torch.save({"model_state_dict": other.state_dict(), "model": model.arguments}, path)
    assert "do not fit" in failure(path, one_line)
    state = model.state_dict()
    del state["fc1.bias"]
    torch.save({"model_state_dict": state}, path)
    assert "fc1.bias" in failure(path, one_line)


def test_the_old_checkpoint_stays_when_saving_fails(tmp_path):
    path = tmp_path / "toy.pth"
    save_checkpoint(path, seeded_model(1, 4), {})
    before = path.read_bytes()
    with pytest.raises((AttributeError, pickle.PicklingError, TypeError)):
        save_checkpoint(path, seeded_model(1, 4), {"bad": lambda: 0})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["toy.pth"]


def saved(path, **changes):
    """Write a checkpoint with some of its content replaced; a function is given the old content."""
    model = seeded_model(1, 4, channels=8)
    content = {"model_state_dict": model.state_dict(), "model": dict(model.arguments), "training": {}}
    for key, change in changes.items():
        content[key] = change(content[key]) if callable(change) else change
    torch.save(content, path)
    return path


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_an_error(tmp_path, one_line, value):
    path = saved(tmp_path / "toy.pth", model_state_dict=lambda state: state | {"fc1.bias": torch.full((8,), value)})
    assert "'fc1.bias' holds a value that is not a number" in failure(path, one_line)


@pytest.mark.parametrize(
    ("key", "value"),
    [("channels", 10**6), ("num_layers", 10**9), ("kernel_size", 10**6), ("num_targets", 10**9), ("in_channels", 5),
     ("padding", 10**6), ("padding", -1), ("channels", "many"), ("padding", 1.5), ("ln_epsilon", "x"),
     ("dropout", float("nan")), ("bn_momentum", -1)],
)  # fmt: skip
def test_a_network_of_another_size_than_its_weights_takes_no_memory(tmp_path, one_line, key, value):
    failure(saved(tmp_path / "toy.pth", model=lambda arguments: arguments | {key: value}), one_line)


@pytest.mark.parametrize(
    "training",
    ["text", [1], {"settings": [1]}, {"label_scaling": [1]}, {"label_scaling": {"mean": [1.0]}},
     {"label_scaling": {"mean": ["x"], "std": [1.0]}}, {"label_scaling": {"mean": [float("nan")], "std": [1.0]}},
     {"label_scaling": {"mean": [], "std": []}}],
)  # fmt: skip
def test_facts_of_the_training_that_are_none_are_an_error(tmp_path, one_line, training):
    failure(saved(tmp_path / "toy.pth", training=training), one_line)


def test_a_small_file_does_not_become_a_large_network(tmp_path, one_line):
    """A tensor that repeats one number, and a compressed archive: both would take memory that the file has not."""
    path = tmp_path / "toy.pth"
    torch.save({"conv1.weight": torch.zeros(1).expand(10**6, 4, 10**6), "head.weight": torch.zeros(1, 1)}, path)
    assert "larger than the file" in failure(path, one_line)
    content = saved(path).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            new.writestr(one.filename, bytes(2**24) if one.filename.endswith("data/0") else old.read(one))
    assert "packed into" in failure(path, one_line)
