"""Which messages are for training, validation and test: at random, but two that are nearly the same never apart."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from utils.runtime import shown

logger = logging.getLogger(__name__)

WORD = 14  # nt, length of the words that are compared
SHARED = 0.3  # share of the words of the shorter message that are in the other too
FEWEST_SHARED = 20  # words, so that a run of A or a short common element does not make two messages the same
FEWEST_OF_SHORT = 0.6, 6  # or this share of its words, at least so many, of a message of under 47 nt
COMMON = 200  # a word in more messages than this is an element of the genome or of a construct, not of a few messages
PIECE = 8  # nt, of common words, that cover what is common of a message
OWN_STRETCH = 17  # nt outside of such pieces make a message more than a variant: two substitutions make at most 16
HUBS = 8  # messages that stand for all that hold a common word
MOST_WORDS = 10**7  # compared at most: of more, a sample is taken, the same word in every message or in none
BLOCK = 2**23  # comparisons of a word in two messages that are held at once


def _words(codes: np.ndarray, k: int = WORD) -> tuple[np.ndarray, np.ndarray]:
    """Return the words of a message (length,) as numbers, int64 (places,), and which have no padding and no N."""
    index_of_bits = np.array([4, 0, 1, 4, 2, 4, 4, 4, 3, *[4] * 7], dtype=np.int64)
    base = index_of_bits[codes[: len(codes) - np.argmax(codes[::-1] != 0)] & 15]
    places = max(0, len(base) - k + 1)
    word, unknown = np.zeros(places, dtype=np.int64), np.zeros(places, dtype=bool)
    for offset in range(k if places else 0):
        part = base[offset : offset + places]
        word |= (part & 3) << 2 * offset
        unknown |= part > 3
    return word, ~unknown


def _pieces(words: np.ndarray) -> np.ndarray:
    """Return which words of 8 nt are part of some words of 14 nt, int64: bool (4^8,)."""
    found = np.zeros(4**PIECE, dtype=bool)
    found[(words[:, None] >> 2 * np.arange(WORD - PIECE + 1)) & (4**PIECE - 1)] = True
    return found


def _longest_own_stretch(codes: np.ndarray, pieces: np.ndarray) -> int:
    """Return how many bases of a message (length,) follow each other that none of the ``pieces`` (4^8,) covers."""
    word, whole = _words(codes, PIECE)
    starts = np.flatnonzero(whole)
    starts = starts[pieces[word[starts]]]
    covered = np.zeros(len(codes), dtype=bool)
    covered[(starts[:, None] + np.arange(PIECE)).ravel()] = True
    stop = np.flatnonzero(covered | (codes & 15 == 0))
    return int(np.diff(stop, prepend=-1, append=len(codes)).max()) - 1


def _merge(group: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return groups (n,) of which those of the linked messages ``one`` and ``other`` (links,) have become one."""
    links = np.ones(len(one), dtype=np.int8), (group[one], group[other])
    graph = scipy.sparse.coo_matrix(links, shape=(group.max() + 1,) * 2)
    return connected_components(graph, directed=False)[1][group].astype(np.int64)


def _linked(rows: np.ndarray, holds: scipy.sparse.csr_matrix, needed: Callable) -> Iterator[tuple]:
    """Yield, block by block, the pairs of one of ``rows`` and any message that have as many words in common as needed.

    Args:
        rows: messages, int64.
        holds: 1 where a message (n, words) holds a word.
        needed: of two arrays of messages, how many words they must share.
    """
    others = scipy.sparse.csr_matrix(holds.T)
    work = holds[rows] @ np.diff(others.indptr)
    block = (np.cumsum(work) - work) // BLOCK
    for part in np.split(rows, np.flatnonzero(np.diff(block)) + 1):
        common = (holds[part] @ others).tocoo()
        one, other = part[common.row], common.col
        enough = common.data >= needed(one, other)
        yield one[enough], other[enough]


