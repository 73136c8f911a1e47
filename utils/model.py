"""The predictor: convolutions, a GRU and two dense layers, with the state-dict keys of the published checkpoints.

Inside, feature maps are kept as (batch, channels, 1, positions) in channels-last memory: LayerNorm then runs over
contiguous channels and the convolutions run at the rate of a plain matrix product.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

EVERYWHERE = 2**40  # beyond the end of any message


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of a feature map."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(channels, eps=eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (batch, channels, 1, positions) over the channels."""
        return self.ln(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Dropout(nn.Module):
    """Dropout whose mask takes one random byte an element: a share rounded to 1/256, drawn 8 times as fast."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.cut = round(256 * p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Set a share of the elements to zero in training and scale the others up."""
        if not self.training or not self.cut:
            return x
        n = x.numel()
        random = torch.empty(-(-n // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = (random.view(torch.uint8)[:n] >= self.cut).to(x.dtype).mul_(256 / (256 - self.cut))
        return x * kept.as_strided(x.shape, x.stride())


class GRUReader(nn.Module):
    """Holds the GRU under the key ``gru``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, channels, batch_first=True)


class Predictor(nn.Module):
    """Predicts a property of an mRNA from its tracks.

    Args:
        num_layers: blocks of LayerNorm, ReLU, convolution, dropout and max-pooling after the first convolution.
        in_channels: tracks of the input; the first four are A, C, G, U.
        padding: zero padding of every convolution.
        num_targets: predicted properties.
        channels: output channels of every layer.
        kernel_size: width of every convolution.
        dropout: share of activations dropped in training.
        ln_epsilon: added to the variance in LayerNorm.
        bn_momentum: weight of the latest batch in the running statistics, as PyTorch counts it.
        readout: ``last``: the GRU reads 5' to 3' and its state at the 3' end is used (published checkpoints);
            ``first``: it reads 3' to 5' and its state at the 5' end is used (Saluki).
    """

    alphabet, reverse_complement = "RNA", False  # see utils.geometry

    def __init__(
        self,
        num_layers: int,
        in_channels: int,
        padding: int = 0,
        num_targets: int = 1,
        channels: int = 64,
        kernel_size: int = 5,
        dropout: float = 0.3,
        ln_epsilon: float = 0.007,
        bn_momentum: float = 0.1,
        readout: str = "last",
    ) -> None:
        super().__init__()
        if readout not in ("last", "first"):
            raise ValueError(f"readout is 'last' or 'first', not {readout!r}")
        if not (isinstance(padding, int) and 0 <= padding < kernel_size):
            raise ValueError(f"padding is 0 to {kernel_size - 1}, not {padding!r}")
        self.arguments = {
            "num_layers": num_layers, "in_channels": in_channels, "padding": padding, "num_targets": num_targets,
            "channels": channels, "kernel_size": kernel_size, "dropout": dropout, "ln_epsilon": ln_epsilon,
            "bn_momentum": bn_momentum, "readout": readout,
        }  # fmt: skip
        self.num_layers, self.in_channels, self.channels = num_layers, in_channels, channels
        self.padding, self.kernel_size, self.readout = padding, kernel_size, readout
        self.conv1 = nn.Conv1d(in_channels, channels, kernel_size, padding=padding, bias=False)
        self.ln_layers = nn.ModuleList(ChannelNorm(channels, ln_epsilon) for _ in range(num_layers))
        self.conv_layers = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel_size, padding=padding) for _ in range(num_layers)
        )
        self.Pln1 = ChannelNorm(channels, ln_epsilon)
        self.rnn = GRUReader(channels)
        self.bn1 = nn.BatchNorm1d(channels, momentum=bn_momentum)
        self.fc1 = nn.Linear(channels, channels)
        self.bn2 = nn.BatchNorm1d(channels, momentum=bn_momentum)
        self.head = nn.Linear(channels, num_targets)
        self.dropout = Dropout(dropout)

    # -- geometry, computed from the layers ---------------------------------------------------------------------

    def convolution(self, layer: int) -> nn.Conv1d:
        """Return the convolution of a layer, counted from 1."""
        if not 1 <= layer <= self.num_layers + 1:
            raise ValueError(f"layer {layer} is outside 1 to {self.num_layers + 1}")
        return self.conv1 if layer == 1 else self.conv_layers[layer - 2]

    @property
    def layers(self) -> int:
        """Convolutions, counted from 1 (see ``utils.geometry``)."""
        return self.num_layers + 1

    @property
    def targets(self) -> int:
        """Predicted properties."""
        return self.head.out_features

    def channels_of(self, layer: int) -> int:
        """Return the neurons of a layer."""
        return self.convolution(layer).out_channels

    def pool_width(self, layer: int, upper: int) -> int:
        """Return over how many positions of a layer the max-pool above it reaches, whatever the upper layer."""
        del upper
        return 1 if layer == 1 else 2

    def layers_below(self, layer: int) -> list[int]:
        """Return the layers that a layer reads: all below it."""
        return list(range(1, layer))

    def reads_length(self, length: int) -> bool:
        """Return whether inputs of a length are long enough for the last max-pool."""
        return self.map_length(length, self.layers) >= 2

    def reads_tracks(self, tracks: int) -> bool:
        """Return whether a data set with so many tracks has those of the network."""
        return tracks == self.in_channels

    def stride(self, layer: int) -> int:
        """Return the distance, in nucleotides, between neighbouring positions of a layer's convolution."""
        return 2 ** max(0, layer - 2)

    def receptive_field(self, layer: int) -> int:
        """Return how many nucleotides one position of a layer's convolution sees."""
        field = self.convolution(1).kernel_size[0]
        for lower in range(2, layer + 1):
            if lower > 2:
                field += self.stride(lower - 1)  # the max-pool below sees one position more
            field += (self.convolution(lower).kernel_size[0] - 1) * self.stride(lower)
        return field

    def map_length(self, length: int, layer: int) -> int:
        """Return the positions of a layer's convolution on an input of ``length`` (0 when it does not fit)."""
        for lower in range(1, layer + 1):
            if lower > 2:
                length //= 2
            length += 2 * self.padding - self.kernel_size + 1
        return max(0, length)

    # -- feature maps -------------------------------------------------------------------------------------------

    def convolve(self, x: torch.Tensor, layer: int, padding: int | None = None, dilation: int = 1) -> torch.Tensor:
        """Apply a layer's convolution to (batch, channels, 1, positions); its own padding unless another is given."""
        convolution = self.convolution(layer)
        weight = convolution.weight[:, : x.shape[1]]  # tracks that are not given are zero
        padding = self.padding if padding is None else padding
        return F.conv2d(
            x, weight.unsqueeze(2).contiguous(memory_format=torch.channels_last), convolution.bias,
            padding=(0, padding), dilation=(1, dilation),
        )  # fmt: skip

    def rectify(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        """Return what the convolution of ``layer`` reads: LayerNorm and ReLU of the (pooled) map below."""
        return F.relu(self.ln_layers[layer - 2](x), inplace=True)

    def trunk(self, X: torch.Tensor, layer: int) -> torch.Tensor:
        """Return the raw output of a layer's convolution, before normalisation, ReLU and pooling.

        Args:
            X: (batch, tracks, length); tracks beyond those given count as zero.
            layer: 1 to ``num_layers`` + 1.

        Returns:
            (batch, channels, positions).
        """
        return self._trunk(X, layer, X.shape[-1]).squeeze(2)

    def _trunk(self, X: torch.Tensor, layer: int, longest: int) -> torch.Tensor:
        """Return the map of ``layer`` up to the first position that sees nothing of the first ``longest`` nt.

        Without padding in the convolutions that position holds the same vector as all behind it, in every layer; so
        each map is cut there, and the next layer gets as many copies of that last column as it needs. With padding
        nothing is cut: more than 2 makes each map longer than the one below.
        """
        touched = longest if self.padding == 0 else EVERYWHERE
        reach = self.kernel_size - 1 - 2 * self.padding  # columns a convolution takes away

        def widened(x: torch.Tensor, width: int) -> torch.Tensor:
            """Return the first ``width`` columns, the last one repeated where there are fewer."""
            missing = width - x.shape[-1]
            if missing <= 0:
                return x[..., :width]
            tail = x[..., -1:].expand(*x.shape[:-1], missing)
            return torch.cat([x, tail], dim=-1).contiguous(memory_format=torch.channels_last)

        full = self.map_length(X.shape[-1], 1)
        X = X[..., : min(full, touched + 1) + reach]
        x = self.convolve(X.unsqueeze(2).contiguous(memory_format=torch.channels_last), 1)
        for lower in range(2, layer + 1):
            if lower > 2:
                full, touched = full // 2, -(-touched // 2)
                x = F.max_pool2d(widened(self.dropout(x), 2 * min(full, touched + 1)), (1, 2))
            full -= reach
            x = self.convolve(self.rectify(widened(x, min(full, touched + 1) + reach), lower), lower)
        return x

    # -- prediction ---------------------------------------------------------------------------------------------

    def features(self, X: torch.Tensor, longest: int | None = None) -> tuple[torch.Tensor, int]:
        """Return what the GRU reads, less the tail that only padding makes.

        Without padding in the convolutions, every position whose window lies in the zeros behind the longest message
        holds the same vector. Positions are computed up to the first of these.

        Args:
            X: (batch, tracks, length), zero from ``longest`` on.
            longest: length of the longest message of the batch; found in X unless given.

        Returns:
            (batch, positions, channels), and how many times its last position is still to be repeated.
        """
        top = self.num_layers + 1
        full = self.map_length(X.shape[-1], top) // 2
        if full < 1:
            raise ValueError(f"an input of {X.shape[-1]} nt is too short for {self.num_layers} layers")
        if longest is None:
            used = X.ne(0).any(dim=1).any(dim=0)
            longest = int(used.nonzero().max()) + 1 if bool(used.any()) else 0
        x = self.dropout(self._trunk(X, top, longest))
        width = 2 * full if self.padding else 2 * min(full, -(-longest // (2 * self.stride(top))) + 1)
        if x.shape[-1] < width:
            x = torch.cat([x, x[..., -1:].expand(*x.shape[:-1], width - x.shape[-1])], dim=-1)
        x = F.max_pool2d(x[..., :width], (1, 2))
        repeats = full - x.shape[-1]
        return F.relu(self.Pln1(x)).squeeze(2).transpose(1, 2), repeats

    def read(self, features: torch.Tensor, repeats: int) -> torch.Tensor:
        """Return the GRU's final state (batch, channels) after reading the features and the repeated tail."""
        gru = self.rnn.gru
        if self.readout == "last":
            state = gru(features)[1]
            if repeats:
                state = gru(features[:, -1:].expand(-1, repeats, -1).contiguous(), state)[1]
            return state[0]
        state = None
        if repeats:  # the tail is the same for all messages: read it once
            state = gru(features[:1, -1:].expand(-1, repeats, -1).contiguous())[1]
            state = state.expand(-1, features.shape[0], -1).contiguous()
        return gru(features.flip(1), state)[1][0]

    def forward(self, X: torch.Tensor, longest: int | None = None) -> torch.Tensor:
        """Return predictions (batch, num_targets) for (batch, tracks, length); see ``features`` for ``longest``."""
        return self.predict_parts([(X, longest)])

    def predict_parts(self, parts: Iterable[tuple[torch.Tensor, int | None]]) -> torch.Tensor:
        """Return predictions (batch, num_targets) of a batch given in parts, each of messages of like length.

        The parts cost their own length only; BatchNorm, which comes after the GRU, sees the whole batch.
        """
        return self.head(F.relu(self.bn2(self.dense(self.state(parts)))))

    def state(self, parts: Iterable[tuple[torch.Tensor, int | None]]) -> torch.Tensor:
        """Return the GRU's final state (batch, channels) of a batch given in parts."""
        read = [self.features(X, longest) for X, longest in parts]
        width = max(features.shape[1] for features, _ in read)
        repeats = min(repeats for _, repeats in read)
        features = [torch.cat([x, x[:, -1:].expand(-1, width - x.shape[1], -1)], dim=1) for x, _ in read]
        return self.read(torch.cat(features), repeats)

    def dense(self, state: torch.Tensor) -> torch.Tensor:
        """Return what the second BatchNorm reads (batch, channels), from the GRU's state."""
        return self.dropout(self.fc1(F.relu(self.bn1(state))))
