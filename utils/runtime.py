"""What every script does the same way: errors, logging, devices, and files written whole or not at all."""

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

# Convolutions are kept ready for every length they had: 1,024 of them, the default, took 8 GiB on 130,000 messages.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

ROOT = Path(__file__).resolve().parents[1]
logger = logging.getLogger("combmotif")

LONGEST_MESSAGE = 600  # characters; a name in a file may be as long as the file
BAD_NAME = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}  # a path that cannot be meant


def one_line(text: object) -> str:
    """Return a text as one line that does nothing to a terminal: what is not printable is written as its escape."""
    line = " ".join(str(text).split())
    if len(line) > LONGEST_MESSAGE:
        line = f"{line[:LONGEST_MESSAGE]} ..."
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


class InputError(Exception):
    """Something the user gave is not usable. The message is one line: the file or key, and the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class _OneLine(logging.Formatter):
    """Log records hold names from files too."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


def run_script(run: Callable[[], None]) -> None:
    """Run a script's body: log to standard error, turn input errors into one line and exit status 2."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        run()
    except InputError as error:
        _stop(2, f"error: {error}")
    except (MemoryError, torch.OutOfMemoryError) as error:
        _stop(2, f"error: not enough memory ({error or 'none left'}); is a size in the input or the settings meant?")
    except OSError as error:
        reason, name = os.strerror(error.errno) if error.errno else str(error), error.filename
        where = f" ({os.fsdecode(name)})" if isinstance(name, str | bytes) else ""
        status = 2 if error.errno in BAD_NAME else 1
        _stop(status, f"error: {reason}{where}; earlier results are left as they were")
    except KeyboardInterrupt:
        _stop(130, "stopped; run the same command again to go on from here")


def _stop(status: int, message: str) -> None:
    print(one_line(message), file=sys.stderr)
    raise SystemExit(status) from None


def pick_device(name: str) -> torch.device:
    """Return the device: ``auto`` is CUDA when there is one, else CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device: '{name}' is not a device; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda is asked for and there is none; use device=cpu or auto")
    return device


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; it takes the place of ``path`` when the block ends without an error.

    What is written is on the disk before it has its name, so that a loss of power leaves no half file either. What a
    killed run has left in the folder is removed, once by each process, when nobody is writing there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _writing_in(path.parent) as folder:
        handle, name = tempfile.mkstemp(prefix=PART, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
            with contextlib.suppress(OSError):  # not every file system knows this of folders
                os.fsync(folder)
        finally:
            temporary.unlink(missing_ok=True)


PART = ".part-"  # how the names of unfinished files begin
_tidied: set[tuple[int, str]] = set()  # process and folder in which it has looked for leftovers


@contextlib.contextmanager
def _writing_in(folder: Path) -> Iterator[int]:
    """Hold a shared lock on a folder, and give its descriptor; the system takes the lock back when the process ends.

    Who gets the lock alone knows that every unfinished file in the folder is of a run that was killed.
    """
    place = os.getpid(), str(folder.resolve())
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # BlockingIOError: others write here; else no locks on this file system
            if place not in _tidied:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for left in folder.glob(f"{PART}*"):
                    if left.is_file():  # the folder of a scan that goes on is kept
                        left.unlink()
                _tidied.add(place)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def one_at_a_time(path: str | Path, what: str, part: bool = False) -> Iterator[None]:
    """Run the block while no other process runs one of the same ``path``; wait for it, saying so.

    Args:
        path: of the lock, a file that is there only meanwhile. The system takes the lock back when a process ends.
        what: is done, for the message.
        part: this is a part of the work, which runs beside other parts, but not beside the whole.
    """
    lock = fcntl.LOCK_SH if part else fcntl.LOCK_EX
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.info("%s: another run is at work on it; waiting until it ends", what)
                fcntl.flock(descriptor, lock)
        except OSError:  # a file system without locks
            pass
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                break
        except FileNotFoundError:  # who held it before has removed it
            pass
        os.close(descriptor)
    try:
        yield
    finally:
        if not part or _holds_alone(descriptor):  # of several parts the last one removes it
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _holds_alone(descriptor: int) -> bool:
    """Return whether nobody else holds a lock on a file that is open."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fingerprint(**facts: object) -> str:
    """Return a short hash of whatever decides a result, so that a finished file can be told from an outdated one."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def home_path(path: str | Path) -> Path:
    """Return a path in which a leading ``~`` is the home folder.

    Raises:
        InputError: the folder of somebody who is not known.
    """
    if not str(path).strip():
        raise InputError(f"'{path}' is no file name")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"'{path}': there is no such home folder; write the whole path") from None


def root_path(path: str | Path) -> Path:
    """Return the path of a file named in a config: absolute as it is, else from the repository root."""
    path = home_path(path)
    return path if path.is_absolute() else ROOT / path


def is_below_root(path: str | Path) -> bool:
    """Return whether a file named in a config lies below the repository root, as it is written: links are not read."""
    return Path(os.path.normpath(root_path(path))).is_relative_to(os.path.normpath(ROOT))


def shown(path: str | Path) -> str:
    """Return a path as people read it: from the repository root when it lies below."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_absolute() and path.is_relative_to(ROOT) else str(path)
