"""The activation bins that the sample of a neuron covers: 20 equal ones over (0, maximum], with a quota each."""

import numpy as np

BINS = 20


def bin_quota(receptive_field: int, limit: int = 0) -> int:
    """Return how many sequences each bin takes: floor(RF x 20 / 100) x 100 + 100 as published, up to a limit if any."""
    quota = receptive_field * 20 // 100 * 100 + 100
    return min(quota, limit) if limit else quota


def bin_of(activation: np.ndarray, maximum: float) -> np.ndarray:
    """Return the bin 0 to 19 of positive activations; each bin is closed at its top, so the maximum is in the last."""
    return np.clip(np.ceil(activation / maximum * BINS).astype(np.int64) - 1, 0, BINS - 1)
