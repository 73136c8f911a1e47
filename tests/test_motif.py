"""Motif matrices against closed forms; segments; MEME files."""

import gzip

import numpy as np
import pytest

from utils.motif import (
    Motif,
    consensus,
    information,
    iupac_consensus,
    pfm_of,
    read_meme,
    segments,
    to_ppm,
    write_meme,
)  # fmt: skip
from utils.runtime import InputError
from utils.sequence import decode, encode, iupac_ppm

HEADER = "MEME version 4\n\nALPHABET= ACGU\n\n"
MATRIX = "letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0\n0.1 0.2 0.3 0.4\n1 0 0 0\n"


def motif_at(width, *places, sharpness=0.97, seed=0):
    """Return a ppm (4, width) that is nearly uniform but for words at (start, word)."""
    ppm = np.random.default_rng(seed).dirichlet(np.full(4, 200.0), width).T
    for start, word in places:
        ppm[:, start : start + len(word)] = sharpness * iupac_ppm(word) + (1 - sharpness) * 0.25
    return ppm


# -- matrices ------------------------------------------------------------------------------------------------------


def test_pfm_counts_each_base_and_n_nowhere():
    """Row 8: N is not counted as A."""
    pfm = pfm_of(np.stack([encode(text) for text in ("ACGU", "AAGN", "NAGU")]))
    assert pfm.T.tolist() == [[2, 0, 0, 0], [2, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 2]]


def test_ppm_divides_by_the_column():
    pfm = np.array([[2, 0], [1, 0], [1, 0], [0, 0]])
    assert to_ppm(pfm).T.tolist() == [[0.5, 0.25, 0.25, 0], [0.25] * 4]
    np.testing.assert_allclose(to_ppm(np.stack([pfm, 3 * pfm])), np.stack([to_ppm(pfm)] * 2))


def test_information_closed_forms():
    """One base 2 bits, two bases 1 bit, three 2 - log2 3, four 0; p = (1/2, 1/4, 1/8, 1/8) has 2 - 7/4."""
    np.testing.assert_allclose(information(iupac_ppm("ARBN")), [2, 1, 2 - np.log2(3), 0], atol=1e-12)
    assert information(np.array([[0.5], [0.25], [0.125], [0.125]])) == pytest.approx(0.25)
    assert information(np.zeros((3, 4, 7)) + 0.25).shape == (3, 7)


def test_consensus():
    ppm = np.array([[0.1, 0.4, 0.25], [0.2, 0.4, 0.25], [0.3, 0.1, 0.25], [0.4, 0.1, 0.25]])
    assert decode(consensus(ppm)) == "UAA"  # of equal ones the first
    assert consensus(np.stack([ppm, ppm])).shape == (2, 3)


@pytest.mark.parametrize("word", ["ACGU", "RYSWKM", "BDHVN", "UGUANAUA"])
def test_iupac_consensus_gives_the_word_back(word):
    assert iupac_consensus(iupac_ppm(word)) == word


@pytest.mark.parametrize(
    ("column", "letter"),
    [([0.76, 0.24, 0, 0], "A"), ([0.75, 0.25, 0, 0], "M"), ([0.4, 0.05, 0.4, 0.15], "R"),
     ([0.3, 0.3, 0.3, 0.1], "V"), ([0.25] * 4, "N"), ([0, 0.1, 0.1, 0.8], "U")],
)  # fmt: skip
def test_iupac_consensus_takes_the_fewest_bases_above_three_quarters(column, letter):
    assert iupac_consensus(np.array(column)[:, None]) == letter


# -- segments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", range(29))
def test_a_motif_is_found_wherever_it_stands(start):
    """Row 7: both edges included, and no end past the matrix.

    A single column before the edge has one neighbour, so its mean is half of the motif's: it goes with the motif.
    """
    expected = {1: (0, 9), 27: (27, 36)}.get(start, (start, start + 8))
    assert segments(motif_at(36, (start, "UGUACAUA"))) == [expected]


@pytest.mark.parametrize("gap", range(4, 15))
@pytest.mark.parametrize("word", ["UGUACAUA", "GGACUGGACUGG", "AUUUAUUUAUUUA"])
def test_both_of_two_distant_motifs_are_whole(gap, word):
    """Row 7: 20-bit blocks cut half of all double motifs (12 columns already hold 24 bits)."""
    second = 3 + len(word) + gap
    ppm = motif_at(second + len(word) + 3, (3, word), (second, word))
    assert segments(ppm) == [(3, 3 + len(word)), (second, second + len(word))]


