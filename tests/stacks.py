"""Random stacks of convolutions , and networks of known design, for the tests."""

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import nn

from utils.model import ChannelNorm


class Residual(nn.Module):
    """A block whose output is added to its input, cropped where the block shortens it."""

    def __init__(self, block: nn.Module, crop: int) -> None:
        super().__init__()
        self.block, self.crop = block, crop

    def forward(self, x):
        return x[:, :, self.crop : -self.crop or None] + self.block(x)


class ChannelLayerNorm(nn.Module):
    """LayerNorm over channels, by way of the order of axes that it needs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x):
        return self.norm(x.transpose(1, 2)).permute(0, 2, 1)


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """Return a module in evaluation mode, all of its numbers drawn at random, in double precision."""
    module = module.double().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for key, value in module.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator, dtype=value.dtype))
            if key.endswith("running_var"):
                value.abs_().add_(0.1)
    return module


@st.composite
def convolution(draw, channels: int, strided: bool = True) -> tuple[nn.Conv1d, int]:
    """Return a convolution of a map with so many channels, and how many it gives."""
    groups = draw(st.sampled_from([1, 1, 2] if channels % 2 == 0 else [1]))
    out = draw(st.sampled_from([2, 4, 6]))
    width, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    stride = draw(st.integers(1, 3)) if strided else 1
    padding = draw(st.integers(0, 4))
    return nn.Conv1d(channels, out, width, stride, padding, dilation, groups, bias=draw(st.booleans())), out


class Causal(nn.Conv1d):
    """A convolution of the user's that pads its input itself, on one side."""

    def forward(self, x):
        return super().forward(F.pad(x, (self.kernel_size[0] - 1, 0)))


class Written(nn.Module):
    """What people write out in forward: functions, methods, axes moved about, branches, weights of their own."""

    def __init__(self):
        super().__init__()
        self.causal = Causal(4, 6, 4)
        self.normed = nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 6, 3, padding="same", dilation=2))
        self.norm, self.mix, self.scale = ChannelNorm(6, 0.007), nn.Linear(6, 6), nn.Parameter(torch.ones(6, 1))
        self.wide, self.weight = nn.Conv1d(12, 4, 5, 2, 1), nn.Parameter(torch.ones(2, 4, 3))
        self.last, self.steps = nn.Conv1d(2, 3, 2), nn.ModuleList(nn.Conv1d(6, 6, 1) for _ in range(2))

    def forward(self, X, mask=None):
        x = self.causal(X)
        F.elu_(x)  # overwritten: what follows reads the new values
        y = F.relu_(self.normed(x) * self.scale + x)
        y = self.norm(y.unsqueeze(2)).squeeze(2)
        y = y + self.mix(y.transpose(1, 2)).swapaxes(1, 2).tanh_()
        for step in self.steps:
            y = F.dropout(F.gelu(step(y)), 0.5, self.training)
        y = torch.cat([F.max_pool1d(y, 3, 2, padding=1), F.avg_pool1d(y, 3, stride=2, padding=1)], dim=1)
        y = F.conv1d(self.wide(y)[..., 1:], self.weight / 2, stride=1, padding=1)
        y = self.last(y.clamp(min=-2) ** 2)
        return y.mean(dim=2)


@st.composite
def between(draw, channels: int, smooth: bool = False) -> list[nn.Module]:
    """Return what stands between two convolutions: normalisation, activation, pool, dropout, in any order.

    ``smooth``: nothing that makes the network blind to what it reads.
    """
    norm = draw(st.sampled_from([nn.BatchNorm1d, ChannelLayerNorm, lambda channels: nn.Identity()]))(channels)
    activations = [nn.ReLU(inplace=True), nn.GELU(), nn.Tanh(), nn.ELU(), nn.PReLU(), nn.Sigmoid()]
    activation = draw(st.sampled_from(activations))
    width, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, width // 2))
    pools = [
        nn.AvgPool1d(width, stride, padding, ceil_mode=draw(st.booleans()), count_include_pad=draw(st.booleans())),
        nn.MaxPool1d(width, stride, padding, dilation=draw(st.integers(1, 2)), ceil_mode=draw(st.booleans())),
        nn.Identity(),
    ]
    if smooth:
        return [nn.Softsign(), pools[0]]
    return draw(st.permutations([norm, activation, draw(st.sampled_from(pools)), nn.Dropout(0.5)]))


@st.composite
def residual(draw, channels: int, smooth: bool = False) -> Residual:
    """Return a block that is added to what it reads; it keeps the positions, or loses some at both ends."""
    width, dilation = draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 2))
    reach = dilation * (width - 1) // 2
    crop = draw(st.sampled_from([0, reach]))
    activation = nn.Softsign() if smooth else nn.ReLU()
    inside = [nn.BatchNorm1d(channels), activation, nn.Conv1d(channels, channels, width, 1, reach - crop, dilation)]
    return Residual(nn.Sequential(*inside), crop)


@st.composite
def networks(draw, smooth: bool = False) -> nn.Module:
    """Return a random stack of one to six convolutions with a dense layer on top of a mean over positions."""
    channels, modules = 4, []
    for _ in range(draw(st.integers(1, 3))):
        new, channels = draw(convolution(channels))
        modules += [new, *draw(between(channels, smooth))]
        if draw(st.booleans()):
            modules.append(draw(residual(channels, smooth)))
    network = nn.Sequential(*modules, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, 1))
    return randomised(network, draw(st.integers(0, 2**16)))
