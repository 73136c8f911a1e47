"""Predictions of a model on a data set, and how well they agree with the measurement."""

import numpy as np
import torch
from scipy.stats import rankdata

from utils.data import Split
from utils.model import Predictor
from utils.runtime import InputError


def require_length(model: Predictor, split: Split, where: str) -> None:
    """Check that the inputs are long enough for the network.

    Raises:
        InputError: they are not; ``where`` names the data set.
    """
    length = split.codes.shape[1]
    top = model.num_layers + 1
    if model.map_length(length, top) < 2:
        raise InputError(f"{where}: inputs of {length} nt are too short for {model.num_layers} layers")


@torch.no_grad()
def predict(model: Predictor, split: Split, batch_size: int = 64) -> np.ndarray:
    """Return predictions float32 (n, targets), on the scale the model was trained on, in evaluation mode.

    Messages of like length are read together, so that each batch costs the length of its messages.
    """
    device = next(model.parameters()).device
    y_hat = np.empty((len(split), model.head.out_features), dtype=np.float32)
    training = model.training
    model.eval()
    for rows in split.batches_by_length(batch_size):
        X, longest = split.batch(rows, device)
        y_hat[rows] = model(X, longest).cpu().numpy()
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
