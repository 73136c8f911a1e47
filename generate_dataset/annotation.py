"""FASTA, and GTF with a genome -> transcripts, 5' to 3'. gffutils parses the GTF lines that are wanted."""

import gzip
import itertools
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gffutils.exceptions import AttributeStringError
from gffutils.feature import Feature, feature_from_line
from gffutils.iterators import DataIterator

from utils.progress import progress_bar
from utils.runtime import InputError, shown

FEATURES = ("exon", "CDS", "stop_codon")
TRANSCRIPT_ID = re.compile(r'transcript_id[\s="]*([^";,]+)')
COMPLEMENT = bytes.maketrans(b"ACGTUacgtu", b"TGCAAtgcaa")


@dataclass(frozen=True)
class Transcript:
    """A transcript, 5' to 3'.

    Attributes:
        text: its letters.
        cds: start and end of the coding sequence, 0-based, half-open, from the first base of a codon on; or None.
        exon_ends: 0-based positions of the last base of each exon; empty where they are not known.
        gene: its gene, or an empty text.
        one_frame: whether all parts of the coding sequence are annotated in one reading frame.
    """

    text: str
    cds: tuple[int, int] | None = None
    exon_ends: tuple[int, ...] = ()
    gene: str = ""
    one_frame: bool = True


@dataclass
class Annotation:
    """Where a transcript lies in the genome: parts are 0-based, half-open, on the forward strand."""

    chromosome: str
    strand: str
    gene: str
    exons: list[tuple[int, int]] = field(default_factory=list)
    cds: list[tuple[int, int, int]] = field(default_factory=list)  # and bases before the first whole codon
    stop: list[tuple[int, int]] = field(default_factory=list)


def read_fasta(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytearray]]:
    """Yield name and letters of the wanted records of a FASTA file, plain or .gz, one at a time.

    The name is the first word of the header line, or what stands before its first ``|`` where only that is wanted.

    Raises:
        InputError: not FASTA, truncated, or a wanted name is there twice.
    """
    name, letters, seen = None, bytearray(), set()
    size = path.stat().st_size
    bar = progress_bar(total=size, desc=path.name, unit="B", unit_scale=True, leave=False)
    try:
        with open(path, "rb") as raw, bar:
            handle = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            for line in handle:
                if line.startswith(b">"):
                    if name in wanted:
                        yield name, letters
                    words = line[1:].decode().split()
                    name, letters = words[0] if words else "", bytearray()
                    name = name if name in wanted else name.partition("|")[0]
                    if name in seen:
                        raise InputError(f"{shown(path)}: {name} is there twice; keep one")
                    seen.update({name} if name in wanted else ())
                    bar.update(raw.tell() - bar.n)
                elif name is None and line.strip():
                    raise InputError(f"{shown(path)}: not a FASTA file: its first line does not begin with '>'")
                elif name in wanted:
                    letters += line.strip()
            if name in wanted:
                yield name, letters
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise InputError(f"{shown(path)}: not a readable FASTA file ({str(error)[:100]})") from None


def _gtf_lines(path: Path, wanted: Collection[str]) -> Iterator[str]:
    """Yield the exon, CDS and stop codon lines of a GTF file in which the name of a wanted transcript stands.

    A line takes a microsecond here, and a hundred to be parsed.
    """
    with open(path, "rb") as raw:
        handle = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        for line in progress_bar(handle, desc=path.name, unit=" lines", leave=False):
            text = line.decode().rstrip("\r\n")
            if text.startswith(">") or text == "##FASTA":
                return
            columns = text.split("\t", 3)
            if len(columns) < 4 or columns[2] not in FEATURES or text.startswith("#"):
                continue
            if any(name.strip() in wanted for name in TRANSCRIPT_ID.findall(columns[3])):
                yield text


def _gtf_features(path: Path, wanted: Collection[str]) -> Iterator[Feature]:
    """Yield the same lines parsed, in the dialect of the first ten."""
    lines = _gtf_lines(path, wanted)
    first = list(itertools.islice(lines, 10))
    dialect = DataIterator([feature_from_line(line) for line in first]).dialect if first else None
    for line in itertools.chain(first, lines):
        yield feature_from_line(line, dialect=dialect)


