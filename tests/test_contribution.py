"""Contribution: statistics against scipy, signs on known truth, tables, plot and page."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import false_discovery_control, ttest_ind

import motif_contribution.contribution as stage
import motif_contribution.predictions
import utils.scan
import workflow.plan
from figures import biology_tables
from motif_contribution.comparison import SMALLEST_P, compare, verdicts
from motif_contribution.page import contribution_page
from motif_contribution.predictions import predictions
from motif_contribution.volcano import LOOKS, volcano_plot
from tests.toy import seeded_model, word_model
from utils.activation import WindowNetwork
from utils.checkpoint import save_checkpoint
from utils.data import TRACKS, Split, write_dataset
from utils.interpretation_settings import InteractionSettings, open_interpretation
from utils.neuron_motif import NeuronMotif, neuron_motif
from utils.prediction import predict
from utils.runtime import ROOT, InputError
from utils.scan import Scan, run_scan, scan_path, summarise
from utils.sequence import decode, encode
from utils.statistics import q_values
from utils.tables import read_csv
from utils.tomtom import COLUMNS
from workflow.settings import WorkflowSettings

WORDS = ["UGUAA", "GGACU", "CACCA", "AAAAA"]  # lowers, raises, does nothing, and never stands in full

SETTINGS = InteractionSettings(model="toy")


def random_case(n=300, neurons=6, targets=2, seed=0):
    rng = np.random.default_rng(seed)
    maximum = rng.normal(0.5, 1, (n, neurons)).astype(np.float32)
    maximum[:9] = -np.inf  # messages without a window
    y = rng.normal(5, 2, (n, targets)) + 0.7 * np.maximum(maximum[:, :1], 0)
    return maximum, maximum.max(axis=0), y


def pooled_sd(one, other):
    squares = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
    return np.sqrt(squares / (len(one) + len(other) - 2))


# -- statistics --


@pytest.mark.parametrize("threshold", [0.1, 0.4, 0.7])
def test_all_neurons_at_once_equal_scipy_one_by_one(threshold):
    maximum, highest, y = random_case()
    found = compare(maximum, highest, y, threshold)
    windowed = np.isfinite(maximum).all(axis=1)
    for neuron in range(6):
        active = maximum[:, neuron] > threshold * highest[neuron]
        for target in range(2):
            one, other = y[active, target], y[windowed & ~active, target]
            expected = ttest_ind(one, other, equal_var=False)
            here = {key: value[neuron, target] for key, value in vars(found).items()}
            assert (here["n_activating"], here["n_inactive"]) == (len(one), len(other))
            np.testing.assert_allclose(here["t_statistic"], expected.statistic, rtol=1e-9)
            np.testing.assert_allclose(here["p_value"], expected.pvalue, rtol=1e-7)
            np.testing.assert_allclose(here["difference"], one.mean() - other.mean(), rtol=1e-9)
            np.testing.assert_allclose(here["effect_size"], here["difference"] / pooled_sd(one, other), rtol=1e-9)
            assert here["effect_low"] < here["effect_size"] < here["effect_high"]


def test_the_interval_holds_the_truth_in_95_percent_of_draws():
    """Unequal groups and unequal variances, where a formula for equal ones holds it in 86 % of draws or fewer."""
    rng = np.random.default_rng(1)
    draws, n1, n0, sd1, sd0, shift = 4000, 40, 400, 2.0, 1.0, 1.0
    values = np.concatenate([rng.normal(shift, sd1, (n1, draws)), rng.normal(0, sd0, (n0, draws))])
    maximum = np.repeat([[1.0], [0.1]], [n1, n0], axis=0)
    found = compare(maximum, np.ones(1), values, 0.5)
    truth = shift / np.sqrt(((n1 - 1) * sd1**2 + (n0 - 1) * sd0**2) / (n1 + n0 - 2))
    assert 0.935 < ((found.effect_low < truth) & (truth < found.effect_high)).mean() < 0.965
    plain = 1.96 * np.sqrt(1 / n1 + 1 / n0 + found.effect_size**2 / (2 * (n1 + n0 - 2)))  # for equal variances
    assert (np.abs(found.effect_size - truth) < plain).mean() < 0.9


def test_equal_variances_give_the_interval_of_hedges_and_olkin():
    values = np.tile([-1.0, 1.0], 50)[:, None] + np.repeat([0.8, 0.0], [40, 60])[:, None]
    found = compare(np.repeat([[1.0], [0.1]], [40, 60], axis=0), np.ones(1), values, 0.5)
    d = float(found.effect_size[0, 0])
    half = 1.959964 * np.sqrt(1 / 40 + 1 / 60 + d**2 / (2 * 98))
    np.testing.assert_allclose(found.effect_high[0, 0] - d, half, rtol=5e-3)


def test_a_shift_and_a_scale_of_the_target_change_nothing_but_the_difference():
    maximum, highest, y = random_case()
    one, other = compare(maximum, highest, y, 0.5), compare(maximum, highest, 1e3 * y + 1e6, 0.5)
    for key in ("t_statistic", "p_value", "effect_size", "effect_low", "effect_high"):
        np.testing.assert_allclose(getattr(one, key), getattr(other, key), rtol=1e-6)
    np.testing.assert_allclose(1e3 * one.difference, other.difference, rtol=1e-6)


def test_neurons_without_a_test_say_why_and_the_others_go_on():
    """Rows 5 and 20: never p = 0 and no number where nothing was tested."""
    maximum, _, y = random_case(neurons=5)
    maximum[:, 0] = -np.abs(maximum[:, 0])  # never fires
    maximum[9:, 1], maximum[9:14, 1] = 0.1, 1.0  # 5 activating messages
    maximum[9:, 2], maximum[9:12, 2] = 1.0, 0.1  # 3 inactive ones
    maximum[:, 3] = -np.inf  # no window at all
    highest = maximum.max(axis=0)
    found = compare(maximum, highest, y, 0.5, min_sequences=6)
    q = np.stack([q_values(found.p_value[:, target]) for target in range(2)], axis=1)
    said = verdicts(found.state.ravel(), found.effect_size.ravel(), q.ravel(), 0.05, 0).reshape(5, 2)
    assert said[:4, 0].tolist() == ["never fires", "too few", "too few", "never fires"]
    assert said[4, 0] in ("positive", "negative", "neutral")
    for key in ("difference", "effect_size", "effect_low", "effect_high", "t_statistic", "p_value"):
        assert np.isnan(getattr(found, key)[:4]).all()
        assert np.isfinite(getattr(found, key)[4]).all()
    assert found.n_activating[:, 0].tolist()[:4] == [0, 5, 288, 0]
    assert found.n_inactive[:, 0].tolist()[:4] == [291, 286, 3, 0]
    assert np.isfinite(compare(maximum, highest, y, 0.5, min_sequences=3).p_value[1:3]).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3e5])
def test_all_equal_predictions_are_no_variation(value):
    maximum, highest, y = random_case()
    y[:, 0] = value
    found = compare(maximum, highest, y, 0.5)
    said = verdicts(found.state[:, 0], found.effect_size[:, 0], found.p_value[:, 0], 0.05, 0)
    assert set(said) == {"no variation"}
    assert np.isnan(found.p_value[:, 0]).all()
    assert np.isfinite(found.p_value[:, 1]).all()


def test_p_is_never_zero():
    """Row 20: the smallest p of overwhelming evidence is a number above 0."""
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.normal(50, 1, 3000), rng.normal(0, 1, 3000)])[:, None]
    found = compare(np.repeat([[1.0], [0.0]], 3000, axis=0), np.ones(1), y, 0.7)
    assert ttest_ind(y[:3000], y[3000:], equal_var=False).pvalue[0] == 0
    assert found.p_value[0, 0] == SMALLEST_P > 0
    assert verdicts(found.state[0], found.effect_size[0], q_values(found.p_value[0]), 0.05, 0.2) == ["positive"]


def test_q_values_are_over_what_was_tested():
    """Row 19: Benjamini-Hochberg by its definition; missing is missing and counts for nothing."""
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5, np.nan])
    ranked = sorted([0.01, 0.04, 0.03, 0.5])
    adjusted = [min(4 * one / (place + 1) for place, one in enumerate(ranked) if one >= value) for value in ranked]
    q = q_values(p)
    assert np.isnan(q[[1, 5]]).all()
    np.testing.assert_allclose(sorted(q[~np.isnan(q)]), sorted(adjusted))
    np.testing.assert_allclose(q[[0, 2, 3, 4]], false_discovery_control(p[[0, 2, 3, 4]]))
    assert np.isnan(q_values(np.array([np.nan]))).all()


def test_noise_is_neutral():
    """Row 19: 1,000 neurons that have nothing to do with the target; uncorrected, 50 would be called."""
    rng = np.random.default_rng(2)
    maximum, y = rng.random((500, 1000)), rng.normal(size=(500, 1))
    found = compare(maximum, maximum.max(axis=0), y, 0.7)
    assert (found.p_value < 0.05).sum() > 25
    assert (q_values(found.p_value[:, 0]) <= 0.05).sum() <= 2


def test_a_tiny_difference_is_neutral_however_significant():
    """With 20,000 messages a difference of 0.1 standard deviations has q < 1e-6, and means nothing."""
    rng = np.random.default_rng(3)
    active = np.repeat([1.0, 0.0], 10_000)[:, None] * np.ones(2)
    y = rng.normal(size=(20_000, 1))
    found = compare(active, np.ones(2), y + 0.1 * active[:, :1], 0.7)
    q = q_values(found.p_value[:, 0])
    assert q[0] < 1e-6
    rule = (found.state[:, 0], found.effect_size[:, 0], q, 0.05)
    assert verdicts(*rule, 0.2).tolist() == ["neutral", "neutral"]
    assert verdicts(*rule, 0.0).tolist() == ["positive", "positive"]
    assert verdicts(*rule, float(found.effect_size[0, 0])).tolist() == ["positive", "positive"]


# -- the stage --


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Return a model whose conv1 neurons are words, and messages whose labels the words set."""
    monkeypatch.setattr(utils.scan, "SCANS", tmp_path / "scans")
    monkeypatch.setattr(stage, "RESULTS", tmp_path / "results")
    rng = np.random.default_rng(4)
    bases = rng.integers(0, 4, (240, 40)).astype(np.uint8)
    label = rng.normal(0, 0.3, 240)
    for row in range(240):
        for word in WORDS[:3]:
            if rng.random() < 0.4:
                place = int(rng.integers(0, 35))
                bases[row, place : place + 5] = encode(word)
        text = decode(bases[row]).replace("AAAAA", "AAAGA")
        bases[row] = encode(text)
        label[row] += sum(effect for word, effect in zip(WORDS, (-1.0, 1.0, 0.0), strict=False) if word in text)
    codes = (1 << bases).astype(np.uint8)
    length = np.full(240, 40, dtype=np.int32)
    splits = {
        name: Split(codes[part], label[part, None].astype(np.float32), length[part], [""] * len(codes[part]), 4)
        for name, part in (("train", slice(0, 180)), ("valid", slice(180, 210)), ("test", slice(210, 240)))
    }
    write_dataset(tmp_path / "toy.h5", splits, {"tracks": list(TRACKS[:4])})
    scaling = {"label_scaling": {"mean": [10.0], "std": [4.0]}}
    save_checkpoint(tmp_path / "toy.pth", word_model(WORDS, num_layers=2), scaling)
    (tmp_path / "model.yaml").write_text(
        f"name: toy\ncheckpoint: {tmp_path}/toy.pth\ndataset: {tmp_path}/toy.h5\n"
        "network: {num_layers: 2, in_channels: 4}\n"
    )
    (tmp_path / "toy.yaml").write_text(
        f"model: {tmp_path}/model.yaml\ndevice: cpu\nthreshold: 0.9\nmotifs: {tmp_path}/motifs\n"
    )
    return opened(tmp_path)


