"""Statistics that more than one stage needs."""

import numpy as np
from scipy.stats import false_discovery_control


def q_values(p: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg's q-values of p-values (any shape) without the missing ones, which stay NaN."""
    q = np.full(p.shape, np.nan)
    there = ~np.isnan(p)
    if there.any():
        q[there] = false_discovery_control(p[there])
    return q
