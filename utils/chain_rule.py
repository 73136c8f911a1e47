"""What lies between two convolutions (maximum of neighbours, LayerNorm, ReLU) and the way back through it.

Maps are (batch, channels, 1, positions) in channels-last memory, and stay so on the way back.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Rectified:
    """What a convolution reads, computed from the map below it.

    Args:
        x: the map below.
        norm: the LayerNorm.
        pooled: whether the maximum of neighbouring positions is taken first.
    """

    def __init__(self, x: torch.Tensor, norm: nn.LayerNorm, pooled: bool) -> None:
        self.norm, self.width = norm, x.shape[-1]
        self.first = None  # whether the first of two neighbours is the maximum
        if pooled:
            even = self.width // 2 * 2
            left, right = x[..., 0:even:2], x[..., 1:even:2]
            self.first, x = left >= right, torch.maximum(left, right)
        self.x = x.permute(0, 2, 3, 1)  # contiguous
        self.y, self.mean, self.rstd = torch.native_layer_norm(
            self.x, [self.x.shape[-1]], norm.weight, norm.bias, norm.eps
        )
        self.y = F.relu(self.y, inplace=True)

    def output(self) -> torch.Tensor:
        """Return the rectified map."""
        return self.y.permute(0, 3, 1, 2)

    def at(self, words: torch.Tensor) -> "Rectified":
        """Return this where the words int (batch, positions) stand, if it was computed for all words, one a row."""
        found = object.__new__(Rectified)
        found.norm, found.first, found.width = self.norm, None, words.shape[1]
        found.x, found.y, found.mean, found.rstd = (
            F.embedding(words, table.flatten(0, 2)).unsqueeze(1) for table in (self.x, self.y, self.mean, self.rstd)
        )
        return found

    def backward(self, above: torch.Tensor) -> torch.Tensor:
        """Return the gradient at the map below from that at the output."""
        above = torch.ops.aten.threshold_backward(above.permute(0, 2, 3, 1), self.y, 0)
        above, _, _ = torch.ops.aten.native_layer_norm_backward(
            above, self.x, [above.shape[-1]], self.mean, self.rstd, self.norm.weight, self.norm.bias,
            [True, False, False],
        )  # fmt: skip
        above = above.permute(0, 3, 1, 2)
        if self.first is None:
            return above
        below = above.new_zeros(len(above), 1, self.width, above.shape[1]).permute(0, 3, 1, 2)
        even = self.width // 2 * 2
        below[..., 0:even:2] = above * self.first
        below[..., 1:even:2] = above - below[..., 0:even:2]
        return below


def backward_of_convolution(above: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the gradient at a convolution's input from that at its output: a convolution with the turned kernel.

    Args:
        above: (batch, channels out, 1, positions).
        weight: (channels out, channels in, width), of a convolution without padding.
    """
    turned = weight.transpose(0, 1).flip(2).unsqueeze(2).contiguous(memory_format=torch.channels_last)
    return F.conv2d(above, turned, padding=(0, weight.shape[2] - 1))
