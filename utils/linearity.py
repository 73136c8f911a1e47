"""Control of epistasis for a non-linear output: a monotone scale on which a motif has the same effect at every level.

A predictor that saturates makes two motifs of one sign look antagonistic. On the scale g(prediction) of its inverse
they are additive again. g is found from single effects alone: in one set of messages (a pair, one motif of it, the
other one intact or scrambled) the motif's effect may be any, but must not depend on how high the prediction is without
it. True epistasis, a difference between such sets, is left as it is.

Sources: the idea of a global non-linearity behind an additive trait, Otwinowski, McCandlish and Plotkin 2018, PNAS
115:E7550; Sailer and Harms 2017, Genetics 205:1079. They fit it to additive effects of all mutations together; that it
is fitted here to single effects, each set with an effect of its own, keeps epistasis common to all pairs of a run.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

KNOTS = 9
FEWEST = 100  # single effects, for a fit
MOST = 30_000  # of which g is fitted; of more, an even choice
STIFFNESS = 10.0  # of the penalty on changes of slope, in units of one squared standard residual
FLAT = 0.05  # smallest slope, relative to the mean one: a flat stretch has no inverse


@dataclass(frozen=True)
class Scale:
    """A monotone transformation, linear between knots and beyond them.

    Attributes:
        x: float64 (knots,), predictions, rising.
        y: float64 (knots,), what they become, rising.
        fitted: whether there were enough single effects; else it is the identity.
    """

    x: np.ndarray
    y: np.ndarray
    fitted: bool

    def __call__(self, prediction: np.ndarray) -> np.ndarray:
        """Return transformed predictions (any shape)."""
        return _through(prediction, self.x, self.y)


IDENTITY = Scale(np.array([0.0, 1.0]), np.array([0.0, 1.0]), fitted=False)


def _through(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the line through (x, y) at values, continued with its first and last slope."""
    part = np.clip(np.searchsorted(x, values) - 1, 0, len(x) - 2)
    slope = np.diff(y) / np.diff(x)
    return y[part] + (values - x[part]) * slope[part]


def single_effects(
    o: np.ndarray, a: np.ndarray, b: np.ndarray, n: np.ndarray, pair: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all single effects of knock-outs: predictions without and with a motif, and the set each belongs to.

    Args:
        o: float64 (k,), intact; a, b, n: with A, B, both scrambled.
        a: see o.
        b: see o.
        n: see o.
        pair: int (k,), which pair.

    Returns:
        Without the motif, with it, and the set (of a pair there are four): (4 k,) each.
    """
    without, present = np.concatenate([n, n, a, b]), np.concatenate([b, a, o, o])
    group = np.concatenate([4 * pair + context for context in range(4)])
    there = ~np.isnan(without + present)
    return without[there], present[there], group[there]


def fit_scale(without: np.ndarray, present: np.ndarray, group: np.ndarray, unit: float = 1.0) -> Scale:
    """Return the monotone scale on which the effect of each set is the same at every level.

    Least squares (soft_l1 loss) of present - G(g(without) + c), where G is the inverse of g, c the mean effect of a set
    on the scale of g, and log slopes of g between knots at quantiles of the predictions are free up to a penalty on
    their changes. The prediction without the motif is the level, as the one with it holds the effect itself. The scale
    keeps the mean slope of 1.

    Args:
        without: float64 (k,), predictions without a motif.
        present: float64 (k,), with it.
        group: int (k,), set of each.
        unit: one standard deviation of the labels, on the scale of the predictions.
    """
    if len(without) > MOST:
        chosen = np.linspace(0, len(without) - 1, MOST).astype(np.int64)
        without, present, group = without[chosen], present[chosen], group[chosen]
    x = (
        np.unique(np.quantile(np.concatenate([without, present]), np.linspace(0.005, 0.995, KNOTS)))
        if len(without)
        else []
    )
    if len(without) < FEWEST or len(x) < 3 or x[-1] - x[0] < 1e-5 * unit:
        return IDENTITY
    _, group = np.unique(group, return_inverse=True)
    size = np.bincount(group)

    def scale(log_slopes: np.ndarray) -> np.ndarray:
        slope = np.maximum(np.exp(log_slopes - log_slopes.mean()), FLAT)
        rise = np.concatenate([[0], np.cumsum(slope * np.diff(x))])
        return x[0] + rise * (x[-1] - x[0]) / rise[-1]

    def misfit(log_slopes: np.ndarray) -> np.ndarray:
        y = scale(log_slopes)
        level = _through(without, x, y)
        effect = np.bincount(group, _through(present, x, y) - level) / size
        return present - _through(level + effect[group], y, x)

    start = np.zeros(len(x) - 1)
    spread = 1.4826 * np.median(np.abs(misfit(start)))
    spread = max(spread, 1e-3 * (x[-1] - x[0]))

    def cost(log_slopes: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [misfit(log_slopes) / spread, np.sqrt(STIFFNESS) * np.diff(log_slopes), [log_slopes.mean()]]
        )

    found = least_squares(cost, start, bounds=(-4, 4), loss="soft_l1", max_nfev=100)
    return Scale(x, scale(found.x), fitted=True)
