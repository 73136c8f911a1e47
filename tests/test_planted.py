"""What an instance of a motif is, and the scan for instances, against slow versions and known answers."""

import re

import numpy as np
import pytest

from generate_dataset.planted import (
    Instances,
    PlantedMotif,
    draw_instances,
    hit_table,
    letters,
    scan,
    shared_word,
    width_of,
)
from utils.motif import Motif
from utils.sequence import IUPAC, N, decode, encode, iupac_ppm


def planted(name, word, **more):
    """Return an IUPAC word as a motif to be planted."""
    ppm = iupac_ppm(word)
    return PlantedMotif(Motif(name, "", ppm), hit_table(ppm, 0.7), **{"effect": 1.0, "shares": (0.2,), **more})


def words_of(hits):
    """Return the words of a hit table as text."""
    return {decode(word) for word in letters(np.flatnonzero(hits), width_of(hits))}


@pytest.mark.parametrize("word", ["GGACU", "UGUANAUA", "ACUAAY", "CCWWWCC", "WWWWWWWW", "DRACH", "ACGUACGUACG"])
@pytest.mark.parametrize("threshold", [0.3, 1.0])
def test_the_instances_of_an_iupac_word_are_the_words_it_stands_for(word, threshold):
    pattern = re.compile("".join(f"[{IUPAC[letter]}]" for letter in word))
    found = words_of(hit_table(iupac_ppm(word), threshold))
    assert len(found) == np.prod([len(IUPAC[letter]) for letter in word])
    assert all(pattern.fullmatch(one) for one in found)


def test_a_soft_motif_has_instances_by_its_score():
    """Log-odds in bits against 0.25, at least the threshold's share of the best: by hand for each of 256 words."""
    ppm = np.random.default_rng(0).dirichlet([0.4] * 4, size=4).T
    weights = np.log2(ppm / 0.25)
    for threshold in (0.3, 0.7, 1.0):
        wanted = {
            a + b + c + d
            for a in "ACGU" for b in "ACGU" for c in "ACGU" for d in "ACGU"
            if sum(weights["ACGU".index(x), i] for i, x in enumerate(a + b + c + d))
            >= threshold * weights.max(axis=0).sum() - 1e-9
        }  # fmt: skip
        assert words_of(hit_table(ppm, threshold)) == wanted
        assert wanted


@pytest.mark.parametrize(
    ("one", "other", "word"),
    [("GGACU", "UGGACUA", "UGGACUA"), ("UGGACUA", "GGACU", "UGGACUA"), ("DRACH", "GGACU", "GGACU"),
     ("GGACU", "GGACA", None), ("UGUANAUA", "UAUUUAUU", None), ("NGGACU", "GACUA", None),
     ("AANNAA", "ACGAA", "AACGAA")],
)  # fmt: skip
def test_a_word_that_two_motifs_share(one, other, word):
    assert shared_word(hit_table(iupac_ppm(one), 0.7), hit_table(iupac_ppm(other), 0.7)) == word


def test_drawn_instances_are_hits_and_follow_the_motif():
    ppm = np.array([[0.7, 0.02, 0.1], [0.1, 0.9, 0.1], [0.1, 0.04, 0.1], [0.1, 0.04, 0.7]])
    motif = PlantedMotif(Motif("soft", "", ppm), hit_table(ppm, 0.2), 1.0, (0.1,))
    drawn = draw_instances(motif, 40_000, np.random.default_rng(0))
    texts, counts = np.unique([decode(word) for word in drawn], return_counts=True)
    assert set(texts) <= words_of(motif.hits)
    # of two instances, the shares are as their probabilities: ACU to ACA is 0.7 to 0.1
    share = dict(zip(texts.tolist(), (counts / len(drawn)).tolist(), strict=True))
    assert share["ACU"] / share["ACA"] == pytest.approx(7, rel=0.1)
    assert share["ACU"] / share["CCU"] == pytest.approx(7, rel=0.1)


def test_scan_finds_what_regular_expressions_find():
    rng = np.random.default_rng(0)
    sequences = rng.integers(0, 4, (60, 80)).astype(np.uint8)
    sequences[5, 30:] = N
    sequences[6, 40] = N
    motifs = [planted("one", "UAW"), planted("two", "ACNA"), planted("three", "UUU")]
    wanted = sorted(
        (row, match.start(), number)
        for row, text in enumerate(map(decode, sequences))
        for number, word in enumerate(("UAW", "ACNA", "UUU"))
        for match in re.finditer("(?=" + "".join(f"[{IUPAC[letter]}]" for letter in word) + ")", text)
    )
    found = scan(sequences, motifs)
    assert list(zip(found.row.tolist(), found.start.tolist(), found.motif.tolist(), strict=True)) == wanted
    assert len(wanted) > 100


def test_a_window_that_leaves_the_message_is_no_instance():
    """Row 8: padding is N, never A."""
    sequences = np.stack([np.append(encode("CCAAA"), [N] * 5), encode("CCNAAAANCC")]).astype(np.uint8)
    assert len(scan(sequences, [planted("a", "AAAA")])) == 1
    assert len(scan(sequences[:1], [planted("a", "AAAA")])) == 0


def test_instances_are_equal_by_content():
    one = Instances(np.array([0, 1]), np.array([0, 0]), np.array([3, 4]))
    assert one == Instances(np.array([1, 0]), np.array([0, 0]), np.array([4, 3])).sorted()
    assert one != Instances(np.array([0, 1]), np.array([0, 1]), np.array([3, 4]))
    assert one != Instances(np.array([0]), np.array([0]), np.array([3]))
