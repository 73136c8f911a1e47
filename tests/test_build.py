"""Public tables -> data sets: rows, tracks, labels and splits."""

import gzip

import h5py
import numpy as np
import pandas as pd
import pytest

from generate_dataset.build import DatasetSettings, draw_split, main, run, split_messages
from generate_dataset.readers import CODON_START, READERS, read_human_3utr, read_mpra, read_mrl, read_yeast
from utils.config import load_settings
from utils.data import SPLITS, read_split, unpack_tracks
from utils.runtime import ROOT, InputError, file_sha256
from utils.sequence import decode, from_one_hot

SOURCES = {  # reader: file below shared/data, rows, column of the sequence
    "mrl": ("mrl/egfp_unmod_1_top20k.csv.gz", 20_000, "utr"),
    "yeast": ("half_life/yeast_cds_3utr.csv.gz", 5_334, "cds"),
    "human_3utr": ("half_life/human_3utr_pc1.csv.gz", 7_790, "utr3"),
    "mpra": ("half_life/jurkat_3utr_mpra.csv.gz", 28_029, "seq"),
}
TINY = {
    "mrl": "utr,rl\n" + "".join(f"ACGUA{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]},{i}.5\n" for i in range(12)),
    "yeast": "gene_id,cds,utr3,hl_presnyak_min,hl_chan_min\n"
    "g0,ATGAAATAA,CCC,2,\ng1,ATGAAA,,8,4\ng2,ATGCCCTGA,GT,,16\ng3,ATG,A,,\n",
    "human_3utr": "ensembl_gene_id,half_life_pc1,utr3\n"
    "e0,1.5,NNNNNNNNNN\ne1,-2,acgtNNac\ne2,,ACGT\ne3,4,GGGGGGGGGGGGGGGG\n",
    "mpra": "seq,stability_jurkat\nACGT,0.5\nCCCC,\nGGGG,4\nTTTT,0\n",
}


