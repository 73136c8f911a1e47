"""The baseline that a network has to beat: ridge regression on k-mer counts."""

import warnings

import numpy as np
from sklearn.linear_model import RidgeCV

from utils.data import Split
from utils.prediction import correlation, metrics

INDEX_OF_BITS = np.array([4, 0, 1, 4, 2, 4, 4, 4, 3, *[4] * 7], dtype=np.int64)
CODON_TRACK = 4
ROWS_AT_ONCE = 256


def kmer_counts(codes: np.ndarray, k: int, codons: bool = False) -> np.ndarray:
    """Return how often each word occurs in each message, float32 (n, 4^k), words in the order AA.., AA..C, ...

    Args:
        codes: uint8 (n, length), bits as in ``utils.data.Split``; words with padding or an N are left out.
        k: length of the words.
        codons: count only words that begin where the codon track is on.
    """
    n, length = codes.shape
    counts = np.zeros((n, 4**k), dtype=np.float32)
    if length < k:
        return counts
    for start in range(0, n, ROWS_AT_ONCE):
        block = codes[start : start + ROWS_AT_ONCE]
        base = INDEX_OF_BITS[block & 15]
        places = length - k + 1
        word, known = np.zeros((len(block), places), dtype=np.int64), np.ones((len(block), places), dtype=bool)
        for offset in range(k):
            column = base[:, offset : offset + places]
            word, known = word * 4 + (column & 3), known & (column < 4)
        if codons:
            known &= (block[:, :places] >> CODON_TRACK & 1) == 1
        row = np.broadcast_to(np.arange(len(block))[:, None], word.shape)[known]
        found = np.bincount(row * 4**k + word[known], minlength=len(block) * 4**k)
        counts[start : start + len(block)] = found.reshape(len(block), 4**k)
    return counts


def _features(split: Split, k: int, codons: bool) -> np.ndarray:
    """Return log1p of the counts of words, the log of the number of nucleotides, and log1p of the counts of codons."""
    nucleotides = (split.codes & 15).astype(bool).sum(axis=1, keepdims=True)
    columns = [np.log1p(kmer_counts(split.codes, k)), np.log1p(nucleotides)]
    if codons:
        columns.append(np.log1p(kmer_counts(split.codes, 3, codons=True)))
    return np.concatenate(columns, axis=1, dtype=np.float32)


def kmer_ridge(train: Split, valid: Split, test: Split, words: tuple[int, ...] = (4, 5)) -> dict:
    """Fit ridge regressions on the training split and evaluate them on another.

    Features are log1p counts of all words of k nt and the log of the length, standardised; where the codon track is
    used, once without and once with the counts of codons. The penalty is chosen by leave-one-out on the training split.

    Returns:
        ``features``, ``valid_r`` and test ``metrics`` of the one with the highest validation r, its test predictions
        ``y_hat`` (n,), and under ``all`` features, validation r and test r of each.
    """
    y = train.label[:, 0].astype(np.float64)
    has_codons = bool((train.codes >> CODON_TRACK & 1).any())
    found = []
    for k in words:
        every = [_features(split, k, has_codons) for split in (train, valid, test)]  # counted once
        for codons in (False, True)[: 1 + has_codons]:
            X, X_valid, X_test = (x if codons else x[:, : 4**k + 1] for x in every)
            mean, std = X.mean(axis=0), X.std(axis=0)
            std[std == 0] = 1
            ridge = RidgeCV(np.logspace(0, 5, 11))
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Ill-conditioned")
                ridge.fit((X - mean) / std, y)
            y_hat = ridge.predict((X_test - mean) / std)
            valid_r = correlation(valid.label[:, 0], ridge.predict((X_valid - mean) / std))
            name = f"{k}-mers and codons" if codons else f"{k}-mers"
            found.append({"features": name, "valid_r": valid_r, "y_hat": y_hat} | metrics(test.label[:, 0], y_hat))
    best = max(found, key=lambda one: one["valid_r"])
    return best | {"all": [{key: one[key] for key in ("features", "valid_r", "r")} for one in found]}
