"""Predictions over a data set, and the figures of agreement."""

import numpy as np
import pytest
import torch
from scipy import stats

from tests.toy import plain_prediction, seeded_model
from utils.data import Split, pack_tracks, unpack_tracks
from utils.prediction import bootstrap_intervals, correlation, metrics, predict


def make_split(lengths, full, tracks=4, seed=0):
    """Return a split of random messages of given lengths."""
    rng = np.random.default_rng(seed)
    X = np.zeros((len(lengths), tracks, full), dtype=np.uint8)
    for row, length in enumerate(lengths):
        X[row, rng.integers(0, 4, length), np.arange(length)] = 1
    label = rng.normal(size=(len(lengths), 1)).astype(np.float32)
    ids = [f"row{row}" for row in range(len(lengths))]
    return Split(pack_tracks(X), label, np.array(lengths, dtype=np.int32), ids, tracks)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
@pytest.mark.parametrize("readout", ["last", "first"])
def test_predictions_are_in_the_order_of_the_rows(batch_size, readout):
    """Messages of like length are read together; each gets its own prediction, whatever the batch."""
    model = seeded_model(3, 4, readout=readout, num_targets=2)
    split = make_split([90, 3, 200, 41, 0, 77, 199, 120, 64, 10, 150], 200)
    X = torch.from_numpy(unpack_tracks(split.codes, 4)).float()
    expected = plain_prediction(model.state_dict(), X, 0, readout).numpy()
    found = predict(model, split, batch_size)
    assert (found.dtype, found.shape) == (np.float32, (11, 2))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_figures_against_scipy():
    rng = np.random.default_rng(0)
    y = rng.normal(3, 2, 200).astype(np.float32)
    y_hat = (0.5 * y + rng.normal(size=200)).astype(np.float32)
    found = metrics(y, y_hat)
    assert found["n"] == 200
    assert found["r"] == pytest.approx(stats.pearsonr(y, y_hat).statistic, abs=1e-6)
    assert found["r2"] == pytest.approx(found["r"] ** 2)
    assert found["rho"] == pytest.approx(stats.spearmanr(y, y_hat).statistic, abs=1e-6)
    expected = 1 - ((y - y_hat) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert found["determination"] == pytest.approx(expected, abs=1e-5)


def test_rank_correlation_shares_ranks_between_ties():
    """Equal labels have equal ranks, so the order of the rows decides nothing."""
    y = np.array([1, 1, 1, 2, 2, 3, 3, 3, 3, 4], dtype=np.float32)
    y_hat = np.array([4, 1, 3, 2, 6, 5, 9, 7, 10, 8], dtype=np.float32)
    expected = stats.spearmanr(y, y_hat).statistic
    assert metrics(y, y_hat)["rho"] == pytest.approx(expected, abs=1e-9)
    assert metrics(y[::-1], y_hat[::-1])["rho"] == pytest.approx(expected, abs=1e-9)


def test_closed_forms():
    y = np.arange(5.0)
    assert correlation(y, 3 * y + 2) == pytest.approx(1)
    assert correlation(y, -y) == pytest.approx(-1)
    assert correlation(y, np.ones(5)) == 0
    assert metrics(y, y)["determination"] == pytest.approx(1)
    assert metrics(y, np.full(5, 2.0))["determination"] == pytest.approx(0)


def test_statistics_are_in_float64():
    y = (np.arange(1000) * 1e-3 + 1e4).astype(np.float32)
    assert correlation(y, y) == pytest.approx(1, abs=1e-9)
    exact = stats.pearsonr(y.astype(np.float64), np.arange(1000.0)).statistic
    assert correlation(y, np.arange(1000, dtype=np.float32)) == pytest.approx(exact, abs=1e-6)


def test_bootstrap_intervals_against_scipy():
    rng = np.random.default_rng(0)
    y = rng.normal(3, 2, 300)
    y_hat = 0.5 * y + rng.normal(size=300)
    found = bootstrap_intervals(y, y_hat)
    expected = stats.bootstrap(
        (y, y_hat), lambda a, b: stats.pearsonr(a, b).statistic, paired=True, vectorized=False, n_resamples=2000,
        method="percentile", random_state=1,
    ).confidence_interval  # fmt: skip
    assert found["r_interval"] == pytest.approx(list(expected), abs=0.01)
    assert found["r2_interval"] == pytest.approx([value**2 for value in found["r_interval"]], abs=1e-6)
    low, high = found["determination_interval"]
    assert low < metrics(y, y_hat)["determination"] < high


def test_bootstrap_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        y = rng.normal(size=80)
        low, high = bootstrap_intervals(y, 0.6 * y + 0.8 * rng.normal(size=80), 400, seed)["r_interval"]
        covered += low <= 0.6 <= high
    assert 175 <= covered <= 199


def test_bootstrap_of_many_rows_goes_block_by_block(monkeypatch):
    y = np.arange(50.0)
    y_hat = y + np.random.default_rng(0).normal(0, 9, 50)
    whole = bootstrap_intervals(y, y_hat, 100)["r_interval"]
    monkeypatch.setattr("utils.prediction.BOOTSTRAP_BLOCK", 50 * 7)
    assert bootstrap_intervals(y, y_hat, 100)["r_interval"] == pytest.approx(whole)