def read_gtf(path: Path, wanted: Collection[str]) -> dict[str, Annotation]:
    """Return the wanted transcripts of a GTF file, plain or .gz, by their ``transcript_id``.

    Raises:
        InputError: not GTF, or a transcript lies on two chromosomes or strands.
    """
    found: dict[str, Annotation] = {}
    try:
        for line in _gtf_features(path, wanted):
            name = line.attributes.get("transcript_id")
            if not name or name[0] not in wanted:
                continue
            where = f"{shown(path)}: {line.featuretype} of {name[0]}"
            if line.start is None or line.end is None or not 1 <= line.start <= line.end:
                raise InputError(f"{where}: from {line.start} to {line.end}; expected 1 <= from <= to")
            if line.strand not in ("+", "-") or line.frame not in ("0", "1", "2", "."):
                raise InputError(
                    f"{where}: strand {line.strand}, frame {line.frame}; expected + or -, and 0, 1, 2 or ."
                )
            gene = line.attributes.get("gene_id") or [""]
            known = found.setdefault(name[0], Annotation(line.seqid, line.strand, gene[0]))
            if (known.chromosome, known.strand) != (line.seqid, line.strand):
                raise InputError(f"{where}: on {line.seqid}{line.strand} and on {known.chromosome}{known.strand}")
            part = line.start - 1, line.end
            if line.featuretype == "CDS":
                known.cds.append((*part, 0 if line.frame == "." else int(line.frame)))
            else:
                (known.exons if line.featuretype == "exon" else known.stop).append(part)
    except (ValueError, AttributeStringError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{shown(path)}: not a readable GTF file ({str(error)[:100]})") from None
    return found


def splice(annotation: Annotation, chromosome: bytearray, where: str) -> Transcript:
    """Return a transcript from its exons.

    The coding sequence reaches from the first whole codon of its first part (GTF column 8: bases before it) to the end
    of its last part, or of the stop codon, which GTF lists as a feature of its own behind the CDS.

    Args:
        annotation: where it lies.
        chromosome: letters of the forward strand.
        where: file and transcript, for error messages.

    Raises:
        InputError: no exon, exons that overlap or lie outside the chromosome, or a CDS outside the exons.
    """
    if not annotation.exons:
        raise InputError(f"{where}: has no exon")
    parts = np.array(sorted(annotation.exons))
    if (parts[1:, 0] < parts[:-1, 1]).any():
        raise InputError(f"{where}: its exons overlap")
    if parts[-1, 1] > len(chromosome):
        name = annotation.chromosome
        raise InputError(f"{where}: ends at {parts[-1, 1]}, {name} has {len(chromosome)} nt; is it the right genome?")
    size = parts[:, 1] - parts[:, 0]
    before, total = np.cumsum(size) - size, size.sum()
    forward = annotation.strand == "+"

    def span(start: int, end: int) -> tuple[int, int]:
        """Return a part of one exon in positions of the transcript."""
        exon = np.searchsorted(parts[:, 0], start, side="right") - 1
        if exon < 0 or end > parts[exon, 1]:
            raise InputError(f"{where}: its CDS or stop codon ({start + 1} to {end}) lies outside its exons")
        first = int(before[exon] + start - parts[exon, 0])
        return (first, first + end - start) if forward else (int(total) - first - end + start, int(total) - first)

    text = b"".join(chromosome[start:end] for start, end in parts)
    text = (text if forward else text.translate(COMPLEMENT)[::-1]).decode("latin-1")
    ends = np.cumsum(size if forward else size[::-1]) - 1
    cds, one_frame = None, True
    if annotation.cds:
        coding = sorted((*span(start, end), frame) for start, end, frame in annotation.cds)
        start = coding[0][0] + coding[0][2]
        end = max(end for _, end, *_ in [*coding, *(span(*part) for part in annotation.stop)])
        cds = (start, end) if end > start else None
        one_frame = all((first + frame - start) % 3 == 0 for first, _, frame in coding)
    return Transcript(text, cds, tuple(ends.tolist()), annotation.gene, one_frame)


def read_genome(genome: Path, gtf: Path, wanted: Collection[str]) -> dict[str, Transcript]:
    """Return the wanted transcripts of a GTF file, read from a genome (FASTA) chromosome by chromosome.

    Raises:
        InputError: files that are not readable, or do not belong together.
    """
    annotations = read_gtf(gtf, wanted)
    on: dict[str, list[str]] = {}
    for name, annotation in annotations.items():
        on.setdefault(annotation.chromosome, []).append(name)
    transcripts = {}
    for chromosome, letters in read_fasta(genome, on.keys()):
        for name in on.pop(chromosome):
            transcripts[name] = splice(annotations[name], letters, f"{shown(gtf)}: {name}")
    if on:
        chromosome, names = next(iter(on.items()))
        raise InputError(
            f"{shown(genome)}: has no '{chromosome}', where {names[0]} lies; chromosomes are named as in the GTF"
        )
    return transcripts
