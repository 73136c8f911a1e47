"""Readers of public tables: rows, tracks and labels."""

import gzip
import io

import numpy as np
import pandas as pd
import pytest

from generate_dataset.build import READERS
from generate_dataset.messages import CODON_START
from utils.data import unpack_tracks
from utils.runtime import InputError
from utils.sequence import decode, from_one_hot

SOURCES = {  # reader: file below shared/data, rows, column of the sequence
    "mrl": ("mrl/egfp_unmod_1_top20k.csv.gz", 20_000, "utr"),
    "yeast": ("half_life/yeast_cds_3utr.csv.gz", 5_334, "cds"),
    "human_3utr": ("half_life/human_3utr_pc1.csv.gz", 7_790, "utr3"),
    "mpra": ("half_life/jurkat_3utr_mpra.csv.gz", 28_029, "seq"),
}
TINY = {
    "mrl": "utr,rl\n" + "".join(f"{'ACGUA' * 5}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]},{i}.5\n" for i in range(12)),
    "yeast": "gene_id,cds,utr3,hl_presnyak_min,hl_chan_min\n"
    "g0,ATGAAATAA,CCC,2,\ng1,ATGAAA,,8,4\ng2,ATGCCCTGA,GT,,16\ng3,ATG,A,,\n",
    "human_3utr": "ensembl_gene_id,half_life_pc1,utr3\n"
    "e0,1.5,NNNNNNNNNN\ne1,-2,acgtNNac\ne2,,ACGT\ne3,4,GGGGGGGGGGGGGGGG\n",
    "mpra": "seq,stability_jurkat\nACGT,0.5\nCCCC,\nGGGG,4\nTTTT,0\n",
}


def read(reader, path, max_length=30, **more):
    """Read a table with a reader."""
    schema, function = READERS[reader]
    return function(schema(source=str(path), reader=reader, output="", max_length=max_length, **more))


def texts_of(messages, tracks=6):
    """Return the bases of messages, N for padding."""
    return [decode(row) for row in from_one_hot(unpack_tracks(messages.codes, tracks))]


# -- readers on tiny tables --------------------------------------------------------------------------------------


def test_mrl_rows_are_split_by_their_number(table):
    """README of the data: row % 10 == 0 is test, == 1 validation, the rest train (row 24: one split function)."""
    messages = read("mrl", table(TINY["mrl"]))
    assert messages.split.tolist() == ["test", "valid", *["train"] * 8, "test", "valid"]
    assert messages.label[:, 0].tolist() == [i + 0.5 for i in range(12)]
    assert messages.length.tolist() == [30] * 12
    assert texts_of(messages)[:5] == ["NNN" + "ACGUA" * 5 + end for end in ("AA", "CA", "GA", "UA", "AC")]


def designed(n):
    """Return a table of 5' UTRs, of which rows 10 i (test) and 10 i + 2 (training) differ in one base only."""
    rng = np.random.default_rng(0)
    utrs = ["".join(rng.choice(list("ACGT"), 50)) for _ in range(n)]
    for row in range(0, n, 10):
        utrs[row + 2] = utrs[row][:-1] + "ACGT"["CGTA".index(utrs[row][-1])]
    return "utr,rl\n" + "".join(f"{utr},{row}\n" for row, utr in enumerate(utrs))


def test_designed_utrs_that_are_on_both_sides_are_said(table, caplog):
    """Row 24: the test split must not be what was trained on."""
    read("mrl", table(designed(60)), 50)
    assert "6 of 6 test rows are nearly identical to a training row; split: families" in caplog.text


@pytest.mark.parametrize("without_aug", [False, True])
def test_designed_utrs_are_drawn_by_families(table, caplog, without_aug):
    keys = {"split": "families", "test_share": 0.3, "valid_share": 0.2}
    whole = read("mrl", table(designed(60)), 50, **keys)
    messages = read("mrl", table(designed(60)), 50, without_aug=without_aug, **keys)
    split = dict(zip(messages.id, messages.split, strict=True))
    pairs = [(f"row{row}", f"row{row + 2}") for row in range(0, 60, 10)]
    assert all(split[one] == split[other] for one, other in pairs if one in split and other in split)
    assert (len(split) < 60) == without_aug
    assert split.items() <= dict(zip(whole.id, whole.split, strict=True)).items()
    assert {"train", "valid", "test"} == set(whole.split)
    assert "nearly identical" not in caplog.text


