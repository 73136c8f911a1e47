"""Errors, devices, and files written whole or not at all."""

import errno
import hashlib
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from utils.runtime import (
    ROOT,
    InputError,
    atomic_path,
    file_sha256,
    fingerprint,
    is_below_root,
    one_at_a_time,
    one_line,
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


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """A loss of power leaves the old file or the new one, never a name with nothing behind it."""
    path, seen = tmp_path / "result.txt", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((os.fstat(descriptor).st_ino, names(tmp_path))))
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        file = temporary.stat().st_ino
    assert seen == [(file, [temporary.name]), (tmp_path.stat().st_ino, ["result.txt"])]


def test_a_file_that_cannot_be_put_on_the_disk_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "result.txt"
    write_text(path, "old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), atomic_path(path) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), names(tmp_path)) == ("old", ["result.txt"])


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


# -- killed runs, and several at once -------------------------------------------------------------------------------


def other_process(code, folder):
    """Start a process that runs some code in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE
    )


def wait_for(condition):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("nothing happened")


def test_what_a_killed_run_has_left_is_removed_by_the_next_one(tmp_path):
    code = (
        "import time\nfrom utils.runtime import atomic_path\n"
        "with atomic_path('a.txt') as path:\n    path.write_text('half')\n    time.sleep(60)\n"
    )
    killed = other_process(code, tmp_path)
    wait_for(lambda: any(path.read_text() for path in tmp_path.glob(".part-*")))
    write_text(tmp_path / "b.txt", "of another run, which leaves alone what is being written")
    assert len(names(tmp_path)) == 2
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    kept = tmp_path / ".part-conv5-key"  # the folder of a scan that goes on
    kept.mkdir()
    write_text(tmp_path / "c.txt", "c")
    assert names(tmp_path) == [".part-conv5-key", "b.txt", "c.txt"]


def test_two_runs_wait_for_each_other(tmp_path):
    code = (
        "import logging, sys, time\nfrom utils.runtime import one_at_a_time\nlogging.basicConfig(level=logging.INFO)\n"
        "with one_at_a_time('.lock', 'the work'):\n    open('second', 'w').close()\n"
    )
    with one_at_a_time(tmp_path / ".lock", "the work"):
        other = other_process(code, tmp_path)
        said = other.stderr.readline().decode()
        assert "the work: another run is at work on it; waiting" in said
        assert names(tmp_path) == [".lock"]
    assert other.wait(timeout=60) == 0
    assert names(tmp_path) == ["second"]


def test_parts_run_beside_each_other_but_not_beside_the_whole(tmp_path):
    code = (
        "import logging, sys, time\nfrom utils.runtime import one_at_a_time\nlogging.basicConfig(level=logging.INFO)\n"
        "with one_at_a_time('.lock', 'the whole'):\n    open('second', 'w').close()\n"
    )
    with one_at_a_time(tmp_path / ".lock", "a part", part=True):
        with one_at_a_time(tmp_path / ".lock", "another part", part=True):
            pass
        assert names(tmp_path) == [".lock"]  # the first part still holds it
        other = other_process(code, tmp_path)
        assert "the whole: another run is at work on it; waiting" in other.stderr.readline().decode()
        assert names(tmp_path) == [".lock"]
    assert other.wait(timeout=60) == 0
    assert names(tmp_path) == ["second"]


def test_the_lock_of_a_killed_run_holds_nobody(tmp_path):
    code = (
        "import time\nfrom utils.runtime import one_at_a_time\n"
        "with one_at_a_time('.lock', 'it'):\n    open('mine', 'w').close()\n    time.sleep(60)\n"
    )
    killed = other_process(code, tmp_path)
    wait_for((tmp_path / "mine").exists)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    with one_at_a_time(tmp_path / ".lock", "it"):
        pass
    assert names(tmp_path) == ["mine"]


# -- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\nb\tc", "a b c"), ("\x1b[31mred", "\\x1b[31mred"), ("a\u202eb", "a\\u202eb"), ("\0", "\\x00"),
     ("\u00e4", "\u00e4")],
)  # fmt: skip
def test_a_name_from_a_file_stays_one_line_without_terminal_codes(text, line):
    assert one_line(text) == line


def test_a_message_is_not_as_long_as_a_file(capsys):
    with pytest.raises(SystemExit):
        run_script(raising(InputError("x" * 10**6 + "\n\x1b[2J")))
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert len(message) < 1000


def test_log_lines_hold_no_terminal_codes(capsys, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    run_script(lambda: logging.getLogger("x").warning("motif %s", "\x1b[31m\nerror: forged"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("motif \\x1b[31m error: forged")


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [(MemoryError("Unable to allocate 7 TiB"), 2, "7 TiB"),
     (OSError(errno.ENAMETOOLONG, "x", "n" * 300), 2, "too long"),
     (FileNotFoundError(errno.ENOENT, "x", "gone.h5"), 2, "gone.h5"),
     (OSError(errno.EROFS, "x", "a"), 1, "Read-only")],
)  # fmt: skip
def test_errors_of_the_system_are_one_line(capsys, error, status, word):
    with pytest.raises(SystemExit) as stopped:
        run_script(raising(error))
    assert stopped.value.code == status
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.startswith("error: ")
    assert word in message


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", " ", "\n"])
def test_a_path_that_is_none_is_an_input_error(path, one_line):
    with pytest.raises(InputError) as raised:
        root_path(path)
    one_line(raised)


@pytest.mark.parametrize(
    ("path", "below"),
    [("data/x.h5", True), ("../x.h5", False), ("data/../../x.h5", False), ("/etc/x.h5", False), ("~/x.h5", False),
     (ROOT / "data" / "x.h5", True), ("data/../x.h5", True)],
)  # fmt: skip
def test_what_lies_below_the_root(path, below):
    assert is_below_root(path) is below
