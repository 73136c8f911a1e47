"""Sequences: text, indices and one-hot arrays say the same."""

import numpy as np
import pytest
import torch

from utils.runtime import InputError
from utils.sequence import IUPAC, IUPAC_OF_BASES, N, decode, encode, from_one_hot, iupac_ppm, one_hot


def test_encode_reads_dna_rna_and_lower_case():
    assert encode("ACGUN").tolist() == [0, 1, 2, 3, 4]
    assert encode("ACGTN").tolist() == encode("acgun").tolist() == encode("acgtn").tolist() == [0, 1, 2, 3, 4]
    assert encode("ACGU").dtype == np.uint8
    assert encode("").shape == (0,)


def test_decode_gives_rna_back():
    text = "".join(np.random.default_rng(0).choice(list("ACGUN"), 500))
    assert decode(encode(text)) == text
    assert decode(encode("TTT")) == "UUU"
    assert decode(np.array([0, 4, 7, 255], dtype=np.uint8)) == "ANNN"


@pytest.mark.parametrize(("text", "letter"), [("ACGX", "X"), ("AC GU", " "), ("AC-", "-"), ("ACé", "é"), ("ACR", "R")])
def test_a_bad_letter_is_named(text, letter, one_line):
    with pytest.raises(InputError) as raised:
        encode(text)
    assert repr(letter) in one_line(raised)


@pytest.mark.parametrize(("letter", "remedy"), [("R", True), ("y", True), ("X", False), ("-", False)])
def test_a_letter_for_several_bases_names_its_remedy(letter, remedy):
    with pytest.raises(InputError) as raised:
        encode(f"ACG{letter}")
    assert str(raised.value).endswith("; write N for it") == remedy


def test_one_hot_has_a_column_of_zeros_for_n():
    X = one_hot(encode("ANU"))
    assert X.dtype == torch.float32
    assert X.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert one_hot(np.zeros((3, 2, 7), dtype=np.uint8)).shape == (3, 2, 4, 7)


def test_a_zero_column_is_n_never_a():
    """Row 8: zero columns decoded as A make poly-A of padding."""
    X = np.zeros((2, 6, 5))
    X[0, 3, 0] = X[1, 0, 4] = 1
    X[:, 4] = 1  # a codon track tells nothing about the base
    indices = from_one_hot(X)
    assert indices.dtype == np.uint8
    assert [decode(row) for row in indices] == ["UNNNN", "NNNNA"]


def test_one_hot_round_trip():
    indices = np.random.default_rng(1).integers(0, 5, (4, 3, 20)).astype(np.uint8)
    assert np.array_equal(from_one_hot(one_hot(indices).numpy()), indices)
    assert N == 4


def test_iupac_letters_hold_their_bases():
    """The table of NC-IUB 1984, with U for T."""
    sizes = {letter: len(bases) for letter, bases in IUPAC.items()}
    assert sizes == {**dict.fromkeys("ACGUT", 1), **dict.fromkeys("RYSWKM", 2), **dict.fromkeys("BDHV", 3), "N": 4}
    assert (set(IUPAC["R"]), set(IUPAC["Y"])) == (set("AG"), set("CU"))
    assert (set(IUPAC["S"]), set(IUPAC["W"])) == (set("CG"), set("AU"))
    assert (set(IUPAC["K"]), set(IUPAC["M"])) == (set("GU"), set("AC"))
    for letter, absent in zip("BDHV", "ACGU", strict=True):
        assert set(IUPAC[letter]) == set("ACGU") - {absent}
    assert len(IUPAC_OF_BASES) == 15
    assert all(IUPAC[letter] == bases for bases, letter in IUPAC_OF_BASES.items())


def test_iupac_ppm():
    ppm = iupac_ppm("ARnu")
    assert ppm.T.tolist() == [[1, 0, 0, 0], [0.5, 0, 0.5, 0], [0.25] * 4, [0, 0, 0, 1]]
    assert np.array_equal(iupac_ppm("T"), iupac_ppm("U"))
    np.testing.assert_allclose(iupac_ppm("".join(IUPAC)).sum(axis=0), 1)


@pytest.mark.parametrize("word", ["", "ACX", "AC-"])
def test_a_word_outside_iupac_is_an_error(word, one_line):
    with pytest.raises(InputError) as raised:
        iupac_ppm(word)
    assert "word" in one_line(raised)
