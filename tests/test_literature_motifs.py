"""The embedded motif database: the table is valid and complete, and the MEME file is what the script makes of it."""

import re

import numpy as np
import pytest

from generate_dataset import literature_motifs
from generate_dataset.literature_motifs import HEADER, MEME, TABLE, main, read_table, to_motif
from utils.motif import information, read_meme
from utils.runtime import ROOT, InputError

MIRNA = ROOT.parent / "shared" / "data" / "motif_databases" / "mirna_human.meme.gz"
GOOD_ROW = ("one", "UGUANAUA", "PUM2", "pumilio", "destabilising", "human", "Somebody, Journal, 2000")


@pytest.fixture(scope="module")
def entries():
    """Return the rows of the committed table."""
    return read_table(TABLE)


def write_table(path, *rows, header=HEADER):
    """Write a table and return its path."""
    path.write_text("".join("\t".join(cells) + "\n" for cells in (header, *rows)), encoding="utf-8")
    return path


def changed(**cells):
    """Return the good row with some cells changed."""
    return tuple(cells.get(column, value) for column, value in zip(HEADER, GOOD_ROW, strict=True))


def database_sites():
    """Return the 8mer site of every mature human microRNA: the last eight letters of its target, the last one an A."""
    sites = {}
    for motif in read_meme(MIRNA):
        target = "".join("ACGU"[base] for base in motif.ppm.argmax(axis=0))
        sites[motif.name] = target[-8:-1] + "A"
    return sites


def test_enough_motifs_and_all_unique(entries):
    assert len(entries) >= 140
    assert len({entry.name.lower() for entry in entries}) == len(entries)
    assert len({entry.word for entry in entries}) == len(entries)
    assert sum(entry.group == "mirna_seed" for entry in entries) >= 60
    assert {entry.group for entry in entries} == set(literature_motifs.CLASSES)


def test_words_and_citations(entries):
    for entry in entries:
        assert re.fullmatch(r"[ACGURYSWKMBDHV][ACGURYSWKMBDHVN]{1,14}[ACGURYSWKMBDHV]", entry.word), entry
        assert len(entry.word) >= 4 or entry.word in ("AUG", "UAA", "UAG", "UGA"), entry
        assert re.search(r", \D+.*, (19|20)\d\d(, (doi:10\.\S+|PMID:\d+|PMCID:PMC\d+))?$", entry.citation), entry


def test_every_word_is_informative(entries):
    for entry in entries:
        ppm = to_motif(entry).ppm
        assert ppm.shape == (4, len(entry.word))
        assert np.allclose(ppm.sum(axis=0), 1)
        assert information(ppm).sum() >= 5, entry


@pytest.mark.parametrize(
    "word",
    [
        "UGUANAUA",
        "UAUUUAU",
        "AAUAAA",
        "AUUAAA",
        "DRACH",
        "GCCRCCAUGG",
        "AUG",
        "UAA",
        "UAG",
        "UGA",
        "CUACCUCA",
        "UAUAUA",
        "UUUUAU",
        "UGCAU",
        "UGUUUGUUUGU",
        "CAGUGH",
        "CYYYYYYY",
        "CNUGUANAUA",
        "UUUUUU",
    ],
)
def test_required_words(entries, word):
    assert word in {entry.word for entry in entries}


def test_required_factors(entries):
    factors = " ".join(entry.factor for entry in entries)
    names = "PUM1 PUM2 ELAVL1 HNRNPD ZFP36 KHSRP TIA1 TIAL1 CELF1 QKI RBFOX1 PTBP1 HNRNPK PCBP1 MBNL1 MSI1 LIN28A"
    names += " IGF2BP1 FMR1 YTHDF2 PABPC1 RC3H1 SAMD4A CPEB1 SRSF1 KHDRBS1 U2AF2 LARP1 ACO1 Puf1 Puf2 Puf3 Puf4 Puf5"
    names += " Puf6 Vts1 Khd1 Pub1 Nab2 Nrd1 Nab3 Hrp1 Nab4 Pab1 Whi3 Cth2 Tis11"
    assert [name for name in names.split() if name not in factors] == []


def test_committed_meme_is_what_the_script_makes(tmp_path):
    output = tmp_path / "made.meme"
    main(["--output", str(output)])
    assert output.read_bytes() == MEME.read_bytes()


def test_meme_reads_back_as_the_table(entries):
    motifs = read_meme(MEME)
    assert [motif.name for motif in motifs] == [entry.name for entry in entries]
    for entry, motif in zip(entries, motifs, strict=True):
        assert np.allclose(motif.ppm, to_motif(entry).ppm, atol=1e-5)
        assert motif.alt
        assert " " not in motif.alt


def test_microrna_sites_agree_with_mature_sequences(entries):
    if not MIRNA.exists():
        pytest.skip(f"{MIRNA} is absent: microRNA sites are not checked against mature sequences")
    sites = database_sites()
    for entry in (entry for entry in entries if entry.group == "mirna_seed"):
        assert len(entry.word) == 8
        for member in entry.factor.split("/"):
            core, arm = re.fullmatch(r"(.+?)(-[35]p)?", member).groups()
            pattern = re.compile(rf"hsa-{re.escape(core)}[a-z]?(-\d+)?{arm or '(-[35]p)?'}")
            found = {name: site for name, site in sites.items() if pattern.fullmatch(name)}
            assert entry.word in found.values(), (entry.name, member, found)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (changed(word="UGUXAUA"), "letter 'X'"),
        (changed(word="UGUATAUA"), "letter 'T'"),
        (changed(word="NUGUA"), "begins or ends with N"),
        (changed(word="UGUAN"), "begins or ends with N"),
        (changed(word="UGU"), "3 letters"),
        (changed(word="A" * 17), "17 letters"),
        (changed(name="a/b"), "rename"),
        (changed(citation=""), "'citation' is empty"),
        (changed(word=" "), "'word' is empty"),
        (changed(**{"class": "other"}), "class 'other'"),
        (changed(effect="up"), "effect 'up'"),
        (GOOD_ROW[:-1], "6 columns"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, message):
    table = write_table(tmp_path / "bad.tsv", changed(name="zero", word="AUUUA"), row)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_table(table)
    assert "bad.tsv, line 3" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("row", "message"), [(changed(word="AUUUA"), "same name"), (changed(name="two"), "same word")])
def test_duplicates_are_named(tmp_path, row, message):
    with pytest.raises(InputError, match=f"line 3: {message} as line 2"):
        read_table(write_table(tmp_path / "twice.tsv", GOOD_ROW, row))


def test_header_and_empty_and_missing_tables(tmp_path):
    with pytest.raises(InputError, match="line 1: the header"):
        read_table(write_table(tmp_path / "header.tsv", GOOD_ROW, header=HEADER[::-1]))
    with pytest.raises(InputError, match="no motif"):
        read_table(write_table(tmp_path / "empty.tsv"))
    with pytest.raises(InputError, match="not a readable table"):
        read_table(tmp_path / "absent.tsv")


def test_command_line_fails_in_one_line(tmp_path, capsys):
    output = tmp_path / "out.meme"
    with pytest.raises(SystemExit) as caught:
        main(["--table", str(tmp_path / "absent.tsv"), "--output", str(output)])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not output.exists()
