"""Transcripts of one's own -> messages with labels: a table of half-lives, and FASTA, or a genome with its GTF."""

import logging
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from generate_dataset.annotation import Transcript, read_fasta, read_genome
from generate_dataset.messages import CODON_START, SPLICE_SITE, DatasetSettings, Messages, pack, read_table
from generate_dataset.splits import warn_of_leaks
from utils.config import root_files
from utils.data import SPLITS
from utils.runtime import InputError, shown

logger = logging.getLogger(__name__)

STOP_CODONS = ("UAA", "UAG", "UGA")
OPTIONAL_COLUMNS = ("gene", "cds_start", "cds_end", "exon_ends", "split", "fold")


class TranscriptSettings(DatasetSettings):
    """A table of transcripts with half-lives, and their FASTA, or a genome FASTA with a GTF.

    An optional column named in the config must be in the table; a default one is used where it is there; an empty name
    leaves it out. With a GTF, coding sequences and exons are the GTF's.
    """

    reader: Literal["transcripts"]
    table: str
    gtf: str = ""
    id_column: str = "id"
    value_column: str = "value"
    gene_column: str = "gene"
    cds_start_column: str = "cds_start"
    cds_end_column: str = "cds_end"
    exon_ends_column: str = "exon_ends"
    split_column: str = "split"
    fold_column: str = "fold"
    test_fold: str | int = ""
    valid_fold: str | int = ""
    label_name: str = "half-life"
    transform: Literal["none", "log2", "log"] = "none"
    incomplete: Literal["error", "leave_out"] = "error"


def _read_columns(settings: TranscriptSettings, path: Path) -> pd.DataFrame:
    """Return the table with its columns named as in ``OPTIONAL_COLUMNS``, and ``id`` and ``value``."""
    name = path.name.removesuffix(".gz")
    separator = "," if name.endswith(".csv") else "\t"
    columns = {"id": settings.id_column}
    optional = []
    for key in OPTIONAL_COLUMNS:
        column = getattr(settings, f"{key}_column")
        if column and f"{key}_column" in settings.model_fields_set:
            columns[key] = column
        elif column:
            optional.append(column)
    texts = list(dict.fromkeys(columns.values()))
    more = tuple(column for column in dict.fromkeys(optional) if column not in texts)
    table = read_table(path, texts, [settings.value_column], separator, more)
    columns |= {key: key for key in OPTIONAL_COLUMNS if key not in columns and key in more and key in table.columns}
    named = {key: table[column].str.strip() for key, column in columns.items()}
    return pd.DataFrame({**named, "value": table[settings.value_column]})


def _whole_rows(table: pd.DataFrame, known: np.ndarray, what: str, settings: TranscriptSettings) -> pd.DataFrame:
    """Return the rows that are whole; others are an error, or left out and counted (``incomplete: leave_out``)."""
    if known.all():
        return table
    count = f"{settings.table}: {(~known).sum()} of {len(table)} rows {what} (the first: {table['id'][~known].iloc[0]})"
    if settings.incomplete == "error":
        raise InputError(f"{count}; take them out, or set incomplete: leave_out")
    logger.warning("%s: left out", count)
    return table[known]


def _numbers(cell: str, what: str) -> list[int]:
    """Return the whole numbers of a cell, such as ``120;300;512``; 120.0 is whole, as tables are often written so."""
    try:
        numbers = [float(part) for part in re.split(r"[;,\s]+", cell) if part]
        whole = [int(number) for number in numbers]
    except (ValueError, OverflowError):
        raise InputError(f"{what} is {cell!r}, not whole numbers") from None
    if whole != numbers:
        raise InputError(f"{what} is {cell!r}, not whole numbers")
    return whole


