"""The building blocks of the pages of motif discovery: table, charts, logos and verdicts."""

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from utils.page import number

ONE_PATTERN = 0.95  # consensus ratio from which a part counts as one pattern
PAGES_CSS = Path(__file__).resolve().with_name("pages.css")


@dataclass(frozen=True)
class Column:
    """A table column: label, one sentence on it, the order its button sorts in first, and the class of its cells."""

    label: str
    explanation: str
    first: str = ""  # ascending, descending, or empty: not sortable
    kind: str = "number"


def table(title: str, columns: list[Column], by: str, rows: list[str], choices: dict[str, str], hint: str) -> str:
    """Return heading, explanation of the columns, filters and table; the rows are sorted by the column ``by``."""
    legend = " ".join(f"<b>{escape(one.label)}:</b> {escape(one.explanation)}" for one in columns)
    options = "".join(f'<option value="{key}">{escape(label)}</option>' for key, label in choices.items())
    order = {one.label: one.first if one.label == by else "none" for one in columns}
    heads = "".join(
        f'<th scope="col" class="{one.kind}" title="{escape(one.explanation)}" '
        f'aria-sort="{order[one.label]}" data-kind="{one.kind}" data-first="{one.first}">'
        f'<button type="button">{escape(one.label)}</button></th>'
        if one.first
        else f'<th scope="col" class="{one.kind} fixed" title="{escape(one.explanation)}">{escape(one.label)}</th>'
        for one in columns
    )
    return (
        f'<h2>{title}</h2><p class="legend">{legend}</p><div class="controls">'
        f'<label>Filter <input type="search" id="search" placeholder="{escape(hint)}"></label>'
        f'<label>Show <select id="choice"><option value="">all</option>{options}</select></label>'
        f'<output id="shown" aria-live="polite"></output></div>\n'
        f'<table class="rows"><thead><tr>{heads}</tr></thead><tbody>\n' + "\n".join(rows) + "\n</tbody></table>"
    )


def row(columns: list[Column], cells: list[tuple[object, str]], kinds: list[str]) -> str:
    """Return a table row of (value to sort by, content) per column."""
    tags = []
    for column, (value, content) in zip(columns, cells, strict=True):
        missing = value is None or value != value  # None, or not a number
        key = f' data-v="{escape(str("" if missing else value))}"' if column.first else ""
        find = "" if column.kind.startswith("number") else " find"
        tags.append(f'<td class="{column.kind}{find}" data-label="{escape(column.label)}"{key}>{content}</td>')
    return f'<tr data-kinds="{" ".join(kinds)}">{"".join(tags)}</tr>'


def chart(
    counts: np.ndarray, quota: int, maximum: float, population: np.ndarray | None = None, what: str = "sequences"
) -> str:
    """Return a bar chart of sequences, or of ``what`` is counted, per activation bin.

    Args:
        counts: int (bins,).
        quota: of a bin, a line; 0 for none.
        maximum: activation at the end of the last bin.
        population: how many sequences each bin has in all, where all were evaluated.
        what: is counted, in small letters.
    """
    counts = [int(count) for count in counts]
    top = max([quota, 1, *counts])
    full = sum(count >= quota for count in counts)
    of_all = [""] * len(counts) if population is None else [f" of {there:,} that exist" for there in population]
    exact = "" if population is None else f" Every sequence was evaluated: {int(population.sum()):,} fire."
    bars = []
    for place, count in enumerate(counts):
        tall = 100 * count / top
        between = f"{number(maximum * place / len(counts))} to {number(maximum * (place + 1) / len(counts))}"
        bars.append(
            f'<rect class="{"low" if count < quota else ""}" x="{56 + 18 * place}" y="{120 - tall:.1f}" width="15" '
            f'height="{tall:.1f}"><title>activation {between}: {count:,} {what}{of_all[place]}</title></rect>'
        )
    line = 120 - 100 * (quota or top) / top
    right = 56 + 18 * len(counts)
    dashed = f'<path class="quota" d="M52 {line:.1f}H{right}"/>' if quota else ""
    said = f"; {full} of {len(counts)} reach the quota of {quota:,} (dashed)" if quota else ""
    return (
        f'<figure><svg class="chart" viewBox="0 0 {right + 14} 152" width="{right + 14}" height="152" role="img" '
        f'aria-label="{what.capitalize()} per activation bin: {", ".join(map(str, counts))}'
        f'{f"; quota {quota}" if quota else ""}">{"".join(bars)}'
        f'<path class="axis" d="M52 120H{right}"/>{dashed}'
        f'<text x="48" y="{line + 4:.1f}" text-anchor="end">{quota or top:,}</text>'
        f'<text x="48" y="124" text-anchor="end">0</text>'
        f'<text x="54" y="135">0</text><text x="{right}" y="135" text-anchor="end">{number(maximum)}</text>'
        f'<text x="{(right + 52) / 2:.0f}" y="147" text-anchor="middle">activation</text></svg><figcaption>'
        f"{what.capitalize()} per activation bin{said}.{exact}</figcaption></figure>"
    )


def logo(pfm: np.ndarray, segments: list[tuple[int, int]], first: int, **of: object) -> dict:
    """Return what logo.js draws."""
    return {
        **of,
        "pfm": np.asarray(pfm).astype(int).tolist(),
        "segments": [[int(start), int(end)] for start, end in segments],
        "first": first,
    }


def mark(ratio: float) -> str:
    """Return a consensus ratio with its verdict in words, shape and colour."""
    if math.isnan(ratio):
        return "–"
    kind, verdict = ("one", "one pattern") if ratio >= ONE_PATTERN else ("mixed", "mixed")
    return f'{number(ratio)} <span class="mark {kind}">{verdict}</span>'
