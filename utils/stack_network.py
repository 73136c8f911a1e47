"""A network of the user's on windows and on long sequences, as ``utils.activation.WindowNetwork`` is the predictor."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from utils.activation import WindowNetwork
from utils.geometry import Geometry
from utils.model import Predictor
from utils.own_network import OwnNetwork
from utils.runtime import InputError
from utils.sequence import N, one_hot

VALUES_AT_ONCE = 2**21  # of a batch of windows, as if the widest map had a position for every nucleotide: 8 MiB


def window_network(model: Geometry, device: torch.device | str = "cpu") -> "WindowNetwork | StackNetwork":
    """Return the lower layers of a network, for windows and long sequences; ``model`` is of any kind that there is."""
    return WindowNetwork(model, device) if isinstance(model, Predictor) else StackNetwork(model, device)


class StackNetwork:
    """The interpreted convolutions of a network of the user's, evaluated on many short windows.

    A window stands for an interior position of the network, whose receptive field lies inside the sequence.

    Args:
        model: the network.
        device: where it runs.
    """

    def __init__(self, model: OwnNetwork, device: torch.device | str = "cpu") -> None:
        self.model = model.to(device).eval().requires_grad_(False)
        self.device = torch.device(device)
        self.stack = model.stack

    def prepare(self) -> None:
        """Do nothing: there are no tables to make before threads share this network."""

    def tabulate(self) -> None:
        """Do nothing: there are no tables."""

    def _input(self, indices: torch.Tensor) -> torch.Tensor:
        """Return what the network reads of indices (n, length): one-hot bases, zero at N, all other tracks at zero."""
        X = one_hot(indices.to(self.device)).to(self.model.dtype)
        return F.pad(X, (0, 0, 0, self.model.in_channels - 4)).contiguous()

    def _chunks(self, indices: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield the rows of each batch and its windows."""
        widest = max(layer.channels for layer in self.stack.layers)
        size = max(1, VALUES_AT_ONCE // (widest * indices.shape[1]))
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            yield slice(start, start + len(part)), part

    def _maps(self, indices: torch.Tensor, layers: list[int], upper: int) -> dict[int, torch.Tensor]:
        """Return the maps (n, channels, positions) of layers on windows of an upper one, all in one pass.

        Of a layer with another alignment (a side branch) these are the positions that lie inside.
        """
        numbers = {layer: self.stack.layers[layer - 1].map for layer in layers}
        wanted = {number: self.stack.positions(layer, upper) for layer, number in numbers.items()}
        found = self.stack.windows(self._input(indices), self.stack.field(upper)[0], wanted)
        return {layer: found[number] for layer, number in numbers.items()}

    def feature_width(self, length: int, layer: int, upper: int = 0) -> int:
        """Return how many numbers ``feature_map`` gives for a window of ``length`` nt, the field of the upper layer."""
        if layer == 0:
            return 4 * length
        begin, end = self.stack.positions(layer, upper or layer)
        return (end - begin) * self.model.channels_of(layer)

    @torch.no_grad()
    def feature_map(self, indices: torch.Tensor, layer: int, upper: int = 0) -> torch.Tensor:
        """Return the raw output of a layer's convolution on windows.

        Args:
            indices: uint8 (n, length), 0 to 3.
            layer: 1 and up; 0 gives the one-hot input.
            upper: the layer whose receptive field the windows are; 0: this layer.

        Returns:
            float32 (n, positions x channels), flattened.
        """
        if layer == 0:
            return one_hot(indices.to(self.device)).flatten(1)
        parts = [self._maps(part, [layer], upper or layer)[layer] for _, part in self._chunks(indices)]
        return torch.cat([part.transpose(1, 2).flatten(1) for part in parts]).float()

    @torch.no_grad()
    def projected_maps(
        self, indices: torch.Tensor, along: dict[int, torch.Tensor], upper: int = 0
    ) -> dict[int, torch.Tensor]:
        """Return the maps of some layers on windows, each along some directions, in one pass.

        Args:
            indices: uint8 (n, length), 0 to 3.
            along: for each of the layers float32 (``feature_width``, dimensions).
            upper: the layer whose receptive field the windows are; 0: the highest of these.

        Returns:
            For each of these layers float32 (n, dimensions).
        """
        found = {layer: torch.empty(len(indices), one.shape[1], device=self.device) for layer, one in along.items()}
        for rows, part in self._chunks(indices):
            for layer, x in self._maps(part, list(along), upper or max(along)).items():
                found[layer][rows] = x.transpose(1, 2).flatten(1).float() @ along[layer]
        return found

    @torch.no_grad()
    def activation(self, indices: torch.Tensor, layer: int, neuron: torch.Tensor) -> torch.Tensor:
        """Return the activation float32 (n,) of windows as long as the receptive field.

        Args:
            indices: uint8 (n, receptive field), 0 to 3.
            layer: of the neurons.
            neuron: int64 (n,), the neuron of each window, counted from 0.
        """
        found = torch.zeros(len(indices), device=self.device)
        for rows, part in self._chunks(indices):
            own = neuron[rows].to(self.device)
            found[rows] = self._window(self._input(part), layer).gather(1, own[:, None])[:, 0].float()
        if found.isnan().any():
            raise InputError(
                f"network {self.model.label}: conv{layer} gives what is not a number (a root or logarithm below 0?); "
                "interpret the layers below it"
            )
        return found

    def _window(self, X: torch.Tensor, layer: int) -> torch.Tensor:
        """Return a layer (n, channels) on windows as long as its receptive field (differentiable)."""
        number = self.stack.layers[layer - 1].map
        return self.stack.windows(X, self.stack.field(layer)[0], {number: (0, 1)})[number][..., 0]

    def gradient(self, indices: torch.Tensor, layer: int, neuron: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return activations (n,) and their gradient (n, 4, receptive field) at the one-hot input."""
        found = torch.zeros(len(indices), device=self.device)
        gradients = torch.zeros(len(indices), 4, indices.shape[1], device=self.device)
        for rows, part in self._chunks(indices):
            own = neuron[rows].to(self.device)
            with torch.enable_grad():
                X = self._input(part).requires_grad_()
                activation = self._window(X, layer).gather(1, own[:, None])[:, 0]
                (gradient,) = torch.autograd.grad(activation.sum(), X)
            found[rows], gradients[rows] = activation.detach().float(), gradient[:, :4].float()
        return found, gradients

    @torch.no_grad()
    def dense_maps(self, indices: torch.Tensor, first: int, last: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield each layer's raw map at every window start of long sequences.

        Args:
            indices: uint8 (n, length), 0 to 3, or 4: at an N all bases are zero.
            first: lowest layer that is wanted.
            last: highest layer; all receptive fields up to it fit into ``length``.

        Yields:
            The layer and float32 (n, channels, 1, starts), channels-last.
        """
        numbers = {self.stack.layers[layer - 1].map: layer for layer in range(first, last + 1)}
        for number, x in self.stack.dense(self._input(indices), set(numbers)):
            own = x.float().unsqueeze(2).contiguous(memory_format=torch.channels_last)
            yield numbers[number], own

    def dense_activation(self, indices: torch.Tensor, layer: int) -> torch.Tensor:
        """Return the activation of every neuron at every window start; see ``utils.activation.dense_activation``."""
        field = self.model.receptive_field(layer)
        if indices.shape[1] < field:
            return torch.zeros(len(indices), self.model.channels_of(layer), 0, device=self.device)
        ((_, x),) = self.dense_maps(indices, layer, layer)
        unknown = F.max_pool1d((indices.to(self.device) >= N).float().unsqueeze(1), field, stride=1)
        return x.squeeze(2).masked_fill(unknown > 0, float("-inf"))