def test_what_a_data_set_says_of_its_settings_is_as_before(table):
    """The file of a data set, and so its hash, stays what the committed weights were trained on."""
    schema = READERS["mrl"][0]
    keys = {"source": "a.csv", "reader": "mrl", "output": ""}
    assert "split" not in schema(**keys).model_dump_json()
    assert "families" in schema(**keys, split="families").model_dump_json()


def test_yeast_has_codons_and_a_label_of_one_or_two_measurements(table):
    messages = read("yeast", table(TINY["yeast"]), 14, label="mean")
    assert messages.id == ["g0", "g1", "g2"]  # g3 was not measured
    assert texts_of(messages) == ["AUGAAAUAACCCNN", "AUGAAANNNNNNNN", "AUGCCCUGAGUNNN"]
    tracks = unpack_tracks(messages.codes, 6)
    assert [np.flatnonzero(row).tolist() for row in tracks[:, CODON_START]] == [[0, 3, 6], [0, 3], [0, 3, 6]]
    assert not tracks[:, 5].any()
    # log half-lives (2, 8) and (4, 16) have z-scores -1 and 1; g1 is the mean of 1 and -1
    np.testing.assert_allclose(messages.label[:, 0], [-1, 0, 1], atol=1e-12)


@pytest.mark.parametrize(("label", "minutes"), [("chan", {"g1": 4, "g2": 16}), ("presnyak", {"g0": 2, "g1": 8})])
def test_yeast_label_of_one_study(table, label, minutes):
    messages = read("yeast", table(TINY["yeast"]), 14, label=label)
    assert messages.id == list(minutes)
    np.testing.assert_allclose(np.exp(messages.label[:, 0]), list(minutes.values()))


def test_codons_end_with_the_message(table):
    messages = read("yeast", table(TINY["yeast"]), 8, label="mean")
    tracks = unpack_tracks(messages.codes, 6)
    assert [np.flatnonzero(row).tolist() for row in tracks[:, CODON_START]] == [[0, 3, 6], [0, 3], [0, 3, 6]]
    assert messages.length.tolist() == [8, 6, 8]


def test_human_3utr_keeps_masked_stretches_as_n(table, caplog):
    """Row 8: an N is a zero column, not an A; a message of nothing but N is left out, and said so."""
    messages = read("human_3utr", table(TINY["human_3utr"]), 10)
    assert messages.id == ["e1", "e3"]
    assert texts_of(messages) == ["ACGUNNACNN", "GGGGGGGGGG"]
    assert messages.length.tolist() == [8, 10]
    assert messages.label[:, 0].tolist() == [-2, 4]
    assert "1 rows left out" in caplog.text


def test_mpra_leaves_out_what_was_not_measured(table):
    messages = read("mpra", table(TINY["mpra"]), 8)
    assert messages.id == ["row0", "row2"]
    assert messages.label[:, 0].tolist() == [0.5, 4]
    assert texts_of(messages) == ["ACGUNNNN", "GGGGNNNN"]


@pytest.mark.parametrize("reader", TINY)
def test_a_missing_column_is_named(table, one_line, reader):
    header = TINY[reader].split("\n")[0].split(",")
    for column in header:
        text = TINY[reader].replace(column, f"other_{column}", 1)
        with pytest.raises(InputError) as raised:
            read(reader, table(text))
        assert f"'{column}'" in one_line(raised)


@pytest.mark.parametrize(
    ("reader", "old", "new"),
    [("mrl", "AAA,0", "AXA,0"), ("yeast", "ATGAAA,", "ATGARA,"), ("human_3utr", "acgtNN", "acgtNN-"),
     ("mpra", "GGGG", "GG GG")],
)  # fmt: skip
def test_a_bad_letter_names_the_file_and_the_row(table, one_line, reader, old, new):
    with pytest.raises(InputError) as raised:
        read(reader, table(TINY[reader].replace(old, new)))
    message = one_line(raised)
    assert "table.csv" in message
    assert any(name in message for name in ("row0", "row2", "g1", "e1"))


