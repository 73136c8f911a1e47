"""Tables with the key of what decided them."""

import os

import pytest

from utils.tables import read_csv


def test_a_hash_in_a_name_is_part_of_it(tmp_path):
    """pandas takes what stands behind a # for a comment: the rest of the row was lost."""
    path = tmp_path / "a.csv"
    path.write_text("id,value\ntx#1,5\n#2,6\n# settings: abc\n")
    table = read_csv(path)
    assert table.to_dict("list") == {"id": ["tx#1", "#2"], "value": [5, 6]}


def test_a_table_without_a_key_is_read_whole(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,value\na,1\nb,2")
    assert read_csv(path)["value"].tolist() == [1, 2]
    assert read_csv(path, dtype=str)["value"].tolist() == ["1", "2"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe is not a file"):
        read_csv(tmp_path / "pipe")
