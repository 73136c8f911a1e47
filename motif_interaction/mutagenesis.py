"""Mutagenesis of a pair: predictions of whole messages with motif A scrambled, with B, and with both.

A table of places has the columns ``original``, ``scr_a``, ``scr_b``, ``scr_ab`` (o, a, b and n, averaged over draws),
and the same with ``control_`` before them for two random stretches of the same message, as wide and as far apart.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from motif_interaction.scramble import Scrambled, control_places, scramble
from motif_interaction.words import Motif, Places, hashed, occurrences
from utils.data import Split
from utils.dense_scan import bases_of_codes
from utils.edits import predict_edits
from utils.model import Predictor
from utils.runtime import fingerprint
from utils.sequence import N

PREDICTIONS = ["original", "scr_a", "scr_b", "scr_ab"]
CONTROLS = [f"control_{name}" for name in PREDICTIONS]
PLACES_AT_ONCE = 512


def without_annotation(split: Split) -> Split:
    """Return messages whose codon and splice tracks are empty."""
    return replace(split, codes=split.codes & 15)


def stretches(sequences: np.ndarray, places: Places, scrambled: Scrambled, which: str) -> tuple[np.ndarray, ...]:
    """Return the edits of a variant: start (places,), width (places,) and bases uint8 (places, draws, widest).

    Args:
        sequences: uint8 (places, length), the message of each place.
        places: of the two stretches.
        scrambled: what stands instead of them.
        which: ``a``, ``b``, or ``n`` for both, with what lies between them.
    """
    if which != "n":
        motif = "ab".index(which)
        return places.start[:, motif], (places.end - places.start)[:, motif], scrambled.bases[:, :, motif]
    start, width = places.low, places.high - places.low
    place = start[:, None] + np.arange(width.max())
    between = np.take_along_axis(sequences, np.minimum(place, sequences.shape[1] - 1), axis=1)
    bases = np.repeat(between[:, None, :], scrambled.bases.shape[1], axis=1)
    for motif in (0, 1):
        within = place - places.start[:, motif, None]
        inside = (within >= 0) & (place < places.end[:, motif, None])
        chosen = np.clip(within, 0, scrambled.bases.shape[3] - 1)[:, None, :]
        new = np.take_along_axis(scrambled.bases[:, :, motif], chosen, axis=2)
        bases = np.where(inside[:, None, :], new, bases)
    return start, width, bases


def predict_variants(
    model: Predictor, split: Split, sequences: np.ndarray, places: Places, scrambled: Scrambled
) -> np.ndarray:
    """Return predictions o, a, b and n of each place, averaged over draws: float64 (places, 4).

    Of a model with several targets the first one is measured.
    """
    edits = [stretches(sequences, places, scrambled, which) for which in "abn"]
    widest = max(bases.shape[2] for _, _, bases in edits)
    padded = [np.pad(bases, ((0, 0), (0, 0), (0, widest - bases.shape[2]))) for _, _, bases in edits]
    intact, edited = predict_edits(
        model, split, np.tile(places.row, 3),
        np.concatenate([start for start, _, _ in edits]), np.concatenate([width for _, width, _ in edits]),
        np.concatenate(padded),
    )  # fmt: skip
    k = len(places)
    mean = edited[..., 0].astype(np.float64).mean(axis=1)
    return np.stack([intact[:k, 0].astype(np.float64), mean[:k], mean[k : 2 * k], mean[2 * k :]], axis=1)


def place_keys(places: Places, seed: int, *parts: object) -> np.ndarray:
    """Return uint64 (places,) that decide the draws at each place: they depend on nothing beside it."""
    base = np.uint64(int(fingerprint(seed=seed, parts=parts), 16))
    return hashed(np.broadcast_to(base, len(places)), places.row, places.start[:, 0], places.start[:, 1])


def measure(
    model: Predictor, split: Split, places: Places, a: Motif, b: Motif, draws: int, seed: int, *parts: object
) -> pd.DataFrame:
    """Return the mutagenesis of a pair, a row for each place where both motifs stand.

    Args:
        model: the predictor, in evaluation mode.
        split: the messages.
        places: of the pair.
        a: one motif.
        b: the other one.
        draws: scrambles of each.
        seed: of the draws.
        parts: what else the draws depend on, such as layer and neuron.
    """
    keys = place_keys(places, seed, *parts, a.words, b.words)
    tables = []
    for begin in range(0, len(places), PLACES_AT_ONCE):
        chosen = np.arange(begin, min(begin + PLACES_AT_ONCE, len(places)))
        tables.append(_measured(model, split, places[chosen], a, b, draws, keys[chosen]))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _measured(
    model: Predictor, split: Split, places: Places, a: Motif, b: Motif, draws: int, keys: np.ndarray
) -> pd.DataFrame:
    """Return the mutagenesis of some places."""
    sequences = bases_of_codes(split.codes[places.row])
    values = np.full((len(places), 8), np.nan)
    scrambled = scramble(sequences, places, a, b, draws, keys)
    fine = np.flatnonzero(scrambled.broken)
    if len(fine):
        chosen = Scrambled(scrambled.bases[fine], scrambled.broken[fine], scrambled.random[fine])
        values[fine, :4] = predict_variants(model, split, sequences[fine], places[fine], chosen)
    blocked = sequences == N
    for motif in (a, b):
        for row, start, end in occurrences(sequences, motif.words):
            blocked[row, start:end] = True
    control, room = control_places(blocked, places, hashed(keys, np.zeros(len(keys), dtype=np.int64)))
    if len(room):
        replaced = scramble(sequences[room], control, a, b, draws, hashed(keys[room], np.ones(len(room), np.int64)))
        fine = np.flatnonzero(replaced.broken)
        if len(fine):
            chosen = Scrambled(replaced.bases[fine], replaced.broken[fine], replaced.random[fine])
            values[room[fine], 4:] = predict_variants(model, split, sequences[room[fine]], control[fine], chosen)
    table = pd.DataFrame({"sequence": places.row, "start_a": places.start[:, 0], "start_b": places.start[:, 1]})
    table["spacing"] = places.spacing
    table["order"] = np.where(places.start[:, 0] < places.start[:, 1], "a_b", "b_a")
    table["random_bases"] = scrambled.random
    table[PREDICTIONS + CONTROLS] = values
    return table


def per_sequence(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each sequence: predictions averaged over its places, and eps and control_eps of these.

    Spacing, order and starts are those of the place where the two motifs are nearest; ``places`` counts them. Places
    whose motifs could not be broken are left out.
    """
    table = table[table["original"].notna()]
    nearest = table.sort_values(["sequence", "spacing", "start_a", "start_b"], kind="stable")
    grouped = nearest.groupby("sequence", sort=True)
    rows = grouped[["start_a", "start_b", "spacing", "order"]].first()
    rows["places"] = grouped.size()
    rows["random_bases"] = grouped["random_bases"].any()
    rows[PREDICTIONS + CONTROLS] = grouped[PREDICTIONS + CONTROLS].mean()
    for prefix in ("", "control_"):
        o, a, b, n = (rows[prefix + name] for name in PREDICTIONS)
        rows[f"{prefix}eps"] = o - a - b + n
    return rows.reset_index()
