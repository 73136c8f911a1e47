"""Charts of interactions: the predictions of a pair, and the map of all pairs of a layer."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from report.charts import CLASS_COLOURS, svg, tick_label, ticks
from report.tables import SCRAMBLED
from utils.page import number

BOX_COLOURS = ("#FFFFFF", "#56B4E9", "#E69F00", "#BBBBBB")
CELL = 17
SHAPES = {  # of a cell of the map: width less than the cell's, and roundness; so that colour is not all that tells
    "synergistic": (2, 0),
    "antagonistic": (2, 9),
    "additive": (6, 0),
    "none": (10, 0),
}


def kind_of(name: str) -> str:
    """Return ``synergistic``, ``antagonistic``, ``additive`` or ``none`` of a class; empty where it is missing."""
    return name.rpartition("_")[2]


def short(text: str, width: int) -> str:
    """Return a text cut to a width."""
    return text if len(text) <= width else text[: width - 1] + "…"


def box(values: np.ndarray) -> tuple[float, float, float, float, float]:
    """Return lower whisker, quartiles and upper whisker; whiskers reach to values within 1.5 interquartile ranges."""
    first, middle, third = np.percentile(values, (25, 50, 75))
    reach = 1.5 * (third - first)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    return float(inside.min()), float(first), float(middle), float(third), float(inside.max())


def box_chart(columns: Sequence[tuple[str, str, np.ndarray]], axis: str, said: str, titles: Sequence[str]) -> Markup:
    """Return box plots side by side, with a line per message through its values.

    Args:
        columns: name, colour, and a value per message (not a number where there is none) of each box.
        axis: name of the vertical axis.
        said: what the chart shows.
        titles: what the line of each message says when it is pointed at.
    """
    everything = np.concatenate([values[np.isfinite(values)] for _, _, values in columns])
    if not len(everything):
        return Markup("")
    low, high = float(everything.min()), float(everything.max())
    pad = 0.05 * ((high - low) or 1.0)
    low, high = low - pad, high + pad
    step, left, foot = 88, 62, 270

    def y(value: float) -> float:
        return foot - 255 * (value - low) / (high - low)

    right = left + step * len(columns)
    content = [
        f'<path class="grid" d="M{left} {y(t):.1f}H{right}"/><text x="{left - 6}" y="{y(t) + 4:.1f}" text-anchor="end">'
        f"{tick_label(t)}</text>"
        for t in ticks(low, high)
    ]
    content.append(f'<path class="axis" d="M{left} 15V{foot}H{right}"/>')
    if low < 0 < high:
        content.append(f'<path class="quota" d="M{left} {y(0):.1f}H{right}"/>')
    for i, (name, colour, values) in enumerate(columns):
        x = left + step * (i + 0.5)
        content.append(f'<text x="{x}" y="{foot + 16}" text-anchor="middle">{escape(name)}</text>')
        values = values[np.isfinite(values)]
        if not len(values):
            content.append(f'<text x="{x}" y="{foot - 8}" text-anchor="middle">none</text>')
            continue
        bottom, first, middle, third, top = box(values)
        content.append(
            f'<path class="whisker" d="M{x} {y(bottom):.1f}V{y(first):.1f}M{x} {y(third):.1f}V{y(top):.1f}M{x - 12} '
            f'{y(bottom):.1f}h24M{x - 12} {y(top):.1f}h24"/><rect class="box" fill="{colour}" x="{x - 28}" '
            f'y="{y(third):.1f}" width="56" height="{max(y(first) - y(third), 0.5):.1f}"><title>{escape(name)}: median '
            f"{number(middle)}, quartiles {number(first)} and {number(third)}, {len(values)} messages</title></rect>"
            f'<path class="median" d="M{x - 28} {y(middle):.1f}h56"/>'
        )
    for row, title in enumerate(titles):
        dots = [
            f"{left + step * (i + 0.5):g} {y(values[row]):.1f}"
            for i, (_, _, values) in enumerate(columns)
            if np.isfinite(values[row])
        ]
        if dots:
            content.append(
                f'<g class="message" data-message="{row}"><path class="through" d="M{"L".join(dots)}"/>'
                f'<path class="dots" d="{"".join(f"M{dot}h0" for dot in dots)}"/><title>{escape(title)}</title></g>'
            )
    content.append(
        f'<text x="12" y="{foot / 2}" text-anchor="middle" transform="rotate(-90 12 {foot / 2})">{escape(axis)}</text>'
    )
    return svg(right + 8, foot + 24, said, "".join(content), "boxes")


def pair_charts(pair: dict, rows: Sequence[dict]) -> list[tuple[str, str, Markup]]:
    """Return the charts of a pair, each with a name and a sentence: predictions, their changes, and epistasis."""
    if not rows:
        return []
    titles = [
        f"{row['id']}: " + ", ".join(number(row[name]) for name in SCRAMBLED) + f"; eps {number(row['eps'])}"
        for row in rows
    ]
    o, a, b, n = (np.array([row[name] for row in rows], dtype=np.float64) for name in SCRAMBLED)
    eps, control = (np.array([row.get(key) for row in rows], dtype=np.float64) for key in ("eps", "control_eps"))
    white, blue, orange, grey = BOX_COLOURS
    names = [f"{short(pair[f'label_{side}'], 10)} scr." for side in "ab"]
    charts = (
        ("predictions", "prediction",
         "Predictions of whole messages in units of the label, intact and scrambled (mean of the draws).",
         [("intact", white, o), (names[0], blue, a), (names[1], orange, b), ("both scr.", grey, n)]),
        ("changes", "change of the prediction",
         "Changes against the intact message; sum: of A and B, which both would be without epistasis.",
         [(names[0], blue, a - o), (names[1], orange, b - o), ("both scr.", grey, n - o),
          ("sum", white, a + b - 2 * o)]),
        ("epistasis", "epistasis o − a − b + n", "Epistasis of the pair and of random stretches of the same messages.",
         [("pair", "#CC79A7", eps), ("random", white, control)]),
    )  # fmt: skip
    return [(name, said, box_chart(columns, axis, said, titles)) for name, axis, said, columns in charts]


def pair_map(pairs: Sequence[dict]) -> Markup:
    """Return the map of the tested pairs of a layer: of pairs of the same motifs that with the smallest q is shown.

    Every cell leads to the page of its pair.
    """
    best: dict[tuple[str, str], dict] = {}
    for pair in pairs:
        if kind_of(pair["class"]) in CLASS_COLOURS:
            names = tuple(sorted((str(pair["label_a"]), str(pair["label_b"]))))
            q = pair["q_eps"] if pair["q_eps"] is not None else 2.0
            known = best.get(names)
            if known is None or q < (known["q_eps"] if known["q_eps"] is not None else 2.0):
                best[names] = pair
    if not best:
        return Markup("")
    names = sorted({name for both in best for name in both})
    place = {name: i for i, name in enumerate(names)}
    left = 14 + 7.6 * min(20, max(map(len, names)))
    size = CELL * len(names)
    content = []
    for i, name in enumerate(names):
        middle = left + CELL * (i + 0.5)
        label, title = escape(short(name, 20)), f"<title>{escape(name)}</title>"
        content.append(
            f'<path class="grid" d="M{left} {middle:.1f}h{size}M{middle:.1f} {left}v{size}"/>'
            f'<text x="{left - 4}" y="{middle + 4:.1f}" text-anchor="end">{label}{title}</text>'
            f'<text transform="translate({middle + 4:.1f} {left - 4}) rotate(-90)">{label}{title}</text>'
        )
    for (one, other), pair in best.items():
        kind = kind_of(pair["class"])
        sign = {"positive": "+", "negative": "−"}.get(pair["class"].partition("_")[0], "")
        q = "–" if pair["q_eps"] is None else f"{pair['q_eps']:.2g}"
        said = f"{one}, {other}: {pair['class'].replace('_', ' ')}, eps {number(pair['eps'])}, q {q}, {pair['task']}"
        cells = [(place[one], place[other])] + ([(place[other], place[one])] if one != other else [])
        for number_of, (x, y) in enumerate(cells):
            less, rounded = SHAPES[kind]
            corner = f'x="{left + CELL * x + less / 2:.1f}" y="{left + CELL * y + less / 2:.1f}" rx="{rounded}"'
            away = ' tabindex="-1"' if number_of else ""
            content.append(
                f'<a href="pairs/{pair["page"]}"{away} aria-label="{escape(said)}"><rect class="cell" {corner} '
                f'width="{CELL - less}" height="{CELL - less}" fill="{CLASS_COLOURS[kind]}"><title>{escape(said)}'
                f'</title></rect><text class="sign {kind}" x="{left + CELL * (x + 0.5):.1f}" '
                f'y="{left + CELL * (y + 0.5) + 4:.1f}" text-anchor="middle">{sign}</text></a>'
            )
    return svg(left + size + 4, left + size + 4, f"Map of {len(best)} tested pairs", "".join(content), "map")