def opened(tmp_path):
    settings = InteractionSettings(
        model=f"{tmp_path}/model.yaml", device="cpu", threshold=0.9, motifs=f"{tmp_path}/motifs"
    )
    return open_interpretation(settings)


def files(tmp_path):
    return {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()}


def test_signs_on_known_truth(work):
    """A neuron that is a word gets the sign of the word; a decoy is neutral, and one without its word too."""
    run_scan(work, [1])
    table = stage.run(work, [1])
    of_label = table[(table["target"] == "label") & table["default"]].set_index("task")
    said = of_label["contribution"]
    assert said["conv1_neuron1"] == "negative"
    assert said["conv1_neuron2"] == "positive"
    assert said["conv1_neuron3"] == "neutral"
    assert said["conv1_neuron5"] == "never fires"  # its weights are zero
    texts = ["".join("ACGU"[int(code).bit_length() - 1] for code in row) for row in work.messages.codes]
    assert of_label["n_activating"]["conv1_neuron1"] == sum("UGUAA" in text for text in texts)
    assert of_label["neuron_maximum"]["conv1_neuron4"] == 4  # AAAAA never stands in full
    assert abs(of_label["difference"]["conv1_neuron2"] - 1) < 0.3  # in units of the label


def test_tables_are_tidy_and_missing_is_missing(work, tmp_path):
    """Row 20: predictions and labels side by side, named; an empty cell where there was no test, never 0."""
    run_scan(work, [1, 2])
    stage.run(work, [1, 2])
    wide = read_csv(tmp_path / "results" / "toy_neuron_contribution.csv")
    assert wide["task"].tolist() == [f"conv{layer}_neuron{one}" for layer in (1, 2) for one in range(1, 65)]
    assert set(wide["threshold"]) == {0.9}
    tidy = read_csv(tmp_path / "results" / "toy_neuron_contribution_thresholds.csv")
    assert len(tidy) == 128 * 9 * 2
    assert not tidy.duplicated(["task", "threshold", "target"]).any()
    assert sorted(set(tidy["threshold"])) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert set(tidy.loc[tidy["default"], "threshold"]) == {0.9}
    for table, prefix in ((wide, ""), (wide, "label_"), (tidy, "")):
        tested = table[f"{prefix}contribution"].isin(["positive", "negative", "neutral"])
        assert tested.any()
        for key in ("t_statistic", "p_value", "q_value", "effect_size", "effect_low", "effect_high", "difference"):
            assert (table[f"{prefix}{key}"].notna() == tested).all()
        assert (table.loc[tested, f"{prefix}p_value"] > 0).all()
        assert (table.loc[tested, f"{prefix}q_value"] >= table.loc[tested, f"{prefix}p_value"] * 0.999).all()
    assert ((wide["n_activating"] + wide["n_inactive"]) == 240).all()
    for (threshold, target), group in tidy.groupby(["threshold", "target"]):
        p = group["p_value"].dropna()
        expected = false_discovery_control(p)
        np.testing.assert_allclose(group.loc[p.index, "q_value"], expected, rtol=1e-4, err_msg=f"{threshold} {target}")
    own = wide[["task", "label_p_value"]].merge(
        tidy[tidy["default"] & (tidy["target"] == "label")][["task", "p_value"]], on="task"
    )
    pd.testing.assert_series_equal(own["label_p_value"], own["p_value"], check_names=False)


