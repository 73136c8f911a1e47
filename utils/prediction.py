"""Predictions of a model on a data set, and how well they agree with the measurement."""

import numpy as np
import torch

from utils.data import Split
from utils.model import Predictor


@torch.no_grad()
def predict(model: Predictor, split: Split, batch_size: int = 64) -> np.ndarray:
    """Return predictions float32 (n, targets), on the scale the model was trained on.

    Messages of like length are read together, so that each batch costs the length of its messages.
    """
    device = next(model.parameters()).device
    y_hat = np.empty((len(split), model.head.out_features), dtype=np.float32)
    for rows in split.batches_by_length(batch_size):
        X, longest = split.batch(rows, device)
        y_hat[rows] = model(X, longest).cpu().numpy()
    return y_hat


def correlation(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Return Pearson's r of two arrays (n,); 0 where one of them is constant."""
    y, y_hat = y.astype(np.float64) - y.mean(), y_hat.astype(np.float64) - y_hat.mean()
    scale = np.sqrt((y**2).sum() * (y_hat**2).sum())
    return float((y * y_hat).sum() / scale) if scale > 0 else 0.0


def metrics(y: np.ndarray, y_hat: np.ndarray) -> dict[str, float]:
    """Return Pearson r and its square, Spearman rho, the coefficient of determination, and n, of (n,) arrays.

    ``r2`` is the squared Pearson correlation, as the published MRL figures are.
    """
    rank = [np.argsort(np.argsort(values)).astype(float) for values in (y, y_hat)]
    r = correlation(y, y_hat)
    residual = float(((y - y_hat) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    return {"n": len(y), "r": r, "r2": r * r, "rho": correlation(*rank), "determination": 1 - residual}
