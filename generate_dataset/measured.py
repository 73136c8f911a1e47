"""Public tables -> messages with labels. One function per source."""

import logging
from typing import Literal

import numpy as np
import pandas as pd
import pydantic

from generate_dataset.messages import CODON_START, DatasetSettings, Messages, pack, read_table, with_label
from generate_dataset.splits import draw_split, near_identical, warn_of_leaks
from utils.config import root_files
from utils.runtime import InputError, shown

logger = logging.getLogger(__name__)

SHORTEST_UTR, LONGEST_UTR = 25, 100  # nt, of the libraries of random and designed 5' UTRs


class TableSettings(DatasetSettings):
    """A table of this project's sources: one file, one row a message."""

    reader: Literal["human_3utr", "mpra"]


class YeastSettings(DatasetSettings):
    """Yeast messages; the label is the log half-life of one study, or the mean of both, z-scored."""

    reader: Literal["yeast"]
    label: Literal["chan", "presnyak", "mean"] = "chan"


class MrlSettings(DatasetSettings):
    """5' UTRs with mean ribosome load; sorted by reads and split in that order where the table has ``total_reads``.

    ``split: families`` draws the split of any table, for libraries whose UTRs are variants of each other.
    """

    reader: Literal["mrl"]
    tracks: Literal[4, 6] = 4
    max_length: int = pydantic.Field(50, ge=SHORTEST_UTR, le=LONGEST_UTR)
    best: int = pydantic.Field(280_000, ge=3)
    test_rows: int = pydantic.Field(20_000, ge=1)
    without_aug: bool = False
    split: Literal["rows", "families"] = pydantic.Field("rows", exclude_if=lambda kind: kind == "rows")  # files stay


def read_mrl(settings: MrlSettings) -> Messages:
    """Read 5' UTRs (``utr``) with mean ribosome load (``rl``).

    A table with ``total_reads`` is sorted by them, the best are kept, the first of these are for testing, and
    ``valid_share`` of the others, drawn at random, for validation. In a table without, row % 10 == 0 is test, == 1
    validation, the rest for training. With ``split: families`` it is drawn for either table, with ``valid_share`` and
    ``test_share``, and UTRs that are nearly the same stay together. UTRs end at the end of the input, so that the
    distance to the start codon stays.
    ``without_aug`` takes the rows with an AUG out after the split, so that no row changes sides.
    """
    (path,) = root_files(settings.source, "source")
    table = read_table(path, ["utr"], ["rl"], optional=("total_reads",))
    row = np.arange(len(table))
    known = with_label(table, table["rl"], path)
    table, row = table[known], row[known]
    if "total_reads" in table.columns:
        reads = read_table(path, [], ["total_reads"])["total_reads"][known].fillna(-1).to_numpy()
        order = np.argsort(-reads, kind="stable")[: settings.best]
        table, row = table.iloc[order], row[order]
        if settings.split == "rows" and settings.test_rows >= len(table):
            raise InputError(
                f"{shown(path)}: {len(table)} rows; test_rows = {settings.test_rows} leaves none to train on"
            )
    texts, ids = table["utr"].tolist(), [f"row{number}" for number in row]
    wrong = [place for place, text in enumerate(texts) if not SHORTEST_UTR <= len(text) <= LONGEST_UTR]
    if wrong:
        raise InputError(
            f"{shown(path)}: {ids[wrong[0]]}: {len(texts[wrong[0]])} nt; expected {SHORTEST_UTR} to {LONGEST_UTR} nt"
        )
    longer = sum(len(text) > settings.max_length for text in texts)
    if longer:
        logger.warning("%s: %d UTRs cut to the %d nt next to the start codon", shown(path), longer, settings.max_length)
    codes, length = pack(texts, settings.max_length, ids, path, align="3'")
    if settings.split == "families":
        split = draw_split(near_identical(codes), settings.valid_share, settings.test_share, settings.seed)
    elif "total_reads" in table.columns:
        rest = draw_split(near_identical(codes[settings.test_rows :]), settings.valid_share, 0.0, settings.seed)
        split = np.concatenate([np.full(settings.test_rows, "test"), rest])
    else:
        split = np.select([row % 10 == 0, row % 10 == 1], ["test", "valid"], "train")
    label = table[["rl"]].to_numpy(float)
    if settings.without_aug:
        keep = np.array(["AUG" not in text.upper().replace("T", "U") for text in texts])
        codes, label, length, split = codes[keep], label[keep], length[keep], split[keep]
        ids = [name for name, kept in zip(ids, keep, strict=True) if kept]
    if settings.split == "rows":
        warn_of_leaks(codes, None, split, path, "split: families keeps them together")
    return Messages(codes, label, length, ids, "mean ribosome load", [path], split)


