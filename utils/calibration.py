"""After the weights are learned: norm statistics without dropout, and predictions on the scale of the labels."""

import numpy as np
import torch

from utils.data import Split, parts_of_like_length
from utils.model import Predictor


@torch.no_grad()
def set_norm_statistics(model: Predictor, split: Split, rows: np.ndarray) -> None:
    """Set the running statistics of both BatchNorms to those of some messages, in evaluation mode.

    Those gathered in training are of other numbers: dropout raises the variance before a BatchNorm, and averaged
    weights have never seen a batch.
    """
    device = next(model.parameters()).device
    parts = parts_of_like_length(rows, split.length)
    state = torch.cat([model.state([split.batch(part, device)]) for part in parts])
    for norm, x in ((model.bn1, state), (model.bn2, None)):
        x = model.dense(state) if x is None else x
        norm.running_mean.copy_(x.mean(dim=0))
        norm.running_var.copy_(x.var(dim=0))


def level_of(y: np.ndarray, y_hat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and intercept (targets,) of the least-squares line from predictions to labels (n, targets).

    Without dropout a network's predictions are on another scale than in training. A slope below 0 counts as 0.
    """
    y, y_hat = y.astype(np.float64), y_hat.astype(np.float64)
    centred = y_hat - y_hat.mean(axis=0)
    spread = np.maximum((centred**2).sum(axis=0), np.finfo(np.float64).tiny)
    slope = np.maximum((centred * y).sum(axis=0) / spread, 0.0)
    return slope, y.mean(axis=0) - slope * y_hat.mean(axis=0)


@torch.no_grad()
def set_level(model: Predictor, slope: np.ndarray, intercept: np.ndarray) -> None:
    """Let the last dense layer give ``intercept + slope * prediction``, both (targets,)."""
    slope, intercept = (torch.from_numpy(a).to(model.head.weight) for a in (slope, intercept))
    model.head.weight.mul_(slope[:, None])
    model.head.bias.mul_(slope).add_(intercept)
