"""Training on tiny data: reproducible, resumable, stopped by the validation split."""

import dataclasses
import logging

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy import stats

from tests.toy import seeded_model
from utils import training
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.config import ModelSettings, load_model_settings, load_settings
from utils.data import Split, pack_tracks, read_split, write_dataset
from utils.prediction import predict
from utils.predictor_commands import evaluate_command, train_command
from utils.runtime import InputError
from utils.training import (
    Trainer,
    TrainingSettings,
    epoch_batches,
    run_training,
    start_from,
    training_label,
)

LENGTH = 40


def make_split(n, seed, tracks=4, targets=1, scale=(3.0, 5.0)):
    """Return random messages whose label is the number of U, times and plus ``scale``, with a little noise."""
    rng = np.random.default_rng(seed)
    used = rng.integers(LENGTH // 2, LENGTH + 1, n)
    X = np.zeros((n, tracks, LENGTH), dtype=np.uint8)
    for row, end in enumerate(used):
        X[row, rng.integers(0, 4, end), np.arange(end)] = 1
    label = scale[0] * X[:, 3].sum(axis=1, dtype=float)[:, None] + scale[1] + 0.1 * rng.normal(size=(n, targets))
    return Split(pack_tracks(X), label.astype(np.float32), used.astype(np.int32), [f"m{i}" for i in range(n)], tracks)


@pytest.fixture
def project(tmp_path):
    """Return a function that writes data set, model config and training config, and loads both configs."""

    def make(splits=None, network=(), name="toy", **training_keys):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        splits = splits or {"train": make_split(70, 0), "valid": make_split(30, 1), "test": make_split(20, 2)}
        write_dataset(folder / "set.h5", splits, {})
        model = {
            "name": name, "checkpoint": str(folder / "best.pth"), "dataset": str(folder / "set.h5"),
            "network": {"num_layers": 1, "in_channels": 4, "dropout": 0.1, **dict(network)},
        }  # fmt: skip
        (folder / "model.yaml").write_text(yaml.safe_dump(model))
        keys = {"model": str(folder / "model.yaml"), "epochs": 4, "batch_size": 16, "device": "cpu", **training_keys}
        (folder / "training.yaml").write_text(yaml.safe_dump(keys))
        settings = load_settings(TrainingSettings, folder / "training.yaml")
        return settings, load_model_settings(settings.model), folder

    return make


def trained(project, overwrite=False, **keys):
    """Train and return the checkpoint."""
    settings, model, folder = project(**keys)
    run_training(settings, model, folder / "results", overwrite)
    return load_checkpoint(model)


def same_weights(one, other):
    """Return whether two models are equal, bit by bit."""
    one, other = one.state_dict(), other.state_dict()
    return all(torch.equal(one[key], other[key]) for key in one)


RESUMABLE = [
    {"schedule": "one_cycle", "ema_decay": 0.9, "max_shift": 3},
    {"schedule": "constant", "ema_decay": 0.0, "weight_decay": 0.01},
]


def test_the_same_seed_gives_the_same_weights(project):
    """layout.md: the same seed gives the same files."""
    first = trained(project, name="a", max_shift=3, ema_decay=0.9)
    second = trained(project, name="b", max_shift=3, ema_decay=0.9)
    other = trained(project, name="c", max_shift=3, ema_decay=0.9, seed=2)
    assert same_weights(first.model, second.model)
    assert not same_weights(first.model, other.model)
    assert first.training["label_scaling"] == second.training["label_scaling"]


@pytest.mark.parametrize("keys", RESUMABLE)
def test_a_stopped_run_goes_on_where_it_was(project, monkeypatch, keys):
    """Stopped in the middle of the third epoch: the result is that of a run without a stop, log and all."""
    whole = trained(project, name="whole", **keys)
    settings, model, folder = project(name="stopped", **keys)
    run_epoch, calls = Trainer.run_epoch, []

    def stop_in_the_third(self):
        calls.append(self.epoch)
        if len(calls) == 3:
            self.model.train()(torch.rand(4, 4, LENGTH))  # batch statistics and random numbers have moved on
            raise KeyboardInterrupt
        run_epoch(self)

    monkeypatch.setattr(Trainer, "run_epoch", stop_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_training(settings, model, folder / "results", overwrite=False)
    assert not (folder / "best.pth").exists()
    monkeypatch.setattr(Trainer, "run_epoch", lambda self: calls.append(self.epoch) or run_epoch(self))
    run_training(settings, model, folder / "results", overwrite=False)
    assert calls == [0, 1, 2, 2, 3]
    resumed = load_checkpoint(model)
    assert same_weights(whole.model, resumed.model)
    logs = [pd.read_csv(folder.parent / name / "results" / "log.csv") for name in ("whole", "stopped")]
    pd.testing.assert_frame_equal(*logs)
    assert whole.training["valid_loss"] == resumed.training["valid_loss"]


def test_a_run_killed_after_its_last_epoch_has_a_whole_log(project, monkeypatch):
    """The state says that an epoch is over only when the log has it."""
    settings, model, folder = project()
    save = Trainer.save

    def killed(self, path, run):
        save(self, path, run)
        if self.epoch == settings.epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        run_training(settings, model, folder / "results", overwrite=False)
    monkeypatch.setattr(Trainer, "save", save)
    run_training(settings, model, folder / "results", overwrite=False)
    assert pd.read_csv(folder / "results" / "log.csv")["epoch"].tolist() == [1, 2, 3, 4]
    assert sorted(path.name for path in (folder / "results").iterdir()) == ["last.pth", "log.csv"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("average", None), ("optimizer", {}), ("epoch", -1), ("epoch", "x"), ("best_state", {}), ("best_level", 3),
     ("log", []), ("log", "text"), ("best_epoch", 9), ("schedule", [1]), ("best_loss", None)],
)  # fmt: skip
def test_a_damaged_state_is_one_line(project, one_line, key, value):
    settings, model, folder = project(epochs=1)
    run_training(settings, model, folder / "results", overwrite=False)
    (folder / "best.pth").unlink()
    state = torch.load(folder / "results" / "last.pth", weights_only=True)
    torch.save(state | {key: value}, folder / "results" / "last.pth")
    with pytest.raises(InputError, match=r"last.pth: a damaged state") as raised:
        run_training(settings, model, folder / "results", overwrite=False)
    one_line(raised)


def test_a_finished_run_is_not_run_again(project, monkeypatch):
    settings, model, folder = project()
    run_training(settings, model, folder / "results", overwrite=False)
    before = (folder / "best.pth").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "run_epoch", lambda self: pytest.fail("trained again"))
        assert run_training(settings, model, folder / "results", overwrite=False) == folder / "best.pth"
    assert (folder / "best.pth").read_bytes() == before
    older = load_checkpoint(model)  # trained before there was this setting
    training = older.training | {"run": "another", "settings": dict(older.training["settings"])}
    training["settings"].pop("precision")
    save_checkpoint(folder / "best.pth", older.model, training)
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "run_epoch", lambda self: pytest.fail("trained again"))
        run_training(settings, model, folder / "results", overwrite=False)
    run_training(settings, model, folder / "results", overwrite=True)
    assert load_checkpoint(model).training["seed"] == settings.seed