def _z_score(values: pd.Series) -> pd.Series:
    return (values - values.mean()) / values.std(ddof=0)


def read_yeast(settings: YeastSettings) -> Messages:
    """Read yeast coding sequences and 3' UTRs with their half-lives.

    ``chan``: log of the minutes of Chan et al. (2018, doi:10.7554/eLife.32536); ``presnyak``: those of Presnyak et al.
    (2015, doi:10.1016/j.cell.2015.02.029); ``mean``: of the two z-scored logs, or the one measured.
    """
    (path,) = root_files(settings.source, "source")
    table = read_table(path, ["gene_id", "cds", "utr3"], ["hl_presnyak_min", "hl_chan_min"])
    half_lives = table[["hl_presnyak_min", "hl_chan_min"]]
    logs = np.log(half_lives.where(half_lives > 0))
    label = logs.apply(_z_score).mean(axis=1) if settings.label == "mean" else logs[f"hl_{settings.label}_min"]
    known = with_label(table, label, path)
    table, label = table[known], label[known]
    cds, utr3 = table["cds"].tolist(), table["utr3"].tolist()
    ids = table["gene_id"].tolist()
    codes, length = pack([c + u for c, u in zip(cds, utr3, strict=True)], settings.max_length, ids, path)
    for row, text in enumerate(cds):
        codes[row, : min(len(text), settings.max_length) : 3] |= 1 << CODON_START
    name = "z-scored log half-life" if settings.label == "mean" else "log half-life (log min)"
    return Messages(codes, label.to_numpy(float)[:, None], length, ids, name, [path])


def read_human_3utr(settings: TableSettings) -> Messages:
    """Human 3' UTRs with the consensus half-life (first principal component over 39 data sets)."""
    (path,) = root_files(settings.source, "source")
    table = read_table(path, ["ensembl_gene_id", "utr3"], ["half_life_pc1"])
    table = table[with_label(table, table["half_life_pc1"], path)]
    known = table["utr3"].str.slice(0, settings.max_length).str.contains("[ACGTU]", case=False)
    if not known.all():
        reason = f"only N in the first {settings.max_length} nt"
        logger.warning("%s: %d rows left out: %s", shown(path), (~known).sum(), reason)
    table = table[known]
    ids = table["ensembl_gene_id"].tolist()
    codes, length = pack(table["utr3"].tolist(), settings.max_length, ids, path)
    label = table[["half_life_pc1"]].to_numpy(float)
    return Messages(codes, label, length, ids, "consensus half-life (first principal component)", [path])


def read_mpra(settings: TableSettings) -> Messages:
    """Reporter fragments with the stability of the mRNA in Jurkat cells (ratio after and before the stop)."""
    (path,) = root_files(settings.source, "source")
    table = read_table(path, ["seq"], ["stability_jurkat"])
    keep = with_label(table, table["stability_jurkat"].where(table["stability_jurkat"] > 0), path)
    table, ids = table[keep], [f"row{row}" for row in np.flatnonzero(keep)]
    codes, length = pack(table["seq"].tolist(), settings.max_length, ids, path)
    label = table[["stability_jurkat"]].to_numpy(float)
    return Messages(codes, label, length, ids, "reporter stability (Jurkat), ratio", [path])
