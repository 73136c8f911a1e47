"""The exact scan: the maximal activation of every neuron in every message over all of its real windows, and its start.

Messages are cut at N and at their ends into stretches of known bases, which are laid one after the other into a stream.
The stream is read in chunks of one size, each in one dense pass, so memory does not depend on the messages, padding is
never computed, and a window that would hold an N or padding never counts. Every stretch begins at a multiple of
``BLOCK`` in the stream: maxima are taken over blocks first, and only the best block is searched for the start.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from utils.activation import WindowNetwork
from utils.sequence import N

BLOCK = 32  # window starts whose maximum is taken together
CHUNK = 2**14  # window starts in a dense pass: a map of 64 channels is 4 MiB
CHUNK_CUDA = 2**17

_BASE_OF_CODE = np.full(256, N, dtype=np.uint8)  # anything but exactly one base is N
for _code in range(256):
    if _code & 15 in (1, 2, 4, 8):
        _BASE_OF_CODE[_code] = (1, 2, 4, 8).index(_code & 15)


def bases_of_codes(codes: np.ndarray) -> np.ndarray:
    """Return bases uint8, 0 to 3 or 4 for N and padding, of codes uint8 of the same shape; other tracks are left out.

    See ``utils.data.Split``: bit ``t`` of a code says whether track ``t`` is on, and the first four are A, C, G, U.
    """
    return _BASE_OF_CODE[codes]


@dataclass(frozen=True)
class Stream:
    """Stretches of known bases, one after the other.

    Attributes:
        bases: uint8 (positions,), 0 to 3; A where no stretch is. A multiple of ``BLOCK``.
        room: int32 (positions,), known bases from here to the end of the stretch; 0 where no stretch is.
        message: int64 (blocks,), the row of the message that the block is of, ascending.
        origin: int64 (blocks,), the position in that message where the block begins.
    """

    bases: np.ndarray
    room: np.ndarray
    message: np.ndarray
    origin: np.ndarray


def pack(bases: np.ndarray, shortest: int) -> Stream:
    """Return the stretches of known bases of messages (n, length) that are at least ``shortest`` nt long."""
    rows, length = bases.shape
    known = np.zeros((rows, length + 2), dtype=np.int8)
    known[:, 1:-1] = bases < N
    steps = np.diff(known, axis=1)
    (message, start), end = np.nonzero(steps == 1), np.nonzero(steps == -1)[1]
    long = end - start >= shortest
    message, start, size = message[long], start[long], (end - start)[long]
    blocks = -(-size // BLOCK)
    within = np.arange(blocks.sum()) - np.repeat(np.cumsum(blocks) - blocks, blocks)  # of each block in its stretch
    message, origin = np.repeat(message, blocks), np.repeat(start, blocks) + BLOCK * within
    room = np.repeat(size, blocks)[:, None] - BLOCK * within[:, None] - np.arange(BLOCK)
    room = np.maximum(room, 0).astype(np.int32).ravel()
    place = np.minimum(origin[:, None] + np.arange(BLOCK), length - 1)
    laid = np.where(room > 0, bases[message[:, None], place].ravel(), 0).astype(np.uint8)
    return Stream(laid, room, message, origin)


@contextmanager
def _workers(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Give threads that each compute a chunk on one core: cores that share a chunk wait for each other."""
    threads = torch.get_num_threads()
    count = 1 if device.type == "cuda" else max(1, min(threads, os.cpu_count() or 1))
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                yield pool
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _scan_chunk(
    network: WindowNetwork, stream: Stream, first: int, size: int, layers: Sequence[int]
) -> tuple[np.ndarray, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """Scan ``size`` window starts of a stream from ``first`` on.

    Returns:
        The messages (m,) that have blocks here, and for each layer their maxima float32 (m, neurons), minus infinity
        without a window, and starts int64 (m, neurons).
    """
    device, model = network.device, network.model
    reach = max(map(model.receptive_field, layers)) - 1
    bases = torch.zeros(1, size + reach, dtype=torch.uint8)
    there = torch.from_numpy(stream.bases[first : first + size + reach])
    bases[0, : len(there)] = there
    room = torch.zeros(size, dtype=torch.int32)
    here = torch.from_numpy(stream.room[first : first + size])
    room[: len(here)] = here
    blocks = slice(first // BLOCK, (first + len(here)) // BLOCK)
    messages, segment = np.unique(stream.message[blocks], return_inverse=True)
    origin = torch.from_numpy(stream.origin[blocks]).to(device)
    room, count = room.to(device), len(segment)
    segments = torch.from_numpy(segment).to(device)[:, None]
    numbers = torch.arange(count, device=device)[:, None]
    found = {}
    for layer, x in network.dense_maps(bases, layers[0], layers[-1]):
        if layer not in layers:
            continue
        channels = model.channels_of(layer)
        segment, number = segments.expand(-1, channels), numbers.expand(-1, channels)
        neuron = torch.arange(channels, device=device)
        x = x[0, :, 0, :size].t()  # (starts, channels), contiguous
        no_window = (room < model.receptive_field(layer)).nonzero()[:, 0]
        filled = x.index_fill_ if layer == layers[-1] else x.index_fill  # layers above read what is there
        inside = filled(0, no_window, float("-inf")).view(-1, BLOCK, channels)
        of_block = inside.amax(dim=1)[:count]
        maximum = torch.full((len(messages), channels), float("-inf"), device=device)
        maximum.scatter_reduce_(0, segment, of_block, "amax")
        best = torch.where(of_block == maximum.gather(0, segment), number, count - 1)
        block = torch.full((len(messages), channels), count - 1, device=device)
        block.scatter_reduce_(0, segment, best, "amin")  # the first of equal ones
        windows = inside[block[:, :, None], torch.arange(BLOCK, device=device), neuron[None, :, None]]
        offset = (windows == maximum[:, :, None]).int().argmax(dim=2)
        found[layer] = (maximum.cpu().numpy(), (origin[block] + offset).cpu().numpy())
    return messages, found


def scan_messages(
    network: WindowNetwork, bases: np.ndarray, layers: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return the maximal activation of every neuron in every message, and where its window starts.

    Args:
        network: of the model; only its lower layers, without padding, are used (see ``utils.activation``).
        bases: uint8 (n, length), 0 to 3, or 4 for N and padding.
        layers: from which, counted from 1; all of them in one pass.

    Returns:
        For each layer the maxima float32 (n, neurons) and the starts int32 (n, neurons), 0-based, the first of equal
        maxima; minus infinity and -1 where a message has no window without N and padding.
    """
    layers, model = sorted(set(layers)), network.model
    shapes = {layer: (len(bases), model.channels_of(layer)) for layer in layers}
    maxima = {layer: np.full(shape, -np.inf, dtype=np.float32) for layer, shape in shapes.items()}
    starts = {layer: np.full(shape, -1, dtype=np.int32) for layer, shape in shapes.items()}
    stream = pack(bases, min(map(model.receptive_field, layers)))
    size = CHUNK_CUDA if network.device.type == "cuda" else CHUNK
    if layers[-1] > 1:
        network.prepare()
    with _workers(network.device) as pool:
        chunks = range(0, len(stream.bases), size)
        for messages, found in pool.map(lambda first: _scan_chunk(network, stream, first, size, layers), chunks):
            for layer, (maximum, start) in found.items():
                better = maximum > maxima[layer][messages]  # strictly: of equal maxima the first stays
                maxima[layer][messages] = np.where(better, maximum, maxima[layer][messages])
                starts[layer][messages] = np.where(better, start, starts[layer][messages])
    return {layer: (maxima[layer], starts[layer]) for layer in layers}