@pytest.mark.parametrize("kind", ["settings", "network", "data", "bare", "damaged"])
def test_a_checkpoint_of_another_training_is_not_replaced(project, one_line, kind):
    """Not even a published file that a model config names; --overwrite, or a file of its own, is how it is meant."""
    settings, model, folder = project(epochs=1)
    path = folder / "best.pth"
    if kind in ("bare", "damaged"):
        state = {"model_state_dict": seeded_model(1, 4).state_dict()}
        torch.save(state, path) if kind == "bare" else path.write_bytes(b"half")
    else:
        run_training(settings, model, folder / "results", False)
    before = path.read_bytes()
    if kind == "settings":
        settings = settings.model_copy(update={"seed": 5})
    elif kind == "network":
        model = model.model_copy(update={"network": model.network.model_copy(update={"num_layers": 2})})
    elif kind == "data":
        splits = {"train": make_split(60, 5), "valid": make_split(30, 1), "test": make_split(20, 2)}
        write_dataset(folder / "set.h5", splits, {})
    with pytest.raises(InputError, match="--overwrite") as raised:
        run_training(settings, model, folder / "results", False)
    word = {"settings": "(seed)", "network": "(network.num_layers)", "data": "(data_sha256)", "bare": "not made by"}
    assert word.get(kind, "not a readable") in one_line(raised)
    assert path.read_bytes() == before
    run_training(settings, model, folder / "results", True)
    assert load_checkpoint(model).training["settings"]["seed"] == settings.seed