@pytest.mark.parametrize(
    ("reader", "old", "new"),
    [("mrl", "ACGUA" * 5 + "AA,", ","), ("mpra", "GGGG,", ","), ("mrl", ",0.5", ",many"),
     ("mpra", ",0.5", ",many"), ("yeast", ",8,4", ",8,many"), ("human_3utr", ",-2,", ",many,")],
)  # fmt: skip
def test_an_empty_sequence_or_a_label_that_is_no_number_is_an_error(table, one_line, reader, old, new):
    with pytest.raises(InputError) as raised:
        read(reader, table(TINY[reader].replace(old, new, 1)))
    assert "table.csv" in one_line(raised)


def test_a_row_without_a_label_is_left_out_and_the_others_keep_their_split(table):
    messages = read("mrl", table(TINY["mrl"].replace(",10.5", ",")))
    assert "row10" not in messages.id
    assert dict(zip(messages.id, messages.split, strict=True))["row11"] == "valid"


@pytest.mark.parametrize("content", ["nothing", "bytes", "truncated", "damaged"])
def test_an_unreadable_table_is_an_error(tmp_path, one_line, content):
    packed = bytearray(gzip.compress("".join(f"ACGU{i},{i * 0.37}\n" for i in range(3000)).encode()))
    packed[500:540] = bytes(byte ^ 255 for byte in packed[500:540]) if content == "damaged" else packed[500:540]
    name = "table.csv.gz" if content in ("truncated", "damaged") else "table.csv"
    path = tmp_path / name
    path.write_bytes({"nothing": b"", "bytes": b"\xff\xfe\x00", "truncated": packed[:900]}.get(content, packed))
    with pytest.raises(InputError) as raised:
        read("mrl", path)
    assert name in one_line(raised)


def reads_table(n=400, seed=0):
    """Return a table as the public one: reads, more columns, 25 to 100 nt, every third with an AUG."""
    rng = np.random.default_rng(seed)
    lines = ["name,total_reads,utr,rl"]
    for row in range(n):
        text = "".join(rng.choice(list("ACG"), rng.integers(25, 101)))
        text = text[:5] + "ATG" + text[8:] if row % 3 == 0 else text
        lines.append(f"r{row},{rng.integers(10_000)},{text},{rng.normal(5):.3f}")
    return "\n".join(lines) + "\n"


def test_mrl_rows_are_sorted_by_reads_where_these_are_known(table):
    """The published protocol: the best rows are kept, the first of these are for testing."""
    text = reads_table()
    rows = pd.read_csv(io.StringIO(text))
    messages = read("mrl", table(text), 100, best=300, test_rows=40, valid_share=0.2)
    order = np.argsort(-rows["total_reads"].to_numpy(), kind="stable")[:300]
    assert messages.id == [f"row{row}" for row in order]
    np.testing.assert_array_equal(messages.label[:, 0], rows["rl"][order])
    assert (messages.split[:40] == "test").all()
    assert (messages.split[40:] != "test").all()
    assert (messages.split == "valid").sum() == pytest.approx(52, abs=2)


def test_mrl_without_aug_keeps_the_split_of_the_whole_table(table):
    """Row 24: one split function; no row changes sides when those with an AUG are left out."""
    path = table(reads_table())
    every, part = (read("mrl", path, 100, best=300, test_rows=40, without_aug=flag) for flag in (False, True))
    side = dict(zip(every.id, every.split, strict=True))
    assert {name: side[name] for name in part.id} == dict(zip(part.id, part.split, strict=True))
    texts = dict(zip(every.id, texts_of(every, 4), strict=True))
    assert part.id == [name for name in every.id if "AUG" not in texts[name]]
    assert 0 < len(part.id) < len(every.id)


def test_mrl_sequences_end_at_the_start_codon(table, caplog):
    """Row 8: the 5' side is padded with N, and of longer UTRs the 3' part is kept."""
    rows = pd.read_csv(io.StringIO(reads_table(50)))
    messages = read("mrl", table(reads_table(50)), 60, best=50, test_rows=5)
    assert (messages.length == 60).all()
    for name, text in zip(messages.id, texts_of(messages, 4), strict=True):
        assert text == rows["utr"][int(name[3:])].replace("T", "U")[-60:].rjust(60, "N")
    assert "cut to the 60 nt" in caplog.text


@pytest.mark.parametrize("length", [24, 101])
def test_mrl_sequences_of_another_length_are_an_error(table, one_line, length):
    with pytest.raises(InputError) as raised:
        read("mrl", table(f"utr,rl\n{'ACGTA' * 5},4\n{'A' * length},5\n"))
    assert f"row1: {length} nt" in one_line(raised)


