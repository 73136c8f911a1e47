"""Charts as plain SVG, each with a sentence that says what it shows; colours after Okabe and Ito."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from utils.page import number

CLASS_COLOURS = {"synergistic": "#D55E00", "antagonistic": "#0072B2", "additive": "#F0E442", "none": "#BBBBBB"}
BAR, BAR_HEIGHT = 18, 100


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers within [low, high], at most about ``most``."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    step = 10 ** math.floor(math.log10(span / most))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most)
    return [round(step * i, 10) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def tick_label(value: float) -> str:
    """Return a tick's number."""
    return f"{value:g}".replace("-", "−")


def svg(width: float, height: float, said: str, content: str, kind: str = "") -> Markup:
    """Return an SVG picture; ``content`` is escaped already. What it links to is no picture for who hears the page."""
    role = "group" if "<a " in content else "img"
    return Markup(
        f'<svg class="chart {kind}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="{role}" aria-label="{escape(said)}">{content}</svg>'
    )


def histogram(
    counts: Sequence[int], titles: Sequence[str], ends: tuple[str, str], axis: str, said: str, quota: int | None = None
) -> Markup:
    """Return a bar chart of counts in equal bins, with a dashed line where ``quota`` is.

    Args:
        counts: of the bins.
        titles: what each bar says when it is pointed at.
        ends: text at the left and the right end of the axis.
        axis: its name.
        said: what the chart shows.
        quota: a level to be reached; lower bars are pale.
    """
    top = max([quota or 0, 1, *counts])
    right = 56 + BAR * len(counts)
    bars = [
        f'<rect class="{"low" if quota and count < quota else ""}" x="{56 + BAR * i}" width="{BAR - 3}" '
        f'y="{120 - BAR_HEIGHT * count / top:.1f}" height="{BAR_HEIGHT * count / top:.1f}">'
        f"<title>{escape(title)}</title></rect>"
        for i, (count, title) in enumerate(zip(counts, titles, strict=True))
    ]
    level = quota or top
    line = 120 - BAR_HEIGHT * level / top
    dashed = f'<path class="quota" d="M52 {line:.1f}H{right}"/>' if quota else ""
    return svg(
        right + 14,
        152,
        said,
        f'{"".join(bars)}<path class="axis" d="M52 120H{right}"/>{dashed}'
        f'<text x="48" y="{line + 4:.1f}" text-anchor="end">{level:,}</text>'
        f'<text x="48" y="124" text-anchor="end">0</text><text x="54" y="135">{escape(ends[0])}</text>'
        f'<text x="{right}" y="135" text-anchor="end">{escape(ends[1])}</text>'
        f'<text x="{(right + 52) / 2:.0f}" y="148" text-anchor="middle">{escape(axis)}</text>',
    )