def annotate(text: str, start: str, end: str, exon_ends: str, where: str) -> Transcript:
    """Return a transcript with the annotation of a table's cells, which may be empty.

    Args:
        text: its letters.
        start: first base of the coding sequence, 0-based.
        end: the position after its last base.
        exon_ends: positions of the last base of each exon, 0-based, with ; or a comma between them. The last base of
            the transcript is that of its final exon, listed or not.
        where: table and row, for error messages.

    Raises:
        InputError: not whole numbers, one end of a CDS only, or positions outside the transcript or out of order.
    """
    if bool(start) != bool(end):
        raise InputError(f"{where}: only one of cds_start and cds_end is given")
    cds = (*_numbers(start, f"{where}: cds_start"), *_numbers(end, f"{where}: cds_end"))
    if cds and (len(cds) != 2 or not 0 <= cds[0] < cds[1] <= len(text)):
        raise InputError(f"{where}: CDS {start} to {end}; expected 0 <= cds_start < cds_end <= {len(text)}, its length")
    ends = _numbers(exon_ends, f"{where}: exon_ends")
    if any(one >= other for one, other in zip([-1, *ends], [*ends, len(text)], strict=True)):
        raise InputError(f"{where}: exon_ends {exon_ends}; expected increasing positions from 0 to {len(text) - 1}")
    ends = [*ends, len(text) - 1] if ends and ends[-1] < len(text) - 1 else ends
    return Transcript(text, cds or None, tuple(ends))


def with_stop(text: str, cds: tuple[int, int]) -> tuple[tuple[int, int], bool]:
    """Return a coding sequence with its stop codon, and whether it ends with one.

    Where it lacks one and the next three bases are one, as in GTF files, which leave it out, the CDS ends behind them.
    """
    start, end = cds
    if text[end - 3 : end] in STOP_CODONS:
        return cds, True
    follows = (end - start) % 3 == 0 and text[end : end + 3] in STOP_CODONS
    return (start, end + 3 if follows else end), follows


def add_tracks(codes: np.ndarray, transcripts: list[Transcript], path: Path) -> None:
    """Set the bits of codon starts and exon ends in codes (n, length); what is odd about the CDS is said, with counts.

    Codons are marked at their first base, the stop codon included, an incomplete last codon not; exons at their last
    base, the final exon included, as Saluki does (calico/basenji, ``jupyter/saluki_data.ipynb``).
    """
    partial = without = behind = several = coding = 0
    for row, transcript in zip(codes, transcripts, strict=True):
        row[[end for end in transcript.exon_ends if end < len(row)]] |= 1 << SPLICE_SITE
        if transcript.cds is None:
            continue
        (start, end), stops = with_stop(transcript.text.upper().replace("T", "U"), transcript.cds)
        row[start : max(start, end - 2) : 3] |= 1 << CODON_START
        coding += 1
        partial += (end - start) % 3 > 0
        without += not stops
        behind += end > transcript.cds[1]
        several += not transcript.one_frame
    if behind:
        logger.info("%s: the stop codon of %d of %d CDS follows it; counted to the CDS", shown(path), behind, coding)
    for count, what in (
        (partial, "is not a multiple of three long; the incomplete last codon is not marked"),
        (without, "has no stop codon at its end; are start and end 0-based, the end exclusive?"),
        (several, "is annotated in several reading frames; that of its first part is marked"),
    ):
        if count:
            logger.warning("%s: %d of %d CDS: it %s", shown(path), count, coding, what)


