"""The pairs of a neuron: from a person's label file, else segments of its motifs that stand in one part.

A derived word has a letter per column: the fewest bases that hold more than 3/4 of the probability, N where these are
three or four (``utils.motif.iupac_consensus``). Its ends are cut, the less informative one first, while it has more
than 12 nt or 12 bits (2 per base, 1 per choice of two: longer words stand in hardly any fragment), and so are N at
its ends. A word of under 4 nt or under 6 bits stands everywhere and is none.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from motif_interaction.words import Motif, read_word
from utils import motif as matrices
from utils.config import read_yaml
from utils.hdf5 import Damaged, stored_settings
from utils.neuron_motif import read_parts
from utils.runtime import InputError, shown
from utils.sequence import IUPAC, iupac_ppm
from utils.tomtom import are_of, read_matches, tomtom

logger = logging.getLogger(__name__)

SHORTEST, LONGEST = 4, 12  # nt of a word
FEWEST_BITS, MOST_BITS = 6.0, 12.0  # of a word
MOST_LETTERS = 240  # of the words of a pair, which name its folder
MOST_PAIRS = 8  # derived from one neuron: those of the most sequences


class StageMissing(InputError):
    """An earlier stage has not been run for a neuron, or not with these settings."""


@dataclass(frozen=True)
class Pair:
    """Two motifs that may act together.

    Attributes:
        a: one motif.
        b: the other one.
        source: ``labels`` or ``motifs``.
    """

    a: Motif
    b: Motif
    source: str


def bits(word: str) -> float:
    """Return the information of an IUPAC word: 2 less log2 of the bases, summed over its letters."""
    return float(sum(2 - np.log2(len(IUPAC[letter])) for letter in word))


def word_of(ppm: np.ndarray) -> str | None:
    """Return the IUPAC word of a segment (4, width), or None where it says too little."""
    word = "".join("N" if len(IUPAC[letter]) > 2 else letter for letter in matrices.iupac_consensus(ppm))
    column, start, end = matrices.information(ppm), 0, len(word)
    while end > start and (
        word[start] == "N" or word[end - 1] == "N" or end - start > LONGEST or bits(word[start:end]) > MOST_BITS
    ):
        at_start = word[end - 1] != "N" and (word[start] == "N" or column[start] < column[end - 1])
        start, end = (start + 1, end) if at_start else (start, end - 1)
    word = word[start:end]
    return word if len(word) >= SHORTEST and bits(word) >= FEWEST_BITS else None


def read_labels(path: Path, receptive_field: int, database: Sequence[matrices.Motif] = ()) -> list[Pair]:
    """Read the pairs that a person has written for a neuron.

    Args:
        path: YAML such as ``combination1: {motifA: [TGTANA], motifB: [GGAC]}``; IUPAC, T or U.
        receptive_field: nt of a fragment.
        database: motifs that name the words.

    Raises:
        InputError: an unknown letter, one motif only, a motif longer than the fragment, a pair twice, or no pair.
    """
    content = read_yaml(path)
    pairs, known = [], {}
    for name, combination in content.items():
        where = f"{shown(path)}: {name}"
        if not isinstance(combination, dict) or len(combination) != 2:
            found = len(combination) if isinstance(combination, dict) else "no"
            raise InputError(f"{where}: {found} motifs; write two, as in {{motifA: [UGUANA], motifB: [GGAC]}}")
        motifs = []
        for key, words in combination.items():
            words = [words] if isinstance(words, str) else words
            if not isinstance(words, list) or not words:
                raise InputError(f"{where}: {key} is {words!r}; write a list of words such as [UGUANA]")
            words = tuple(dict.fromkeys(read_word(word, f"{where}: {key}") for word in words))
            motifs.append(Motif(words))
        letters = sum(len(motif.text) for motif in motifs)
        if letters > MOST_LETTERS:
            raise InputError(f"{where}: its words have {letters} letters together, more than {MOST_LETTERS}")
        total = sum(min(map(len, motif.words)) for motif in motifs)
        if total > receptive_field:
            raise InputError(f"{where}: the two motifs are {total} nt, longer than the fragment of {receptive_field}")
        same = frozenset(frozenset(motif.words) for motif in motifs)
        if same in known:
            raise InputError(f"{where}: the same two motifs as {known[same]}; write each pair once")
        known[same] = name
        pairs.append(Pair(*motifs, "labels"))
    if not pairs:
        raise InputError(f"{shown(path)}: no pair; write combination1: {{motifA: [UGUANA], motifB: [GGAC]}}")
    names = word_names([word for pair in pairs for motif in (pair.a, pair.b) for word in motif.words], database)
    return [
        Pair(*(Motif(one.words, next((names[word] for word in one.words if word in names), "")) for one in (p.a, p.b)),
             "labels")
        for p in pairs
    ]  # fmt: skip


def word_names(words: Sequence[str], database: Sequence[matrices.Motif], q_threshold: float = 0.05) -> dict[str, str]:
    """Return the database's name of each word that matches a motif of it by Tomtom."""
    queries = [matrices.Motif(word, "", iupac_ppm(word)) for word in dict.fromkeys(words)]
    table = tomtom(queries, list(database), q_threshold, n_jobs=1)
    names = {motif.name: motif.alt or motif.name for motif in database}
    return {row["Query_ID"]: names[row["Target_ID"]] for _, row in table[::-1].iterrows()}


