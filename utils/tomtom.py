"""Comparison of motifs with a database as MEME's Tomtom does it (Gupta et al. 2007, doi:10.1186/gb-2007-8-2-r24)."""

import logging
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import false_discovery_control

from utils.motif import Motif, consensus
from utils.runtime import InputError, shown
from utils.sequence import decode

logger = logging.getLogger(__name__)
MOTIFS = "# motifs: "  # begins the line of a table with the key of the motifs that were matched
THRESHOLD = "# q_threshold: "  # begins the line with the q-value up to which all matches are listed
FEW = 25  # motifs of a database, below which its p-values depend on which they are (memelite says so)

COLUMNS = [
    "Query_ID", "Target_ID", "Optimal_offset", "p-value", "E-value", "q-value",
    "Overlap", "Query_consensus", "Target_consensus", "Orientation",
]  # fmt: skip
PSEUDOCOUNT = 0.1  # MEME's default, spread over the background of 1/4 per base
P_FLOOR = 1e-300
DISAGREE = 5  # factor between p-values on two scales beyond which neither is trusted


def with_pseudocount(motif: Motif) -> np.ndarray:
    """Return the probabilities (4, width) with MEME's pseudocount: (n p + 0.1 x 0.25) / (n + 0.1)."""
    return (motif.nsites * motif.ppm + PSEUDOCOUNT * 0.25) / (motif.nsites + PSEUDOCOUNT)


