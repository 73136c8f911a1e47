"""Predictions of a model on a data set, and how well they agree with the measurement."""

import numpy as np
import torch
from scipy.stats import rankdata

from utils.data import Split, parts_of_like_length
from utils.geometry import Geometry
from utils.runtime import InputError


def require_length(model: Geometry, split: Split, where: str) -> None:
    """Check that the inputs are long enough for the network.

    Raises:
        InputError: they are not; ``where`` names the data set.
    """
    length = split.codes.shape[1]
    if not model.reads_length(length):
        raise InputError(f"{where}: inputs of {length} nt are too short for {model.layers} convolutions")


def require_fit(model: Geometry, split: Split, where: str, checkpoint: str) -> None:
    """Check that a data set has the tracks and labels of the model.

    Raises:
        InputError: it has others; ``where`` names the data set, ``checkpoint`` the model.
    """
    labels = split.label.shape[1]
    for what, there, expected, fine in (
        ("tracks", split.tracks, model.in_channels, model.reads_tracks(split.tracks)),
        ("labels a message", labels, model.targets, labels == model.targets),
    ):
        if not fine:
            raise InputError(
                f"{where}: {there} {what}, but {checkpoint} has {expected}; use the data set the model was trained for"
            )


@torch.no_grad()
def predict(model: Geometry, split: Split, batch_size: int = 64) -> np.ndarray:
    """Return predictions float32 (n, targets), on the scale the model was trained on, in evaluation mode.

    Messages of like length are read together, so that each batch costs the length of its messages; the convolutions
    read a batch in parts, whose feature maps take little memory.
    """
    device = next(model.parameters()).device
    y_hat = np.empty((len(split), model.targets), dtype=np.float32)
    training = model.training
    model.eval()
    for rows in split.batches_by_length(batch_size):
        parts = parts_of_like_length(rows, split.length)
        y_hat[np.concatenate(parts)] = model.predict_parts(split.batch(part, device) for part in parts).cpu().numpy()
    model.train(training)
    return y_hat


def correlation(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Return Pearson's r of two arrays (n,), in float64; 0 where one of them is constant."""
    y, y_hat = y.astype(np.float64), y_hat.astype(np.float64)
    y, y_hat = y - y.mean(), y_hat - y_hat.mean()
    scale = np.sqrt((y**2).sum() * (y_hat**2).sum())
    return float((y * y_hat).sum() / scale) if scale > 0 else 0.0


def metrics(y: np.ndarray, y_hat: np.ndarray) -> dict[str, float]:
    """Return Pearson r and its square, Spearman rho, the coefficient of determination, and n, of (n,) arrays.

    ``r2`` is the squared Pearson correlation, as the published MRL figures are. The coefficient of determination of a
    constant measurement is 0.
    """
    y, y_hat = y.astype(np.float64), y_hat.astype(np.float64)
    r = correlation(y, y_hat)
    spread = ((y - y.mean()) ** 2).sum()
    determination = 1 - ((y - y_hat) ** 2).sum() / spread if spread > 0 else 0.0
    rho = correlation(rankdata(y), rankdata(y_hat))
    return {"n": len(y), "r": r, "r2": r * r, "rho": rho, "determination": float(determination)}


BOOTSTRAP_BLOCK = 2**22  # values at once


def bootstrap_intervals(
    y: np.ndarray, y_hat: np.ndarray, n_resamples: int = 2000, random_state: int = 0
) -> dict[str, list[float]]:
    """Return 95 % percentile intervals of r, r2 and the coefficient of determination, (n,) arrays resampled by rows.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    y, y_hat = y.astype(np.float64), y_hat.astype(np.float64)
    n, rng = len(y), np.random.default_rng(random_state)
    a, b = y - y.mean(), y_hat - y_hat.mean()
    moments = np.stack([a, b, a * a, b * b, a * b], axis=1)
    error = (y - y_hat) ** 2
    r, determination = [], []
    block = max(1, BOOTSTRAP_BLOCK // n)
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        weight = rng.multinomial(n, np.full(n, 1 / n), size=size) / n
        a1, b1, aa, bb, ab = (weight @ moments).T
        variance, other = np.maximum(aa - a1**2, 0), np.maximum(bb - b1**2, 0)
        scale = np.sqrt(variance * other)
        r.append(np.divide(ab - a1 * b1, scale, out=np.zeros(size), where=scale > 0))
        determination.append(1 - np.divide(weight @ error, variance, out=np.ones(size), where=variance > 0))
    values = {"r": np.concatenate(r), "determination": np.concatenate(determination)}
    values["r2"] = values["r"] ** 2
    return {f"{key}_interval": np.percentile(value, [2.5, 97.5]).tolist() for key, value in values.items()}