@pytest.mark.parametrize("gap", range(15))
@pytest.mark.parametrize("words", [("UGUACAUA", "AUUUA"), ("GGACUGGACU", "UGUAAAUA"), ("AUUUA", "AUUUAUUUAUUU")])
def test_a_double_motif_is_whole_or_two_segments(gap, words):
    """Row 7: every motif lies inside one segment, whatever bits have been added up before it."""
    places = [(2, 2 + len(words[0]))]
    places.append((places[0][1] + gap, places[0][1] + gap + len(words[1])))
    found = segments(motif_at(places[1][1] + 2, (2, words[0]), (places[1][0], words[1])))
    assert 1 <= len(found) <= 2
    for start, end in places:
        assert any(left <= start and end <= right for left, right in found)


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_a_long_run_is_cut_between_its_motifs(gap):
    """A run above the width limit is cut where least information is lost: in the linker, not in a motif."""
    word = "UGUACAUAUGUACAUA"
    places = [(2, 18), (18 + gap, 34 + gap)]
    ppm = motif_at(36 + gap, (2, word), (18 + gap, word))
    ppm[:, 18 : 18 + gap] = 0.8 * iupac_ppm("R" * gap) + 0.05  # about half a bit
    found = segments(ppm)
    assert len(found) == 2
    for (start, end), (left, right) in zip(places, found, strict=True):
        assert left <= start
        assert end <= right


def test_width_limits():
    assert segments(motif_at(30, (10, "ACG"))) == []
    assert segments(motif_at(30, (10, "ACGU"))) == [(10, 14)]
    assert segments(motif_at(30, (10, "ACGUA")), min_width=6) == []
    assert segments(motif_at(50, (10, "ACGUA" * 6))) == [(10, 40)]
    for width in (31, 45, 64, 100):
        found = segments(motif_at(width + 8, (4, ("ACGUA" * 20)[:width])))
        assert all(4 <= end - start <= 30 for start, end in found)
        assert sum(end - start for start, end in found) == width  # nothing is lost


@pytest.mark.parametrize(("min_width", "max_width"), [(4, 8), (4, 6), (4, 4), (5, 9)])
def test_narrow_width_limits(min_width, max_width):
    found = segments(motif_at(30, (5, "ACGUACGUACG")), min_width=min_width, max_width=max_width)
    assert found
    assert all(min_width <= end - start <= max_width for start, end in found)


def test_random_matrices_give_segments_inside_in_order():
    """Row 7: ends within the matrix; segments do not overlap; all columns of a mean above the threshold are kept."""
    rng = np.random.default_rng(3)
    for _ in range(300):
        width = int(rng.integers(1, 80))
        ppm = rng.dirichlet(np.full(4, rng.choice([0.05, 0.2, 0.5])), width).T
        found = segments(ppm)
        flat = [edge for segment in found for edge in segment]
        assert flat == sorted(flat)
        assert not flat or (flat[0] >= 0 and flat[-1] <= width)
        assert all(4 <= end - start <= 30 for start, end in found)
        bits = information(ppm)
        strong = [bits[max(0, i - 1) : i + 2].mean() > 0.7 for i in range(width)]
        inside = [any(start <= i < end for start, end in found) for i in range(width)]
        assert all(strong[i] for i in range(width) if inside[i])


def test_a_matrix_without_information_has_no_segment():
    assert segments(np.full((4, 40), 0.25)) == []
    assert segments(np.full((4, 1), 0.25)) == []
    assert segments(iupac_ppm("AC")) == []


def test_the_threshold_counts():
    ppm = motif_at(20, (5, "RYRYRY"), sharpness=1)  # 1 bit a column
    assert segments(ppm, threshold=0.9) == [(6, 10)]
    assert segments(ppm, threshold=1.1) == []


# -- MEME files ----------------------------------------------------------------------------------------------------


def random_motifs(count, seed=0):
    rng = np.random.default_rng(seed)
    ppms = [rng.dirichlet(np.ones(4), int(width)).T for width in rng.integers(1, 20, count)]
    return [Motif(f"motif{seed}_{i}", "" if i % 2 else f"PUM{i}", ppm, 7 + i) for i, ppm in enumerate(ppms)]


def assert_same(found, expected):
    assert [(m.name, m.alt, m.nsites) for m in found] == [(m.name, m.alt, m.nsites) for m in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.ppm, other.ppm, atol=2e-6)
        np.testing.assert_allclose(one.ppm.sum(axis=0), 1)


def test_meme_round_trip(tmp_path):
    motifs = random_motifs(12)
    write_meme(tmp_path / "a.meme", motifs)
    assert_same(read_meme(tmp_path / "a.meme"), motifs)
    text = (tmp_path / "a.meme").read_text()
    assert text.startswith("MEME version 4\n")
    assert "\nALPHABET= ACGU\n" in text


def test_compressed_and_several_files(tmp_path):
    first, second = random_motifs(3), random_motifs(4, seed=1)
    write_meme(tmp_path / "a.meme", first)
    write_meme(tmp_path / "b.meme", second)
    packed = tmp_path / "b.meme.gz"
    packed.write_bytes(gzip.compress((tmp_path / "b.meme").read_bytes()))
    assert_same(read_meme(packed), second)
    assert_same(read_meme([packed, tmp_path / "a.meme"]), second + first)
    assert_same(read_meme(str(packed)), second)