def test_a_stopped_run_that_may_overwrite_goes_on_without_being_told_again(project, monkeypatch):
    settings, model, folder = project(epochs=2)
    torch.save({"model_state_dict": seeded_model(1, 4).state_dict()}, folder / "best.pth")
    run_epoch = Trainer.run_epoch

    def stop(self):
        if self.epoch == 1:
            raise KeyboardInterrupt
        run_epoch(self)

    monkeypatch.setattr(Trainer, "run_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        run_training(settings, model, folder / "results", True)
    monkeypatch.setattr(Trainer, "run_epoch", run_epoch)
    run_training(settings, model, folder / "results", False)
    assert load_checkpoint(model).training["settings"]["epochs"] == 2
    torch.save({"model_state_dict": seeded_model(1, 4, seed=3).state_dict()}, folder / "best.pth")  # put there since
    with pytest.raises(InputError, match="--overwrite"):
        run_training(settings, model, folder / "results", False)


def test_a_state_of_other_settings_is_not_taken_up(project, caplog):
    settings, model, folder = project()
    trainer = Trainer(settings, model, make_split(40, 0), make_split(20, 1))
    trainer.run_epoch()
    trainer.save(folder / "last.pth", "one")
    fresh = Trainer(settings, model, make_split(40, 0), make_split(20, 1))
    with caplog.at_level(logging.INFO):
        fresh.resume(folder / "last.pth", "other")
    assert fresh.epoch == 0
    fresh.resume(folder / "last.pth", "one")
    assert fresh.epoch == 1
    assert same_weights(fresh.model, trainer.model)


def test_labels_are_scaled_by_the_training_set(project):
    """Row 24: mean and deviation of the training set, kept in the checkpoint; not those of another split."""
    splits = {"train": make_split(50, 0), "valid": make_split(20, 1, scale=(30, -50)), "test": make_split(20, 2)}
    loaded = trained(project, splits=splits, epochs=1)
    label = splits["train"].label.astype(np.float64)
    mean, std = loaded.label_scaling
    assert mean == pytest.approx([label.mean()], rel=1e-5)
    assert std == pytest.approx([label.std()], rel=1e-5)


def test_predictions_are_on_the_scale_of_the_labels(project):
    """Slope 1 and intercept 0 on the validation split, which dropout alone would not give."""
    loaded = trained(project, epochs=3, network={"dropout": 0.5}, learning_rate=0.01)
    _, model, _ = project()
    valid = read_split(model.dataset, "valid")
    mean, std = loaded.label_scaling
    slope, intercept = np.polyfit(predict(loaded.model, valid)[:, 0] * std[0] + mean[0], valid.label[:, 0], 1)
    assert slope == pytest.approx(1, abs=1e-3)
    assert intercept == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("transform", "shape"), [("none", "none"), ("log2", "log2"), ("normal_scores", "normal")])
def test_what_the_network_learns_has_mean_0_and_deviation_1(transform, shape):
    label = np.exp(np.random.default_rng(0).normal(1, 2, (500, 2))).astype(np.float32)
    found = training_label(label, transform)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-9)
    expected = {"none": label, "log2": np.log2(label), "normal": stats.norm.ppf((stats.rankdata(label, axis=0)) / 501)}
    assert np.corrcoef(found[:, 1], expected[shape][:, 1])[0, 1] == pytest.approx(1, abs=1e-3)
    assert (found[:, 0].argsort() == label[:, 0].argsort()).all()


def test_labels_without_a_logarithm_are_an_error(one_line):
    with pytest.raises(InputError) as raised:
        training_label(np.array([[1.0], [0.0]]), "log2")
    assert "label_transform" in one_line(raised)


@pytest.mark.parametrize(
    "keys", [{"label_transform": "normal_scores"}, {"norm_statistics": "running"}, {"precision": "bfloat16"}]
)
def test_other_ways_of_training_learn_too(project, keys):
    """Labels are the number of U; a few epochs find that, whatever the transformation."""
    assert trained(project, epochs=8, learning_rate=0.01, **keys).training["valid_r"] > 0.8


def test_several_runs_of_one_model_have_a_file_each(project):
    settings, model, folder = project(epochs=1)
    other = settings.model_copy(update={"seed": 2, "checkpoint": str(folder / "toy-seed2-best.pth")})
    first = run_training(settings, model, folder / "one", False)
    second = run_training(other, model, folder / "two", False)
    assert (first.name, second.name) == ("best.pth", "toy-seed2-best.pth")
    assert not same_weights(load_checkpoint(model, path=first).model, load_checkpoint(model, path=second).model)