def test_the_order_of_runs_does_not_matter_and_a_run_repeats(work, tmp_path):
    """Row 12: one deterministic place, nothing mixed, nothing lost."""
    run_scan(work, [1, 2, 3])
    stage.run(work, [1, 3])
    stage.run(work, [2, 2])
    together = files(tmp_path)
    shutil.rmtree(tmp_path / "results")
    stage.run(work, [2])
    stage.run(work, [1])
    stage.run(work, [3])
    apart = files(tmp_path)
    assert together.keys() == apart.keys()
    assert together == apart
    stage.run(work, [2], overwrite=True)
    alone = read_csv(tmp_path / "results" / "toy_neuron_contribution.csv")
    assert set(alone["layer"]) == {2}


def test_rows_of_another_checkpoint_are_left_out(work, tmp_path, caplog, one_line):
    run_scan(work, [1, 2])
    stage.run(work, [1, 2])
    save_checkpoint(tmp_path / "toy.pth", seeded_model(2, 4, seed=9), {})
    other = opened(tmp_path)
    with pytest.raises(InputError) as raised:
        stage.run(other, [1])
    assert "a scan of another checkpoint" in one_line(raised)
    run_scan(other, [1])
    stage.run(other, [1])
    table = read_csv(tmp_path / "results" / "toy_neuron_contribution.csv")
    assert set(table["layer"]) == {1}
    assert set(table["checkpoint"]) == {other.checkpoint.sha256}
    assert "of another checkpoint or data set; its rows are left out" in caplog.text


