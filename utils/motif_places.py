"""Where sequences hold motifs best: log-odds of motif matrices against even bases, at every place."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from utils.sequence import N

SMALLEST = 0.01  # probability that a base is taken to have at least, and an N to have
VALUES = 2**24  # of a batch: 64 MiB


def best_places(bases: np.ndarray, motifs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest score of each motif in each sequence, and where it starts (of equal ones the first).

    A score is the sum of log2(p / 0.25) over the columns of a motif, p at least 0.01.

    Args:
        bases: uint8 (n, length), 4 for N.
        motifs: probabilities (4, width) of each.

    Returns:
        float32 (n, motifs) in bits, minus infinity for a motif that is longer than the sequences, and int64 (n,
        motifs), -1 there.
    """
    rows, length = bases.shape
    score = np.full((rows, len(motifs)), -np.inf, dtype=np.float32)
    start = np.full((rows, len(motifs)), -1, dtype=np.int64)
    table = torch.eye(N + 1)
    for width in sorted({ppm.shape[1] for ppm in motifs if ppm.shape[1] <= length}):
        own = [number for number, ppm in enumerate(motifs) if ppm.shape[1] == width]
        odds = [np.vstack([np.maximum(motifs[one], SMALLEST), np.full(width, SMALLEST)]) / 0.25 for one in own]
        kernels = torch.from_numpy(np.log2(np.stack(odds))).float()
        batch = max(1, VALUES // ((len(own) + 5 * width) * length))
        for first in range(0, rows, batch):
            part = torch.from_numpy(np.minimum(bases[first : first + batch], N)).long()
            highest = F.conv1d(table[part].movedim(-1, -2), kernels).max(dim=2)
            score[first : first + batch, own] = highest.values.numpy()
            start[first : first + batch, own] = highest.indices.numpy()
    return score, start
