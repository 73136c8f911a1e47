"""Make the embedded motif database: literature_motifs.tsv -> literature_motifs.meme, both beside this file.

Each row of the table is one motif as an IUPAC word, with its factor, class, effect, organism and citation. In the MEME
file a letter of the word is a column with equal probabilities of the bases it stands for.

Run: python -m generate_dataset.literature_motifs
"""

import argparse
import csv
import logging
import re
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from utils.motif import Motif, write_meme
from utils.runtime import InputError, run_script, shown
from utils.sequence import iupac_ppm

logger = logging.getLogger(__name__)

TABLE = Path(__file__).with_name("literature_motifs.tsv")
MEME = Path(__file__).with_name("literature_motifs.meme")
LETTERS = "ACGURYSWKMBDHVN"
SHORT_WORDS = ("AUG", "UAA", "UAG", "UGA")
MAX_WIDTH = 16
CLASSES = (
    "rbp",
    "mirna_seed",
    "au_rich",
    "pumilio",
    "m6a",
    "poly_u",
    "polyadenylation",
    "kozak",
    "uaug",
    "stop",
    "other_element",
)
EFFECTS = (
    "destabilising",
    "stabilising",
    "translation_up",
    "translation_down",
    "splicing",
    "localisation",
    "processing",
    "unknown",
)


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
        name: unique, fit for a file name.
        word: IUPAC word in the RNA alphabet.
        factor: protein, microRNA family or element; several are joined by ``/``.
        group: the class, one of ``CLASSES``; the column is called ``class``.
        effect: main known effect, one of ``EFFECTS``.
        organism: where it was shown.
        citation: first author, journal, year, and DOI or PMID where known.
    """

    name: str
    word: str
    factor: str
    group: str
    effect: str
    organism: str
    citation: str


HEADER = tuple("class" if field.name == "group" else field.name for field in fields(Entry))


def complaint(entry: Entry) -> str | None:
    """Return what is wrong with a row on its own and how to mend it, or None."""
    empty = [column for column, value in zip(HEADER, astuple(entry), strict=True) if not value.strip()]
    if empty:
        return f"column '{empty[0]}' is empty; fill it in"
    if not re.fullmatch(r"[A-Za-z0-9._-]+", entry.name):
        return f"name '{entry.name}' has characters other than letters, digits, '.', '_', '-'; rename it"
    unknown = sorted(set(entry.word) - set(LETTERS))
    if unknown:
        return f"word '{entry.word}' has letter '{unknown[0]}'; use {LETTERS}"
    if entry.word[0] == "N" or entry.word[-1] == "N":
        return f"word '{entry.word}' begins or ends with N; leave the outer N away"
    if not 4 <= len(entry.word) <= MAX_WIDTH and entry.word not in SHORT_WORDS:
        return f"word '{entry.word}' has {len(entry.word)} letters; give 4 to {MAX_WIDTH}"
    if entry.group not in CLASSES:
        return f"class '{entry.group}' is unknown; use one of {', '.join(CLASSES)}"
    if entry.effect not in EFFECTS:
        return f"effect '{entry.effect}' is unknown; use one of {', '.join(EFFECTS)}"
    return None


def read_table(path: str | Path) -> list[Entry]:
    """Read and check the table.

    Raises:
        InputError: unreadable, another header, or a row that is not valid; names the file, the line and the remedy.
    """
    where = shown(path)
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: not a readable table ({error}); give a tab-separated text file") from None
    if not lines or tuple(lines[0]) != HEADER:
        raise InputError(f"{where}, line 1: the header must be, separated by tabs: {' '.join(HEADER)}")
    entries: list[Entry] = []
    seen: dict[str, dict[str, int]] = {"name": {}, "word": {}}
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(HEADER):
            raise InputError(f"{where}, line {number}: {len(cells)} columns; give {len(HEADER)}, separated by tabs")
        entry = Entry(*cells)
        problem = complaint(entry)
        if problem:
            raise InputError(f"{where}, line {number}: {problem}")
        # names are compared without case: they become file names
        for column, value in (("name", entry.name.lower()), ("word", entry.word)):
            first = seen[column].setdefault(value, number)
            if first != number:
                raise InputError(f"{where}, line {number}: same {column} as line {first} ({value}); merge the two rows")
        entries.append(entry)
    if not entries:
        raise InputError(f"{where}: no motif below the header; add rows")
    return entries


def to_motif(entry: Entry) -> Motif:
    """Return a row as a motif; blanks in the factor become underscores, so that every MEME reader takes it whole."""
    return Motif(entry.name, "_".join(entry.factor.split()), iupac_ppm(entry.word))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE, help="table of motifs (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=MEME, help="MEME file to write (default: %(default)s)")
    arguments = parser.parse_args(argv)

    def run() -> None:
        motifs = [to_motif(entry) for entry in read_table(arguments.table)]
        write_meme(arguments.output, motifs)
        logger.info("%s: %d motifs", shown(arguments.output), len(motifs))

    run_script(run)


if __name__ == "__main__":
    main()
