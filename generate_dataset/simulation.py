"""Simulated messages: a dinucleotide background, motifs and pairs planted in it, and no other instance of any motif.

Sequences are indices uint8 (n, length), 0 to 3, and 4 behind the end of a message.
"""

from collections.abc import Callable

import numpy as np

from generate_dataset.planted import Instances, PlantedMotif, PlantedPair, draw_instances, scan
from utils.runtime import InputError
from utils.sequence import N

MARGIN = 2  # free positions between instances that are not a pair
PLACING_ROUNDS, CLEANING_ROUNDS = 200, 500
MOST_WITHOUT_ROOM = 0.01  # of the messages that are to get something: these go without, with more it is an error
ABSENT = -(10**6)


def dinucleotide_model(sequences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each base (4,) and the probability (4, 4) of a base (column) after another (row).

    Args:
        sequences: uint8 (n, length); neighbours of which one is N (4) are not counted.
    """
    bases = np.bincount(sequences.ravel(), minlength=5)[:4].astype(np.float64)
    known = (sequences[:, :-1] < N) & (sequences[:, 1:] < N)
    words = 4 * sequences[:, :-1][known].astype(np.int64) + sequences[:, 1:][known]
    pairs = np.bincount(words, minlength=16).reshape(4, 4).astype(np.float64)
    return bases / max(1, bases.sum()), pairs / np.maximum(1, pairs.sum(axis=1, keepdims=True))


def background(
    length: np.ndarray, width: int, initial: np.ndarray, transition: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return random messages uint8 (n, width) of a first-order Markov chain; 4 behind the end of each.

    Args:
        length: int (n,), nucleotides of each message, up to ``width``.
        width: positions of the result.
        initial: probabilities (4,) of the first base.
        transition: probabilities (4, 4) of a base (column) after another (row).
        rng: source of randomness.
    """
    sequences = np.empty((len(length), width), dtype=np.uint8)
    first, after = np.cumsum(initial)[:3], np.cumsum(transition, axis=1)[:, :3]
    sequences[:, 0] = np.searchsorted(first, rng.random(len(length)), side="right")
    for position in range(1, sequences.shape[1]):
        limits = after[sequences[:, position - 1]]
        sequences[:, position] = (rng.random(len(length))[:, None] >= limits).sum(axis=1)
    sequences[np.arange(sequences.shape[1]) >= length[:, None]] = N
    return sequences


def draw_starts(room: np.ndarray, position: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Return a start for each message: 0 to ``room`` (n,), both included, the parts of the message by ``position``."""
    weights = np.asarray(position, dtype=np.float64)
    part = rng.choice(len(weights), size=len(room), p=weights / weights.sum())
    return ((part + rng.random(len(room))) / len(weights) * (room + 1)).astype(np.int64)


def place(
    length: np.ndarray, motifs: list[PlantedMotif], pairs: list[PlantedPair], rng: np.random.Generator
) -> Instances:
    """Return where the instances come to stand: pairs first, then motifs by themselves, nothing overlapping.

    The few messages that have no room left for a motif or a pair go without it.

    Args:
        length: int (n,), nucleotides of each message.
        motifs: what is planted.
        pairs: what is planted together.
        rng: source of randomness.

    Raises:
        InputError: more than one in a hundred messages have no room for it.
    """
    placed: list[tuple[int, np.ndarray]] = []  # motif, start in each message or ABSENT

    def place_where_free(rows: np.ndarray, members: tuple[int, ...], draw: Callable) -> None:
        """Give each of these messages one start for each member of a unit."""
        asked = len(rows)
        columns = [(number, np.full(len(length), ABSENT, dtype=np.int64)) for number in members]
        for _ in range(PLACING_ROUNDS):
            starts = draw(length[rows])
            fits = np.ones(len(rows), dtype=bool)
            for number, start in zip(members, starts, strict=True):
                fits &= (start >= 0) & (start + motifs[number].width <= length[rows])
                for other, taken in placed:
                    fits &= (start >= taken[rows] + motifs[other].width + MARGIN) | (
                        start + motifs[number].width + MARGIN <= taken[rows]
                    )
            for (_, column), start in zip(columns, starts, strict=True):
                column[rows[fits]] = start[fits]
            rows = rows[~fits]
            if not len(rows):
                break
        placed.extend(columns)
        if len(rows) > max(1, MOST_WITHOUT_ROOM * asked):
            names = " and ".join(motifs[number].motif.name for number in members)
            raise InputError(
                f"no room for {names} in {len(rows)} of {asked} messages, one of {length[rows].min()} nt; raise "
                "min_length or lower the shares of motifs and pairs"
            )

    for pair in pairs:
        width_a, width_b = motifs[pair.a].width, motifs[pair.b].width

        def draw_pair(
            room: np.ndarray, pair: PlantedPair = pair, width_a: int = width_a, width_b: int = width_b
        ) -> tuple[np.ndarray, np.ndarray]:
            gap = rng.integers(pair.spacing[0], pair.spacing[1] + 1, len(room))
            turned = rng.random(len(room)) < (0.0 if pair.ordered else 0.5)
            first = draw_starts(room - width_a - width_b - gap, pair.position, rng)
            return np.where(turned, first + width_b + gap, first), np.where(turned, first, first + width_a + gap)

        place_where_free(np.flatnonzero(rng.random(len(length)) < pair.share), (pair.a, pair.b), draw_pair)
    for number, motif in enumerate(motifs):
        count = np.searchsorted(np.cumsum(motif.shares[::-1]), rng.random(len(length)), side="right")
        count = len(motif.shares) - count  # 0 beyond the sum of the shares
        for wanted in range(1, len(motif.shares) + 1):

            def draw_motif(room: np.ndarray, motif: PlantedMotif = motif) -> tuple[np.ndarray]:
                return (draw_starts(room - motif.width, motif.position, rng),)

            place_where_free(np.flatnonzero(count >= wanted), (number,), draw_motif)
    row = [np.flatnonzero(start != ABSENT) for _, start in placed]
    number = [np.full(len(rows), motif) for rows, (motif, _) in zip(row, placed, strict=True)]
    start = [start[rows] for rows, (_, start) in zip(row, placed, strict=True)]
    return Instances(*(np.concatenate(column).astype(np.int64) for column in (row, number, start))).sorted()


def plant(
    sequences: np.ndarray, motifs: list[PlantedMotif], instances: Instances, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the messages (n, length) with a drawn word written at each instance, and which positions these took."""
    sequences, fixed = sequences.copy(), sequences == N
    for number, motif in enumerate(motifs):
        chosen = instances.motif == number
        row = instances.row[chosen][:, None]
        window = instances.start[chosen][:, None] + np.arange(motif.width)
        sequences[row, window] = draw_instances(motif, len(row), rng)
        fixed[row, window] = True
    return sequences, fixed


def without_chance_hits(
    sequences: np.ndarray,
    fixed: np.ndarray,
    motifs: list[PlantedMotif],
    planted: Instances,
    initial: np.ndarray,
    transition: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the messages (n, length) with no other instance of any motif than the planted ones.

    In each chance instance one free base is drawn again, another one than it was, from its probability given both
    neighbours in the background model (Gibbs sampling of the chain); again, until none is left. The arguments are those
    of ``background``, ``plant`` and ``place``; ``fixed`` positions stay as they are.

    Raises:
        InputError: chance instances are left that cannot be removed.
    """
    sequences = sequences.copy()
    rows = np.arange(len(sequences))
    span = np.int64(sequences.shape[1]) * len(motifs)
    widths = np.array([motif.width for motif in motifs])
    known = planted.row * span + planted.start * len(motifs) + planted.motif
    for _ in range(CLEANING_ROUNDS):
        hits = scan(sequences[rows], motifs)
        row = rows[hits.row]
        chance = ~np.isin(row * span + hits.start * len(motifs) + hits.motif, known)
        if not chance.any():
            return sequences
        row, motif, start = row[chance], hits.motif[chance], hits.start[chance]
        window = np.minimum(start[:, None] + np.arange(widths.max()), sequences.shape[1] - 1)
        free = (np.arange(widths.max()) < widths[motif][:, None]) & ~fixed[row[:, None], window]
        if not free.any(axis=1).all():
            number = motif[np.argmin(free.any(axis=1))]
            raise InputError(
                f"motif {motifs[number].motif.name} arises across two planted ones that touch; widen the smallest "
                "spacing of the pairs or change the motif"
            )
        position = window[np.arange(len(row)), (rng.random(free.shape) * free).argmax(axis=1)]
        before, old = sequences[row, position - 1], sequences[row, position]
        after = np.append(sequences, np.full((len(sequences), 1), N, dtype=np.uint8), axis=1)[row, position + 1]
        probability = np.where((position > 0)[:, None], transition[np.minimum(before, 3)], initial)
        probability = probability * np.where((after < N)[:, None], transition[:, np.minimum(after, 3)].T, 1)
        probability[np.arange(len(row)), old] = 0
        limits = np.cumsum(probability, axis=1)
        sequences[row, position] = (rng.random(len(row))[:, None] * limits[:, -1:] >= limits).sum(axis=1)
        rows = np.unique(row)
    name = motifs[motif[0]].motif.name
    raise InputError(
        f"motif {name} keeps arising by chance in {len(rows)} messages; raise its information or the threshold"
    )
