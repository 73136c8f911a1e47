"""Messages that activate a neuron against the others: Welch's test, effect size, and what they say together.

Pure functions of arrays, in float64, over all neurons at once.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

SMALLEST_P = np.finfo(np.float64).tiny  # a p-value is never 0
SAME = 1e-12  # numbers that differ by less than this share of their size differ by rounding only

TESTED, NEVER_FIRES, TOO_FEW, NO_VARIATION = range(4)
WHY_NOT = {NEVER_FIRES: "never fires", TOO_FEW: "too few", NO_VARIATION: "no variation"}


@dataclass(frozen=True)
class Comparison:
    """Activating against inactive messages; every array is (neurons, targets), NaN where nothing was tested.

    Attributes:
        state: ``TESTED``, or why not.
        n_activating: messages with a window above the threshold.
        n_inactive: messages whose windows all lie below it.
        difference: mean of the activating less mean of the inactive ones, in units of the target.
        effect_size: the difference in units of the pooled standard deviation (Cohen's d).
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        t_statistic: Welch's t.
        p_value: two-sided.
    """

    state: np.ndarray
    n_activating: np.ndarray
    n_inactive: np.ndarray
    difference: np.ndarray
    effect_size: np.ndarray
    effect_low: np.ndarray
    effect_high: np.ndarray
    t_statistic: np.ndarray
    p_value: np.ndarray


def compare(
    maximum: np.ndarray, neuron_maximum: np.ndarray, y: np.ndarray, threshold: float, min_sequences: int = 2
) -> Comparison:
    """Compare the targets of the messages that activate each neuron with those of the other messages.

    A message activates a neuron if its maximal activation exceeds ``threshold`` times the neuron's maximum; one without
    a single window (too short, or N everywhere) is in neither group. Welch's t-test (Welch 1947, degrees of freedom by
    Satterthwaite) does not take the variances for equal. Effect size: d = difference / s, s^2 the pooled variance
    (Cohen 1988). The interval is d -+ 1.96 SE(d) with

        SE(d)^2 = (v1/n1 + v0/n0) / s^2 + d^2 ((n1-1) v1^2 + (n0-1) v0^2) / (2 (n1+n0-2)^2 s^4),

    the first-order (delta method) variance of d for normal values with variances v1 and v0, which need not be equal;
    for equal ones it is the large-sample variance of Hedges and Olkin (1985), 1/n1 + 1/n0 + d^2 / (2 (n1+n0-2)).

    Args:
        maximum: float (n, neurons), minus infinity where a message has no window.
        neuron_maximum: float (neurons,); a neuron whose maximum is not above 0 never fires.
        y: float (n, targets), finite.
        threshold: share of the neuron's maximum, 0 to 1.
        min_sequences: fewest messages in each group, at least 2.
    """
    windowed = np.isfinite(maximum)
    fires = neuron_maximum > 0
    active = windowed & (maximum > threshold * np.where(fires, neuron_maximum, np.inf))
    centre = y.astype(np.float64).mean(axis=0)
    values = y.astype(np.float64) - centre
    n_all, sum_all, square_all = _sums(windowed, values)
    n1, sum1, square1 = _sums(active, values)
    n0, sum0, square0 = n_all - n1, sum_all - sum1, square_all - square1
    shape = (maximum.shape[1], y.shape[1])
    rounding = SAME * (np.abs(centre) + np.abs(values).max(axis=0, initial=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean1, mean0 = sum1 / n1, sum0 / n0
        v1 = np.maximum(square1 - n1 * mean1**2, 0) / (n1 - 1)
        v0 = np.maximum(square0 - n0 * mean0**2, 0) / (n0 - 1)
        part1, part0, df = v1 / n1, v0 / n0, n1 + n0 - 2
        variance = part1 + part0
        difference = mean1 - mean0
        statistic = difference / np.sqrt(variance)
        welch_df = variance**2 / (part1**2 / (n1 - 1) + part0**2 / (n0 - 1))
        p = np.maximum(2 * t.sf(np.abs(statistic), welch_df), SMALLEST_P)
        pooled = ((n1 - 1) * v1 + (n0 - 1) * v0) / df
        d = difference / np.sqrt(pooled)
        spread = d**2 * ((n1 - 1) * v1**2 + (n0 - 1) * v0**2) / (2 * df**2 * pooled**2)
        half = norm.ppf(0.975) * np.sqrt(variance / pooled + spread)
    state = np.full(shape, TESTED)
    state[np.broadcast_to(pooled <= rounding**2, shape)] = NO_VARIATION
    few = (n1 < max(2, min_sequences)) | (n0 < max(2, min_sequences))
    state[np.broadcast_to(few, shape)] = TOO_FEW
    state[~fires] = NEVER_FIRES

    def tested(array: np.ndarray) -> np.ndarray:
        return np.where(state == TESTED, array, np.nan)

    count1, count0 = (np.broadcast_to(n, shape).astype(np.int64) for n in (n1, n0))
    return Comparison(
        state, count1, count0, tested(difference), tested(d), tested(d - half), tested(d + half), tested(statistic),
        tested(p),
    )  # fmt: skip


def _sums(mask: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the counts (neurons, 1), sums and sums of squares (neurons, targets) of the values under (n, neurons)."""
    weight = mask.T.astype(np.float64)
    return weight.sum(axis=1, keepdims=True), weight @ values, weight @ values**2


def verdicts(
    state: np.ndarray, effect_size: np.ndarray, q: np.ndarray, q_threshold: float, smallest_effect: float
) -> np.ndarray:
    """Return what is said of each comparison (m,): positive, negative, neutral, or why there was no test.

    A difference is neutral where it is not significant, and where it is too small to matter: with many thousand
    messages the smallest difference is significant.
    """
    sign = np.where(effect_size > 0, "positive", "negative")
    called = (q <= q_threshold) & (np.abs(effect_size) >= smallest_effect)
    said = np.where(called, sign, "neutral").astype(object)
    for code, reason in WHY_NOT.items():
        said[state == code] = reason
    return said
