"""What was read from a stage's files is kept until one of them changes, so that a report is rebuilt in seconds."""

import json
from collections.abc import Callable
from pathlib import Path

from utils.runtime import fingerprint, write_text

VERSION = 5  # of what is kept; to be raised where it comes to hold something else


def state_of(*paths: Path) -> list[list]:
    """Return what changes when one of the files does: size and time of each, or that it is not there."""
    states = []
    for path in paths:
        try:
            facts = path.stat()
            states.append([str(path), facts.st_size, facts.st_mtime_ns])
        except OSError:
            states.append([str(path), -1, 0])
    return states


def write_changed(path: Path, text: str) -> bool:
    """Write a text file unless it says the same already; returns whether it was written."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    write_text(path, text)
    return True


def kept(path: Path, make: Callable[[], dict], **decides: object) -> dict:
    """Return what ``make`` returns, from ``path`` where it was made of the same before; ``key`` says of what.

    Args:
        path: of the kept text.
        make: reads the stage's files; returns what JSON can hold.
        decides: everything that decides the result.
    """
    key = fingerprint(version=VERSION, **decides)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] == key:
            return content["value"] | {"key": key}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    value = make()
    write_text(path, json.dumps({"key": key, "value": value}, separators=(",", ":"), allow_nan=False))
    return value | {"key": key}
