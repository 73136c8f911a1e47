"""motif_interaction/pairs.py: label files, and pairs derived from a neuron's motifs."""

import h5py
import numpy as np
import pandas as pd
import pytest

from motif_discovery.files import write_matches
from motif_interaction.pairs import bits, derive_pairs, read_labels, read_match_names, word_names, word_of
from utils.motif import Motif
from utils.runtime import InputError
from utils.sequence import iupac_ppm
from utils.tomtom import COLUMNS


def test_the_label_file_of_the_seed(tmp_path):
    path = tmp_path / "conv5_neuron2.yaml"
    path.write_text(
        "combination1: {motifA: [TGTANA], motifB: [GGAC]}\ncombination2: {motifA: [auuua, UUUUUU], motifB: [GGAC]}\n"
    )
    one, other = read_labels(path, 72)
    assert (one.a.words, one.b.words, one.source) == (("UGUANA",), ("GGAC",), "labels")
    assert other.a.words == ("AUUUA", "UUUUUU")
    assert other.a.text == "AUUUA+UUUUUU"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("combination1: {motifA: [UGXA], motifB: [GGAC]}", "'X'"),
        ("combination1: {motifA: [UGUANA]}", "1 motifs"),
        ("combination1: [UGUANA, GGAC]", "no motifs"),
        ("combination1: {motifA: [], motifB: [GGAC]}", "motifA"),
        ("combination1: {motifA: [UGUANAUGUANA], motifB: [GGACGGAC]}", "longer than the fragment"),
        ("combination1: {motifA: [NNNN], motifB: [GGAC]}", "every sequence"),
        ("", "no pair"),
        (
            "combination1: {motifA: [UGUA, CA], motifB: [GGAC]}\ncombination2: {motifA: [GGAC], motifB: [CA, TGTA]}",
            "combination2: the same two motifs as combination1",
        ),
        (
            "combination1: {motifA: [UGUANA], motifB: [GGAC]}\ncombination1: {motifA: [AUUUA], motifB: [GGAC]}",
            "line 2: not a YAML file: key 'combination1' is there twice, first in line 1",
        ),
    ],
)
def test_wrong_label_files_say_what_is_wrong(tmp_path, text, wanted, one_line):
    path = tmp_path / "conv3_neuron2.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read_labels(path, 18)
    message = one_line(raised)
    assert wanted in message
    assert "conv3_neuron2.yaml" in message


def test_words_of_segments():
    """Per column the fewest bases with more than 3/4; weak columns N; ends cut; at most 12 bits."""
    ppm = iupac_ppm("NUGUANAN")
    assert word_of(ppm) == "UGUANA"
    assert word_of(np.where(ppm == 1, 0.8, np.where(ppm == 0, 0.2 / 3, ppm))) == "UGUANA"
    assert word_of(iupac_ppm("RYGGAC")) == "RYGGAC"
    assert bits("RYGGAC") == 10
    assert word_of(iupac_ppm("NNWSNN")) is None
    assert word_of(iupac_ppm("WSWS")) is None  # 4 bits
    assert word_of(iupac_ppm("BDHV")) is None
    long = word_of(iupac_ppm("ACGUACGUACGU"))
    assert long in "ACGUACGUACGU"
    assert bits(long) == 12
    assert len(word_of(iupac_ppm("WSWSWSWSWSWSWSWS"))) == 12


def write_neuron(folder, parts, maximum=3.0):
    """Write parts [(path, size, text of 36 letters)] as motif_discovery does."""
    path = folder / "conv4_neuron7.h5"
    with h5py.File(path, "w") as file:
        file["pfm"] = np.stack([iupac_ppm(text) * size for _, size, text in parts]).astype(np.float32)
        file.create_dataset("path", data=[name for name, _, _ in parts], dtype=h5py.string_dtype())
        file["size"] = np.array([size for _, size, _ in parts], dtype=np.int32)
        file.attrs["maximum"] = maximum
    return path


def row(query, target, q):
    return dict(zip(COLUMNS, [query, target, 0, 1e-6, 1e-5, q, 6, "ACG", "ACG", "+"], strict=True))


PARTS = [
    ("0-1", 50, "N" * 4 + "UGUANAUA" + "N" * 8 + "GGACU" + "N" * 11),
    ("0-2", 300, "N" * 2 + "CUACCU" + "N" * 6 + "GGACU" + "N" * 17),
    ("1", 80, "N" * 9 + "UGUANAUA" + "N" * 8 + "GGACU" + "N" * 6),
    ("2", 900, "N" * 15 + "CCUUCC" + "N" * 15),
]