def given_split(table: pd.DataFrame, settings: TranscriptSettings) -> np.ndarray | None:
    """Return train, valid or test for each row as the table says, or None where it does not.

    Raises:
        InputError: other words than these in ``split``; folds that are not there, or not said; a row without a fold.
    """
    if "split" in table and "fold" in table:
        raise InputError(f"{settings.table}: has a split and a fold; leave one out (split_column or fold_column: '')")
    if "split" in table:
        wrong = ~table["split"].isin(SPLITS)
        if wrong.any():
            row = table[wrong].iloc[0]
            raise InputError(f"{settings.table}: {row['id']}: split is {row['split']!r}; expected train, valid or test")
        return table["split"].to_numpy()
    if "fold" not in table:
        return None
    if (table["fold"] == "").any():
        name = table["id"][table["fold"] == ""].iloc[0]
        raise InputError(f"{settings.table}: {name}: has no fold; give it one, or take the row out")
    folds = {"test_fold": str(settings.test_fold), "valid_fold": str(settings.valid_fold)}
    for key, fold in folds.items():
        if fold not in set(table["fold"]) or not fold:
            there = ", ".join(sorted(set(table["fold"]))[:12])
            raise InputError(f"{settings.table}: key '{key}' is '{fold}'; the table's folds are {there}")
    if len(set(folds.values())) < 2:
        raise InputError("keys 'test_fold' and 'valid_fold' are the same fold; name two")
    held_out = [table["fold"] == folds["test_fold"], table["fold"] == folds["valid_fold"]]
    return np.select(held_out, ["test", "valid"], "train")


def _find_transcripts(settings: TranscriptSettings, table: pd.DataFrame, path: Path) -> dict[str, Transcript]:
    """Return the transcripts of the table's rows that are in the files, by id."""
    (source,) = root_files(settings.source, "source")
    if settings.gtf:
        return read_genome(source, root_files(settings.gtf, "gtf")[0], set(table["id"]))
    texts = {name: letters.decode("latin-1") for name, letters in read_fasta(source, set(table["id"]))}
    cells = {key: table.get(key, pd.Series("", table.index)) for key in ("cds_start", "cds_end", "exon_ends")}
    rows = zip(table["id"], *cells.values(), strict=True)
    where = f"{shown(path)}, {shown(source)}"
    return {name: annotate(texts[name], *row, f"{where}: {name}") for name, *row in rows if name in texts}


def read_transcripts(settings: TranscriptSettings) -> Messages:
    """Read a table of half-lives and the sequences of its rows.

    Without a split or fold in the table the split is drawn later: transcripts of one gene, and those nearly the same,
    stay together.
    """
    named = {"source": settings.source, "table": settings.table, "gtf": settings.gtf}
    files = [root_files(path, key)[0] for key, path in named.items() if path]
    path = files[1]
    table = _read_columns(settings, path)
    twice = table["id"].duplicated()
    if twice.any():
        raise InputError(f"{shown(path)}: {table['id'][twice].iloc[0]} is there twice; keep one row of each")
    table = _whole_rows(table, np.isfinite(table["value"].to_numpy()), "have no label", settings)
    value = table["value"]
    if settings.transform != "none" and (value <= 0).any():
        row = table[value <= 0].iloc[0]
        raise InputError(f"{shown(path)}: {row['id']}: {row['value']:g} has no logarithm (key 'transform')")
    found = _find_transcripts(settings, table, path)
    there = table["id"].isin(found.keys()).to_numpy()
    table = _whole_rows(table, there, f"have an id that is not in {settings.gtf or settings.source}", settings)
    if not len(table):
        raise InputError(f"{shown(path)}: no row with a label and a sequence")
    ids = table["id"].tolist()
    transcripts = [found[name] for name in ids]
    codes, length = pack([transcript.text for transcript in transcripts], settings.max_length, ids, files[0])
    add_tracks(codes, transcripts, files[-1] if settings.gtf else path)
    gene = None
    if "gene" in table or settings.gtf:
        named = table["gene"] if "gene" in table else [transcript.gene for transcript in transcripts]
        gene = [name or own for name, own in zip(named, ids, strict=True)]
    split = given_split(table, settings)
    if split is not None:
        warn_of_leaks(codes, gene, split, path)
    label = table["value"].to_numpy(np.float64)
    label = {"none": lambda x: x, "log2": np.log2, "log": np.log}[settings.transform](label)
    return Messages(codes, label[:, None], length, ids, settings.label_name, files, split, gene)
