"""HDF5 files are written whole, also on a full disk, and read with a check of what they hold."""

import contextlib
import os
import resource

import h5py
import numpy as np
import pytest

from utils.hdf5 import Damaged, new_file, read_arrays

SHAPES = {"x": ("n", 3), "y": ("n",), "name": ("n",)}


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.h5"
    with new_file(path) as file:
        file["x"] = np.arange(6.0).reshape(2, 3)
        file["y"] = np.array([1, 2])
        file.create_dataset("name", data=["a", "b"], dtype=h5py.string_dtype())
        file.attrs["maximum"], file.attrs["settings"] = 2.5, "key"
    return path


def read(path, **more):
    return read_arrays(path, SHAPES, {"maximum": float, "settings": str}, texts=("name",), **more)


def test_what_was_written_is_read(good):
    found = read(good)
    np.testing.assert_array_equal(found["x"], [[0, 1, 2], [3, 4, 5]])
    assert (found["name"].tolist(), found["maximum"], found["settings"]) == (["a", "b"], 2.5, "key")


def test_an_array_that_may_be_missing(good):
    assert read_arrays(good, {"more": ("n",)}, optional=("more",)) == {"more": None}


def test_minus_infinity_is_a_value_and_a_gap_may_be_nan(tmp_path):
    with new_file(tmp_path / "a.h5") as file:
        file["x"], file["y"] = [-np.inf, 1.0], [np.nan, 1.0]
    assert read_arrays(tmp_path / "a.h5", {"x": (2,), "y": (2,)}, gaps=("y",))["x"][0] == -np.inf
    with pytest.raises(Damaged, match="'y' holds a value that is not a number"):
        read_arrays(tmp_path / "a.h5", {"x": (2,), "y": (2,)})


def replaced(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (replaced("x", np.zeros((2, 4))), "shape"), (replaced("y", np.zeros(3)), "shape"), (replaced("y", 3), "shape"),
        (replaced("x", np.full((2, 3), np.nan)), "not a number"),
        (replaced("x", np.full((2, 3), np.inf)), "not a number"),
        (replaced("y", [b"a", b"b"]), "numbers"), (replaced("name", [1, 2]), ""), (lambda file: file.pop("y"), "y"),
        (lambda file: file.attrs.pop("maximum"), "maximum"),
        (lambda file: file.attrs.update(maximum=np.nan), "maximum"),
        (lambda file: file.attrs.update(maximum="high"), ""), (replaced("y", h5py.Empty("f")), "no array"),
        (replaced("y", h5py.SoftLink("/nowhere")), ""), (replaced("y", h5py.ExternalLink("/etc/passwd", "/x")), ""),
        (lambda file: [file.pop("y"), file.create_group("y")], "no array"),
    ],
)  # fmt: skip
def test_what_is_something_else_is_damaged(good, change, word):
    with h5py.File(good, "r+") as file:
        change(file)
    with pytest.raises(Damaged) as raised:
        read(good)
    assert word in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_size_that_nothing_stands_behind_takes_no_memory(good):
    with h5py.File(good, "r+") as file:
        del file["y"]
        file.create_dataset("y", (10**13,), "f8", chunks=(1024,))
    with pytest.raises(Damaged, match="its values are not there"):
        read_arrays(good, {"y": ("n",)})


def test_what_compresses_best_is_read(tmp_path):
    with new_file(tmp_path / "a.h5") as file:
        file.create_dataset("x", data=np.zeros(10**7, np.uint8), compression="gzip", compression_opts=9)
    assert read_arrays(tmp_path / "a.h5", {"x": (10**7,)})["x"].sum() == 0


def test_what_is_no_file_is_damaged(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("nothing", "pipe", "."):
        with pytest.raises(Damaged):
            read(tmp_path / name)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_damaged(good, share):
    content = good.read_bytes()
    good.write_bytes(content[: int(share * len(content))])
    with pytest.raises(Damaged):
        read(good)


def test_flipped_bytes_are_damage_or_other_values(good):
    content, random = good.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        changed = bytearray(content)
        for place in random.integers(0, len(content), 20):
            changed[place] = random.integers(256)
        good.write_bytes(changed)
        with contextlib.suppress(Damaged):
            assert read(good)["x"].shape == (2, 3)


def test_a_full_disk_is_an_error_and_no_crash(tmp_path):
    """The HDF5 library ends the process where it cannot write its last bytes: so it does not write to the disk."""
    (tmp_path / "a.h5").write_text("old")
    child = os.fork()
    if not child:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            with new_file(tmp_path / "a.h5") as file:
                file["x"] = np.random.default_rng(0).random(10**5)
        except OSError as error:
            status = 0 if error.errno == 27 else 2  # EFBIG
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "a.h5").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.h5"]