def test_a_layer_whose_scan_is_gone_is_left_out(work, tmp_path, caplog):
    run_scan(work, [1, 2])
    stage.run(work, [1, 2])
    scan_path("toy", 1).unlink()
    stage.run(work, [2])
    assert set(read_csv(tmp_path / "results" / "toy_neuron_contribution.csv")["layer"]) == {2}
    assert "conv1 was in" in caplog.text


def test_tables_are_finished_for_the_settings_that_decide_them(work, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow.plan, "DONE", tmp_path / "done")
    settings = WorkflowSettings(interaction=str(tmp_path / "toy.yaml"), layers="1-2", report=False)
    flag = "contribution/all"

    def is_believed():
        path = tmp_path / "done" / "toy" / flag
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(workflow.plan.make_plan(settings)["shards"]["contribution"][flag])
        workflow.plan.make_plan(settings)
        return path.is_file()

    run_scan(work, [1, 2, 3])
    stage.run(work, [1, 2])
    assert is_believed()
    table = stage_table(tmp_path)
    assert set(table["threshold"]) == {0.9}
    assert set(table["q_threshold"]) == {0.05}
    assert set(table["smallest_effect"]) == {0.2}
    assert not stage.is_finished_for(work, [1, 2, 3])
    for key, value, same in (("batch_size", 3, True), ("n_draws", 2, True), ("threshold", 0.8, False),
                             ("smallest_effect", 0.0, False), ("q_threshold", 0.5, False)):  # fmt: skip
        other = replace(work, settings=work.settings.model_copy(update={key: value}))
        assert stage.is_finished_for(other, [1, 2]) == same, key
    stage.run(other, [3])  # the layers that are there are computed again, with the settings of now
    table = stage_table(tmp_path)
    assert set(table["layer"]) == {1, 2, 3}
    assert set(table["q_threshold"]) == {0.5}
    assert stage.is_finished_for(other, [1, 2, 3])
    assert not is_believed()
    stage.run(work, [1])
    assert is_believed()
    (tmp_path / "results" / "toy_volcano.png").unlink()
    assert not is_believed()


