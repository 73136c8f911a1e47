"""Public tables -> messages with labels. One function per source; each returns a ``Messages``."""

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils.runtime import InputError, shown
from utils.sequence import encode

logger = logging.getLogger(__name__)

CODON_START, SPLICE_SITE = 4, 5


@dataclass(frozen=True)
class Messages:
    """Sequences with labels, before they are split.

    Attributes:
        codes: uint8 (n, length): bits 0 to 3 are A, C, G, U; bit 4 the first base of a codon; 0 is padding or N.
        label: float64 (n, 1).
        length: int32 (n,).
        id: text, unique.
        split: ``train``, ``valid`` or ``test`` for each row, or None where the split is to be drawn.
        label_name: what the label is, with its unit.
    """

    codes: np.ndarray
    label: np.ndarray
    length: np.ndarray
    id: list[str]
    split: np.ndarray | None
    label_name: str


def _read_table(path: Path, texts: list[str], numbers: list[str]) -> pd.DataFrame:
    """Return the named columns of a CSV file, plain or .gz; an empty cell is an empty text or not a number."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        EOFError,
        OSError,
        zlib.error,
    ) as error:
        raise InputError(f"{shown(path)}: not a readable CSV table ({str(error)[:100]})") from None
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
    return table[[*texts, *numbers]]


def _without_label(table: pd.DataFrame, label: pd.Series, path: Path) -> np.ndarray:
    """Return which rows have a finite label; how many have none is said."""
    known = np.isfinite(label.to_numpy(np.float64))
    if not known.all():
        logger.warning("%s: %d of %d rows left out: no label", shown(path), (~known).sum(), len(table))
    return known


def _pack(texts: list[str], max_length: int, ids: list[str], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return codes (n, max_length), zero-padded at the 3' end, and lengths; longer sequences keep their 5' part."""
    codes = np.zeros((len(texts), max_length), dtype=np.uint8)
    length = np.zeros(len(texts), dtype=np.int32)
    bit_of_index = np.array([1, 2, 4, 8, 0], dtype=np.uint8)
    for row, text in enumerate(texts):
        try:
            indices = encode(text[:max_length])
        except InputError as error:
            raise InputError(f"{shown(path)}: row {row} ({ids[row]}): {error}") from None
        if not len(indices):
            raise InputError(f"{shown(path)}: row {row} ({ids[row]}): empty sequence; give it or take the row out")
        codes[row, : len(indices)] = bit_of_index[indices]
        length[row] = len(indices)
    return codes, length


def _z_score(values: pd.Series) -> pd.Series:
    return (values - values.mean()) / values.std(ddof=0)


def read_mrl(path: Path, max_length: int) -> Messages:
    """5' UTRs (``utr``) with mean ribosome load (``rl``); row % 10 == 0 is test, == 1 valid, the rest train."""
    table = _read_table(path, ["utr"], ["rl"])
    rows = np.flatnonzero(_without_label(table, table["rl"], path))
    table = table.iloc[rows]
    ids = [f"row{row}" for row in rows]
    rows = rows % 10
    codes, length = _pack(table["utr"].tolist(), max_length, ids, path)
    split = np.select([rows == 0, rows == 1], ["test", "valid"], "train")
    return Messages(codes, table[["rl"]].to_numpy(float), length, ids, split, "mean ribosome load")


def read_yeast(path: Path, max_length: int) -> Messages:
    """Yeast coding sequence and 3' UTR; label: mean of the two z-scored log half-lives, or the one measured."""
    table = _read_table(path, ["gene_id", "cds", "utr3"], ["hl_presnyak_min", "hl_chan_min"])
    half_lives = table[["hl_presnyak_min", "hl_chan_min"]]
    label = np.log(half_lives.where(half_lives > 0)).apply(_z_score).mean(axis=1)
    known = _without_label(table, label, path)
    table, label = table[known], label[known]
    cds, utr3 = table["cds"].tolist(), table["utr3"].tolist()
    ids = table["gene_id"].tolist()
    codes, length = _pack([c + u for c, u in zip(cds, utr3, strict=True)], max_length, ids, path)
    for row, text in enumerate(cds):
        codes[row, : min(len(text), max_length) : 3] |= 1 << CODON_START
    return Messages(codes, label.to_numpy(float)[:, None], length, ids, None, "z-scored log half-life")


def read_human_3utr(path: Path, max_length: int) -> Messages:
    """Human 3' UTRs with the consensus half-life (first principal component over 39 data sets)."""
    table = _read_table(path, ["ensembl_gene_id", "utr3"], ["half_life_pc1"])
    table = table[_without_label(table, table["half_life_pc1"], path)]
    known = table["utr3"].str.slice(0, max_length).str.contains("[ACGTU]", case=False)
    if not known.all():
        logger.warning("%s: %d rows left out: only N in the first %d nt", shown(path), (~known).sum(), max_length)
    table = table[known]
    ids = table["ensembl_gene_id"].tolist()
    codes, length = _pack(table["utr3"].tolist(), max_length, ids, path)
    label = table[["half_life_pc1"]].to_numpy(float)
    return Messages(codes, label, length, ids, None, "consensus half-life (first principal component)")


def read_mpra(path: Path, max_length: int) -> Messages:
    """Reporter fragments with the stability of the mRNA in Jurkat cells (ratio after and before the stop)."""
    table = _read_table(path, ["seq"], ["stability_jurkat"])
    keep = _without_label(table, table["stability_jurkat"].where(table["stability_jurkat"] > 0), path)
    table, ids = table[keep], [f"row{row}" for row in np.flatnonzero(keep)]
    codes, length = _pack(table["seq"].tolist(), max_length, ids, path)
    label = table[["stability_jurkat"]].to_numpy(float)
    return Messages(codes, label, length, ids, None, "reporter stability (Jurkat), ratio")


READERS = {"mrl": read_mrl, "yeast": read_yeast, "human_3utr": read_human_3utr, "mpra": read_mpra}