def texts_of(messages, tracks=6):
    """Return the bases of messages, N for padding."""
    return [decode(row) for row in from_one_hot(unpack_tracks(messages.codes, tracks))]


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table."""

    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


# -- readers on tiny tables --------------------------------------------------------------------------------------


def test_mrl_rows_are_split_by_their_number(table):
    """README of the data: row % 10 == 0 is test, == 1 validation, the rest train (row 24: one split function)."""
    messages = read_mrl(table(TINY["mrl"]), 10)
    assert messages.split.tolist() == ["test", "valid", *["train"] * 8, "test", "valid"]
    assert messages.label[:, 0].tolist() == [i + 0.5 for i in range(12)]
    assert messages.length.tolist() == [7] * 12
    assert texts_of(messages)[:5] == ["ACGUAAANNN", "ACGUACANNN", "ACGUAGANNN", "ACGUAUANNN", "ACGUAACNNN"]


def test_yeast_has_codons_and_a_label_of_one_or_two_measurements(table):
    messages = read_yeast(table(TINY["yeast"]), 14)
    assert messages.id == ["g0", "g1", "g2"]  # g3 was not measured
    assert texts_of(messages) == ["AUGAAAUAACCCNN", "AUGAAANNNNNNNN", "AUGCCCUGAGUNNN"]
    tracks = unpack_tracks(messages.codes, 6)
    assert [np.flatnonzero(row).tolist() for row in tracks[:, CODON_START]] == [[0, 3, 6], [0, 3], [0, 3, 6]]
    assert not tracks[:, 5].any()
    # log half-lives (2, 8) and (4, 16) have z-scores -1 and 1; g1 is the mean of 1 and -1
    np.testing.assert_allclose(messages.label[:, 0], [-1, 0, 1], atol=1e-12)


def test_codons_end_with_the_message(table):
    messages = read_yeast(table(TINY["yeast"]), 5)
    tracks = unpack_tracks(messages.codes, 6)
    assert [np.flatnonzero(row).tolist() for row in tracks[:, CODON_START]] == [[0, 3]] * 3
    assert messages.length.tolist() == [5, 5, 5]


def test_human_3utr_keeps_masked_stretches_as_n(table, caplog):
    """Row 8: an N is a zero column, not an A; a message of nothing but N is left out, and said so."""
    messages = read_human_3utr(table(TINY["human_3utr"]), 10)
    assert messages.id == ["e1", "e3"]
    assert texts_of(messages) == ["ACGUNNACNN", "GGGGGGGGGG"]
    assert messages.length.tolist() == [8, 10]
    assert messages.label[:, 0].tolist() == [-2, 4]
    assert "1 rows left out" in caplog.text


def test_mpra_leaves_out_what_was_not_measured(table):
    messages = read_mpra(table(TINY["mpra"]), 6)
    assert messages.id == ["row0", "row2"]
    assert messages.label[:, 0].tolist() == [0.5, 4]
    assert texts_of(messages) == ["ACGUNN", "GGGGNN"]


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_column_is_named(table, one_line, reader):
    header = TINY[reader].split("\n")[0].split(",")
    for column in header:
        text = TINY[reader].replace(column, f"other_{column}", 1)
        with pytest.raises(InputError) as raised:
            READERS[reader](table(text), 10)
        assert f"'{column}'" in one_line(raised)


@pytest.mark.parametrize(
    ("reader", "old", "new"),
    [("mrl", "ACGUAAA", "ACGXAAA"), ("yeast", "ATGAAATAA", "ATGAARTAA"), ("human_3utr", "acgtNN", "acgtNN-"),
     ("mpra", "GGGG", "GG GG")],
)  # fmt: skip
def test_a_bad_letter_names_the_file_and_the_row(table, one_line, reader, old, new):
    with pytest.raises(InputError) as raised:
        READERS[reader](table(TINY[reader].replace(old, new)), 10)
    message = one_line(raised)
    assert "table.csv" in message
    assert any(name in message for name in ("row0", "row2", "g0", "e1"))


@pytest.mark.parametrize(
    ("reader", "old", "new"),
    [("mrl", "ACGUAAA,", ","), ("mpra", "GGGG,", ","), ("mrl", ",0.5", ",many"),
     ("mpra", ",0.5", ",many"), ("yeast", ",8,4", ",8,many"), ("human_3utr", ",-2,", ",many,")],
)  # fmt: skip
def test_an_empty_sequence_or_a_label_that_is_no_number_is_an_error(table, one_line, reader, old, new):
    with pytest.raises(InputError) as raised:
        READERS[reader](table(TINY[reader].replace(old, new, 1)), 10)
    assert "table.csv" in one_line(raised)


def test_a_row_without_a_label_is_left_out_and_the_others_keep_their_split(table):
    messages = read_mrl(table(TINY["mrl"].replace(",10.5", ",")), 10)
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
        read_mrl(path, 10)
    assert name in one_line(raised)


# -- splits ------------------------------------------------------------------------------------------------------


def test_identical_sequences_never_straddle_splits():
    """Row 24: a sequence in the training set is not tested on."""
    rng = np.random.default_rng(0)
    sequences = [bytes([number]) for number in rng.integers(0, 100, 2000)]
    split = draw_split(sequences, 0.1, 0.2, seed=3)
    places = {}
    for sequence, name in zip(sequences, split, strict=True):
        places.setdefault(sequence, set()).add(name)
    assert all(len(names) == 1 for names in places.values())
    assert set(split) == set(SPLITS)


def test_the_split_has_the_shares_and_follows_the_seed():
    sequences = [str(number).encode() for number in range(1000)]
    split = draw_split(sequences, 0.1, 0.2, seed=3)
    assert [(split == name).sum() for name in SPLITS] == pytest.approx([700, 100, 200], abs=1)
    assert np.array_equal(split, draw_split(sequences, 0.1, 0.2, seed=3))
    assert not np.array_equal(split, draw_split(sequences, 0.1, 0.2, seed=4))
    assert (split[:100] == "test").sum() < 50  # at random, not in order


# -- the whole build ---------------------------------------------------------------------------------------------


def settings_of(source, output, reader, **more):
    return DatasetSettings(source=str(source), reader=reader, output=str(output), **{"max_length": 16, **more})


def many_rows(count=200, repeats=3):
    """Return an MPRA table in which every sequence stands several times."""
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGT"), 14)) for _ in range(count)] * repeats
    return "seq,stability_jurkat\n" + "".join(f"{text},{1 + i % 7}\n" for i, text in enumerate(texts))


@pytest.mark.parametrize("tracks", [4, 6])
def test_a_data_set_is_written(table, tmp_path, tracks):
    source, output = table(many_rows()), tmp_path / "data" / "set.h5"
    run(settings_of(source, output, "mpra", tracks=tracks))
    splits = {name: read_split(output, name) for name in SPLITS}
    assert sum(len(split) for split in splits.values()) == 600
    assert {split.tracks for split in splits.values()} == {tracks}
    ids = [identifier for split in splits.values() for identifier in split.id]
    assert sorted(ids) == sorted(f"row{row}" for row in range(600))
    sequences = {name: {row.tobytes() for row in split.codes} for name, split in splits.items()}
    assert not sequences["train"] & sequences["test"]
    assert not sequences["train"] & sequences["valid"]
    assert not sequences["valid"] & sequences["test"]
    rows = pd.read_csv(source)
    for split in splits.values():
        for place in range(0, len(split), 17):
            row = rows.iloc[int(split.id[place][3:])]
            assert split.label[place, 0] == pytest.approx(row["stability_jurkat"])
            assert decode(from_one_hot(unpack_tracks(split.codes[place : place + 1], tracks))[0]) == (
                row["seq"].replace("T", "U") + "NN"
            )
    with h5py.File(output) as file:  # layout.md: source files with SHA-256, tracks, label name and unit
        assert list(file.attrs["source_sha256"]) == [file_sha256(source)]
        assert list(file.attrs["source"]) == ["table.csv"]
        assert len(file.attrs["tracks"]) == tracks
        assert "ratio" in file.attrs["label_name"]


def test_the_same_seed_gives_the_same_data_set(table, tmp_path):
    source = table(many_rows(60))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(settings_of(source, tmp_path / f"{name}.h5", "mpra", seed=seed))
    ids = {name: read_split(tmp_path / f"{name}.h5", "test").id for name in "abc"}
    assert ids["a"] == ids["b"] != ids["c"]


def test_duplicate_ids_are_an_error(table, tmp_path, one_line):
    with pytest.raises(InputError) as raised:
        run(settings_of(table(TINY["yeast"].replace("g1", "g0")), tmp_path / "set.h5", "yeast"))
    assert "ids are not unique" in one_line(raised)
    assert not (tmp_path / "set.h5").exists()


def test_ids_that_are_numbers_are_text(table, tmp_path):
    rows = [f"{i},{i},ACGU{'ACGT'[i % 4] * (i // 4 + 1)}" for i in range(40)]
    text = "\n".join(["ensembl_gene_id,half_life_pc1,utr3", *rows])
    run(settings_of(table(text), tmp_path / "set.h5", "human_3utr"))
    assert all(int(identifier) < 40 for identifier in read_split(tmp_path / "set.h5", "train").id)


@pytest.mark.parametrize("reader", ["yeast", "human_3utr", "mpra"])
def test_too_few_rows_for_three_splits_are_an_error(table, tmp_path, one_line, reader):
    with pytest.raises(InputError) as raised:
        run(settings_of(table(TINY[reader]), tmp_path / "set.h5", reader))
    assert "would be empty" in one_line(raised)


def test_no_usable_row_is_an_error(table, tmp_path, one_line):
    with pytest.raises(InputError) as raised:
        run(settings_of(table("seq,stability_jurkat\nACGT,\n"), tmp_path / "set.h5", "mpra"))
    assert "no usable row" in one_line(raised)


def test_the_command_line(table, tmp_path, capsys):
    config = tmp_path / "set.yaml"
    config.write_text(f"source: {table(many_rows(60))}\nreader: mpra\noutput: {tmp_path / 'set.h5'}\nmax_length: 16\n")
    main(["--config", str(config), "tracks=4"])
    assert read_split(tmp_path / "set.h5", "train").tracks == 4
    for override, word in (("tracks=5", "'tracks'"), ("track=4", "'tracks'"), ("source=none.csv", "none.csv")):
        with pytest.raises(SystemExit) as stopped:
            main(["--config", str(config), override])
        assert stopped.value.code == 2
        message = capsys.readouterr().err.splitlines()[-1]
        assert message.startswith("error: ")
        assert word in message


# -- measured data -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(shared_data):
    """Return the messages of each public table and the table, read once."""
    read = {}
    for reader, (file, _, _) in SOURCES.items():
        max_length = 50 if reader == "mrl" else 512
        read[reader] = READERS[reader](shared_data / file, max_length), pd.read_csv(shared_data / file)
    return read


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


@pytest.mark.parametrize("reader", SOURCES)
def test_measured_sequences_do_not_straddle_splits(measured, reader):
    messages, _ = measured[reader]
    width = messages.codes.shape[1]
    splits = split_messages(messages, settings_of("a.csv", "a.h5", reader, max_length=width))
    kept = {name: {row.tobytes() for row in split.codes} for name, split in splits.items()}
    assert not kept["train"] & kept["test"]
    assert not kept["train"] & kept["valid"]
    assert not kept["valid"] & kept["test"]
    assert sum(len(split) for split in splits.values()) == len(messages.id)


def test_every_data_set_config_is_valid():
    for path in (ROOT / "configs" / "datasets").glob("*.yaml"):
        assert load_settings(DatasetSettings, path).reader in READERS