def tomtom(
    queries: list[Motif],
    targets: list[Motif],
    q_threshold: float = 0.01,
    keep_best: bool = False,
    n_jobs: int = -1,
    both_strands: bool = False,
) -> pd.DataFrame:
    """Compare every query with every target, on one strand (RNA has no reverse complement), or for DNA on both.

    On both strands the reverse complement of each target is compared too: of its two p-values the smaller one counts,
    as 1 - (1 - p)^2 for two attempts, and columns are those of that strand (Orientation -). p-values are memelite's,
    floored at 1e-300; E = p x number of targets; q-values by Benjamini-Hochberg over the targets of a query.

    Args:
        queries: motifs to explain.
        targets: the database.
        q_threshold: matches with a larger q-value are left out.
        keep_best: keep the best target of each query all the same.
        n_jobs: threads; -1 for all.
        both_strands: compare with the reverse complements of the targets too.

    Returns:
        Tomtom's columns, a row per match, by query in the order given and then by p-value.
    """
    if not queries or not targets:
        return pd.DataFrame(columns=COLUMNS)
    known = [motif.ppm for motif in targets]
    query_ppms, target_ppms = [[with_pseudocount(motif) for motif in motifs] for motifs in (queries, targets)]
    if both_strands:
        known, target_ppms = known + reverse_complements(known), target_ppms + reverse_complements(target_ppms)
    if len(targets) < FEW:
        _warn_of_few(len(targets))
    p, offset, overlap = _compare(query_ppms, target_ppms, n_jobs)
    # At the end of its scale of scores memelite's table can fail: p is then far too small, down to 0. A scale of
    # another length fails elsewhere, so queries on which the two disagree are compared again on a fine scale.
    other, _, _ = _compare(query_ppms, target_ppms, n_jobs, n_score_bins=101)
    apart = np.abs(np.log10(np.clip(p, P_FLOOR, 1)) - np.log10(np.clip(other, P_FLOOR, 1))) > np.log10(DISAGREE)
    lost = np.flatnonzero((apart | (p <= 0)).any(axis=1))
    if len(lost):
        finer = _compare([query_ppms[row] for row in lost], target_ppms, n_jobs, n_score_bins=1000)
        p[lost], offset[lost], overlap[lost] = finer
    p = np.clip(p, P_FLOOR, 1.0)
    of_target = np.broadcast_to(np.arange(len(targets)), (len(p), len(targets)))
    if both_strands:
        n = len(targets)
        of_target = np.where(p[:, n:] < p[:, :n], of_target + n, of_target)  # the place of the better strand
        p = np.take_along_axis(p, of_target, axis=1)
        offset, overlap = (np.take_along_axis(one, of_target, axis=1) for one in (offset, overlap))
        p = np.clip(-np.expm1(2 * np.log1p(-np.minimum(p, 1 - 1e-12))), P_FLOOR, 1.0)
    q = false_discovery_control(p, axis=1, method="bh")
    listed = q <= q_threshold
    if keep_best:
        listed[np.arange(len(p)), p.argmin(axis=1)] = True
    rows, columns = np.nonzero(listed)
    order = np.lexsort((columns, p[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    query_consensus = [decode(consensus(motif.ppm)) for motif in queries]
    words = [decode(consensus(ppm)) for ppm in known]
    strand = of_target[rows, columns]
    return pd.DataFrame(
        {
            "Query_ID": [queries[row].name for row in rows],
            "Target_ID": [targets[column].name for column in columns],
            "Optimal_offset": offset[rows, columns].astype(int),
            "p-value": p[rows, columns],
            "E-value": p[rows, columns] * len(targets),
            "q-value": q[rows, columns],
            "Overlap": overlap[rows, columns].astype(int),
            "Query_consensus": [query_consensus[row] for row in rows],
            "Target_consensus": [words[place] for place in strand],
            "Orientation": np.where(strand < len(targets), "+", "-"),
        },
        columns=COLUMNS,
    )


def reverse_complements(ppms: list[np.ndarray]) -> list[np.ndarray]:
    """Return matrices (4, width) of the other strand: columns backwards, A for U and C for G."""
    return [np.ascontiguousarray(ppm[::-1, ::-1]) for ppm in ppms]


@cache
def _warn_of_few(targets: int) -> None:
    """Say once that a database is small."""
    logger.warning("the database has %d motifs: p-values of fewer than %d depend much on which they are", targets, FEW)


def _compare(
    queries: list[np.ndarray], targets: list[np.ndarray], n_jobs: int, n_score_bins: int = 100
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return p-values, offsets and overlaps (queries, targets) from memelite; torch keeps its number of threads."""
    from memelite import tomtom as compare  # slow to import

    threads = torch.get_num_threads()  # numba sets the number that torch uses too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of few targets: says _warn_of_few
            p, _, offset, overlap, _ = compare(
                queries, targets, n_target_bins=None, n_score_bins=n_score_bins, reverse_complement=False, n_jobs=n_jobs
            )
    finally:
        torch.set_num_threads(threads)
    return p.astype(np.float64), offset, overlap


def are_of(path: Path, motifs: str) -> bool:
    """Return whether a table of matches is of the motifs with a key; where either says nothing, it is taken to be.

    Segments of other motifs may have the same names.
    """
    own = _said(path, MOTIFS)
    return not (motifs and own) or own == motifs


def listed_up_to(path: Path) -> float | None:
    """Return the q-value up to which a table lists all matches; None where it does not say, as older ones."""
    try:
        threshold = float(_said(path, THRESHOLD))
    except ValueError:
        return None
    return threshold if 0 < threshold <= 1 else None


def _said(path: Path, begin: str) -> str:
    """Return what a comment of a table says; empty without it."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.removeprefix(begin) for line in reversed(lines) if line.startswith(begin)), "")


def read_matches(path: Path, needed: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Read the columns that are needed of a table of matches, by their names; cells are taken as they stand.

    Raises:
        InputError: not such a table.
    """
    again = "match again with --overwrite"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{shown(path)}: not a readable table; {again}") from None
    rows = [line.split("\t") for line in text.split("\n") if line and not line.startswith("#")]
    header = rows[0] if rows else []
    if len(set(header)) < len(header) or not set(needed) <= set(header) or any(len(row) != len(header) for row in rows):
        raise InputError(f"{shown(path)}: not a Tomtom table; {again}")
    table = pd.DataFrame(rows[1:], columns=header, dtype=object)[list(needed)]
    kinds = {"p-value": float, "E-value": float, "q-value": float, "Optimal_offset": int, "Overlap": int}
    try:
        table = table.astype({column: kind for column, kind in kinds.items() if column in needed})
    except (ValueError, OverflowError) as error:
        raise InputError(f"{shown(path)}: not a Tomtom table ({error}); {again}") from None
    for column in ("p-value", "q-value"):
        if column in needed and not table[column].between(0, 1).all():
            raise InputError(f"{shown(path)}: '{column}' holds a value that is no probability; {again}")
    return table


def compile_kernel() -> None:
    """Run one small comparison, so that numba compiles memelite's kernel and keeps it for later processes."""
    ppm = np.full((4, 8), 0.1) + 0.6 * np.eye(4)[:, np.arange(8) % 4]
    motifs = [Motif(f"motif{shift}", "", np.roll(ppm, shift, axis=0)) for shift in range(4)] * 10
    tomtom(motifs[:1], motifs)


if __name__ == "__main__":
    compile_kernel()
