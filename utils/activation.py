"""Activations of neurons on windows as long as their receptive field, and on long sequences in one dense pass.

A neuron is one output channel of a layer's convolution; its activation is the raw output. A window stands for an
interior position of the trained model: one whose receptive field lies inside the sequence. There the padding of the
model's convolutions is not seen, whatever it is (``interior_starts`` says which positions these are).
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from utils.chain_rule import Rectified, backward_of_convolution
from utils.model import Predictor
from utils.sequence import N, one_hot

LONGEST_WORD = 9  # of which a table of all words is made: 4^9 x 64 channels are 64 MiB
LONGEST_READ = 10  # of which, for many windows, another is made: 4^10 x 64 channels are 256 MiB
WORDS_AT_ONCE = 2**14  # of a table that is being made
ROWS = 64  # batches hold a multiple of so many windows
POSITIONS_AT_ONCE = 2**15  # bounds the memory of a batch: 64 channels of this many positions are 8 MiB


class WindowNetwork:
    """The lower layers of a predictor, evaluated on many short windows.

    The second convolution sees 9 nt, so its output is looked up in a table of all 4^9 words instead of computed:
    more than half of the arithmetic of any deeper layer. What the third one reads depends on 10 nt; once
    ``tabulate`` was called, that is looked up too.

    Args:
        model: the predictor.
        device: where it runs.
    """

    def __init__(self, model: Predictor, device: torch.device | str = "cpu") -> None:
        self.model = model.to(device).eval().requires_grad_(False)
        self.device = torch.device(device)
        self._table: torch.Tensor | None = None
        self._reads: torch.Tensor | None = None
        self._first: Rectified | None = None

    # -- inside: (batch, channels, 1, positions), channels-last ---------------------------------------------------

    def _words_table(self) -> torch.Tensor:
        """Return the second convolution's output (4^w, channels) for every word of its receptive field w."""
        if self._table is None:
            width = self.model.kernel_size
            read, convolution = self._first_step().y.flatten(0, 2), self.model.convolution(2)
            table = convolution.bias.repeat(4 ** (2 * width - 1), 1)
            for words, rows in _in_parts(table):
                for tap in range(width):
                    of_word = read @ convolution.weight[:, :, tap].T  # what the tap adds for each word that it sees
                    rows += F.embedding(words // 4 ** (width - 1 - tap) % len(of_word), of_word)
            self._table = table
        return self._table

    def _map_from_bases(self, X: torch.Tensor, layer: int) -> torch.Tensor:
        """Return a layer's map from one-hot windows (differentiable)."""
        x = self.model.convolve(_channels_last(X), 1, padding=0)
        return self._map_from_layer(x, 1, layer)

    def _map_from_layer(self, x: torch.Tensor, below: int, layer: int) -> torch.Tensor:
        """Return a layer's map from the raw map of a layer below."""
        for lower in range(below + 1, layer + 1):
            if lower > 2:
                x = _pooled(x)
            x = self.model.convolve(self.model.rectify(x, lower), lower, padding=0)
        return x

    def _first_step(self) -> Rectified:
        """Return what the second convolution reads, for every word that the first one can see."""
        if self._first is None:
            width = self.model.kernel_size
            words = one_hot(_digits(torch.arange(4**width, device=self.device), width))
            x = self.model.convolve(_channels_last(words), 1, padding=0)
            self._first = Rectified(x, self.model.ln_layers[0].ln, pooled=False)
        return self._first

    def _words(self, indices: torch.Tensor, width: int) -> torch.Tensor:
        """Return the number int32 (batch, length - width + 1) of the word at every position."""
        count = indices.shape[1] - width + 1
        part, size = indices.to(self.device, torch.int32), 1  # words of 1, 2, 4, 8 nt
        words, done = torch.zeros_like(part[:, :count]), 0
        while done < width:
            if width & size:
                words, done = words.mul_(4**size).add_(part[:, done : done + count]), done + size
            if done < width:
                part, size = part[:, :-size] * 4**size + part[:, size:], 2 * size
        return words

    def _looked_up(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the second convolution's map from indices (batch, length) of known bases."""
        words = self._words(indices, self.model.receptive_field(2))
        return F.embedding(words, self._words_table()).permute(0, 2, 1).unsqueeze(2)

    def _map(self, indices: torch.Tensor, layer: int) -> torch.Tensor:
        """Return a layer's map from indices (batch, length) of known bases."""
        if layer == 1 or self.model.receptive_field(2) > LONGEST_WORD:
            return self._map_from_bases(one_hot(indices), layer)
        if layer > 2 and self._reads is not None:
            return self._map_from_layer(self.model.convolve(self._read_up(indices), 3, padding=0), 3, layer)
        return self._map_from_layer(self._looked_up(indices), 2, layer)

    def _read_up(self, indices: torch.Tensor) -> torch.Tensor:
        """Return what the third convolution reads, from indices (batch, length) of known bases, out of the table."""
        width = self.model.receptive_field(2) + 1
        even = (indices.shape[1] - width) // 2 * 2 + 1
        words = self._words(indices, width)[:, :even:2]
        return F.embedding(words, self._reads).permute(0, 2, 1).unsqueeze(2)

    def _read(self, indices: torch.Tensor, layer: int) -> torch.Tensor:
        """Return what a layer's convolution, the second or one above, reads of known bases."""
        if layer == 3 and self._reads is not None:
            return self._read_up(indices)
        x = self._map(indices, layer - 1)
        return self.model.rectify(_pooled(x) if layer > 2 else x, layer)

    def _chunks(self, indices: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield the rows of each batch and its windows, repeated up to a multiple of ``ROWS``; a single one stays one.

        The convolutions' kernels are made anew for every shape they meet, so there should be few shapes.
        """
        size = max(ROWS, POSITIONS_AT_ONCE // indices.shape[1] // ROWS * ROWS)
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            missing = -len(part) % ROWS if len(part) > 1 else 0
            filled = torch.cat([part, part[:1].expand(missing, -1)]) if missing else part
            yield slice(start, start + len(part)), filled.to(self.device)

    # -- outside ------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the tables of words now, before threads share this network."""
        if self.model.receptive_field(2) <= LONGEST_WORD:
            self._words_table()
            self._first_step()

    @torch.no_grad()
    def tabulate(self) -> None:
        """Make all tables, for very many windows of layers above the second: they take 320 MiB and half a second.

        Activations change by no more than rounding.
        """
        self.prepare()
        width = self.model.receptive_field(2) + 1
        if self._reads is not None or width > LONGEST_READ or self.model.num_layers < 2:
            return
        reads, table = torch.empty(4**width, self.model.channels, device=self.device), self._words_table()
        for words, rows in _in_parts(reads):
            pooled = torch.maximum(table[words // 4], table[words % len(table)])
            rows.copy_(F.relu(self.model.ln_layers[1].ln(pooled)))
        self._reads = reads

    def feature_width(self, length: int, layer: int, upper: int = 0) -> int:
        """Return how many numbers ``feature_map`` gives for a window of ``length`` nt."""
        del upper
        if layer == 0:
            return 4 * length
        for lower in range(1, layer + 1):
            length = (length // 2 if lower > 2 else length) - self.model.kernel_size + 1
        return length * self.model.channels

    @torch.no_grad()
    def feature_map(self, indices: torch.Tensor, layer: int, upper: int = 0) -> torch.Tensor:
        """Return the raw output of a layer's convolution on windows.

        Args:
            indices: uint8 (n, length), 0 to 3.
            layer: 1 and up; 0 gives the one-hot input.
            upper: the layer whose windows they are; of no account here.

        Returns:
            float32 (n, positions x channels), flattened.
        """
        del upper
        if layer == 0:
            return one_hot(indices.to(self.device)).flatten(1)
        parts = [
            self._map(part, layer)[: rows.stop - rows.start].permute(0, 3, 1, 2).flatten(1)
            for rows, part in self._chunks(indices)
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def read_of_words(self, layer: int, width: int) -> torch.Tensor:
        """Return what one tap of a layer's convolution reads of all words as long as it sees.

        Args:
            layer: 2 and up.
            width: nt that a tap sees.

        Returns:
            float32 (4^width, channels), the words in alphabetical order.
        """
        if layer == 2:
            return self._first_step().y.flatten(0, 2)
        self.tabulate()
        if layer == 3 and self._reads is not None:
            return self._reads
        found = torch.empty(4**width, self.model.channels, device=self.device)
        for words, rows in _in_parts(found):
            rows.copy_(self._read(_digits(words, width), layer)[:, :, 0, 0])
        return found

    @torch.no_grad()
    def projected_maps(
        self, indices: torch.Tensor, along: dict[int, torch.Tensor], upper: int = 0
    ) -> dict[int, torch.Tensor]:
        """Return the maps of the first layers on windows, each along some directions, in one pass.

        Args:
            indices: uint8 (n, length), 0 to 3.
            along: for conv1, conv2 and so on, none left out, float32 (``feature_width``, dimensions).
            upper: the layer whose windows they are; of no account here.

        Returns:
            For each of these layers float32 (n, dimensions).
        """
        del upper
        found = {layer: torch.empty(len(indices), one.shape[1], device=self.device) for layer, one in along.items()}
        table = self.model.receptive_field(2) <= LONGEST_WORD
        for rows, part in self._chunks(indices):
            x = self.model.convolve(_channels_last(one_hot(part)), 1, padding=0)
            for layer, directions in along.items():
                if layer > 1:
                    x = self._looked_up(part) if layer == 2 and table else self._map_from_layer(x, layer - 1, layer)
                found[layer][rows] = x[: rows.stop - rows.start].permute(0, 3, 1, 2).flatten(1) @ directions
        return found

    @torch.no_grad()
    def dense_maps(self, indices: torch.Tensor, first: int, last: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield each layer's raw map at every window start of long sequences; layers below ``first`` may be skipped.

        Args:
            indices: uint8 (n, length), 0 to 3.
            first: lowest layer that is wanted.
            last: highest layer; its receptive field fits into ``length``.

        Yields:
            The layer and float32 (n, channels, 1, starts), channels-last.
        """
        below = 1 if first == 1 or self.model.receptive_field(2) > LONGEST_WORD else 2
        x = self._map(indices.to(self.device), below)
        for layer, found in dense_maps(self.model, x, below, last):
            if layer >= first:
                yield layer, found

    def dense_activation(self, indices: torch.Tensor, layer: int) -> torch.Tensor:
        """Return the activation of every neuron at every window start; see ``dense_activation`` below."""
        return dense_activation(self.model, indices.to(self.device), layer)

    @torch.no_grad()
    def activation(self, indices: torch.Tensor, layer: int, neuron: torch.Tensor) -> torch.Tensor:
        """Return the activation float32 (n,) of windows as long as the receptive field.

        Args:
            indices: uint8 (n, receptive field), 0 to 3.
            layer: of the neurons.
            neuron: int64 (n,), the neuron of each window, counted from 0.
        """
        found = torch.zeros(len(indices), device=self.device)
        convolution = self.model.convolution(layer)
        for rows, part in self._chunks(indices):
            own = neuron[rows].to(self.device)
            if layer == 1:
                found[rows] = self._map(part, layer)[: len(own), :, 0, 0].gather(1, own[:, None])[:, 0]
                continue
            read = self._read(part, layer)[: len(own), :, 0].transpose(1, 2).flatten(1)
            weight = convolution.weight.transpose(1, 2).flatten(1)  # of one neuron each: the others are not computed
            found[rows] = (read * weight[own]).sum(dim=1) + convolution.bias[own]
        return found

    @torch.no_grad()
    def gradient(self, indices: torch.Tensor, layer: int, neuron: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return activations (n,) and their gradient (n, 4, receptive field) at the one-hot input."""
        found = torch.zeros(len(indices), device=self.device)
        gradients = torch.zeros(len(indices), 4, indices.shape[1], device=self.device)
        for rows, part in self._chunks(indices):
            own = torch.zeros(len(part), dtype=torch.int64, device=self.device)
            count = rows.stop - rows.start
            own[:count] = neuron[rows].to(self.device)
            x, gradient = self._gradient(part, layer, own)
            found[rows], gradients[rows] = x[:count], gradient[:count]
        return found, gradients

    def _gradient(self, indices: torch.Tensor, layer: int, own: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return activations (n,) and gradients (n, 4, receptive field), by the chain rule.

        Automatic differentiation takes twice as long: it leaves the layouts in which the operations are fast.
        """
        model, steps = self.model, []
        if layer > 2 and model.receptive_field(2) <= LONGEST_WORD:
            steps.append(self._first_step().at(self._words(indices, model.kernel_size)))
            x = self._looked_up(indices)
        else:
            x = model.convolve(_channels_last(one_hot(indices)), 1, padding=0)
        for lower in range(2 + len(steps), layer + 1):
            steps.append(Rectified(x, model.ln_layers[lower - 2].ln, pooled=lower > 2))
            x = model.convolve(steps[-1].output(), lower, padding=0)
        activation = x[:, :, 0, 0].gather(1, own[:, None])[:, 0]
        above = model.convolution(layer).weight[own].unsqueeze(2)  # of its input: one position, one channel
        for lower in range(layer, 1, -1):
            above = steps.pop().backward(above)
            above = backward_of_convolution(above, model.convolution(lower - 1).weight)
        return activation, above[:, :4, 0]


def _channels_last(X: torch.Tensor) -> torch.Tensor:
    """Return (batch, channels, length) as (batch, channels, 1, length) in channels-last memory."""
    return X.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _in_parts(table: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the numbers of words and their rows of a table, to be filled, some at a time."""
    for start in range(0, len(table), WORDS_AT_ONCE):
        rows = table[start : start + WORDS_AT_ONCE]
        yield torch.arange(start, start + len(rows), device=table.device), rows


def _digits(words: torch.Tensor, width: int) -> torch.Tensor:
    """Return words, by number, as indices (n, width)."""
    return words[:, None] // 4 ** torch.arange(width - 1, -1, -1, device=words.device) % 4


def _pooled(x: torch.Tensor) -> torch.Tensor:
    """Return the maximum of neighbouring positions."""
    even = x.shape[-1] // 2 * 2
    return torch.maximum(x[..., 0:even:2], x[..., 1:even:2])


def interior_starts(model: Predictor, length: int, layer: int) -> torch.Tensor:
    """Return the window start of every position of ``model.trunk`` on ``length`` nt that sees no padding, else -1.

    Returns:
        int64 (positions,).
    """
    offset = sum(model.padding * model.stride(lower) for lower in range(1, layer + 1))
    starts = torch.arange(model.map_length(length, layer)) * model.stride(layer) - offset
    inside = (starts >= 0) & (starts + model.receptive_field(layer) <= length)
    return torch.where(inside, starts, -1)


def dense_maps(model: Predictor, x: torch.Tensor, below: int, last: int) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield each layer's raw map at every window start, from that of a layer below up: one pass for all layers.

    Each max-pool becomes a maximum over two positions at stride 1, and the layers above it are dilated by 2, 4, 8, ...:
    the same numbers as running the network on each window.

    Args:
        model: in evaluation mode.
        x: float32 (batch, channels, 1, positions), the map of layer ``below`` at every start, channels-last.
        below: 1 or more.
        last: highest layer.

    Yields:
        The layer, from ``below`` on, and float32 (batch, channels, 1, starts).
    """
    yield below, x
    for layer in range(below + 1, last + 1):
        if layer > 2:
            half = model.stride(layer - 1)
            x = torch.maximum(x[..., :-half], x[..., half:])
        x = model.convolve(model.rectify(x, layer), layer, padding=0, dilation=model.stride(layer))
        yield layer, x


@torch.no_grad()
def dense_activation(model: Predictor, indices: torch.Tensor, layer: int) -> torch.Tensor:
    """Return the activation of every neuron at every window start of sequences, in one pass.

    Args:
        model: in evaluation mode.
        indices: uint8 (n, length), 0 to 3, or 4 for N and padding.
        layer: of the neurons.

    Returns:
        float32 (n, channels, length - receptive field + 1); minus infinity where the window holds an N or padding.
    """
    field = model.receptive_field(layer)
    if indices.shape[1] < field:
        return torch.zeros(indices.shape[0], model.channels, 0, device=indices.device)
    x = one_hot(indices).unsqueeze(2).contiguous(memory_format=torch.channels_last)
    *_, (_, x) = dense_maps(model, model.convolve(x, 1, padding=0), 1, layer)
    x = x.squeeze(2)
    unknown = F.max_pool1d((indices >= N).float().unsqueeze(1), field, stride=1)
    return x.masked_fill(unknown > 0, float("-inf"))
