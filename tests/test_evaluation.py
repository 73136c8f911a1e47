"""Evaluation: figures, predictions and a plot, on the scale of the labels."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from tests.toy import plain_prediction, seeded_model
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.config import ModelSettings
from utils.data import Split, pack_tracks, unpack_tracks, write_dataset
from utils.evaluation import results_folder, run_evaluation
from utils.runtime import InputError, file_sha256
from utils.sequence import decode, from_one_hot


def make_split(n=30, length=50, tracks=4, targets=1):
    """Return a split of full-length messages, half of them without AUG or so."""
    rng = np.random.default_rng(0)
    X = np.zeros((n, tracks, length), dtype=np.uint8)
    for row in range(n):
        X[row, rng.integers(0, 4, length), np.arange(length)] = 1
    label = rng.normal(5, 2, (n, targets)).astype(np.float32)
    return Split(pack_tracks(X), label, np.full(n, length, dtype=np.int32), [f"utr{row}" for row in range(n)], tracks)


@pytest.fixture
def project(tmp_path):
    """Return a function that writes a data set and a checkpoint and gives the model config."""

    def make(split, model, **training):
        write_dataset(tmp_path / "set.h5", {"test": split, "valid": split}, {})
        training = {"data_sha256": file_sha256(tmp_path / "set.h5"), **training}
        save_checkpoint(tmp_path / "toy.pth", model, training)
        return ModelSettings(name="toy", checkpoint=str(tmp_path / "toy.pth"), dataset=str(tmp_path / "set.h5"))

    return make


def test_figures_predictions_and_plot_are_written(project, tmp_path):
    """Row 24: predictions are brought to label units by the training set's scaling, not by the test set's."""
    split, model = make_split(), seeded_model(3, 4, 2)
    settings = project(split, model, label_scaling={"mean": [4.0], "std": [2.5]})
    found = run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        "test_metrics.json", "test_predictions.csv", "test_scatter.png",
    ]  # fmt: skip
    assert json.loads((tmp_path / "results" / "test_metrics.json").read_text()) == found
    assert (tmp_path / "results" / "test_scatter.png").read_bytes().startswith(b"\x89PNG\r\n")

    X = torch.from_numpy(unpack_tracks(split.codes, 4)).float()
    expected = plain_prediction(model.state_dict(), X, 2, "last")[:, 0].numpy() * 2.5 + 4.0
    table = pd.read_csv(tmp_path / "results" / "test_predictions.csv")
    assert list(table["id"]) == split.id
    np.testing.assert_allclose(table["measured"], split.label[:, 0], rtol=1e-5)
    np.testing.assert_allclose(table["predicted"], expected, rtol=1e-4)
    assert found["n"] == 30
    assert found["r"] == pytest.approx(stats.pearsonr(split.label[:, 0], expected).statistic, abs=1e-4)


def test_messages_without_aug_are_a_part_of_the_split(project, tmp_path):
    """Row 24: the no-AUG figures are of the same test split, so they cannot overlap the training set."""
    split, model = make_split(40), seeded_model(3, 4, 2)
    found = run_evaluation(project(split, model), tmp_path / "results", (), "test", "cpu", baseline=False)
    texts = [decode(row) for row in from_one_hot(unpack_tracks(split.codes, 4))]
    without = np.array(["AUG" not in text for text in texts])
    assert found["without_AUG"]["n"] == without.sum()
    assert 1 < without.sum() < 40
    table = pd.read_csv(tmp_path / "results" / "test_predictions.csv")[without]
    expected = stats.pearsonr(table["measured"], table["predicted"]).statistic
    assert found["without_AUG"]["r"] == pytest.approx(expected, abs=1e-4)


def test_another_checkpoint_and_split(project, tmp_path):
    split = make_split()
    settings = project(split, seeded_model(3, 4, 2))
    save_checkpoint(tmp_path / "other.pth", seeded_model(3, 4, 2, seed=8), {"data_sha256": ""})
    one = run_evaluation(settings, tmp_path / "one", (), "valid", "cpu", baseline=False)
    other = run_evaluation(settings, tmp_path / "other", [tmp_path / "other.pth"], "valid", "cpu", baseline=False)
    assert one["r"] != other["r"]
    assert (tmp_path / "one" / "valid_metrics.json").is_file()


@pytest.mark.parametrize(("bare", "word"), [(True, "scale"), (False, "not trained on this")])
def test_a_doubtful_scale_or_data_set_is_said(project, tmp_path, caplog, bare, word):
    settings = project(make_split(), seeded_model(3, 4, 2), data_sha256="of another file")
    if bare:
        torch.save(seeded_model(3, 4, 2).state_dict(), tmp_path / "toy.pth")
    with caplog.at_level(logging.WARNING):
        run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)
    assert word in caplog.text


def test_a_checkpoint_that_does_not_name_its_data_is_evaluated(project, tmp_path):
    """A self-describing checkpoint of another program may know the scaling and not the data set."""
    settings = project(make_split(), seeded_model(3, 4, 2))
    save_checkpoint(tmp_path / "toy.pth", seeded_model(3, 4, 2), {"label_scaling": {"mean": [0.0], "std": [1.0]}})
    assert run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)["n"] == 30


@pytest.mark.parametrize(
    ("split_facts", "model_facts", "word"),
    [({"tracks": 6}, {}, "6 tracks"), ({"targets": 2}, {}, "2 labels"), ({}, {"num_targets": 3}, "has 3")],
)
def test_data_of_another_model_are_an_error(project, tmp_path, one_line, split_facts, model_facts, word):
    settings = project(make_split(**split_facts), seeded_model(3, 4, 2, **model_facts))
    with pytest.raises(InputError) as raised:
        run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)
    assert word in one_line(raised)
    assert not (tmp_path / "results").exists()


def test_messages_too_short_for_the_model_are_an_error(project, tmp_path, one_line):
    settings = project(make_split(), seeded_model(6, 4))
    with pytest.raises(InputError) as raised:
        run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)
    assert "short" in one_line(raised)


def test_figures_are_json_even_where_a_label_is_constant(project, tmp_path):
    """No NaN in JSON: it is not part of the format."""
    split = make_split()
    split.label[:] = 3
    settings = project(split, seeded_model(3, 4, 2))
    with np.errstate(all="ignore"):
        run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)
    text = (tmp_path / "results" / "test_metrics.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_a_missing_split_is_named(project, tmp_path, one_line):
    settings = project(make_split(), seeded_model(3, 4, 2))
    with pytest.raises(InputError) as raised:
        run_evaluation(settings, tmp_path / "results", (), "train", "cpu", baseline=False)
    assert "train_sequence" in one_line(raised)


def test_several_checkpoints_are_averaged_and_judged_one_by_one(project, tmp_path):
    split = make_split()
    settings = project(split, seeded_model(3, 4, 2), label_scaling={"mean": [4.0], "std": [2.5]})
    save_checkpoint(tmp_path / "b.pth", seeded_model(3, 4, 2, seed=8), {"label_scaling": {"mean": [1.0], "std": [3.0]}})
    files = [tmp_path / "toy.pth", tmp_path / "b.pth"]
    single = []
    for file in files:
        run_evaluation(settings, tmp_path / "results", [file], "test", "cpu", baseline=False)
        single.append(pd.read_csv(tmp_path / "results" / "test_predictions.csv")["predicted"])
    found = run_evaluation(settings, tmp_path / "results", files, "test", "cpu", baseline=False)
    table = pd.read_csv(tmp_path / "results" / "test_predictions.csv")
    np.testing.assert_allclose(table["predicted"], (single[0] + single[1]) / 2, rtol=1e-4)
    rs = [stats.pearsonr(table["measured"], one).statistic for one in single]
    assert [found["checkpoints"][name]["r"] for name in ("toy.pth", "b.pth")] == pytest.approx(rs, abs=1e-4)
    assert found["r_mean"] == pytest.approx(np.mean(rs), abs=1e-4)
    assert found["r_sd"] == pytest.approx(np.std(rs, ddof=1), abs=1e-4)
    listed = settings.model_copy(update={"checkpoint": [str(file) for file in files]})
    again = run_evaluation(listed, tmp_path / "again", (), "test", "cpu", baseline=False)
    assert again == found


def test_figures_say_of_which_weights_and_data_they_are(project, tmp_path):
    settings = project(make_split(), seeded_model(3, 4, 2))
    run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)
    found = json.loads((tmp_path / "results" / "test_metrics.json").read_text())
    assert found["weights_sha256"] == [file_sha256(tmp_path / "toy.pth")]
    assert found["data_sha256"] == file_sha256(tmp_path / "set.h5")


def test_files_of_one_name_are_both_judged_and_none_twice(project, tmp_path, one_line):
    settings = project(make_split(), seeded_model(3, 4, 2))
    files = [tmp_path / folder / "best.pth" for folder in "ab"]
    for seed, file in enumerate(files):
        file.parent.mkdir()
        save_checkpoint(file, seeded_model(3, 4, 2, seed=seed), {})
    found = run_evaluation(settings, tmp_path / "results", files, "test", "cpu", baseline=False)
    assert len(found["checkpoints"]) == len(set(found["weights_sha256"])) == 2
    with pytest.raises(InputError, match="twice") as raised:
        run_evaluation(settings, tmp_path / "results", [files[0], files[0]], "test", "cpu", baseline=False)
    one_line(raised)


def test_other_weights_have_a_folder_of_their_own(project, tmp_path):
    settings = project(make_split(), seeded_model(3, 4, 2))
    own, other = tmp_path / "toy.pth", tmp_path / "toy-seed2-best.pth"
    assert results_folder(tmp_path, settings, []) == results_folder(tmp_path, settings, [own]) == tmp_path / "toy"
    assert results_folder(tmp_path, settings, [other]) == tmp_path / "toy-seed2"
    assert results_folder(tmp_path, settings, [own, other]) == tmp_path / "toy-ensemble"
    assert results_folder(tmp_path, settings, [tmp_path / "elsewhere" / "toy-best.pth"]) == tmp_path / "toy-other"
    listed = settings.model_copy(update={"checkpoint": [str(own), str(other)]})
    assert results_folder(tmp_path, listed, [own, other]) == tmp_path / "toy"


def test_each_of_several_targets_has_figures(project, tmp_path, caplog):
    split, scaling = make_split(targets=3), {"mean": [4.0, 1.0, 0.0], "std": [2.5, 1.0, 3.0]}
    settings = project(split, seeded_model(3, 4, 2, num_targets=3), label_scaling=scaling)
    with caplog.at_level(logging.INFO):
        found = run_evaluation(settings, tmp_path / "results", (), "test", "cpu", baseline=False)
    table = pd.read_csv(tmp_path / "results" / "test_predictions.csv")
    for number in (2, 3):
        measured, predicted = table[f"measured_{number}"], table[f"predicted_{number}"]
        np.testing.assert_allclose(measured, split.label[:, number - 1], rtol=1e-5)
        assert found["targets"][str(number)]["r"] == pytest.approx(
            stats.pearsonr(measured, predicted).statistic, abs=1e-4
        )
        assert f"target {number}: r = " in caplog.text
    assert found["r"] == pytest.approx(stats.pearsonr(table["measured"], table["predicted"]).statistic, abs=1e-4)


def test_an_ensemble_is_not_interpreted_by_mistake(project, tmp_path, one_line):
    settings = project(make_split(), seeded_model(3, 4, 2))
    listed = settings.model_copy(update={"checkpoint": [settings.checkpoint] * 2})
    with pytest.raises(InputError) as raised:
        load_checkpoint(listed)
    assert "2 files" in one_line(raised)


def test_the_baseline_stands_beside(project, tmp_path):
    split = make_split(60)
    settings = project(split, seeded_model(3, 4, 2))
    write_dataset(tmp_path / "set.h5", {"train": split, "valid": split, "test": split}, {})
    found = run_evaluation(settings, tmp_path / "results", (), "test", "cpu")
    table = pd.read_csv(tmp_path / "results" / "test_predictions.csv")
    assert found["ridge"]["r"] == pytest.approx(stats.pearsonr(table["measured"], table["ridge"]).statistic, abs=1e-4)
    assert found["ridge"]["without_AUG"]["n"] == found["without_AUG"]["n"]
    json.loads((tmp_path / "results" / "test_metrics.json").read_text())
