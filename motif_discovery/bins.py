"""The sample of a neuron: different sequences whose activations cover (0, maximum] in equal bins with a quota each."""

import numpy as np

from utils.sample_bins import BINS, bin_of, bin_quota

__all__ = ["BINS", "SampleBins", "bin_of", "bin_quota"]


class SampleBins:
    """Collects the sequences of one neuron.

    Bins are always assigned from the stored activations, so that a new maximum moves what is stored into the right
    bins; what then exceeds a quota is let go, the latest first.

    Args:
        receptive_field: length of the sequences.
        quota: sequences a bin takes.
        seed: of the hash that tells sequences apart.
    """

    def __init__(self, receptive_field: int, quota: int, seed: int) -> None:
        self.quota = quota
        self.maximum = 0.0
        self.counts = np.zeros(BINS, dtype=np.int64)
        self._words = np.random.default_rng(seed).integers(0, 2**64, (receptive_field, 4), dtype=np.uint64)
        self._sequence = np.empty((1024, receptive_field), dtype=np.uint8)
        self._activation = np.empty(1024, dtype=np.float32)
        self._hash = np.empty(1024, dtype=np.uint64)
        self._sorted_hash = np.empty(0, dtype=np.uint64)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def full(self) -> bool:
        """Whether every bin has its quota."""
        return bool((self.counts >= self.quota).all())

    @property
    def filled(self) -> float:
        """Share of the wanted sequences that is there, 0 to 1."""
        return float(np.minimum(self.counts, self.quota).sum() / (self.quota * BINS))

    def hashes(self, sequence: np.ndarray) -> np.ndarray:
        """Return a 64-bit hash (n,) of sequences (n, receptive field): a sum of words drawn per position and base."""
        return self._words[np.arange(sequence.shape[1]), sequence].sum(axis=1)

    def add(self, sequence: np.ndarray, activation: np.ndarray) -> None:
        """Take in sequences uint8 (n, receptive field) with activations float32 (n,), each sequence once."""
        positive = np.flatnonzero(activation > 0)  # what is not a number is left out
        if not len(positive):
            return
        highest = float(activation[positive].max())
        if highest > self.maximum:
            self.maximum = highest
            self._rebin()
            first = activation[positive].argmax()
            positive = np.r_[positive[first], np.delete(positive, first)]
        bins = bin_of(activation[positive], self.maximum)
        wanted = self.counts[bins] < self.quota
        rows, bins = positive[wanted], bins[wanted]
        hashes = self.hashes(sequence[rows])
        _, first = np.unique(hashes, return_index=True)
        place = np.searchsorted(self._sorted_hash, hashes[first])
        known = place < len(self._sorted_hash)
        known[known] = self._sorted_hash[place[known]] == hashes[first][known]
        first = np.sort(first[~known])
        rows, bins, hashes = rows[first], bins[first], hashes[first]
        keep = _rank_within(bins) < (self.quota - self.counts)[bins]
        self._append(sequence[rows[keep]], activation[rows[keep]], hashes[keep])
        self.counts += np.bincount(bins[keep], minlength=BINS)

    def _append(self, sequence: np.ndarray, activation: np.ndarray, hashes: np.ndarray) -> None:
        size = self._size + len(sequence)
        while size > len(self._activation):
            grown = 2 * len(self._activation)
            self._sequence = np.resize(self._sequence, (grown, self._sequence.shape[1]))
            self._activation, self._hash = np.resize(self._activation, grown), np.resize(self._hash, grown)
        self._sequence[self._size : size] = sequence
        self._activation[self._size : size] = activation
        self._hash[self._size : size] = hashes
        hashes = np.sort(hashes)
        self._sorted_hash = np.insert(self._sorted_hash, np.searchsorted(self._sorted_hash, hashes), hashes)
        self._size = size

    def _rebin(self) -> None:
        if not self._size:
            return
        bins = bin_of(self._activation[: self._size], self.maximum)
        keep = np.flatnonzero(_rank_within(bins) < self.quota - (bins == BINS - 1))  # a place for the new maximum
        if len(keep) < self._size:
            for stored in (self._sequence, self._activation, self._hash):
                stored[: len(keep)] = stored[keep]
            self._size = len(keep)
            self._sorted_hash = np.sort(self._hash[: self._size])
        self.counts = np.bincount(bins[keep], minlength=BINS)

    @property
    def wanted(self) -> np.ndarray:
        """How many sequences each bin still takes, int64 (20,)."""
        return np.maximum(self.quota - self.counts, 0)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Return stored sequences uint8 (count, receptive field), from the bins at and beside those that want more."""
        bins = bin_of(self._activation[: self._size], self.maximum)
        near = np.convolve(self.wanted, np.ones(3), mode="same") / np.maximum(self.counts, 1)
        share = np.cumsum(near[bins] + 1e-9)
        return self._sequence[np.searchsorted(share, random.random(count) * share[-1])]

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Return sequences (n, receptive field) and activations (n,), the highest activation first."""
        order = np.argsort(-self._activation[: self._size], kind="stable")
        return self._sequence[: self._size][order], self._activation[: self._size][order]


def _rank_within(groups: np.ndarray) -> np.ndarray:
    """Return for each element how many earlier elements share its group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(groups) else np.empty(0, dtype=np.int64)
    rank = np.empty(len(groups), dtype=np.int64)
    sizes = np.diff(np.r_[starts, len(groups)])
    rank[order] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return rank