def test_no_scan_yet(work, tmp_path, capsys):
    with pytest.raises(SystemExit) as raised:
        stage.main(["--config", str(tmp_path / "toy.yaml"), "--from", "2", "--to", "3"])
    assert raised.value.code == 2
    text = capsys.readouterr().err.strip().splitlines()
    assert text[-1].startswith("error: ")
    assert "no scan of conv2 yet; run bash motif_contribution/script/run_search_maxact.sh 2 2 CONFIG" in text[-1]
    assert not (tmp_path / "results").exists()


def test_predictions_are_made_once_and_in_units_of_the_label(work, tmp_path, monkeypatch):
    path = tmp_path / "p.h5"
    found = predictions(work, path)
    expected = predict(work.checkpoint.model, work.messages)
    np.testing.assert_allclose(found, 10 + 4 * expected.astype(np.float64), rtol=1e-5)
    monkeypatch.setattr(motif_contribution.predictions, "predict", None)
    np.testing.assert_array_equal(predictions(work, path), found)
    with pytest.raises(TypeError):
        predictions(work, path, overwrite=True)
    path.write_bytes(b"damaged")
    with pytest.raises(TypeError):
        predictions(work, path)


def test_several_targets_are_numbered():
    maximum = np.random.default_rng(0).random((60, 3)).astype(np.float32)
    scan = summarise(2, 9, maximum, np.zeros((60, 3), dtype=np.int32), 60)
    assert isinstance(scan, Scan)
    names = stage.target_names(2)
    assert names == ["prediction_1", "prediction_2", "label_1", "label_2"]
    y = np.random.default_rng(1).normal(size=(60, 4))
    table = stage.contributions([scan], y, names, InteractionSettings(model="m", threshold=0.65))
    assert len(table) == 3 * 10 * 4  # 0.65 is stored beside 0.1 to 0.9
    wide = stage.row_per_neuron(table.assign(checkpoint="", dataset=""), names)
    assert {"contribution", "prediction_2_q_value", "label_1_effect_size", "label_2_contribution"} <= set(wide)


