"""Volcano plot: the effect of each neuron against the evidence for it."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from utils.interpretation_settings import InteractionSettings
from utils.plotting import matplotlib, plt
from utils.runtime import atomic_path

# of the Okabe-Ito palette, which colour-blind people can tell apart, and of different shapes
LOOKS = {"positive": ("#0072B2", "^"), "negative": ("#D55E00", "v"), "neutral": ("#999999", "o")}
HIGHEST = 300.0  # smaller q are drawn here
NAMED = 15  # neurons named in a panel, of those with the smallest q
STEPS = [
    (radius, angle) for radius in (9, 16, 24, 34, 46, 60, 78, 100) for angle in np.linspace(0, 2 * np.pi, 16, False)
]


def name_points(axes: Axes, x: np.ndarray, y: np.ndarray, names: list[str], others: np.ndarray) -> None:
    """Write a name beside each point, the first ones nearest, so that no name lies on another name or named point.

    Where there is room, names keep clear of the ``others`` (n, 2) too.
    """
    figure = axes.figure
    renderer = figure.canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    points = axes.transData.transform(np.column_stack([x, y]))
    scale = figure.dpi / 72

    def around(places: np.ndarray) -> list[Bbox]:
        return [Bbox.from_extents(*(place - 3 * scale), *(place + 3 * scale)) for place in places]

    taken, soft = around(points), around(axes.transData.transform(others))
    for point, name in zip(points, names, strict=True):
        text = axes.text(0, 0, name, fontsize=7, ha="center", va="center", transform=None, zorder=4)
        box = text.get_window_extent(renderer)
        half = np.array([box.width, box.height]) / 2 + 1.5 * scale
        for avoided, (radius, angle) in itertools.product(([*taken, *soft], taken), STEPS):
            direction = np.array([np.cos(angle), np.sin(angle)])
            centre = point + direction * (radius * scale + half * np.abs(direction))
            place = Bbox.from_extents(*(centre - half), *(centre + half))
            within = inside.x0 <= place.x0 and place.x1 <= inside.x1 and inside.y0 <= place.y0 and place.y1 <= inside.y1
            if within and not any(place.overlaps(other) for other in avoided):
                taken.append(place)
                text.remove()
                axes.annotate(
                    name, xy=point / scale, xytext=centre / scale, xycoords="figure points", textcoords="figure points",
                    fontsize=7, ha="center", va="center", zorder=4,
                    arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3},
                )  # fmt: skip
                break
        else:
            text.remove()  # no room


def heights(table: pd.DataFrame) -> np.ndarray:
    """Return -log10 q (m,), at most ``HIGHEST``."""
    return np.minimum(-np.log10(np.maximum(table["q_value"].to_numpy(), np.finfo(np.float64).tiny)), HIGHEST)


def volcano_plot(path: Path, table: pd.DataFrame, title: str, settings: InteractionSettings) -> None:
    """Draw a panel per target; the same picture beside it as SVG.

    Args:
        path: of the PNG.
        table: a row per neuron and target: ``task``, ``target``, ``contribution``, ``effect_size``, ``q_value``; rows
            without a test are counted below the plot.
        title: above the panels.
        settings: what activates a neuron, and what is called.
    """
    q_threshold, smallest = settings.q_threshold, settings.smallest_effect
    targets = list(dict.fromkeys(table["target"]))
    figure, panels = plt.subplots(1, len(targets), figsize=(5.6 * len(targets), 5), squeeze=False)
    figure.subplots_adjust(left=0.6 / 5.6 / len(targets) + 0.01, right=0.985, bottom=0.19, top=0.88, wspace=0.2)
    for axes, target in zip(panels[0], targets, strict=True):
        rows = table[table["target"] == target]
        tested = rows[rows["q_value"].notna()]
        height = heights(tested)
        for kind, (colour, marker) in LOOKS.items():
            own = (tested["contribution"] == kind).to_numpy()
            effect = tested["effect_size"].to_numpy()[own]
            axes.scatter(
                effect, height[own], s=22, color=colour, marker=marker, alpha=0.85, linewidths=0,
                label=f"{kind} ({own.sum()})", zorder=3,
            )  # fmt: skip
        axes.axhline(-np.log10(q_threshold), color="0.5", linewidth=1, linestyle="--")
        axes.axvline(0, color="0.8", linewidth=1)
        for limit in {-smallest, smallest} - {0}:
            axes.axvline(limit, color="0.5", linewidth=1, linestyle="--")
        top = max(float(height.max(initial=0)), -np.log10(q_threshold))
        axes.set_ylim(-0.03 * top, 1.18 * top)
        axes.margins(x=0.15)
        untested = len(rows) - len(tested)
        axes.set(
            xlabel="effect size (Cohen's d)",
            ylabel="-log10 q" + (f" (at most {HIGHEST:.0f})" if top >= HIGHEST else ""),
            title=f"against the {target}",
        )
        axes.legend(
            fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=3, frameon=False, handletextpad=0.2,
            title=f"{untested} without a test" if untested else None, title_fontsize=8,
        )  # fmt: skip
    figure.suptitle(
        f"{title} (activating: above {settings.threshold:g} of the maximum; dashed: q = {q_threshold:g}, "
        f"d = ±{smallest:g})",
        fontsize="medium",
    )
    figure.canvas.draw()
    for axes, target in zip(panels[0], targets, strict=True):
        tested = table[(table["target"] == target) & table["q_value"].notna()]
        order = np.lexsort([-tested["effect_size"].abs(), -heights(tested)])  # of equal q the largest effect first
        rows = tested.iloc[order]
        rows = rows[rows["contribution"] != "neutral"].head(NAMED)
        others = np.column_stack([tested["effect_size"], heights(tested)])
        names = rows["task"].str.replace("_neuron", "-").tolist()
        name_points(axes, rows["effect_size"].to_numpy(), heights(rows), names, others)
    for target in (path, path.with_suffix(".svg")):
        with atomic_path(target) as temporary, matplotlib.rc_context({"svg.hashsalt": "combmotif"}):
            metadata = {"Date": None} if target.suffix == ".svg" else None
            figure.savefig(temporary, dpi=150, metadata=metadata)
    plt.close(figure)