def test_a_database_as_published(tmp_path):
    """DNA alphabet, strands, background, alternate names with spaces, text after the matrix, no nsites."""
    path = tmp_path / "a.meme"
    path.write_text(
        "MEME version 5.5.8\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies (from uniform):\n"
        "A 0.25 C 0.25 G 0.25 T 0.25\n\nMOTIF M1 PUM2 of man\n\nletter-probability matrix: alength= 4 w= 2\n"
        " 0.10\t0.20  0.30 0.40\n 1 0 0 0\nURL http://example.org\n\n"
        "MOTIF M2\nletter-probability matrix: alength= 4 w= 1 nsites= 5 E= 1e-3\n0 0 0 1\n"
    )
    first, second = read_meme(path)
    assert (first.name, first.alt, first.nsites) == ("M1", "PUM2 of man", 20)
    np.testing.assert_allclose(first.ppm.T, [[0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0]])
    assert (second.name, second.nsites, second.ppm.T.tolist()) == ("M2", 5, [[0, 0, 0, 1]])


@pytest.mark.parametrize(
    "text",
    [
        "", "only text\n", HEADER,
        HEADER.replace("ACGU", "ACDEFGHIKLMNPQRSTVWY") + "MOTIF a\n" + MATRIX,
        HEADER + "MOTIF\n" + MATRIX,
        HEADER + MATRIX,
        HEADER + "MOTIF a\n" + MATRIX + "\nMOTIF a\n" + MATRIX,
        HEADER + "MOTIF a\n" + MATRIX + "\n" + MATRIX,
        HEADER + "MOTIF a\n" + MATRIX.replace("w= 2", "w= 3"),
        HEADER + "MOTIF a\n" + MATRIX.replace("w= 2", "w= 0"),
        HEADER + "MOTIF a\n" + MATRIX.replace("w= 2", "w= two"),
        HEADER + "MOTIF a\n" + MATRIX.replace("nsites= 20", "nsites= many"),
        HEADER + "MOTIF a\n" + MATRIX.replace("1 0 0 0", "1 0 0"),
        HEADER + "MOTIF a\n" + MATRIX.replace("1 0 0 0", "1 0 0 x"),
        HEADER + "MOTIF a\n" + MATRIX.replace("1 0 0 0", "5 0 0 0"),
        HEADER + "MOTIF a\n" + MATRIX.replace("1 0 0 0", "2 -1 0 0"),
        HEADER + "MOTIF a\n" + MATRIX.replace("1 0 0 0", "nan 0 0 0"),
    ],
)  # fmt: skip
def test_a_broken_file_is_an_error(tmp_path, one_line, text):
    path = tmp_path / "broken.meme"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read_meme(path)
    assert "broken.meme" in one_line(raised)


def test_an_unreadable_file_is_an_error(tmp_path, one_line):
    write_meme(tmp_path / "a.meme", random_motifs(50))
    packed = gzip.compress((tmp_path / "a.meme").read_bytes())
    damaged = packed[:300] + bytes([byte ^ 255 for byte in packed[300:340]]) + packed[340:]
    for content in (b"", b"text", packed[:100], packed[:-4], damaged):
        path = tmp_path / "broken.meme.gz"
        path.write_bytes(content)
        with pytest.raises(InputError) as raised:
            read_meme(path)
        assert "broken.meme.gz" in one_line(raised)
    (tmp_path / "bytes.meme").write_bytes(b"MEME \xff\xfe")
    for name in ("bytes.meme", "none.meme"):
        with pytest.raises(InputError) as raised:
            read_meme(tmp_path / name)
        assert name in one_line(raised)


def test_a_name_of_two_databases_is_of_one_motif(tmp_path, one_line):
    """Matches are known by names: of two motifs with one name the second one's protein was shown for the first."""
    one, other = Motif("M1", "A", iupac_ppm("UGUACGGAC")), Motif("M1", "B", iupac_ppm("CCAUGG"))
    write_meme(tmp_path / "a.meme", [one])
    write_meme(tmp_path / "same.meme", [one, Motif("M2", "", iupac_ppm("CCAUGG"))])
    write_meme(tmp_path / "b.meme", [other])
    motifs = read_meme([tmp_path / "a.meme", tmp_path / "same.meme"])
    assert [motif.name for motif in motifs] == ["M1", "M2"]
    with pytest.raises(InputError, match=r"b.meme: motif 'M1'.*generate_dataset.motif_database") as raised:
        read_meme([tmp_path / "a.meme", tmp_path / "b.meme"])
    one_line(raised)


def test_a_matrix_of_no_sites_is_taken_as_of_an_unknown_number(tmp_path):
    write_meme(tmp_path / "a.meme", [Motif("M1", "", iupac_ppm("UGUACGGAC"), 0)])
    assert read_meme(tmp_path / "a.meme")[0].nsites == 20


@pytest.mark.parametrize(("name", "count"), [("rbp_human_transite.meme", 174), ("mirna_human.meme.gz", 2656)])
def test_the_databases_are_read_whole(shared_data, name, count):
    motifs = read_meme(shared_data / "motif_databases" / name)
    assert len(motifs) == count
    assert len({motif.name for motif in motifs}) == count