def near_identical(codes: np.ndarray) -> np.ndarray:
    """Return the group int64 (n,) of each message (n, length): messages that are nearly the same share one.

    Two messages are nearly the same when the shorter has 30 % of its distinct words of 14 nt, and at least 20 (fewer
    where one is under 47 nt), in common with the other: a third of it is the same, or all of it at 92 % identity
    (0.92^14 = 0.31). Groups are the connected components. Equal messages are always in one.

    Words that more than 200 messages hold (a repeat of the genome, the constant part of a reporter) do not count as
    shared; where they are more than half of a message the 30 % are of its other words. Where pieces of them cover a
    message but for stretches under 17 nt it is one of the variants of a large family: all its words count. Of such
    messages not all pairs are compared but each with 8 that hold the same common word, so that memory and time grow
    with the number of messages, not with its square.
    """
    n, words = len(codes), []
    windows = np.zeros(n)  # that hold a word, alike ones counted each
    for place, message in enumerate(codes):
        word, whole = _words(message)
        windows[place] = whole.sum()
        words.append(np.unique(word[whole]))
    rate = 1 + sum(map(len, words)) // MOST_WORDS
    if rate > 1:  # Knuth's multiplicative hash, of which the high bits choose
        words = [word[(word * 2654435761 & 0xFFFFFFFF) * rate < 2**32] for word in words]
    sizes = np.array([len(word) for word in words])
    distinct, column, count = np.unique(np.concatenate(words), return_inverse=True, return_counts=True)
    row = np.repeat(np.arange(n), sizes)
    rare = count[column] <= COMMON
    held, pieces = np.bincount(row[~rare], minlength=n), _pieces(distinct[count > COMMON])
    variant = np.zeros(n, dtype=bool)
    for place in np.flatnonzero((held > 0) & (held * (WORD + OWN_STRETCH) * rate >= windows)):  # else too few to cover
        variant[place] = _longest_own_stretch(codes[place], pieces) < OWN_STRETCH * rate
    used = rare | variant[row]
    sizes = np.where(variant | (held <= sizes / 2), sizes, sizes - held)

    def needed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        share, least = FEWEST_OF_SHORT
        fewest = np.clip(share * np.minimum(windows[one], windows[other]), least, FEWEST_SHARED) / rate
        return np.maximum(SHARED * np.minimum(sizes[one], sizes[other]), fewest)

    def matrix(entries: np.ndarray) -> scipy.sparse.csr_matrix:
        ones = np.ones(entries.sum(), dtype=np.int32)
        return scipy.sparse.csr_matrix((ones, (row[entries], column[entries])), shape=(n, max(1, len(distinct))))

    equal: dict[bytes, int] = {}
    group = np.array([equal.setdefault(message.tobytes(), place) for place, message in enumerate(codes)])
    for one, other in _linked(np.arange(n), matrix(rare & (count[column] > 1)), needed):
        group = _merge(group, one, other)
    family = np.flatnonzero(used & ~rare)
    if len(family):
        chance = np.random.default_rng(0).permutation(n)
        family = family[np.lexsort((chance[row[family]], column[family]))]
        first = np.searchsorted(column[family], column[family])  # where those of the same word begin
        hubs = np.unique(row[family[np.arange(len(family)) - first < HUBS]])
        for one, other in _linked(hubs, matrix(used & (count[column] > 1)), needed):
            group = _merge(group, one, other)
    return np.unique(group, return_inverse=True)[1]


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


def warn_of_leaks(codes: np.ndarray, gene: list[str] | None, split: np.ndarray, path: Path, remedy: str = "") -> None:
    """Say how many rows of a given test split have a like, or one of their gene, in the training split.

    Args:
        codes: uint8 (n, length).
        gene: of each message, or None.
        split: ``train``, ``valid`` or ``test`` for each.
        path: the table.
        remedy: what keeps them together.
    """
    test, train = split == "test", split == "train"
    groups = {"nearly identical to": near_identical(codes)}
    if gene is not None:
        groups["of the same gene as"] = np.array(gene)
    for what, group in groups.items():
        count = (test & np.isin(group, group[train])).sum()
        if count:
            more = f"; {remedy}" if remedy else ""
            logger.warning("%s: %d of %d test rows are %s a training row%s", shown(path), count, test.sum(), what, more)
