"""Epistasis of two motifs: o - a - b + n of four predictions, its tests, and the class of a pair.

o is the prediction of a message, a with motif A scrambled, b with motif B scrambled, n with both. Statistics run over
messages, one value of each per message, in float64; what could not be measured is NaN, never 0.
"""

from collections.abc import Mapping

import numpy as np
from scipy.stats import wilcoxon

RESOLUTION = 1e-6  # of float32 predictions: a smaller difference is none
CLASSES = (
    "positive_synergistic",
    "positive_antagonistic",
    "negative_synergistic",
    "negative_antagonistic",
    "additive",
    "none",
)
BOOTSTRAP_BLOCK = 2**22  # values at once


def epistasis(o: np.ndarray, a: np.ndarray, b: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return o - a - b + n, (messages,)."""
    return o - a - b + n


def effects(o: np.ndarray, a: np.ndarray, b: np.ndarray, n: np.ndarray) -> dict[str, np.ndarray]:
    """Return the joint effect and the single effects of the motifs, each (messages,).

    Returns:
        ``a_alone``: of A where B is scrambled (b - n); ``b_alone`` (a - n); ``a_with_b`` (o - b); ``b_with_a`` (o - a);
        ``joint`` (o - n). Positive: with the motif the prediction is higher.
    """
    return {"a_alone": b - n, "b_alone": a - n, "a_with_b": o - b, "b_with_a": o - a, "joint": o - n}


def pair_class(effect_a: float, effect_b: float, eps: float) -> str:
    """Return the class of a pair from its single effects and its epistasis, 0 where one is not significant.

    | single effects | eps > 0 | eps < 0 | eps = 0 |
    | both positive | positive_synergistic | positive_antagonistic | additive |
    | both negative | negative_antagonistic | negative_synergistic | additive |
    | opposite signs, or one 0 | none | none | none |

    Where one of the three is NaN, the class is missing: an empty text.
    """
    if np.isnan([effect_a, effect_b, eps]).any():
        return ""
    if effect_a * effect_b <= 0:
        return "none"
    if eps == 0:
        return "additive"
    sign = "positive" if effect_a > 0 else "negative"
    return f"{sign}_{'synergistic' if eps * effect_a > 0 else 'antagonistic'}"


def signed_rank(values: np.ndarray, min_sequences: int = 6, resolution: float = RESOLUTION) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test that values (messages,) are symmetric about 0.

    NaN values are left out; sizes under ``resolution`` are ties with 0, which say nothing of the sign and leave the
    test (with them in it, scipy takes the normal approximation, which is too small for a few values). NaN with fewer
    than ``min_sequences`` values; 1 where all of them are 0. Six that differ from 0 cannot give less than 0.031.
    """
    values = values[~np.isnan(values)]
    if len(values) < min_sequences:
        return float("nan")
    values = values[np.abs(values) >= resolution]
    return float(wilcoxon(values).pvalue) if len(values) else 1.0


def signed(p: float, values: np.ndarray) -> float:
    """Return a p-value with the sign of the mean of the values that it was computed from."""
    return p if np.isnan(p) or np.nanmean(values) >= 0 else -p


def bootstrap_interval(values: np.ndarray, n_resamples: int = 1000, random_state: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean of values (messages,); NaN where there are none.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    rng = np.random.default_rng(random_state)
    block = max(1, BOOTSTRAP_BLOCK // len(values))
    means = [
        values[rng.integers(len(values), size=(min(block, n_resamples - start), len(values)))].mean(axis=1)
        for start in range(0, n_resamples, block)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def measure_pair(
    variants: Mapping[str, np.ndarray], min_sequences: int = 6, n_bootstrap: int = 1000, random_state: int = 0,
    resolution: float = RESOLUTION,
) -> dict[str, float]:  # fmt: skip
    """Return the statistics of one pair.

    Args:
        variants: ``o``, ``a``, ``b``, ``n`` and those of the control, ``control_o`` ...: float64 (messages,).
        min_sequences: fewest messages of a test.
        n_bootstrap: resamples of the interval.
        random_state: of these.
        resolution: of the predictions: a smaller difference is none.

    Returns:
        ``n``; of each of ``effects`` the mean (its name) and the signed p-value (``p_`` and its name); ``eps``,
        ``eps_low``, ``eps_high``, ``p_eps``; of the control ``control_eps``, ``p_control_eps``; ``p_above_control`` of
        the difference between eps and control eps of the same messages.
    """
    o, a, b, n = (np.asarray(variants[key], dtype=np.float64) for key in "oabn")
    row: dict[str, float] = {"n": int((~np.isnan(o)).sum())}
    for name, values in effects(o, a, b, n).items():
        row[name] = float(np.nanmean(values)) if row["n"] else float("nan")
        row[f"p_{name}"] = signed(signed_rank(values, min_sequences, resolution), values)
    eps = epistasis(o, a, b, n)
    control = epistasis(*(np.asarray(variants[f"control_{key}"], dtype=np.float64) for key in "oabn"))
    row["eps"] = float(np.nanmean(eps)) if row["n"] else float("nan")
    row["eps_low"], row["eps_high"] = bootstrap_interval(eps, n_bootstrap, random_state)
    row["p_eps"] = signed_rank(eps, min_sequences, resolution)
    row["control_eps"] = float(np.nanmean(control)) if not np.isnan(control).all() else float("nan")
    row["p_control_eps"] = signed_rank(control, min_sequences, resolution)
    row["p_above_control"] = signed_rank(eps - control, min_sequences, resolution)
    return row


def decide(
    effect_a: float, effect_b: float, eps: float, q_a: float, q_b: float, q_eps: float, q_control: float,
    q_threshold: float = 0.05, smallest_eps: float = 0.3, control_eps: float = 0.0,
) -> tuple[str, str]:  # fmt: skip
    """Return the class of a pair and what decided it.

    Both single effects must be significant, else ``none``. Epistasis is called where it is significant, differs from
    that of random stretches of the same messages and is larger (where these could be measured), and is at least
    ``smallest_eps`` times the geometric mean of the two single effects: a network bends a little everywhere, and then
    eps grows with their product, so with enough messages every pair differs from 0 (a smallest effect of interest,
    after Murphy and Myors 1999, J Appl Psychol 84:234).

    Args:
        effect_a: mean effect of A in the absence of B.
        effect_b: mean effect of B in the absence of A.
        eps: mean epistasis.
        q_a: q-value of the first.
        q_b: q-value of the second.
        q_eps: q-value of epistasis.
        q_control: q-value of its difference from the control; NaN where there is none.
        q_threshold: all of these must be below.
        smallest_eps: share of the geometric mean of the single effects.
        control_eps: mean epistasis of the control; NaN where there is none.

    Returns:
        Class, and ``single effects``, ``q``, ``control``, ``smallest_eps`` (which kept it from being called), ``all``
        (it passed every rule) or ``missing``.
    """
    if np.isnan([effect_a, effect_b, eps, q_a, q_b, q_eps]).any():
        return "", "missing"
    single = [effect if q < q_threshold else 0.0 for effect, q in ((effect_a, q_a), (effect_b, q_b))]
    if pair_class(*single, 0.0) == "none":
        return "none", "single effects"
    if q_eps >= q_threshold:
        return pair_class(*single, 0.0), "q"
    if q_control >= q_threshold or abs(eps) <= abs(control_eps):  # false where these are NaN
        return pair_class(*single, 0.0), "control"
    if abs(eps) < smallest_eps * abs(effect_a * effect_b) ** 0.5:
        return pair_class(*single, 0.0), "smallest_eps"
    return pair_class(*single, eps), "all"
