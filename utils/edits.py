"""Predictions of messages in which a stretch is replaced, computed only where the replacement changes something.

An edit reaches few columns of each feature map, so only these are computed anew; the others are those of the intact
message. The GRU goes on from its state in the intact message before it meets the first changed column.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from utils.data import PART_POSITIONS, Split
from utils.dense_scan import bases_of_codes
from utils.geometry import Geometry
from utils.model import Predictor
from utils.sequence import one_hot

EDIT_POSITIONS = 2**15  # nucleotides around edits that go through the convolutions together: bounds the memory
READ_COLUMNS = 2**16  # columns that the GRU reads together


def _rows(x: torch.Tensor) -> torch.Tensor:
    """Return a map (batch, channels, 1, positions), channels-last in memory, as (batch, positions, channels)."""
    return x.squeeze(2).transpose(1, 2)


def _map(x: torch.Tensor) -> torch.Tensor:
    """Return (batch, positions, channels) as (batch, channels, 1, positions), channels-last in memory."""
    return x.transpose(1, 2).unsqueeze(2)


class EditedMessages:
    """A few messages, read once, whose predictions after an edit cost only what the edit changes.

    Args:
        model: the predictor, in evaluation mode.
        X: float32 (messages, tracks, length), zero from ``longest`` on.
        longest: length of the longest message.
    """

    def __init__(self, model: Predictor, X: torch.Tensor, longest: int) -> None:
        self.model = model
        top = model.num_layers + 1
        full = model.map_length(X.shape[-1], top) // 2
        if full < 1:
            raise ValueError(f"an input of {X.shape[-1]} nt is too short for {model.num_layers} layers")
        columns = full
        if not model.padding:  # the columns behind are copies of the last of these, as in Predictor.features
            columns = min(full, -(-longest // (2 * model.stride(top))) + 1)
            X = X[..., : (2 * columns - 1) * model.stride(top) + model.receptive_field(top)]
        self.repeats, self.width = full - columns, X.shape[-1]
        self._inputs = [X.transpose(1, 2).contiguous()]  # what each convolution reads, then what the GRU reads
        with torch.no_grad():
            for layer in range(1, top + 1):
                x = model.convolve(_map(self._inputs[-1]), layer)
                self._inputs.append(self._read_above(x, layer))
            self._states = self._intact_states()
            final = 0 if model.readout == "first" else -1
            self.intact = self._head(self._states[:, final])

    def _read_above(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        """Return (batch, positions, channels) that the layer above reads: a raw map pooled, normalised, rectified."""
        if layer > 1:  # the max-pool, in half of its time
            even = x.shape[-1] // 2 * 2
            x = torch.maximum(x[..., 0:even:2], x[..., 1:even:2])
        if layer <= self.model.num_layers:
            return _rows(self.model.rectify(x, layer + 1))
        return _rows(F.relu(self.model.Pln1(x)))

    def _head(self, state: torch.Tensor) -> torch.Tensor:
        """Return predictions (batch, targets) of final states (batch, channels)."""
        return self.model.head(F.relu(self.model.bn2(self.model.dense(state))))

    def _tail(self, features: torch.Tensor, state: torch.Tensor | None) -> torch.Tensor | None:
        """Return the GRU's state (1, batch, channels) after the repeated last column."""
        if not self.repeats:
            return state
        return self.model.rnn.gru(features[:, -1:].expand(-1, self.repeats, -1).contiguous(), state)[1]

    def _intact_states(self) -> torch.Tensor:
        """Return the GRU's states (messages, columns + 1, channels) between the columns.

        Read 3' to 5', state ``j`` is the one before column ``j - 1`` is read, and state 0 the final one; read 5' to 3',
        it is the one before column ``j``, and the last one is the final one.
        """
        features, gru = self._inputs[-1], self.model.rnn.gru
        zero = features.new_zeros(1, features.shape[0], self.model.channels)
        if self.model.readout == "first":
            begin = self._tail(features[:1], zero[:, :1]).expand(-1, features.shape[0], -1).contiguous()
            states = gru(features.flip(1), begin)[0].flip(1)
            return torch.cat([states, begin.transpose(0, 1)], dim=1)
        states, end = gru(features)
        states = torch.cat([zero.transpose(0, 1), states[:, :-1]], dim=1)
        return torch.cat([states, self._tail(features, end).transpose(0, 1)], dim=1)

    @staticmethod
    def _edited(
        intact: torch.Tensor, row: torch.Tensor, columns: torch.Tensor, changed: torch.Tensor, first: torch.Tensor
    ) -> torch.Tensor:
        """Return columns of maps: those of the intact messages, with the changed ones in their place.

        Args:
            intact: (messages, positions, channels).
            row: (batch,), the message of each edit.
            columns: (batch, wanted), which columns; one outside the map is a column of zeros.
            changed: (batch, count, channels), the changed columns.
            first: (batch,), column of the first of them.
        """
        batch, wanted = columns.shape
        positions, channels = intact.shape[1:]
        flat = (row[:, None] * positions + columns.clamp(0, positions - 1)).reshape(-1)
        x = intact.reshape(-1, channels).index_select(0, flat)
        offset = first - columns[:, 0]  # where the changed columns start among the wanted ones
        place = offset[:, None] + torch.arange(changed.shape[1], device=row.device)
        inside = (place >= 0) & (place < wanted)
        target = torch.arange(batch, device=row.device)[:, None] * wanted + place
        if bool(inside.all()):
            x.index_copy_(0, target.flatten(), changed.reshape(-1, channels))
        else:
            x[target[inside]] = changed[inside]
        x = x.view(batch, wanted, channels)
        outside = (columns < 0) | (columns >= positions)
        return x.masked_fill(outside[..., None], 0) if bool(outside.any()) else x

    def _changed_features(
        self, row: torch.Tensor, start: torch.Tensor, bases: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the columns the GRU reads that an edit may change (batch, count, channels), and where they start."""
        model, k = self.model, self.model.kernel_size
        place = start[:, None] + torch.arange(bases.shape[1], device=row.device)
        changed = self._inputs[0][row[:, None], place]
        changed[..., :4] = one_hot(bases).transpose(1, 2)
        first = start
        for layer in range(1, model.num_layers + 2):
            positions = self._inputs[layer - 1].shape[1] + 2 * model.padding - k + 1
            lowest, count = first + model.padding - k + 1, changed.shape[1] + k - 1
            if layer > 1:  # whole pairs of columns, for the max-pool
                positions -= positions % 2
                lowest, count = lowest - lowest % 2, count + 1 + (count + 1) % 2
            count = min(count, positions)
            lowest = lowest.clamp(0, positions - count)
            columns = (lowest - model.padding)[:, None] + torch.arange(count + k - 1, device=row.device)
            x = self._edited(self._inputs[layer - 1], row, columns, changed, first)
            changed = self._read_above(model.convolve(_map(x), layer, padding=0), layer)
            first = lowest // 2 if layer > 1 else lowest
        return changed, first

    @torch.no_grad()
    def predict(self, row: torch.Tensor, start: torch.Tensor, bases: torch.Tensor) -> torch.Tensor:
        """Return predictions of messages in which one stretch is replaced.

        Args:
            row: int64 (batch,), which message.
            start: int64 (batch,), 0-based first position of the stretch; its end must lie in the input.
            bases: uint8 (batch, width), what stands there instead, 0 to 3, or 4 for N and padding. Other tracks stay.

        Returns:
            float32 (batch, targets).
        """
        changed, first = self._changed_features(row, start, bases)
        size = max(1, READ_COLUMNS // self._inputs[-1].shape[1])
        parts = zip(row.split(size), changed.split(size), first.split(size), strict=True)
        return torch.cat([self._head(self._read(*part)) for part in parts])

    def _read(self, row: torch.Tensor, changed: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """Return the GRU's final states (batch, channels), read on from where no edit of the batch changed anything."""
        features, gru = self._inputs[-1], self.model.rnn.gru
        if self.model.readout == "first":
            end = int(first.max()) + changed.shape[1]
            columns = torch.arange(end, device=row.device).expand(len(row), -1)
            x = self._edited(features, row, columns, changed, first)
            return gru(x.flip(1), self._states[row, end].unsqueeze(0))[1][0]
        begin = int(first.min())
        columns = torch.arange(begin, features.shape[1], device=row.device).expand(len(row), -1)
        x = self._edited(features, row, columns, changed, first)
        return self._tail(x, gru(x, self._states[row, begin].unsqueeze(0))[1])[0]


class WholeMessages:
    """As ``EditedMessages``, of any network: each prediction is one of the whole message, at its whole price.

    Args:
        model: the network, in evaluation mode.
        X: float32 (messages, tracks, length).
        longest: length of the longest message.
    """

    def __init__(self, model: Geometry, X: torch.Tensor, longest: int) -> None:
        self.model, self.X, self.longest, self.width = model, X, longest, X.shape[-1]
        with torch.no_grad():
            self.intact = model(X, longest)

    @torch.no_grad()
    def predict(self, row: torch.Tensor, start: torch.Tensor, bases: torch.Tensor) -> torch.Tensor:
        """Return predictions float32 (batch, targets) of messages in which one stretch is replaced."""
        found = []
        size = max(1, PART_POSITIONS // self.width)
        place = torch.arange(bases.shape[1], device=row.device)
        for own, begin, new in zip(row.split(size), start.split(size), bases.split(size), strict=True):
            X = self.X[own]
            columns = (begin[:, None] + place)[:, None].expand(-1, 4, -1)
            X[:, :4] = X[:, :4].scatter(2, columns, one_hot(new))
            found.append(self.model(X, self.longest))
        return torch.cat(found)


def message_batches(rows: np.ndarray, length: np.ndarray) -> Iterator[np.ndarray]:
    """Yield rows in batches of like length whose nucleotides fit in memory together (at least one row each)."""
    rows = rows[np.argsort(length[rows], kind="stable")]
    start = 0
    while start < len(rows):
        sizes = np.arange(1, len(rows) - start + 1) * length[rows[start:]]
        count = max(1, int(np.searchsorted(sizes, PART_POSITIONS, side="right")))
        yield rows[start : start + count]
        start += count


def predict_edits(
    model: Geometry, split: Split, row: np.ndarray, start: np.ndarray, width: np.ndarray, bases: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions of whole messages, intact and with one stretch replaced, equal to whole predictions.

    Args:
        model: in evaluation mode; of a network of the user's whole messages are predicted anew for every edit.
        split: the messages.
        row: int64 (edits,), message of each edit.
        start: int64 (edits,), 0-based first position of the stretch.
        width: int64 (edits,), nucleotides of it.
        bases: uint8 (edits, draws, widest), what stands there instead, 0 to 3; of it the first ``width`` count.

    Returns:
        float32 (edits, targets) of the intact messages and (edits, draws, targets) of the edited ones.
    """
    device, reader = next(model.parameters()).device, EditedMessages if isinstance(model, Predictor) else WholeMessages
    edits, draws, _ = bases.shape
    targets = model.targets
    intact = np.empty((edits, targets), dtype=np.float32)
    edited = np.empty((edits, draws, targets), dtype=np.float32)
    order = np.argsort(row, kind="stable")
    for batch in message_batches(np.unique(row), split.length):
        messages = reader(model, *split.batch(batch, device))
        whole = messages.intact.cpu().numpy()
        chosen = np.concatenate([order[np.searchsorted(row[order], one) : np.searchsorted(row[order], one, "right")]
                                 for one in batch])  # fmt: skip
        local = np.repeat(np.arange(len(batch)), [int((row[chosen] == one).sum()) for one in batch])
        intact[chosen] = whole[local]
        for part in _like_edits(start[chosen], width[chosen], draws):
            own, of_message = chosen[part], local[part]
            span = int(width[own].max())
            begin = np.minimum(start[own], messages.width - span)
            stretch = _widened(split, row[own], start[own] - begin, width[own], bases[own], begin, span)
            found = messages.predict(
                torch.from_numpy(np.repeat(of_message, draws)).to(device),
                torch.from_numpy(np.repeat(begin, draws)).to(device),
                torch.from_numpy(stretch.reshape(-1, span)).to(device),
            )
            edited[own] = found.reshape(len(own), draws, targets).cpu().numpy()
    return intact, edited


def _like_edits(start: np.ndarray, width: np.ndarray, draws: int) -> Iterator[np.ndarray]:
    """Yield edits in batches of like width, and of like place among these."""
    order = np.lexsort((start, width))
    place = 0
    while place < len(order):
        size = max(1, EDIT_POSITIONS // (draws * (int(width[order[place]]) + 16)))
        part = order[place : place + size]
        yield part
        place += size


def _widened(
    split: Split,
    row: np.ndarray,
    offset: np.ndarray,
    width: np.ndarray,
    bases: np.ndarray,
    begin: np.ndarray,
    span: int,
) -> np.ndarray:
    """Return the stretches uint8 (edits, draws, span) from ``begin`` on: the new bases among those of the message."""
    place = begin[:, None] + np.arange(span)
    intact = bases_of_codes(split.codes[row[:, None], place])
    within = np.arange(span) - offset[:, None]
    new = np.take_along_axis(bases, np.clip(within, 0, bases.shape[2] - 1)[:, None, :], axis=2)
    inside = (within >= 0) & (within < width[:, None])
    return np.where(inside[:, None, :], new, intact[:, None, :])
