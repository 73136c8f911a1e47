"""Which messages are for training, validation and test: at random, but two that are nearly the same never apart."""

import logging

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

logger = logging.getLogger(__name__)

WORD = 14  # nt, length of the words that are compared
SHARED = 0.3  # share of the words of the shorter message that are in the other too
FEWEST_SHARED = 20  # words, so that a run of A or a short common element does not make two messages the same
COMMON = 200  # a word in more messages than this is an element of the genome, not of a few messages
MOST_WORDS = 10**7  # compared at most: of more, a sample is taken, the same word in every message or in none


def _words(codes: np.ndarray) -> np.ndarray:
    """Return the distinct words of a message (length,) as numbers; those with padding or an N are left out."""
    index_of_bits = np.array([4, 0, 1, 4, 2, 4, 4, 4, 3, *[4] * 7], dtype=np.int64)
    if len(codes) < WORD:
        return np.empty(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(index_of_bits[codes & 15], WORD)
    return np.unique(windows[(windows < 4).all(axis=1)] @ 4 ** np.arange(WORD, dtype=np.int64))


def near_identical(codes: np.ndarray) -> np.ndarray:
    """Return the group int64 (n,) of each message (n, length): messages that are nearly the same share one.

    Two messages are nearly the same when the shorter has 30 % of its distinct words of 14 nt, and at least 20, in
    common with the other: a third of it is the same, or all of it at 92 % identity (0.92^14 = 0.31). Groups are the
    connected components. Messages without any word (too short, or masked) are in one group when they are equal.
    """
    n = len(codes)
    words = [_words(row) for row in codes]
    rate = 1 + sum(map(len, words)) // MOST_WORDS
    if rate > 1:  # Knuth's multiplicative hash, of which the high bits choose
        words = [word[(word * 2654435761 & 0xFFFFFFFF) * rate < 2**32] for word in words]
    sizes = np.array([len(word) for word in words])
    distinct, column, count = np.unique(np.concatenate(words), return_inverse=True, return_counts=True)
    row = np.repeat(np.arange(n), sizes)
    several = (count[column] > 1) & (count[column] <= COMMON)
    entries = (np.ones(several.sum(), dtype=np.int32), (row[several], column[several]))
    holds = scipy.sparse.csr_matrix(entries, shape=(n, max(1, len(distinct))))
    common = (holds @ holds.T).tocoo()
    needed = np.maximum(SHARED * np.minimum(sizes[common.row], sizes[common.col]), FEWEST_SHARED / rate)
    linked = common.data >= needed
    equal: dict[bytes, int] = {}
    first = np.array([equal.setdefault(message.tobytes(), place) for place, message in enumerate(codes)])
    links = np.concatenate([common.row[linked], np.arange(n)]), np.concatenate([common.col[linked], first])
    graph = scipy.sparse.coo_matrix((np.ones(len(links[0]), dtype=np.int8), links), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def join_groups(group: np.ndarray, names: list[str]) -> np.ndarray:
    """Return groups int64 (n,) that hold together both what shares a group and what shares a name."""
    _, name = np.unique(names, return_inverse=True)
    n, groups = len(group), group.max() + 1
    links = scipy.sparse.coo_matrix(
        (np.ones(n, dtype=np.int8), (group, groups + name)), shape=(groups + name.max() + 1,) * 2
    )
    return connected_components(links, directed=False)[1][group].astype(np.int64)


def draw_split(group: np.ndarray, valid_share: float, test_share: float, seed: int) -> np.ndarray:
    """Return ``train``, ``valid`` or ``test`` for each row; the rows of a group stay together.

    Groups come in random order, those of more than a tenth of a held-out split last; the first make up the test split,
    the next the validation split, the rest is for training. So no family of messages dominates a held-out split,
    unless there are too few small groups to fill it.
    """
    n = len(group)
    _, group, size = np.unique(group, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(size))
    large = size[order] > max(1, 0.1 * min(valid_share, test_share) * n)
    order = np.concatenate([order[~large], order[large]])
    place = np.empty(len(size))
    place[order] = np.cumsum(size[order]) - size[order]
    held_out = [place < test_share * n, place < (test_share + valid_share) * n]
    return np.select(held_out, ["test", "valid"], "train")[group]
