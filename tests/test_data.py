"""Data sets at rest: what is written is read; what is broken is said in one line."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from utils.data import (
    PART_POSITIONS,
    SPLITS,
    Split,
    pack_tracks,
    parts_of_like_length,
    read_split,
    require_size,
    unpack_tracks,
    write_dataset,
)
from utils.runtime import InputError


def make_split(n=5, length=40, tracks=6, targets=1, seed=0):
    """Return a split with random tracks, messages of random length."""
    rng = np.random.default_rng(seed)
    used = rng.integers(length // 2, length + 1, n)
    X = np.zeros((n, tracks, length), dtype=np.uint8)
    for row, end in enumerate(used):
        X[row, rng.integers(0, 4, end), np.arange(end)] = 1
        X[row, 4:, :end] = rng.random((tracks - 4, end)) < 0.3
    label = rng.normal(size=(n, targets)).astype(np.float32)
    ids = [f"gène {row}" for row in range(n)]
    return X, Split(pack_tracks(X), label, used.astype(np.int32), ids, tracks)


@pytest.fixture
def dataset(tmp_path):
    """Return a function that writes arrays into a file of the published layout, changed as asked."""

    def write(**changed):
        X, split = make_split()
        arrays = {"train_sequence": X.astype(np.float32), "train_label": split.label[:, 0], **changed}
        path = tmp_path / "set.h5"
        with h5py.File(path, "w") as file:
            for key, value in arrays.items():
                if value is not None:
                    file[key] = value
        return path

    return write


def failure(path, one_line, name="train"):
    """Return the one-line message of reading a split."""
    with pytest.raises(InputError) as raised:
        read_split(path, name)
    message = one_line(raised)
    assert "set.h5" in message
    return message


@pytest.mark.parametrize("tracks", [4, 6, 8])
def test_codes_hold_a_bit_per_track(tracks):
    X = (np.random.default_rng(0).random((3, tracks, 50)) < 0.5).astype(np.uint8)
    codes = pack_tracks(X)
    assert codes.dtype == np.uint8
    expected = [[sum(int(X[n, t, p]) << t for t in range(tracks)) for p in range(50)] for n in range(3)]
    assert codes.tolist() == expected
    assert np.array_equal(unpack_tracks(codes, tracks), X)


@pytest.mark.parametrize(("tracks", "targets"), [(4, 1), (6, 2)])
def test_write_and_read_round_trip(tmp_path, tracks, targets):
    path = tmp_path / "set.h5"
    made = {name: make_split(7, 40, tracks, targets, seed) for seed, name in enumerate(SPLITS)}
    write_dataset(path, {name: split for name, (_, split) in made.items()}, {"label_name": "half-life (min)"})
    for name, (X, split) in made.items():
        read = read_split(path, name)
        assert len(read) == 7
        assert (read.tracks, read.id) == (tracks, split.id)
        for key in ("codes", "label", "length"):
            assert np.array_equal(getattr(read, key), getattr(split, key))
        with h5py.File(path) as file:  # layout.md, Files
            assert np.array_equal(file[f"{name}_sequence"][:], X)
            kinds = [file[f"{name}_{key}"].dtype for key in ("sequence", "label", "length")]
            assert kinds == [np.uint8, np.float32, np.int32]
            assert file.attrs["label_name"] == "half-life (min)"
    assert [path.name for path in tmp_path.iterdir()] == ["set.h5"]


def test_more_rows_than_a_block(tmp_path):
    """Blocks of 256 rows: the last, short one is not lost (row 14)."""
    X, split = make_split(600, 12)
    write_dataset(tmp_path / "set.h5", {"train": split}, {})
    assert np.array_equal(unpack_tracks(read_split(tmp_path / "set.h5", "train").codes, 6), X)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.int64, np.uint8, bool])
def test_published_layout_is_read(dataset, kind):
    """Float tracks, no lengths, no ids; padding is not part of a message (row 8)."""
    X, split = make_split()
    read = read_split(dataset(train_sequence=X.astype(kind)), "train")
    assert np.array_equal(unpack_tracks(read.codes, 6), X)
    assert np.array_equal(read.length, split.length)
    assert read.label.shape == (5, 1)
    assert len(set(read.id)) == 5


def test_an_empty_message_has_length_zero(dataset):
    X, _ = make_split()
    X[2] = 0
    assert read_split(dataset(train_sequence=X), "train").length[2] == 0


def test_a_missing_file_is_named(tmp_path, one_line):
    assert "no such data set" in failure(tmp_path / "set.h5", one_line)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_an_error(tmp_path, one_line, share):
    path = tmp_path / "set.h5"
    write_dataset(path, {"train": make_split(200)[1]}, {})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    failure(path, one_line)


def test_a_file_that_is_something_else_is_an_error(tmp_path, one_line):
    path = tmp_path / "set.h5"
    path.write_text("id,sequence\n1,ACGU\n")
    failure(path, one_line)


def test_damaged_bytes_are_an_error_or_harmless(tmp_path):
    """A file with some bytes overwritten is read, or is an input error; never another one."""
    path = tmp_path / "set.h5"
    write_dataset(path, {"train": make_split(200)[1]}, {})
    content, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        broken = bytearray(content)
        place = int(rng.integers(0, len(broken) - 64))
        broken[place : place + 64] = rng.bytes(64)
        path.write_bytes(broken)
        try:
            read_split(path, "train")
        except InputError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("key", ["train_sequence", "train_label"])
def test_a_missing_key_is_named(dataset, one_line, key):
    assert f"'{key}'" in failure(dataset(**{key: None}), one_line)


def test_a_missing_split_is_named(dataset, one_line):
    assert "'valid_sequence'" in failure(dataset(), one_line, "valid")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_label_that_is_not_a_number_names_its_row(dataset, one_line, value):
    label = np.zeros(5)
    label[3] = value
    assert "row 3" in failure(dataset(train_label=label), one_line)


def test_an_empty_split_is_said_to_be_empty(dataset, one_line):
    path = dataset(train_sequence=np.zeros((0, 6, 40)), train_label=np.zeros(0))
    assert "empty" in failure(path, one_line)


@pytest.mark.parametrize("shape", [(5, 40), (5, 3, 40), (5, 40, 6), (5, 9, 40), (5, 6, 40, 1)])
def test_a_wrong_shape_is_an_error(dataset, one_line, shape):
    assert "shape" in failure(dataset(train_sequence=np.zeros(shape)), one_line)


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_values_other_than_0_and_1_are_an_error(dataset, one_line, value):
    X = np.zeros((300, 6, 40))
    X[270, 1, 5] = value
    message = failure(dataset(train_sequence=X, train_label=np.zeros(300)), one_line)
    assert "0 and 1" in message


@pytest.mark.parametrize("labels", [4, 6, 10, 50])
def test_a_label_for_each_row(dataset, one_line, labels):
    """Ten labels of five rows are not two labels a row."""
    assert "label" in failure(dataset(train_label=np.zeros(labels)), one_line)


@pytest.mark.parametrize("rows", [3, 7])
@pytest.mark.parametrize("key", ["train_length", "train_id"])
def test_a_length_and_an_id_for_each_row(dataset, one_line, key, rows):
    value = np.full(rows, 20) if key == "train_length" else [f"id{row}" for row in range(rows)]
    failure(dataset(**{key: value}), one_line)


def test_a_group_in_place_of_an_array_is_an_error(tmp_path, one_line):
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        file.create_group("train_sequence")
        file["train_label"] = np.zeros(5)
    failure(path, one_line)


@pytest.mark.parametrize("length", [[-1] * 5, [41] * 5, [1e30] * 5, [float("nan")] * 5, [[3, 3]] * 5])
def test_a_length_that_cannot_be_is_an_error(dataset, one_line, length):
    assert "train_length" in failure(dataset(train_length=np.array(length)), one_line)


@pytest.mark.parametrize("label", [np.zeros((5, 0)), np.float64(3), np.full(5, 1e300), np.array([b"x"] * 5)])
def test_labels_that_are_none_are_an_error(dataset, one_line, label):
    failure(dataset(train_label=label), one_line)


def test_a_declared_size_takes_no_memory(dataset, one_line):
    path = dataset(train_sequence=None)
    with h5py.File(path, "r+") as file:
        file.create_dataset("train_sequence", (10**9, 6, 12288), "u1", chunks=(1, 6, 12288))
    assert "its values are not there" in failure(path, one_line)


def test_more_than_fits_into_memory_is_an_error(one_line):
    require_size(130_000, 12_288)
    with pytest.raises(InputError, match="'max_length'") as raised:
        require_size(130_000, 2**20)
    one_line(raised)


def test_batch_gives_tracks_and_the_longest_message():
    X, split = make_split()
    rows = np.array([3, 0])
    batch, longest = split.batch(rows)
    assert batch.dtype.is_floating_point
    assert np.array_equal(batch.numpy(), X[rows])
    assert longest == split.length[rows].max()


@pytest.mark.parametrize("shift", [1, 3])
def test_a_shift_moves_towards_the_3_prime_end(shift):
    X, split = make_split()
    batch, longest = split.batch(np.arange(5), shift=shift)
    assert batch.shape == X.shape
    assert np.array_equal(batch[..., shift:].numpy(), X[..., :-shift])
    assert not batch[..., :shift].any()
    assert longest == min(int(split.length.max()) + shift, 40)
    assert not batch[..., longest:].any()


@pytest.mark.parametrize("stored_codes", [False, True])
def test_a_length_that_leaves_bases_out_is_an_error(tmp_path, one_line, stored_codes):
    """Row 8: what lies behind it is taken for padding; messages at the 3' end have their number there by mistake."""
    codes = np.zeros((300, 40), dtype=np.uint8)
    codes[:, 10:] = 1
    length = np.full(300, 40)
    length[270] = 30
    split = Split(codes, np.zeros((300, 1)), length, [str(row) for row in range(300)], 4)
    write_dataset(tmp_path / "set.h5", {"train": split}, {})
    with pytest.raises(InputError, match="train_length row 270 is 30, but the message reaches to 40") as raised:
        read_split(tmp_path / "set.h5", "train", stored_codes=stored_codes).codes[256:300]
    one_line(raised)


