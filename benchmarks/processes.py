"""Stages as processes that may be killed, starved and watched; the files of a tree, remembered and put back."""

import importlib
import io
import os
import re
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

TIME = 1_700_000_000  # of all files before a stage
BUILT = re.compile(rb"built on [-0-9: ]+")
HANG = 120.0  # seconds
Files = dict[str, bytes]
Command = tuple[str, list[str]]


def files_of(root: Path) -> Files:
    """Return the content of every file that is not code, by its path."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


def restore(root: Path, wanted: Files) -> None:
    """Make the tree hold exactly these files, all of one time: a report says when a file was made."""
    now = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}
    for name in now.keys() - wanted.keys():
        if "__pycache__" not in now[name].parts:
            now[name].unlink()
    for name, content in wanted.items():
        path = root / name
        if path.is_dir():
            path.rmdir()
        elif path.is_symlink() or (path.exists() and not path.is_file()):
            path.unlink()
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if path.stat().st_mtime != TIME:
            os.utime(path, (TIME, TIME))


def same(name: str, one: bytes, other: bytes) -> bool:
    """Return whether two files are the same: the state of a training by what it holds, a report but for its date."""
    if name.startswith("report/") and name.endswith("index.html"):
        one, other = (BUILT.sub(b"", content) for content in (one, other))
    if one == other or not name.endswith("last.pth"):
        return one == other
    return _equal(*(torch.load(io.BytesIO(content), weights_only=True) for content in (one, other)))


def _equal(one: object, other: object) -> bool:
    """Return whether two states hold the same; how often a text is shared in them is not asked."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other


class Run:
    """A stage in a process of its own, which has the libraries loaded already.

    Args:
        command: module and arguments.
        log: where its standard error goes.
        limit: bytes that a file may have.
        memory: bytes that it may take beside what it starts with.

    Attributes:
        memory: most resident bytes, when it is over.
    """

    def __init__(self, command: Command, log: Path, limit: int = 0, memory: int = 0) -> None:
        self.log, self.status, self.memory = log, None, 0
        self.process = os.fork()
        if not self.process:
            self._work(command, limit, memory)

    def _work(self, command: Command, limit: int, memory: int) -> None:
        status = 0
        handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        try:
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            if memory:
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                memory += pages * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            importlib.import_module(command[0]).main(command[1])
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 3
        except BaseException:  # noqa: BLE001 what no script may end with
            traceback.print_exc()
            status = 99
        finally:
            sys.stderr.flush()
            os._exit(status)

    def wait(self, seconds: float = HANG) -> int | None:
        """Return the exit status, negative for a signal; None where it is not over after so many seconds."""
        end = time.monotonic() + seconds
        while self.status is None:
            done, status, used = os.wait4(self.process, os.WNOHANG)
            if done:
                self.status, self.memory = os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024
            elif time.monotonic() > end:
                return None
            else:
                time.sleep(0.002)
        return self.status

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.process, signal.SIGKILL)
        self.wait()

    def complaint(self) -> str:
        """Return what is wrong with how it ended: nothing after a good end, or one error line and status 1 or 2."""
        status = self.wait()
        text = self.log.read_text(encoding="utf-8", errors="replace")
        errors = [line for line in text.splitlines() if line.startswith("error: ")]
        if status == 0:
            return "" if "Traceback" not in text else f"a traceback: {text[-300:]}"
        if status in (1, 2) and len(errors) == 1 and "Traceback" not in text:
            return ""
        if status is None:
            self.kill()
        return f"status {status}: {text[-300:]}"
