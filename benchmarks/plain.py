"""The predictor as a plain script computes it, for comparison."""

import torch
import torch.nn.functional as F
from torch import nn

from utils.model import Predictor


def plain_forward(model: Predictor, X: torch.Tensor) -> torch.Tensor:
    """Return predictions (batch, targets) as a plain script computes them: every layer over the whole input."""

    def norm(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        weight, bias = layer.ln.weight, layer.ln.bias
        return F.layer_norm(x.transpose(1, 2), weight.shape, weight, bias, layer.ln.eps).transpose(1, 2)

    x = model.conv1(X)
    for ln, convolution in zip(model.ln_layers, model.conv_layers, strict=True):
        x = F.max_pool1d(convolution(F.relu(norm(x, ln))), 2)
    x = F.relu(norm(x, model.Pln1)).transpose(1, 2)
    x = x.flip(1) if model.readout == "first" else x
    state = model.rnn.gru(x)[1][0]
    return model.head(F.relu(model.bn2(model.fc1(F.relu(model.bn1(state))))))