def test_batches_by_length_hold_every_row_once():
    _, split = make_split(23)
    batches = list(split.batches_by_length(4))
    assert sorted(np.concatenate(batches)) == list(range(23))
    assert [len(batch) for batch in batches] == [4] * 5 + [3]
    assert (np.diff(split.length[np.concatenate(batches)]) >= 0).all()


def test_the_file_stays_when_writing_fails(tmp_path):
    path = tmp_path / "set.h5"
    _, split = make_split()
    write_dataset(path, {"train": split}, {})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_dataset(path, {"train": split}, {"source": object()})
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["set.h5"]


def test_parts_of_a_batch_hold_every_row_once():
    """Shorter messages first; no part above the limit, unless a message alone is."""
    length = np.random.default_rng(0).integers(0, 3000, 500)
    length[7] = 3 * PART_POSITIONS
    rows = np.random.default_rng(1).permutation(500)[:64]
    rows[0] = 7
    parts = parts_of_like_length(rows, length)
    assert sorted(np.concatenate(parts)) == sorted(rows)
    assert (np.diff(length[np.concatenate(parts)]) >= 0).all()
    assert all(len(part) * length[part].max() <= PART_POSITIONS or len(part) == 1 for part in parts)
    assert 1 < len(parts) < 20


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("data/yeast_cds_3utr.h5", "python -m generate_dataset.build --config configs/datasets/yeast_cds_3utr.yaml"),
        ("data/simulated.h5", "python -m generate_dataset.simulate --config configs/simulated.yaml"),
        ("mine.h5", "python -m generate_dataset.build --config CONFIG"),
    ],
)
def test_a_missing_data_set_names_the_command_that_makes_it(name, command):
    with pytest.raises(InputError, match=f"make it with {re.escape(command)}$"):
        read_split(Path("/nowhere") / name, "train")