def scatter(points: Sequence[tuple[float, float]], said: str) -> Markup:
    """Return predictions against measurements, (measured, predicted) each, with the line where both are equal."""
    if not points:
        return Markup("")
    values = np.array(points, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    span = (high - low) or 1.0
    low, high = low - 0.03 * span, high + 0.03 * span

    def x(value: float) -> float:
        return 50 + 290 * (value - low) / (high - low)

    def y(value: float) -> float:
        return 300 - 290 * (value - low) / (high - low)

    dots = "".join(f"M{x(a):.1f} {y(b):.1f}h0" for a, b in points)
    marks = "".join(
        f'<path class="grid" d="M{x(t):.1f} 10V300M50 {y(t):.1f}H340"/><text x="{x(t):.1f}" y="314" '
        f'text-anchor="middle">{tick_label(t)}</text><text x="45" y="{y(t) + 4:.1f}" text-anchor="end">'
        f"{tick_label(t)}</text>"
        for t in ticks(low, high)
    )
    return svg(
        350,
        336,
        said,
        f'{marks}<path class="axis" d="M50 10V300H340"/><path class="quota" d="M50 300L340 10"/>'
        f'<path class="dots" d="{dots}"/><text x="195" y="331" text-anchor="middle">measured</text>'
        f'<text x="11" y="155" text-anchor="middle" transform="rotate(-90 11 155)">predicted</text>',
    )


def forest(rows: Sequence[dict], said: str) -> Markup:
    """Return effects with intervals: rows of ``label``, ``value``, ``low``, ``high`` and ``kind`` (of the dot)."""
    rows = [row for row in rows if row["value"] is not None]
    if not rows:
        return Markup("")
    reach = [bound for row in rows for bound in (row["low"], row["high"], row["value"]) if bound is not None]
    low, high = min([0.0, *reach]), max([0.0, *reach])
    pad = 0.06 * ((high - low) or 1.0)
    low, high = low - pad, high + pad

    def x(value: float) -> float:
        return 130 + 280 * (value - low) / (high - low)

    foot = 14 + 22 * len(rows)
    lines = []
    for i, row in enumerate(rows):
        y = 14 + 22 * i
        interval = ""
        if row["low"] is not None and row["high"] is not None:
            interval = f"{number(row['low'])} to {number(row['high'])}"
            lines.append(f'<path class="interval" d="M{x(row["low"]):.1f} {y}H{x(row["high"]):.1f}"/>')
        lines.append(
            f'<text x="122" y="{y + 4}" text-anchor="end">{escape(row["label"])}</text><circle class="{row["kind"]}" '
            f'cx="{x(row["value"]):.1f}" cy="{y}" r="5"><title>{escape(row["label"])}: {number(row["value"])} '
            f"({interval})</title></circle>"
        )
    marks = "".join(
        f'<path class="grid" d="M{x(t):.1f} 4V{foot}"/><text x="{x(t):.1f}" y="{foot + 14}" text-anchor="middle">'
        f"{tick_label(t)}</text>"
        for t in ticks(low, high, 5)
    )
    zero = f'<path class="axis" d="M{x(0):.1f} 4V{foot}"/>'
    axis = f'<text x="270" y="{foot + 29}" text-anchor="middle">effect (Cohen\'s d, 95 % interval)</text>'
    return svg(420, foot + 34, said, marks + zero + "".join(lines) + axis)


def region_bars(rows: Sequence[Sequence]) -> Markup:
    """Return the share of windows in each region beside the share expected: rows of (name, count, expected share)."""
    total = sum(count for _, count, _ in rows) or 1
    lines = []
    for i, (name, count, expected) in enumerate(rows):
        y = 8 + 30 * i
        lines.append(
            f'<text x="64" y="{y + 13}" text-anchor="end">{escape(name)}</text><rect x="70" y="{y}" '
            f'width="{250 * count / total:.1f}" height="18"><title>{escape(name)}: {count:,} of {total:,} windows; '
            f'{expected:.0%} expected</title></rect><path class="expected" d="M{70 + 250 * expected:.1f} {y - 3}v24"/>'
            f'<text x="328" y="{y + 13}">{count / total:.0%}, expected {expected:.0%}</text>'
        )
    said = "Windows in " + ", ".join(f"{name}: {count} of {total}, {part:.0%} expected" for name, count, part in rows)
    return svg(470, 8 + 30 * len(rows), said, "".join(lines))


def icicle(parts: Sequence[dict]) -> Markup:
    """Return the demixing as an icicle: a row per layer, boxes as wide as their sequences, leading to the parts."""
    total = sum(part["size"] for part in parts)
    deepest = max((part["path"].count("-") + 1 for part in parts), default=0)
    if not total:
        return Markup("")
    width, tall, hatch = 900.0, 26, ' fill="url(#mixed)"'
    order = sorted(parts, key=lambda part: [int(one) if one.isdigit() else 0 for one in part["path"].split("-")])
    boxes, left = [], 0.0
    spans: dict[str, list] = {}
    for part in order:
        wide = width * part["size"] / total
        branches = part["path"].split("-")
        for depth in range(1, len(branches) + 1):
            span = spans.setdefault("-".join(branches[:depth]), [left, 0.0, depth, part, 0])
            span[1] += wide
            span[4] += 1
        left += wide
    for path, (x, wide, depth, part, count) in spans.items():
        leaf = path == part["path"]
        ratio = part["ratio"]
        kind = ("one" if ratio is not None and ratio >= 0.95 else "mixed") if leaf else "branch"
        text = (
            f'<text x="{x + 4:.1f}" y="{tall * depth - 8}">{escape(path)}</text>' if wide > 9 + 6.3 * len(path) else ""
        )
        said = f"part {path}, {part['size']:,} sequences, {kind}" if leaf else f"branch {path}, {count} parts"
        drop = tall * (deepest - depth + 1) - 2 if leaf else tall - 2
        place = f'x="{x:.1f}" y="{tall * (depth - 1)}" width="{max(wide - 1, 0.6):.1f}" height="{drop}"'
        fill = hatch if kind == "mixed" else ""
        box = f'<rect class="{kind}"{fill} {place}><title>{escape(said)}</title></rect>{text}'
        boxes.append(f'<a href="#part-{escape(path)}" tabindex="-1">{box}</a>' if leaf else box)
    pattern = (
        '<pattern id="mixed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path d="M0 0h6v6h-6Z" fill="#fdf0e5"/><path d="M0 0v6" stroke="#d9925a" stroke-width="2.5"/></pattern>'
    )
    return svg(width, tall * deepest, f"Demixing tree: {len(parts)} parts", pattern + "".join(boxes), "icicle")
