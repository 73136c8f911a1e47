"""Motif matrices: counts (pfm), probabilities (ppm), information; their segments; MEME files.

Every matrix is (4, width) with rows A, C, G, U.
"""

import gzip
import itertools
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.runtime import InputError, shown, write_text
from utils.sequence import IUPAC_OF_BASES, spelled

ROWS = 4096  # sequences counted at once
SHUFFLES = 50  # of the columns of a motif, until none of the motifs comes out
_LETTER_OF_BASES = np.array(  # of the sum of 1 for A, 2 for C, 4 for G, 8 for U
    [IUPAC_OF_BASES.get("".join(base for bit, base in enumerate("ACGU") if bits >> bit & 1), "") for bits in range(16)]
)


@dataclass(frozen=True)
class Motif:
    """A named motif.

    Attributes:
        name: identifier, without white space.
        alt: a second name, such as the protein; may be empty.
        ppm: probabilities float64 (4, width).
        nsites: how many sequences it was made from.
    """

    name: str
    alt: str
    ppm: np.ndarray
    nsites: int = 20


def pfm_of(indices: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Return counts float64 (4, length) of aligned sequences uint8 (n, length); N counts nowhere.

    Weights (n,) make some sequences count more than others; they are scaled so that n sequences still count as n.
    """
    weight = np.ones(len(indices)) if weight is None else weight.astype(np.float64) * (len(weight) / weight.sum())
    counts = np.zeros((4, indices.shape[1]))
    for rows in range(0, len(indices), ROWS):
        part = indices[rows : rows + ROWS]
        counts += np.stack([weight[rows : rows + ROWS] @ (part == base) for base in range(4)])
    return counts


def to_ppm(pfm: np.ndarray) -> np.ndarray:
    """Return probabilities float64 (..., 4, width) of counts; a column without counts is uniform."""
    pfm = pfm.astype(np.float64)
    total = pfm.sum(axis=-2, keepdims=True)
    return np.where(total > 0, pfm / np.where(total > 0, total, 1), 0.25)


def information(ppm: np.ndarray) -> np.ndarray:
    """Return the information content in bits (..., width) of each column: 2 + sum p log2 p (0 log 0 = 0)."""
    return 2 + (ppm * np.log2(np.where(ppm > 0, ppm, 1))).sum(axis=-2)


def consensus(ppm: np.ndarray) -> np.ndarray:
    """Return the most probable base of each column, uint8 (..., width); of equal ones the first."""
    return ppm.argmax(axis=-2).astype(np.uint8)


def shuffled_columns(motifs: Sequence[Motif], seed: int = 0) -> list[Motif]:
    """Return motifs whose columns are shuffled, under their names: what matches these does so by chance.

    A shuffle whose consensus is that of one of the motifs is drawn again; motifs that no shuffle changes (UUUUUU) are
    left out.
    """
    random = np.random.default_rng(seed)
    words = {iupac_consensus(one.ppm).strip("N") for one in motifs}
    found = []
    for one in motifs:
        for _ in range(SHUFFLES):
            ppm = one.ppm[:, random.permutation(one.ppm.shape[1])]
            if iupac_consensus(ppm).strip("N") not in words:
                found.append(Motif(one.name, one.alt, ppm, one.nsites))
                break
    return found


def iupac_consensus(ppm: np.ndarray) -> str:
    """Return an IUPAC word: per column the fewest bases that hold more than 3/4 of the probability, N for all four."""
    order = np.argsort(-ppm, axis=0, kind="stable")
    held = np.cumsum(np.take_along_axis(ppm, order, axis=0), axis=0)
    needed = np.minimum((held <= 0.75).sum(axis=0) + 1, 4)
    chosen = np.where(np.arange(4)[:, None] < needed, 1 << order, 0).sum(axis=0)
    return "".join(_LETTER_OF_BASES[chosen])


def segments(ppm: np.ndarray, threshold: float = 0.7, min_width: int = 4, max_width: int = 30) -> list[tuple[int, int]]:
    """Return the informative segments of a matrix as half-open [start, end), in order.

    A column is informative where the mean information of it and its neighbours (two neighbours inside the matrix, one
    at its edges) exceeds ``threshold`` bits. A segment is a maximal run of informative columns; one longer than
    ``max_width`` is cut at its least informative column, again and again, and pieces under ``min_width`` are dropped.
    """
    bits = information(ppm)
    window = np.ones(3)
    smooth = np.convolve(bits, window, mode="same") / np.convolve(np.ones(len(bits)), window, mode="same")
    if len(bits) < 3:  # numpy's "same" is as long as the longer of the two
        smooth = np.full(len(bits), bits.mean()) if len(bits) else bits
    edges = np.flatnonzero(np.diff(np.concatenate([[False], smooth > threshold, [False]])))
    pieces = []
    waiting = [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)][::-1]
    while waiting:
        start, end = waiting.pop()
        if end - start <= max_width:
            if end - start >= min_width:
                pieces.append((start, end))
            continue
        first = start + min(min_width, (end - start) // 2)
        cut = first + int(bits[first : max(first + 1, end - min_width)].argmin())
        waiting += [(cut, end), (start, cut)]
    return pieces


def meme_text(motifs: Iterable[Motif], alphabet: str = "RNA") -> str:
    """Return motifs in MEME's minimal format, in the alphabet RNA or DNA."""
    background = spelled("A 0.25 C 0.25 G 0.25 U 0.25", alphabet)
    lines = ["MEME version 4", "", f"ALPHABET= {spelled('ACGU', alphabet)}", "", "Background letter frequencies"]
    lines.append(background)
    for motif in motifs:
        width = motif.ppm.shape[1]
        lines += ["", f"MOTIF {motif.name} {motif.alt}".rstrip(), ""]
        lines.append(f"letter-probability matrix: alength= 4 w= {width} nsites= {motif.nsites} E= 0")
        lines += ["  ".join(f"{probability:.6f}" for probability in column) for column in motif.ppm.T]
    return "\n".join(lines) + "\n"


def write_meme(path: str | Path, motifs: Iterable[Motif], alphabet: str = "RNA") -> None:
    """Write motifs in MEME's minimal format, in the alphabet RNA or DNA, whole or not at all."""
    write_text(path, meme_text(motifs, alphabet))


def read_meme(paths: str | Path | Sequence[str | Path]) -> list[Motif]:
    """Read the motifs of one or several MEME files, plain or .gz; several are joined in order.

    Raises:
        InputError: unreadable, another alphabet, a broken matrix, no motif, the same name twice in one file, or another
            motif of that name in another.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    found: dict[str, Motif] = {}
    for path in paths:
        for motif in _read_one(Path(path)):
            known = found.get(motif.name, motif)
            if known.ppm.shape != motif.ppm.shape or (known.ppm != motif.ppm).any():
                raise InputError(
                    f"{shown(Path(path))}: motif '{motif.name}' is another in a database before; merge them with "
                    "python -m generate_dataset.motif_database, which names them apart"
                )
            found.setdefault(motif.name, motif)
    return list(found.values())


def _read_one(path: Path) -> list[Motif]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as handle:
            lines = handle.read().splitlines()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"{shown(path)}: not a readable MEME file ({error})") from None
    motifs: dict[str, Motif] = {}
    name = alt = ""
    place = 0
    while place < len(lines):
        words = lines[place].split()
        place += 1
        if not words:
            continue
        if words[0] == "ALPHABET=" and "".join(words[1:])[:4] not in ("ACGU", "ACGT"):
            raise InputError(f"{shown(path)}, line {place}: alphabet {' '.join(words[1:])}; expected ACGU or ACGT")
        if words[0] == "MOTIF":
            if len(words) < 2:
                raise InputError(f"{shown(path)}, line {place}: a MOTIF line without a name")
            name, alt = words[1], " ".join(words[2:])
        elif words[0] == "letter-probability":
            matrix, nsites, place = _read_matrix(lines, place, path)
            if not name or name in motifs:
                raise InputError(f"{shown(path)}, line {place}: motif '{name}' has no name of its own or stands twice")
            motifs[name] = Motif(name, alt, matrix, nsites)
    if not motifs:
        raise InputError(f"{shown(path)}: holds no motif in MEME format")
    return list(motifs.values())


def _read_matrix(lines: list[str], place: int, path: Path) -> tuple[np.ndarray, int, int]:
    """Return the matrix whose header is line ``place`` (counted from 1), its nsites, and the line after it."""
    header = lines[place - 1].split()
    facts = dict(itertools.pairwise(header))
    rows: list[list[float]] = []
    while place < len(lines) and lines[place].strip():
        try:
            rows.append([float(word) for word in lines[place].split()])
        except ValueError:
            break  # MEME files may go on with text right after the matrix
        place += 1
    try:
        width, nsites = int(facts.get("w=", len(rows))), int(float(facts.get("nsites=", 20))) or 20  # 0: not known
        if not 0 <= nsites < 2**31:
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(f"{shown(path)}, line {place - len(rows)}: w= and nsites= are not whole numbers") from None
    good = len(rows) == width > 0 and all(len(row) == 4 for row in rows)
    matrix = np.array(rows, dtype=np.float64).T if good else np.zeros((4, 0))
    if not good or not np.isfinite(matrix).all() or (matrix < 0).any() or (abs(matrix.sum(axis=0) - 1) > 0.05).any():
        raise InputError(f"{shown(path)}, line {place}: a matrix that is not {width} rows of four probabilities")
    return matrix / matrix.sum(axis=0), nsites, place
