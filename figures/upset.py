"""Drawing sets: the UpSet plot, and the chart of which item is in which set, and how clearly."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from figures.drawing import BLACK, BLUE, PALE, short
from figures.sets import Intersection

MOST_COLUMNS = 40  # intersections drawn
MOST_ROWS = 60  # items named in a chart
SHADES = LinearSegmentedColormap.from_list("blues", ["#CFE4F3", BLUE, "#00263D"])


def upset_figure(sizes: Mapping[str, int], found: Sequence[Intersection], of: str, title: str) -> Figure:
    """Return an UpSet plot: a bar per intersection above the dots of its sets, a bar per set beside them.

    Args:
        sizes: items in each set, by its label.
        found: intersections, in the order drawn; of more than 40 the first.
        of: what is counted.
        title: above the plot.
    """
    names, drawn = list(sizes), list(found)[:MOST_COLUMNS]
    columns = max(5, len(drawn))  # so wide at least that bars stay bars
    width, height = 3.9 + max(2.6, 0.36 * columns), 3.1 + 0.32 * len(names)
    figure, axes = plt.subplots(
        2, 2, figsize=(width, height), layout="constrained",
        gridspec_kw={
            "width_ratios": [1.5, max(2.6, 0.36 * columns)], "height_ratios": [2.3, 0.45 + 0.32 * len(names)],
        },
    )  # fmt: skip
    (corner, top), (side, dots) = axes
    corner.axis("off")
    counts = [len(one.items) for one in drawn]
    top.bar(range(len(drawn)), counts, width=0.62, color=BLACK)
    for place, count in enumerate(counts):
        top.annotate(
            str(count), (place, count), (0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=8
        )
    top.set_ylim(0, 1.15 * max(counts, default=1))
    top.set_ylabel(f"{of} in exactly\nthese sets")
    top.set_xticks([])
    top.yaxis.get_major_locator().set_params(integer=True)
    rows = np.arange(len(names))
    side.barh(rows, list(sizes.values()), height=0.55, color=BLUE)
    for row, size in zip(rows, sizes.values(), strict=True):
        side.annotate(str(size), (size, row), (-3, 0), textcoords="offset points", ha="right", va="center", fontsize=8)
    side.set_xlim(1.35 * max(1, *sizes.values()), 0)  # longer to the left
    side.set_xlabel(f"{of} in all")
    side.xaxis.set_major_locator(plt.MaxNLocator(3, integer=True))
    side.set_yticks([])
    side.spines[["left", "top"]].set_visible(False)
    for row in rows[::2]:
        dots.axhspan(row - 0.5, row + 0.5, color="#F5F5F5", zorder=0)
    for place, one in enumerate(drawn):
        members = [row for row, here in enumerate(one.sets) if here]
        dots.scatter([place] * len(names), rows, s=62, color=PALE, zorder=1)
        dots.plot([place] * len(members), members, color=BLACK, linewidth=1.8, marker="o", markersize=7.5, zorder=2)
    dots.set_yticks(rows, [short(name) for name in names])
    dots.set_xticks([])
    for panel in (top, dots):
        panel.set_xlim(-0.6, columns - 0.4)
    for panel in (side, dots):
        panel.set_ylim(len(names) - 0.5, -0.5)
    dots.tick_params(length=0)
    dots.spines[["left", "bottom"]].set_visible(False)
    rest = len(found) - len(drawn)
    figure.suptitle(title + (f"\n{rest} smaller intersections are in the table" if rest else ""))
    if not drawn:
        top.text(0.5, 0.5, f"no {of} found", transform=top.transAxes, ha="center")
    return figure


def chart_figure(q: pd.DataFrame, of: str, title: str, q_threshold: float) -> Figure:
    """Return a chart of items and sets: a square where the item was found, darker for a smaller q-value.

    Args:
        q: smallest q-values, a row per item (its index the name) and a column per set; NaN where it was not found.
        of: what the items are.
        title: above the chart.
        q_threshold: of a match, the palest shade.
    """
    drawn = q.iloc[:MOST_ROWS]
    rows, columns = drawn.shape
    names = [short(name, 44) for name in drawn.index]
    figure, axes = plt.subplots(figsize=(4.9 + 0.62 * columns, 1.9 + 0.21 * max(3, rows)), layout="constrained")
    height = np.ma.masked_invalid(-np.log10(drawn.to_numpy(dtype=np.float64)))
    lowest = -np.log10(q_threshold)
    top = max(float(height.max()) if height.count() else 0.0, lowest + 1)
    axes.set_facecolor("#F5F5F5")
    if rows:
        mesh = axes.pcolormesh(height, cmap=SHADES, vmin=lowest, vmax=top, edgecolors="white", linewidth=1.2)
        figure.colorbar(mesh, ax=axes, shrink=min(1.0, 6 / rows), label="-log10 q of the best match", pad=0.03)
    axes.set_yticks(np.arange(rows) + 0.5, names)
    axes.set_xticks(np.arange(columns) + 0.5, [short(name, 40) for name in drawn.columns], rotation=40, ha="right")
    axes.set(xlim=(0, columns), ylim=(max(1, rows), 0))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if not rows:
        axes.text(columns / 2, 0.5, f"no {of} found", ha="center", va="center")
    rest = len(q) - rows
    figure.suptitle(title + (f"\n{rest} more {of} are in the table" if rest else ""))
    return figure
