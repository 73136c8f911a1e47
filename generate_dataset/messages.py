"""What every reader of a source shares: the settings of a data set, its messages, tables and packed sequences."""

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pydantic

from utils.config import OutputData, Seed, Settings
from utils.data import require_size
from utils.runtime import InputError, shown
from utils.sequence import encode

logger = logging.getLogger(__name__)

CODON_START, SPLICE_SITE = 4, 5  # bits of a code
BIT_OF_INDEX = np.array([1, 2, 4, 8, 0], dtype=np.uint8)


class DatasetSettings(Settings):
    """Settings of a data set, whatever its source (configs/datasets/NAME.yaml)."""

    source: str
    reader: str
    output: OutputData
    tracks: Literal[4, 6] = 6
    max_length: int = pydantic.Field(12288, ge=8, le=2**20)
    valid_share: float = pydantic.Field(0.1, gt=0, lt=1)
    test_share: float = pydantic.Field(0.1, gt=0, lt=1)
    seed: Seed = 1


@dataclass(frozen=True)
class Messages:
    """Sequences with labels, before they are split.

    Attributes:
        codes: uint8 (n, length): bits 0 to 3 are A, C, G, U; bit 4 the first base of a codon, bit 5 the last base of an
            exon; 0 is padding or N.
        label: float64 (n, targets).
        length: int32 (n,), the position after the last nucleotide.
        id: text, unique.
        label_name: what the label is, with its unit.
        files: the files that were read.
        split: ``train``, ``valid`` or ``test`` for each row, or None where the split is to be drawn.
        gene: text, n of them: rows of one gene stay in one split; None where each row stands for itself.
    """

    codes: np.ndarray
    label: np.ndarray
    length: np.ndarray
    id: list[str]
    label_name: str
    files: list[Path]
    split: np.ndarray | None = None
    gene: list[str] | None = None


def read_table(
    path: Path, texts: list[str], numbers: list[str], separator: str = ",", optional: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Return the named columns of a table, plain or .gz; an empty cell is an empty text or not a number.

    Args:
        path: the table, with a line of column names.
        texts: columns that must be there, read as text.
        numbers: columns that must be there, read as float64.
        separator: between cells.
        optional: more text columns, read where they are there.

    Raises:
        InputError: not a table, a column is missing, or a cell of ``numbers`` is neither empty nor a number.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, sep=separator)
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        EOFError,
        OSError,
        zlib.error,
    ) as error:
        raise InputError(f"{shown(path)}: not a readable table ({str(error)[:100]})") from None
    missing = [column for column in [*texts, *numbers] if column not in table.columns]
    if missing:
        raise InputError(f"{shown(path)}: column '{missing[0]}' is missing; it has {', '.join(table.columns[:8])}")
    for column in numbers:
        values = pd.to_numeric(table[column].replace("", "nan"), errors="coerce")
        wrong = values.isna() & ~table[column].str.strip().str.lower().isin(["", "nan", "na"])
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(f"{shown(path)}: row {row}: {column} is {table[column].iloc[row]!r}, not a number")
        table[column] = values.astype(np.float64)
    return table[[*texts, *numbers, *(column for column in optional if column in table.columns)]]


def with_label(table: pd.DataFrame, label: pd.Series, path: Path) -> np.ndarray:
    """Return which rows have a finite label; how many have none is said."""
    known = np.isfinite(label.to_numpy(np.float64))
    if not known.all():
        logger.warning("%s: %d of %d rows left out: no label", shown(path), (~known).sum(), len(table))
    return known


def pack(
    texts: list[str], max_length: int, ids: list[str], path: Path, align: Literal["5'", "3'"] = "5'"
) -> tuple[np.ndarray, np.ndarray]:
    """Return codes (n, max_length) and lengths (n,).

    Args:
        texts: sequences.
        max_length: nucleotides kept.
        ids: names for error messages.
        path: the file they come from, for error messages.
        align: the end that is kept of longer sequences and where shorter ones begin: ``5'`` puts zeros at the 3' end,
            ``3'`` at the 5' end.

    Raises:
        InputError: an empty sequence or a letter that is not one of ACGTUN.
    """
    require_size(len(texts), max_length)
    codes = np.zeros((len(texts), max_length), dtype=np.uint8)
    length = np.zeros(len(texts), dtype=np.int32)
    for row, text in enumerate(texts):
        try:
            indices = encode(text[:max_length] if align == "5'" else text[-max_length:])
        except InputError as error:
            raise InputError(f"{shown(path)}: row {row} ({ids[row]}): {error}") from None
        if not len(indices):
            raise InputError(f"{shown(path)}: row {row} ({ids[row]}): empty sequence; give it or take the row out")
        start = 0 if align == "5'" else max_length - len(indices)
        codes[row, start : start + len(indices)] = BIT_OF_INDEX[indices]
        length[row] = start + len(indices)
    return codes, length