def test_a_run_of_an_ensemble_is_trained_and_judged_in_its_own_file(project):
    """The model config may list the runs; checkpoint=FILE says which one this is."""
    _, _, folder = project(epochs=1)
    model = yaml.safe_load((folder / "model.yaml").read_text())
    model["checkpoint"] = [model["checkpoint"], str(folder / "toy-seed2-best.pth")]
    (folder / "model.yaml").write_text(yaml.safe_dump(model))
    arguments = ["--config", str(folder / "training.yaml"), "seed=2", f"checkpoint={folder / 'toy-seed2-best.pth'}"]
    train_command(None, folder / "results", arguments)
    evaluate_command(None, folder / "results", ["--no-baseline", *arguments])
    assert load_checkpoint(load_model_settings(folder / "model.yaml"), path=folder / "toy-seed2-best.pth").training
    files = {"last.pth", "log.csv", "test_metrics.json", "test_predictions.csv", "test_scatter.png"}
    assert {path.name for path in (folder / "results" / "toy-seed2").iterdir()} == files
    assert [path.name for path in (folder / "results").iterdir()] == ["toy-seed2"]


def test_the_checkpoint_says_how_it_was_made(project):
    settings, model, _ = project(epochs=2)
    loaded = trained(project, epochs=2)
    assert loaded.training["settings"] == settings.model_dump()
    assert loaded.training["seed"] == settings.seed
    assert loaded.training["dataset"] == "set.h5"
    assert len(loaded.training["data_sha256"]) == 64
    assert loaded.model.readout == model.network.readout


@pytest.mark.parametrize("keys", RESUMABLE)
def test_the_best_epoch_on_the_validation_split_is_kept(project, keys):
    """Row 24: early stopping on the training loss."""
    loaded = trained(project, epochs=6, learning_rate=0.02, **keys)
    _, model, folder = project()
    log = pd.read_csv(folder / "results" / "log.csv")
    best = log["valid_loss"].idxmin()
    assert loaded.training["best_epoch"] == log["epoch"][best]
    valid = read_split(model.dataset, "valid")
    mean, std = loaded.label_scaling
    loss = np.mean((predict(loaded.model, valid) - (valid.label - mean) / std) ** 2)
    assert loss == pytest.approx(loaded.training["valid_loss"], rel=1e-4)
    assert loss == pytest.approx(log["valid_loss"].min(), rel=1e-3)


def test_early_stopping_counts_epochs_without_a_better_validation_loss(project, monkeypatch):
    """Row 24: the training loss falls all the time, the validation loss does not after epoch 2."""
    settings, model, _ = project(epochs=20, patience=3)
    losses = iter([0.9, 0.5, 0.7, 0.6, 0.55, 0.1])  # shares of the labels' variance

    def predicted(_, split):
        label = ((split.label - trainer.mean) / trainer.std)[:, 0]
        other = np.random.default_rng(0).normal(size=len(label))
        label, other = (a - a.mean() for a in (label, other))
        other -= label * (label @ other) / (label @ label)
        loss = next(losses)  # of the best line from label + noise to label
        noise = other * np.sqrt(loss / (1 - loss) * (label @ label) / (other @ other))
        return (label + noise)[:, None].astype(np.float32)

    monkeypatch.setattr(training, "predict", predicted)
    trainer = Trainer(settings, model, make_split(40, 0), make_split(20, 1))
    while not trainer.finished:
        trainer.run_epoch()
    assert (trainer.epoch, trainer.best_epoch) == (5, 2)
    expected = np.var(trainer.valid.label / trainer.std) * np.array([0.9, 0.5, 0.7, 0.6, 0.55])
    assert trainer.best_loss == pytest.approx(expected[1], rel=1e-3)
    assert [entry["valid_loss"] for entry in trainer.log] == pytest.approx(expected.tolist(), rel=1e-3)


