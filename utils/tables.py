"""Tables at rest: CSV whose last line, a comment, may hold the key of what decided it."""

import io
from pathlib import Path

import pandas as pd

from utils.runtime import write_text

KEY = "# settings: "


def read_csv(path: Path, **how: object) -> pd.DataFrame:
    """Read a table without its key. A # anywhere else is part of a name, such as the id of a message.

    Args:
        path: of the table.
        how: further arguments of ``pandas.read_csv``.

    Raises:
        ValueError: not such a table.
        OSError: the file cannot be read, or is none.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a file")  # a pipe would be waited for
    text = path.read_text(encoding="utf-8")
    body, _, last = text.rstrip("\n").rpartition("\n")
    return pd.read_csv(io.StringIO(body if last.startswith(KEY) else text), **how)


def write_csv(path: Path, table: pd.DataFrame, key: str) -> None:
    """Write a table whole or not at all; what is missing is an empty cell, and the last line holds the key."""
    write_text(path, table.to_csv(index=False, float_format="%.6g") + f"{KEY}{key}\n")


def stored_key(path: Path) -> str:
    """Return the key in the last line of a file, or an empty text where there is none."""
    if not path.is_file():
        return ""
    last = path.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")[2]
    return last.removeprefix(KEY) if last.startswith(KEY) else ""
