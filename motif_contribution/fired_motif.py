"""Which of a neuron's motifs do messages hold where they activate it?

A deep neuron answers to several patterns. The one that fires it most need not be the one by which real messages fire
it, and a contribution is of the latter. So the motif shown beside a contribution is the segment that best tells the
windows by which messages activate the neuron from windows anywhere in the messages: the highest Youden index (share of
the first that hold it less share of the others that do; Youden 1950, Cancer 3:32), a window
holding a motif where its log-odds score reaches the threshold with which that index is highest.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from utils.dense_scan import bases_of_codes
from utils.interpretation_settings import Interpretation
from utils.motif import to_ppm
from utils.motif_places import best_places
from utils.neuron_motif import NeuronMotif
from utils.scan import Scan
from utils.sequence import N

FIRED, ANYWHERE = 1000, 2000  # windows that are looked at, of more a random choice


def shares(fired: np.ndarray, anywhere: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each motif the shares of two groups of windows that hold it, at the threshold that tells them apart.

    Args:
        fired: scores (n, motifs) of windows that activate the neuron.
        anywhere: scores (m, motifs) of others.

    Returns:
        float64 (motifs,) each; their difference is the Youden index.
    """
    score = np.concatenate([fired, anywhere])
    order = np.argsort(-score, axis=0, kind="stable")
    ranked, of_fired = np.take_along_axis(score, order, axis=0), order < len(fired)
    held = np.cumsum(of_fired, axis=0) / len(fired)
    elsewhere = np.cumsum(~of_fired, axis=0) / len(anywhere)
    last = np.ones(ranked.shape, dtype=bool)  # of equal scores: a threshold takes all of them
    last[:-1] = ranked[1:] != ranked[:-1]
    best = np.where(last, held - elsewhere, -np.inf).argmax(axis=0)
    motifs = np.arange(score.shape[1])
    return held[best, motifs], elsewhere[best, motifs]


def windows(work: Interpretation, rows: np.ndarray, starts: np.ndarray, field: int) -> np.ndarray:
    """Return bases uint8 (n, field) of windows of the messages, 4 for N."""
    return bases_of_codes(work.messages.codes[rows[:, None], starts[:, None] + np.arange(field)])


def windows_anywhere(work: Interpretation, field: int) -> np.ndarray:
    """Return random windows of known bases, uint8 (up to 2,000, field), of messages that are long enough."""
    rng = np.random.default_rng([work.settings.seed, field])
    length = work.messages.length.astype(np.int64)
    long = np.flatnonzero(length >= field)
    if not len(long):
        return np.zeros((0, field), dtype=np.uint8)
    rows = rng.choice(long, ANYWHERE)
    found = windows(work, rows, (rng.random(ANYWHERE) * (length[rows] - field + 1)).astype(np.int64), field)
    return found[(found < N).all(axis=1)]


def fired_motifs(work: Interpretation, scan: Scan, candidates: Sequence[Sequence[NeuronMotif]]) -> list[NeuronMotif]:
    """Return the motif of each neuron of a layer that the windows hold by which messages activate it.

    Args:
        work: the messages and the threshold.
        scan: of the layer.
        candidates: motifs of each neuron, the strongest first.

    Returns:
        One motif per neuron with its ``share`` and ``elsewhere``; the first candidate, without them, for a neuron that
        fewer than ``min_sequences`` messages activate.
    """
    anywhere = windows_anywhere(work, scan.receptive_field)
    chosen = []
    for neuron, motifs in enumerate(candidates):
        top = scan.neuron_maximum[neuron]
        rows = np.flatnonzero(scan.maximum[:, neuron] > work.settings.threshold * top) if top > 0 else np.zeros(0, int)
        if motifs[0].pfm is None or min(len(rows), len(anywhere)) < work.settings.min_sequences:
            chosen.append(motifs[0])
            continue
        rng = np.random.default_rng([work.settings.seed, scan.layer, neuron])
        rows = np.sort(rng.permutation(rows)[:FIRED])
        fired = windows(work, rows, scan.start[rows, neuron].astype(np.int64), scan.receptive_field)
        matrices = [to_ppm(motif.pfm) for motif in motifs]
        held, elsewhere = shares(*(best_places(bases, matrices)[0] for bases in (fired, anywhere)))
        best = int((held - elsewhere).argmax())
        chosen.append(replace(motifs[best], share=float(held[best]), elsewhere=float(elsewhere[best])))
    return chosen