def read_match_names(path: Path, q_threshold: float, motifs: str = "") -> dict[str, str]:
    """Return the best database match of each segment, as in ``read_best_matches``."""
    return {query: target for query, (_, target) in read_best_matches(path, q_threshold, motifs).items()}


def read_best_matches(path: Path, q_threshold: float, motifs: str = "") -> dict[str, tuple[float, str]]:
    """Return q-value and name of the best database match of each segment; of equal q-values the first name.

    Columns of Tomtom's table are found by their names.

    Where the table is not there, is of motifs of another key, or lists nothing up to the threshold, a segment has no
    name.

    Raises:
        InputError: not such a table.
    """
    if not path.is_file():
        return {}
    if not are_of(path, motifs):
        logger.warning("%s: matches of motifs of other settings, which name nothing; match again", shown(path))
        return {}
    table = read_matches(path, ("Query_ID", "Target_ID", "q-value"))
    table = table[table["q-value"] <= q_threshold]
    table = table.sort_values(["q-value", "Target_ID"], ascending=False, kind="stable")  # the best one comes last
    return dict(zip(table["Query_ID"], zip(table["q-value"], table["Target_ID"], strict=True), strict=True))


def derive_pairs(name: str, motifs: Path, matches: Path, q_threshold: float = 0.05) -> list[Pair]:
    """Return the pairs of segments that stand in one part of a neuron's motifs, those of the most sequences first.

    Args:
        name: of the neuron, such as ``conv5_neuron2``.
        motifs: its parts (.h5 of motif_discovery).
        matches: Tomtom's table of its segments.
        q_threshold: of a match that names a segment.

    Raises:
        StageMissing: no motifs yet.
        InputError: damaged motifs, the neuron never fires, or no part has two segments that say enough.
    """
    if not motifs.is_file():
        raise StageMissing(
            f"{shown(motifs)}: no motifs of this neuron; run motif_discovery, correct key 'motifs', or write labels"
        )
    try:
        found = read_parts(motifs, ("path", "pfm", "size", "maximum"))
    except Damaged as error:
        raise InputError(f"{shown(motifs)}: damaged motifs ({error}); cluster again") from None
    if found["maximum"] <= 0:
        raise InputError(f"{name} never fires: it has no motifs and no pairs")
    matched = read_best_matches(matches, q_threshold, stored_settings(motifs))
    weight: dict[tuple[str, str], int] = {}
    best_of: dict[str, tuple[float, str]] = {}  # of a word that is in several parts the best match of any
    for pfm, path, size in zip(found["pfm"], found["path"], found["size"], strict=True):
        ppm = matrices.to_ppm(pfm)
        words = []
        for start, end in matrices.segments(ppm):
            word = word_of(ppm[:, start:end])
            if word:
                words.append(word)
                own = matched.get(f"{name}_{path}_{start}-{end}", (np.inf, ""))
                best_of[word] = min(best_of.get(word, own), own)
        for one, other in {tuple(sorted(pair)) for pair in combinations(words, 2)}:
            weight[one, other] = weight.get((one, other), 0) + int(size)
    if not weight:
        raise InputError(
            f"{shown(motifs)}: no part has two segments of at least {SHORTEST} nt and {FEWEST_BITS:g} bits"
        )
    order = sorted(weight, key=lambda words: (-weight[words], words))[:MOST_PAIRS]
    return [Pair(Motif((one,), best_of[one][1]), Motif((other,), best_of[other][1]), "motifs") for one, other in order]