def test_the_kept_state_does_not_change_any_more(project):
    """The state of the best epoch is a copy, not the weights that go on training."""
    settings, model, _ = project(learning_rate=0.05)
    trainer = Trainer(settings, model, make_split(40, 0), make_split(20, 1))
    trainer.run_epoch()
    kept = {key: value.clone() for key, value in trainer.best_state.items()}
    trainer.best_loss = 0.0  # no later epoch is better
    trainer.run_epoch()
    assert all(torch.equal(kept[key], trainer.best_state[key]) for key in kept)
    assert not torch.equal(kept["conv1.weight"], trainer.model.conv1.weight)


def test_it_learns(project):
    """The label is the number of U in the message: a linear thing."""
    loaded = trained(project, splits={"train": make_split(400, 0), "valid": make_split(80, 1)}, epochs=10,
                     learning_rate=0.005)  # fmt: skip
    assert loaded.training["valid_r"] > 0.8


def test_the_average_of_the_weights_is_what_counts(project):
    settings, model, _ = project(ema_decay=0.9, schedule="constant")
    trainer = Trainer(settings, model, make_split(64, 0), make_split(20, 1))
    weights = []
    step = trainer.optimizer.step

    def recorded():
        step()
        weights.append(trainer.model.fc1.weight.detach().clone())

    trainer.optimizer.step = recorded
    trainer.run_epoch()
    average = weights[0]
    for weight in weights[1:]:
        average = 0.9 * average + 0.1 * weight
    torch.testing.assert_close(trainer.best_state["fc1.weight"], average)


@pytest.mark.parametrize("value", [0.1, 5.3, 0.0, 1234.567])
@pytest.mark.parametrize("rows", [40, 1000])
def test_constant_labels_are_an_error(project, one_line, value, rows):
    """Whatever the rounding of their mean."""
    split = make_split(rows, 0)
    constant = dataclasses.replace(split, label=np.full((rows, 1), value, dtype=np.float32))
    settings, model, _ = project()
    with pytest.raises(InputError) as raised:
        Trainer(settings, model, constant, split)
    assert "labels" in one_line(raised)


def test_a_label_that_is_not_a_number_is_an_error(project, one_line):
    split = make_split(30, 0)
    split.label[7] = np.nan
    settings, model, folder = project(splits={"train": split, "valid": make_split(12, 1)})
    with pytest.raises(InputError) as raised:
        run_training(settings, model, folder / "results", overwrite=False)
    assert "row 7" in one_line(raised)


def test_a_loss_that_is_not_a_number_is_an_error(project, one_line, monkeypatch):
    settings, model, folder = project()
    monkeypatch.setattr(training, "predict", lambda _, split: np.full(split.label.shape, np.nan))
    with pytest.raises(InputError) as raised:
        run_training(settings, model, folder / "results", overwrite=False)
    assert "learning_rate" in one_line(raised)
    assert not (folder / "best.pth").exists()


@pytest.mark.parametrize(
    ("split_facts", "network", "word"),
    [({"tracks": 6}, {}, "tracks"), ({"targets": 2}, {}, "label"), ({}, {"num_targets": 2}, "label"),
     ({}, {"num_layers": 5}, "short")],
)  # fmt: skip
def test_data_that_do_not_fit_the_network_are_an_error(project, one_line, split_facts, network, word):
    """A label too many would be broadcast, not refused; a message too short for the network names the data set."""
    splits = {"train": make_split(40, 0, **split_facts), "valid": make_split(20, 1, **split_facts)}
    settings, model, folder = project(splits=splits, network=network)
    with pytest.raises(InputError) as raised:
        run_training(settings, model, folder / "results", overwrite=False)
    assert word in one_line(raised)


def test_a_training_set_of_one_row_is_an_error(project, one_line):
    """BatchNorm needs two rows; so does a standard deviation."""
    settings, model, folder = project(splits={"train": make_split(1, 0), "valid": make_split(12, 1)})
    with pytest.raises(InputError) as raised:
        run_training(settings, model, folder / "results", overwrite=False)
    one_line(raised)


@pytest.mark.parametrize(
    ("valid", "word"),
    [({"n": 1}, "1 validation rows"), ({"n": 9}, "valid_share"), ({"n": 20, "tracks": 6}, "6 tracks"),
     ({"n": 20, "targets": 2}, "2 labels")],
)  # fmt: skip
def test_a_validation_split_that_cannot_choose_is_an_error(project, one_line, valid, word):
    """A line through one or two rows has no error, whatever the network predicts."""
    splits = {"train": make_split(40, 0), "valid": make_split(seed=1, **valid)}
    settings, model, folder = project(splits=splits)
    with pytest.raises(InputError, match=word) as raised:
        run_training(settings, model, folder / "results", overwrite=False)
    assert "set.h5" in one_line(raised)
    assert not (folder / "results" / "log.csv").exists()


