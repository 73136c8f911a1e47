"""Errors, devices, and files written whole or not at all."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from utils.runtime import (
    ROOT,
    InputError,
    atomic_path,
    file_sha256,
    fingerprint,
    pick_device,
    root_path,
    run_script,
    shown,
    write_text,
)  # fmt: skip


def names(folder):
    """Return the names of all files in a folder, hidden ones too."""
    return sorted(os.listdir(folder))


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "result.txt"
    write_text(path, "old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
    assert path.read_text() == "new"
    assert names(path.parent) == ["result.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_old_file_stays_when_the_block_raises(tmp_path, error):
    """Row 27: a file is written whole or not at all, and nothing is left over."""
    path = tmp_path / "result.h5"
    path.write_text("old")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.h5"]
    with pytest.raises(error), atomic_path(tmp_path / "other.txt"):
        raise error
    assert names(tmp_path) == ["result.h5"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    """Row 27: workers race for the same file."""
    path = tmp_path / "result.txt"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the one that ended last
    assert names(tmp_path) == ["result.txt"]


def test_files_have_the_usual_permissions(tmp_path):
    """A temporary file is private; a result is what the umask says."""
    write_text(tmp_path / "result.txt", "x")
    (tmp_path / "plain.txt").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("result.txt", "plain.txt")}
    assert len(modes) == 1


def test_fingerprint_is_stable():
    """The hash is documented by its formula, so that files of an earlier run are still recognised."""
    facts = {"settings": {"b": 1, "a": [1.5, "x"]}, "seed": 1}
    expected = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    assert fingerprint(**facts) == expected
    assert fingerprint(seed=1, settings={"a": [1.5, "x"], "b": 1}) == expected
    assert fingerprint(seed=2, settings={"a": [1.5, "x"], "b": 1}) != expected
    assert fingerprint(path=Path("a")) == fingerprint(path=Path("a")) != fingerprint(path=Path("b"))


def test_fingerprint_is_the_same_in_another_process():
    code = "from utils.runtime import fingerprint; print(fingerprint(a={'x': 1, 'y': None}, b=[True, 0.1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert other.stdout.strip() == fingerprint(b=[True, 0.1], a={"y": None, "x": 1})


def test_file_sha256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def raising(error):
    """Return a script body that raises."""

    def body():
        raise error

    return body


def test_an_input_error_is_one_line_and_exit_status_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        run_script(raising(InputError("data/x.h5: no such data set")))
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: data/x.h5: no such data set\n"


def test_a_full_disk_is_one_line_and_exit_status_1(capsys):
    with pytest.raises(SystemExit) as stopped:
        run_script(raising(OSError(28, "No space left on device", "results/a.h5")))
    assert stopped.value.code == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "No space left on device" in message
    assert "results/a.h5" in message


def test_an_interrupt_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit) as stopped:
        run_script(raising(KeyboardInterrupt()))
    assert stopped.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_a_script_that_ends_well_exits_well():
    done = []
    run_script(lambda: done.append(True))
    assert done == [True]


def test_a_programming_error_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_script(lambda: 1 / 0)


def test_pick_device(monkeypatch, one_line):
    assert pick_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    for name in ("cuda", "cuda:0", "gpu", ""):
        with pytest.raises(InputError) as raised:
            pick_device(name)
        assert "device" in one_line(raised)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"


def test_paths_are_read_from_the_root_and_shown_from_it(tmp_path):
    assert root_path("data/a.h5") == ROOT / "data" / "a.h5"
    assert root_path(tmp_path) == tmp_path
    assert shown(ROOT / "data" / "a.h5") == "data/a.h5"
    assert shown(tmp_path / "a") == str(tmp_path / "a")
    assert shown("data/a.h5") == "data/a.h5"
