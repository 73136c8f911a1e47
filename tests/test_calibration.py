"""Statistics of the norms and the level of predictions."""

import numpy as np
import pytest
import torch

from tests.toy import random_messages, seeded_model
from utils.calibration import level_of, set_level


def test_the_level_is_the_least_squares_line():
    rng = np.random.default_rng(0)
    y_hat = rng.normal(3, 2, (50, 2))
    y = np.stack([4 + 0.5 * y_hat[:, 0] + rng.normal(size=50), 1 - 2 * y_hat[:, 1]], axis=1)
    slope, intercept = level_of(y, y_hat)
    expected = np.polyfit(y_hat[:, 0], y[:, 0], 1)
    assert (slope[0], intercept[0]) == pytest.approx(tuple(expected))
    assert (slope[1], intercept[1]) == pytest.approx((0, y[:, 1].mean()))  # predictions the wrong way round


def test_constant_predictions_have_a_level():
    slope, intercept = level_of(np.arange(6.0)[:, None], np.ones((6, 1)))
    assert np.isfinite(slope).all()
    assert slope[0] * 1 + intercept[0] == pytest.approx(2.5)


def test_the_level_is_folded_into_the_last_layer():
    model = seeded_model(3, 4, num_targets=2).eval()
    X = random_messages([120, 90, 70, 110, 120], 4, 120)
    with torch.no_grad():
        before = model(X).numpy()
        set_level(model, np.array([0.5, 2.0]), np.array([1.0, -3.0]))
        after = model(X).numpy()
    np.testing.assert_allclose(after, before * [0.5, 2.0] + [1.0, -3.0], atol=1e-5)