def test_training_starts_from_the_convolutions_of_another_model(project, tmp_path):
    other = seeded_model(1, 4, seed=9)
    save_checkpoint(tmp_path / "other.pth", other, {})
    settings, model, _ = project(pretrained=str(tmp_path / "other.pth"))
    plain = Trainer(settings.model_copy(update={"pretrained": ""}), model, make_split(40, 0), make_split(20, 1)).model
    started = Trainer(settings, model, make_split(40, 0), make_split(20, 1)).model
    for key, value in started.state_dict().items():
        convolution = key.startswith(("conv", "ln_layers"))
        source = other if convolution else plain
        assert torch.equal(value, source.state_dict()[key]), key


def test_a_published_file_is_a_start_too(project, tmp_path):
    other = seeded_model(1, 4, seed=9)
    torch.save({"model_state_dict": other.state_dict()}, tmp_path / "other.pth")
    settings, model, _ = project(pretrained=str(tmp_path / "other.pth"))
    started = Trainer(settings, model, make_split(40, 0), make_split(20, 1)).model
    assert torch.equal(started.conv1.weight, other.conv1.weight)


@pytest.mark.parametrize(("layers", "tracks"), [(2, 4), (1, 6)])
def test_a_start_that_does_not_fit_is_an_error(project, one_line, tmp_path, layers, tracks):
    save_checkpoint(tmp_path / "other.pth", seeded_model(layers, tracks), {})
    settings, model, _ = project(pretrained=str(tmp_path / "other.pth"))
    with pytest.raises(InputError) as raised:
        Trainer(settings, model, make_split(40, 0), make_split(20, 1))
    assert "pretrained" in one_line(raised)


def test_a_start_with_fewer_layers_gives_the_lower_convolutions(project, tmp_path):
    start = seeded_model(1, 4)
    save_checkpoint(tmp_path / "other.pth", start, {})
    settings, model, _ = project(pretrained=str(tmp_path / "other.pth"), network={"num_layers": 2})
    trainer = Trainer(settings, model, make_split(40, 0), make_split(20, 1))
    for layer in (1, 2):
        assert torch.equal(trainer.model.convolution(layer).weight, start.convolution(layer).weight)
    assert start_from(trainer.model, tmp_path / "other.pth") == 2
    assert not torch.equal(trainer.model.Pln1.ln.weight, start.Pln1.ln.weight)  # it normalises another layer there


@pytest.mark.parametrize("missing", ["dataset", "pretrained"])
def test_a_missing_file_is_named(project, one_line, tmp_path, missing):
    settings, model, folder = project(pretrained=str(tmp_path / "none.pth") if missing == "pretrained" else "")
    if missing == "dataset":
        model = ModelSettings(**{**model.model_dump(), "dataset": str(tmp_path / "none.h5")})
    with pytest.raises(InputError) as raised:
        run_training(settings, model, folder / "results", overwrite=False)
    assert "none." in one_line(raised)


def test_batches_of_an_epoch_hold_every_row_once():
    batches = epoch_batches(1000, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert [len(batch) for batch in batches] == [16] * 62 + [8]
    assert [len(batch) for batch in epoch_batches(33, 16, np.random.default_rng(1))] == [16, 16]  # BatchNorm needs two
    again, other = (epoch_batches(1000, 16, np.random.default_rng(seed)) for seed in (1, 2))
    assert all(np.array_equal(one, two) for one, two in zip(batches, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(batches, other, strict=True))


def test_a_step_does_not_depend_on_the_parts(project, monkeypatch):
    """The same losses whether a batch goes through the convolutions whole or message by message."""
    settings, model, _ = project(network={"dropout": 0.0})
    whole = Trainer(settings, model, make_split(33, 0), make_split(20, 1))
    apart = Trainer(settings, model, make_split(33, 0), make_split(20, 1))
    whole.run_epoch()
    monkeypatch.setattr("utils.data.PART_POSITIONS", 1)
    apart.run_epoch()
    assert apart.log[0]["train_loss"] == pytest.approx(whole.log[0]["train_loss"], rel=1e-4)
    assert apart.log[0]["valid_loss"] == pytest.approx(whole.log[0]["valid_loss"], rel=1e-2)
