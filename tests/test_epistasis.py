"""utils/epistasis.py and utils/linearity.py: classes, tests and the control of a non-linear output."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from utils.epistasis import (
    bootstrap_interval,
    decide,
    effects,
    epistasis,
    measure_pair,
    pair_class,
    signed,
    signed_rank,
)
from utils.linearity import FEWEST, fit_scale, single_effects
from utils.statistics import q_values

NAN = float("nan")


@pytest.mark.parametrize(
    ("effect_a", "effect_b", "eps", "expected"),
    [
        (1, 2, 0.5, "positive_synergistic"),
        (1, 2, -0.5, "positive_antagonistic"),
        (1, 2, 0, "additive"),
        (-1, -2, 0.5, "negative_antagonistic"),
        (-1, -2, -0.5, "negative_synergistic"),
        (-1, -2, 0, "additive"),
        (1, -2, 0.5, "none"),
        (-1, 2, -0.5, "none"),
        (0, 2, 0.5, "none"),
        (1, 0, -0.5, "none"),
        (0, 0, 0, "none"),
        (NAN, 2, 0.5, ""),
        (1, 2, NAN, ""),
    ],
)
def test_class_table(effect_a, effect_b, eps, expected):
    """Trap 28: synergy is more than the sum in the direction of the effects, for both signs; trap 18: missing."""
    assert pair_class(effect_a, effect_b, eps) == expected


def test_synergy_means_that_the_joint_effect_exceeds_the_sum():
    """Trap 28: from predictions, joint effect against the sum of single effects in the absence of the other."""
    for o, expected in ((3.0, "positive_synergistic"), (1.2, "positive_antagonistic"), (2.0, "additive")):
        values = [np.array([x]) for x in (o, 1.0, 1.0, 0.0)]
        single, eps = effects(*values), epistasis(*values)
        assert np.sign(single["joint"] - single["a_alone"] - single["b_alone"]) == np.sign(eps)
        assert pair_class(single["a_alone"][0], single["b_alone"][0], eps[0]) == expected


def test_effects_name_the_motif_that_is_there():
    o, a, b, n = (np.array([x]) for x in (10.0, 7.0, 4.0, 2.0))  # a: A scrambled
    found = {name: float(values[0]) for name, values in effects(o, a, b, n).items()}
    assert found == {"a_alone": 2, "b_alone": 5, "a_with_b": 6, "b_with_a": 3, "joint": 8}
    assert epistasis(o, a, b, n) == 1


def test_signed_rank_is_scipys_and_knows_what_is_missing():
    """Traps 18 and 19: no p-value under six messages; six cannot go below 0.031; nothing changed is 1, not 0."""
    values = np.random.default_rng(0).normal(0.3, 1, 40)
    assert signed_rank(values) == wilcoxon(values).pvalue
    assert signed_rank(np.append(values, NAN)) == wilcoxon(values).pvalue
    assert signed_rank(np.array([1.0, 2, 3, 4, 5, 6])) == pytest.approx(0.03125)
    assert np.isnan(signed_rank(np.array([1.0, 2, 3, 4, 5])))
    assert signed_rank(np.full(10, 1e-8)) == 1
    five = np.concatenate([np.zeros(20), [1.0, 2, 3, 4, 5]])
    assert signed_rank(five) == wilcoxon(five[20:]).pvalue == pytest.approx(0.0625)  # zeros make none of it smaller
    assert signed_rank(1e-4 * five, resolution=1e-3) == 1
    assert signed(0.2, np.array([-1.0, -2])) == -0.2
    assert np.isnan(signed(NAN, np.array([-1.0])))


def test_q_values_leave_out_what_is_missing():
    """Trap 19: Benjamini-Hochberg over the tests that were made."""
    q = q_values(np.array([0.01, NAN, 0.04, 0.03]))
    assert q[[0, 2, 3]].tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert np.isnan(q[1])
    assert np.isnan(q_values(np.array([NAN]))).all()


def test_bootstrap_interval_is_that_of_the_mean():
    values = np.random.default_rng(1).normal(2, 1, 400)
    low, high = bootstrap_interval(values, 4000)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)
    assert bootstrap_interval(values, 200, 3) == bootstrap_interval(values, 200, 3)
    assert np.isnan(bootstrap_interval(np.array([NAN]))).all()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ("positive_synergistic", "all")),
        ({"q_b": 0.2}, ("none", "single effects")),
        ({"effect_b": -0.4}, ("none", "single effects")),
        ({"q_eps": 0.2}, ("additive", "q")),
        ({"q_control": 0.2}, ("additive", "control")),
        ({"q_control": NAN}, ("positive_synergistic", "all")),
        ({"control_eps": -0.6}, ("additive", "control")),
        ({"control_eps": NAN}, ("positive_synergistic", "all")),
        ({"eps": 0.05}, ("additive", "smallest_eps")),
        ({"q_eps": NAN}, ("", "missing")),
        ({"eps": -0.4}, ("positive_antagonistic", "all")),
    ],
)
def test_rules_of_a_call(changed, expected):
    """Trap 18: the class is not decided by a single effect that is not significant."""
    values = {"effect_a": 0.5, "effect_b": 0.4, "eps": 0.4, "q_a": 0.01, "q_b": 0.01, "q_eps": 0.01, "q_control": 0.01}
    assert decide(**values | changed) == expected


def test_too_few_messages_are_missing_everywhere():
    """Trap 18: what was not tested has no p-value and no class."""
    values = {key: np.arange(5.0) for key in ("o", "a", "b", "n")}
    row = measure_pair(values | {f"control_{key}": np.full(5, NAN) for key in "oabn"})
    assert row["n"] == 5
    assert np.isnan([row[key] for key in ("p_eps", "p_a_alone", "p_joint", "control_eps", "p_above_control")]).all()


def test_false_positives_of_the_test_are_five_per_cent():
    """Traps 16 and 19: one value per message, so p-values of no epistasis are uniform."""
    rng = np.random.default_rng(2)
    p = np.array([signed_rank(rng.normal(0, 1, 30)) for _ in range(1000)])
    assert 0.03 < (p < 0.05).mean() < 0.07


# -- control of linearity -----------------------------------------------------------------------------------------


def made_up(link, pairs, n=150, level=0.6, seed=0):
    """Return o, a, b, n and the pair of messages with latent effects of 0.5 and epistasis, through an output."""
    rng = np.random.default_rng(seed)
    columns = [[], [], [], [], []]
    for number, (sign, eps) in enumerate(pairs):
        rest = rng.normal(0, level, n)
        a, b = (sign * 0.5 + rng.normal(0, 0.05, n) for _ in range(2))
        values = (rest + a + b + eps, rest + b, rest + a, rest)
        for column, value in zip(columns, [*(link(value) for value in values), np.full(n, number)], strict=True):
            column.append(value)
    return [np.concatenate(column) for column in columns]


def relative_eps(o, a, b, n, pair):
    """Return mean eps of each pair over the geometric mean of its single effects."""
    single = effects(o, a, b, n)
    eps = epistasis(o, a, b, n)
    of = lambda values: np.array([values[pair == one].mean() for one in range(pair.max() + 1)])  # noqa: E731
    return of(eps) / np.sqrt(np.abs(of(single["a_alone"]) * of(single["b_alone"])))


PAIRS = [(1, 0), (-1, 0), (1, 0), (-1, 0), (1, 0.5), (1, -0.5), (-1, -0.5), (-1, 0.5)]


@pytest.mark.parametrize("link", [np.tanh, lambda x: np.log1p(np.exp(2 * x)), lambda x: x], ids=["tanh", "soft", "id"])
def test_additive_motifs_are_additive_on_the_fitted_scale_and_epistasis_stays(link):
    *values, pair = made_up(link, PAIRS)
    scale = fit_scale(*single_effects(*values, pair))
    assert scale.fitted
    assert (np.diff(scale.y) > 0).all()
    found = relative_eps(*(scale(value) for value in values), pair)
    assert np.abs(found[:4]).max() < 0.12
    assert np.abs(found[4:] - [1, -1, -1, 1]).max() < 0.25


def test_a_saturating_output_makes_additive_motifs_look_antagonistic():
    *values, pair = made_up(np.tanh, PAIRS, level=0.2)
    assert np.abs(relative_eps(*values, pair)[:4]).min() > 0.25
    scale = fit_scale(*single_effects(*values, pair))
    assert np.abs(relative_eps(*(scale(value) for value in values), pair)[:4]).max() < 0.15


def test_epistasis_of_every_pair_is_not_explained_away():
    """A scale fitted to additivity of all pairs would make these additive."""
    *values, pair = made_up(lambda x: x, [(1, -0.4)] * 4)
    scale = fit_scale(*single_effects(*values, pair))
    assert relative_eps(*(scale(value) for value in values), pair) == pytest.approx([-0.8] * 4, abs=0.1)


def test_too_few_single_effects_leave_the_scale_as_it_is():
    *values, pair = made_up(np.tanh, [(1, 0)], n=FEWEST // 4 - 1)
    scale = fit_scale(*single_effects(*values, pair))
    assert not scale.fitted
    assert scale(np.array([-3.0, 0.2, 7])) == pytest.approx([-3, 0.2, 7])
    assert not fit_scale(np.ones(500), np.ones(500), np.zeros(500, dtype=int)).fitted