# -- plot, motifs, page --


def plot_table(n=60):
    rng = np.random.default_rng(0)
    effect = rng.normal(0, 1, n)
    q = np.where(np.abs(effect) > 0.5, 10 ** (-20 * np.abs(effect)), 0.3)
    said = np.where(q > 0.05, "neutral", np.where(effect > 0, "positive", "negative"))
    q[-1], effect[-1], said[-1] = np.nan, np.nan, "never fires"
    q[0], effect[0], said[0] = SMALLEST_P, 2.0, "positive"
    tasks = [f"conv2_neuron{one}" for one in range(1, n + 1)]
    parts = [
        pd.DataFrame({"task": tasks, "target": target, "effect_size": effect, "q_value": q, "contribution": said})
        for target in ("prediction", "label")
    ]
    return pd.concat(parts, ignore_index=True)


def test_the_plot_repeats_and_its_names_do_not_overlap(tmp_path):
    for name in ("a", "b"):
        volcano_plot(tmp_path / f"{name}.png", plot_table(), "toy", SETTINGS)
    for suffix in (".png", ".svg"):
        one, other = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
        assert one == other
        assert len(one) > 10_000
    text = (tmp_path / "a.svg").read_text()
    assert "dc:date" not in text
    assert "<!-- conv2-1 -->" in text  # the smallest q is named
    assert text.count("<!-- conv2-") >= 20
    assert len({marker for _, marker in LOOKS.values()}) == 3  # no meaning by colour alone


def test_the_plot_of_nothing_tested(tmp_path):
    table = plot_table()
    table[["q_value", "effect_size"]] = np.nan
    table["contribution"] = "too few"
    volcano_plot(tmp_path / "a.png", table, "toy", SETTINGS)
    assert (tmp_path / "a.png").stat().st_size > 0