def test_pairs_of_segments_that_stand_in_one_part(tmp_path):
    path = write_neuron(tmp_path, PARTS)
    pairs = derive_pairs("conv4_neuron7", path, tmp_path / "none.tsv")
    assert [{pair.a.words[0], pair.b.words[0]} for pair in pairs] == [{"CUACCU", "GGACU"}, {"UGUANAU", "GGACU"}]
    assert all(pair.source == "motifs" for pair in pairs)


def test_names_come_from_the_matches_by_column_name(tmp_path):
    """Traps 11 and 12: q-values, not E-values, decide, and a segment without a match has no name."""
    path = write_neuron(tmp_path, PARTS)
    table = pd.DataFrame([row("conv4_neuron7_0-2_14-19", "METTL3", 0.001), row("conv4_neuron7_0-2_2-8", "let-7", 0.5),
                          row("conv4_neuron7_0-2_14-19", "other", 0.01)])  # fmt: skip
    matches = tmp_path / "matches.tsv"
    matches.write_text(table[COLUMNS[::-1]].to_csv(sep="\t", index=False) + "# settings: abc\n")
    assert read_match_names(matches, 0.05) == {"conv4_neuron7_0-2_14-19": "METTL3"}
    first = derive_pairs("conv4_neuron7", path, matches)[0]
    assert {first.a.words[0]: first.a.name, first.b.words[0]: first.b.name} == {"CUACCU": "", "GGACU": "METTL3"}


def test_a_word_of_several_parts_has_its_best_match(tmp_path):
    """Trap 21: not that of the first part; of equal q-values the first name."""
    path, matches = write_neuron(tmp_path, PARTS), tmp_path / "matches.tsv"
    of = {"0-1": "conv4_neuron7_0-1_20-25", "0-2": "conv4_neuron7_0-2_14-19"}
    for rows_, best in (
        ([row(of["0-1"], "weak", 0.049), row(of["0-2"], "METTL3", 1e-8)], "METTL3"),
        ([row(of["0-1"], "ZZZ", 0.01), row(of["0-1"], "AAA", 0.01), row(of["0-2"], "BBB", 0.01)], "AAA"),
    ):
        matches.write_text(pd.DataFrame(rows_)[COLUMNS].to_csv(sep="\t", index=False))
        found = derive_pairs("conv4_neuron7", path, matches)
        assert {motif.name for pair in found for motif in (pair.a, pair.b) if motif.words == ("GGACU",)} == {best}


def test_matches_of_other_motifs_name_nothing(tmp_path, caplog):
    """Segments of motifs of other settings may have the same names."""
    path, matches = write_neuron(tmp_path, PARTS), tmp_path / "matches.tsv"
    table = pd.DataFrame([row("conv4_neuron7_0-2_14-19", "METTL3", 0.001)])
    for motifs, own, names in (("a", "a", True), ("a", "b", False), ("", "b", True), ("a", "", True)):
        write_matches(matches, table, "key", motifs)
        with h5py.File(path, "a") as file:
            file.attrs["settings"] = own
        first = derive_pairs("conv4_neuron7", path, matches)[0]
        assert ("METTL3" in (first.a.name, first.b.name)) == names
        assert ("other settings" in caplog.text) == (not names)
        caplog.clear()


def test_what_is_missing_is_said(tmp_path, one_line):
    """Trap 5: a neuron that never fires has no motifs and no pairs."""
    for path, wanted in (
        (tmp_path / "none.h5", "no motifs of this neuron"),
        (write_neuron(tmp_path, PARTS, maximum=0.0), "never fires"),
    ):
        with pytest.raises(InputError) as raised:
            derive_pairs("conv4_neuron7", path, tmp_path / "none.tsv")
        assert wanted in one_line(raised)
    with pytest.raises(InputError) as raised:
        derive_pairs("conv4_neuron7", write_neuron(tmp_path, PARTS[3:]), tmp_path / "none.tsv")
    assert "no part has two segments" in one_line(raised)
    (tmp_path / "conv4_neuron7.h5").write_text("damaged")
    with pytest.raises(InputError) as raised:
        derive_pairs("conv4_neuron7", tmp_path / "conv4_neuron7.h5", tmp_path / "none.tsv")
    assert "damaged" in one_line(raised)
    (tmp_path / "matches.tsv").write_text("Query\tTarget\na\tb\n")
    with pytest.raises(InputError) as raised:
        read_match_names(tmp_path / "matches.tsv", 0.05)
    assert "Tomtom" in one_line(raised)


def test_words_of_a_label_file_are_named_by_the_database():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGU"), 8)) for _ in range(60)]
    database = [Motif(f"decoy{number}", "", iupac_ppm(text), 100) for number, text in enumerate(texts)]
    database.append(Motif("PUM2", "", iupac_ppm("UGUANAUA"), 100))
    names = word_names(["UGUANAUA", "ACAC"], database)
    assert names["UGUANAUA"] == "PUM2"
    assert word_names(["UGUANAUA"], []) == {}