def test_more_test_rows_than_rows_are_an_error(table, one_line):
    with pytest.raises(InputError) as raised:
        read("mrl", table(reads_table(30)))
    assert "test_rows" in one_line(raised)


# -- measured data -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(shared_data):
    """Return the messages of each public table and the table, read once."""
    tables = {}
    for reader, (file, _, _) in SOURCES.items():
        max_length = 50 if reader == "mrl" else 512
        more = {"label": "mean"} if reader == "yeast" else {}
        tables[reader] = read(reader, shared_data / file, max_length, **more), pd.read_csv(shared_data / file)
    return tables


@pytest.mark.parametrize("reader", SOURCES)
def test_measured_tables_are_read_whole(measured, reader):
    messages, rows = measured[reader]
    used = {
        "mrl": lambda: len(rows),
        "yeast": lambda: rows[["hl_presnyak_min", "hl_chan_min"]].notna().any(axis=1).sum(),
        "human_3utr": lambda: rows["utr3"].str[:512].str.contains("[ACGT]").sum(),
        "mpra": lambda: (rows["stability_jurkat"] > 0).sum(),
    }[reader]()
    assert len(rows) == SOURCES[reader][1]
    assert len(messages.id) == len(messages.codes) == len(messages.label) == used
    assert len(set(messages.id)) == len(messages.id)
    assert np.isfinite(messages.label).all()
    assert (messages.length > 0).all()
    assert (messages.length <= messages.codes.shape[1]).all()


@pytest.mark.parametrize("reader", SOURCES)
def test_measured_sequences_are_those_of_the_table(measured, reader):
    messages, rows = measured[reader]
    column = SOURCES[reader][2]
    texts = {"yeast": "gene_id", "human_3utr": "ensembl_gene_id"}.get(reader)
    keys = rows[texts] if texts else [f"row{row}" for row in range(len(rows))]
    sequences = rows["cds"] + rows["utr3"].fillna("") if reader == "yeast" else rows[column]
    expected = dict(zip(keys, sequences, strict=True))
    width = messages.codes.shape[1]
    for row in range(0, len(messages.id), 97):
        text = decode(from_one_hot(unpack_tracks(messages.codes[row : row + 1], 6))[0])
        assert text == expected[messages.id[row]][:width].replace("T", "U").ljust(width, "N")
        assert messages.length[row] == min(len(expected[messages.id[row]]), width)


@pytest.mark.parametrize("reader", SOURCES)
def test_padding_is_zero(measured, reader):
    messages, _ = measured[reader]
    behind = np.arange(messages.codes.shape[1]) >= messages.length[:, None]
    assert not messages.codes[behind].any()
    if reader != "human_3utr":  # the only table with N
        assert (messages.codes[~behind] & 15).all()


def test_measured_mrl_split(measured):
    """README of the data: by the row's number."""
    messages, rows = measured["mrl"]
    numbers = np.arange(20_000)
    assert np.array_equal(messages.split == "test", numbers % 10 == 0)
    assert np.array_equal(messages.split == "valid", numbers % 10 == 1)
    assert (messages.split == "train").sum() == 16_000
    np.testing.assert_array_equal(messages.label[:, 0], rows["rl"])
    assert sum("AUG" not in text for text in texts_of(messages, 4)) == 6_014
    places = {}
    for code, name in zip(messages.codes, messages.split, strict=True):
        places.setdefault(code.tobytes(), set()).add(name)
    assert all(len(names) == 1 for names in places.values())


def test_measured_codons_are_every_third_base_of_the_coding_sequence(measured):
    messages, rows = measured["yeast"]
    coding = dict(zip(rows["gene_id"], rows["cds"].str.len(), strict=True))
    tracks = unpack_tracks(messages.codes, 6)
    position = np.arange(messages.codes.shape[1])
    ends = np.array([coding[gene] for gene in messages.id])[:, None]
    assert np.array_equal(tracks[:, CODON_START], (position % 3 == 0) & (position < ends))
    assert not tracks[:, 5].any()
    starts = tracks[:, :4, :3].argmax(axis=1)
    assert (starts == [0, 3, 2]).all(axis=1).mean() > 0.99  # AUG


def test_measured_half_lives_are_standardised(measured):
    messages, _ = measured["yeast"]
    assert abs(messages.label.mean()) < 0.1
    assert 0.7 < messages.label.std() < 1.1