def write_motif(path, network, words, neuron, activation=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    windows = np.stack([encode(word) for word in words])
    now = network.activation(torch.from_numpy(windows), 1, torch.full((len(words),), neuron - 1)).numpy()
    with h5py.File(path, "w") as file:
        file["pfm"] = np.stack([(window == np.arange(4)[:, None]) * 20.0 for window in windows]).astype(np.float32)
        file["consensus_activation"] = now if activation is None else np.array(activation, dtype=np.float32)
        file["max_activation"] = np.full(len(words), 5.0, dtype=np.float32)
        file.create_dataset("path", data=[str(part) for part in range(len(words))], dtype=h5py.string_dtype())


def test_the_motif_is_of_the_part_whose_consensus_fires_most(tmp_path):
    network = WindowNetwork(word_model(WORDS, num_layers=2))
    write_motif(tmp_path / "m.h5", network, ["UGUCA", "UGUAA", "GGGGG"], 1)
    motif = neuron_motif(tmp_path / "m.h5", network, 1, 1)
    assert (motif.word, motif.start, motif.ratio) == ("UGUAA", 0, 1.0)
    assert motif.pfm.argmax(axis=0).tolist() == encode("UGUAA").tolist()


def test_a_part_without_informative_columns_is_passed_over(tmp_path):
    network = WindowNetwork(word_model(WORDS, num_layers=2))
    write_motif(tmp_path / "m.h5", network, ["UGUAA", "UGUAC"], 1)
    with h5py.File(tmp_path / "m.h5", "a") as file:
        flat = file["pfm"][0] * 0.1 + 5
        file["pfm"][0] = flat
    motif = neuron_motif(tmp_path / "m.h5", network, 1, 1)
    assert (motif.word, round(motif.ratio, 3)) == ("UGUAC", 0.8)
    with h5py.File(tmp_path / "m.h5", "a") as file:
        file["pfm"][1] = file["pfm"][1] * 0.1 + 5
    assert neuron_motif(tmp_path / "m.h5", network, 1, 1).note == "no informative segment"


def test_motifs_that_are_not_there_or_of_other_weights_are_said(tmp_path):
    network = WindowNetwork(word_model(WORDS, num_layers=2))
    assert "run motif_discovery" in neuron_motif(tmp_path / "none.h5", network, 1, 1).note
    write_motif(tmp_path / "m.h5", network, ["UGUAA"], 1, activation=[4.2])
    assert "other weights" in neuron_motif(tmp_path / "m.h5", network, 1, 1).note
    assert "another network" in neuron_motif(tmp_path / "m.h5", network, 2, 1).note
    (tmp_path / "m.h5").write_bytes(b"damaged")
    assert "damaged" in neuron_motif(tmp_path / "m.h5", network, 1, 1).note
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["pfm"] = np.zeros((0, 4, 5))
        file["consensus_activation"] = file["max_activation"] = np.zeros(0)
        file.create_dataset("path", shape=(0,), dtype=h5py.string_dtype())
    assert neuron_motif(tmp_path / "m.h5", network, 1, 1) == NeuronMotif(note="motif_discovery found no motif")


def test_the_table_to_keep_names_motifs_and_matches(work, tmp_path, one_line):
    settings = work.settings.model_copy(update={"matches": str(tmp_path / "matches")})
    with pytest.raises(InputError) as raised:
        biology_tables.run(settings, [1], tmp_path / "tables")
    assert "run_contribution.sh 1 1 CONFIG" in one_line(raised)
    network = WindowNetwork(work.checkpoint.model)
    path = tmp_path / "motifs" / "toy" / "conv1_neuron1.h5"
    write_motif(path, network, [WORDS[0]], 1)
    run_scan(work, [1])
    stage.run(work, [1])
    segment = neuron_motif(path, network, 1, 1).segment
    assert segment == "0_0-5"
    matches = tmp_path / "matches" / "toy" / "conv1" / "conv1_neuron1.tsv"
    matches.parent.mkdir(parents=True)
    row = [f"conv1_neuron1_{segment}", "KNOWN", 0, 1e-6, 1e-4, 1e-4, 5, WORDS[0], WORDS[0], "+"]
    matches.write_text("\t".join(COLUMNS) + "\n" + "\t".join(map(str, row)) + "\n# settings: x\n")
    biology_tables.run(settings, [1], tmp_path / "tables")
    table = pd.read_csv(tmp_path / "tables" / "contribution_toy.csv").set_index("task")
    assert table.loc["conv1_neuron1", ["motif", "best_match", "contribution"]].tolist() == [
        WORDS[0], "KNOWN", stage_table(tmp_path).loc["conv1_neuron1", "contribution"]
    ]  # fmt: skip
    assert table.loc["conv1_neuron2", "motif"].startswith("no motif yet")


def stage_table(tmp_path):
    return read_csv(tmp_path / "results" / "toy_neuron_contribution.csv").set_index("task")


def test_the_page_holds_everything_and_takes_names_as_text(work, tmp_path):
    run_scan(work, [1])
    network = WindowNetwork(work.checkpoint.model)
    write_motif(tmp_path / "motifs" / "toy" / "conv1_neuron1.h5", network, ["UGUAA"], 1)
    stage.run(work, [1])
    text = (tmp_path / "results" / "toy_contribution.html").read_text()
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("<tr data-kinds") == 64
    assert "Logo of UGUAA" in text
    assert "in 100% of the windows that activate, " in text  # the words that fire above 0.9 of the maximum are UGUAA
    assert text.count("no motif yet: run motif_discovery") == 63
    assert "180 train, 30 valid, 30 test" in text
    data = json.loads(re.search(r'id="combmotif-data">(.*?)</script>', text)[1])
    assert len(data["logos"]) == 1
    row = re.search(r"<tr data-kinds=\"[^\"]*\"><td[^>]*><code>conv1_neuron1</code>.*?</tr>", text, re.DOTALL)[0]
    assert "negative" in row
    wide = read_csv(tmp_path / "results" / "toy_neuron_contribution.csv").head(1)
    evil = contribution_page(
        "<script>alert(1)</script>", wide.assign(task="<b>x</b>"), "prediction", [NeuronMotif(note="<i>y</i>")],
        b"", SETTINGS, "<u>z</u>", {"train": 1},
    )  # fmt: skip
    for tag in ("<script>alert", "<b>x", "<i>y", "<u>z"):
        assert tag not in evil


# -- wrappers --


def test_the_wrappers_as_they_are_typed(work, tmp_path):
    """From motif_contribution/script, in a copy of the code whose path has spaces, on a config of one's own."""
    copy = tmp_path / "a place" / "comb motif"
    for folder in ("utils", "motif_contribution"):
        left_out = shutil.ignore_patterns("__pycache__", "results", "maxact_from_trainSet")
        shutil.copytree(ROOT / folder, copy / folder, ignore=left_out)
    (copy / "configs" / "interaction").mkdir(parents=True)
    shutil.copy(tmp_path / "toy.yaml", copy / "configs" / "interaction")
    script = copy / "motif_contribution" / "script"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)

    def typed(*command, status=0):
        done = subprocess.run(
            ["bash", *command], cwd=script, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        return done.stderr

    assert typed("run_contribution.sh", "2", "2", status=2).startswith("usage: bash run_contribution.sh FROM TO CONFIG")
    config = "../configs/interaction/toy.yaml"
    typed("run_search_maxact.sh", "2", "3", config)
    found = typed("run_contribution.sh", "2", "2", config, "threshold=0.6")
    assert "open motif_contribution/results/toy_contribution.html" in found
    wide = read_csv(copy / "motif_contribution" / "results" / "toy_neuron_contribution.csv")
    assert set(wide["threshold"]) == {0.6}
    assert (copy / "motif_contribution" / "maxact_from_trainSet" / "toy" / "conv3.h5").is_file()
    for suffix in ("volcano.png", "volcano.svg", "contribution.html", "neuron_contribution_thresholds.csv"):
        assert (copy / "motif_contribution" / "results" / f"toy_{suffix}").stat().st_size > 0
    assert not list(copy.rglob(".part-*"))
