"""Messages -> data sets: splits, ids, attributes, the command line."""

import h5py
import numpy as np
import pandas as pd
import pytest

from generate_dataset.build import SCHEMAS, main, run
from utils.config import load_variant
from utils.data import SPLITS, read_split, unpack_tracks
from utils.runtime import ROOT, InputError, file_sha256
from utils.sequence import decode, from_one_hot

YEAST = (
    "gene_id,cds,utr3,hl_presnyak_min,hl_chan_min\n"
    "g0,ATGAAATAA,CCC,2,\ng1,ATGAAA,,8,4\ng2,ATGCCCTGA,GT,,16\ng3,ATG,A,,\n"
)


def settings_of(source, output, reader, **more):
    """Return the settings of a data set of one of the tables."""
    return SCHEMAS[reader](source=str(source), reader=reader, output=str(output), **{"max_length": 16, **more})


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
        run(settings_of(table(YEAST.replace("g2", "g1")), tmp_path / "set.h5", "yeast"))
    assert "ids are not unique" in one_line(raised)
    assert not (tmp_path / "set.h5").exists()


def test_ids_that_are_numbers_are_text(table, tmp_path):
    rows = [f"{i},{i},ACGU{'ACGT'[i % 4] * (i // 4 + 1)}" for i in range(40)]
    text = "\n".join(["ensembl_gene_id,half_life_pc1,utr3", *rows])
    run(settings_of(table(text), tmp_path / "set.h5", "human_3utr"))
    assert all(int(identifier) < 40 for identifier in read_split(tmp_path / "set.h5", "train").id)


def test_too_few_rows_for_three_splits_are_an_error(table, tmp_path, one_line):
    with pytest.raises(InputError) as raised:
        run(settings_of(table(YEAST), tmp_path / "set.h5", "yeast"))
    assert "would be empty" in one_line(raised)


def test_no_usable_row_is_an_error(table, tmp_path, one_line):
    with pytest.raises(InputError) as raised:
        run(settings_of(table("seq,stability_jurkat\nACGT,\n"), tmp_path / "set.h5", "mpra"))
    assert "no usable row" in one_line(raised)


def test_the_command_line(table, tmp_path, capsys):
    config = tmp_path / "set.yaml"
    config.write_text(f"source: {table(many_rows(60))}\nreader: mpra\noutput: data/set.h5\nmax_length: 16\n")
    main(["--config", str(config), "tracks=4", f"output={tmp_path / 'set.h5'}"])
    assert read_split(tmp_path / "set.h5", "train").tracks == 4
    for override, word in (
        ("tracks=5", "'tracks'"),
        ("track=4", "'tracks'"),
        ("source=none.csv", "none.csv"),
        ("reader=mrna", "'reader'"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["--config", str(config), override])
        assert stopped.value.code == 2
        message = capsys.readouterr().err.splitlines()[-1]
        assert message.startswith("error: ")
        assert word in message


def test_every_data_set_config_is_valid():
    for path in (ROOT / "configs" / "datasets").glob("*.yaml"):
        if "reader" in path.read_text():
            load_variant(SCHEMAS, "reader", path)
