"""Plots of motif interaction: the predictions of a pair, and the map of all pairs of a layer."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from motif_interaction.mutagenesis import PREDICTIONS
from utils.plotting import plt
from utils.runtime import atomic_path

# Okabe and Ito's colours, told apart with any colour vision (jfly.uni-koeln.de/color)
COLOURS = {"synergistic": "#D55E00", "antagonistic": "#0072B2", "additive": "#F0E442", "none": "#BBBBBB"}
LABEL_WIDTH = 24  # letters of a motif on an axis


def short(text: str, width: int = LABEL_WIDTH) -> str:
    """Return a text cut to a width."""
    return text if len(text) <= width else text[: width - 1] + "…"


def kind_of(name: object) -> str:
    """Return ``synergistic``, ``antagonistic``, ``additive`` or ``none`` of a class; empty where it is missing."""
    return name.rpartition("_")[2] if isinstance(name, str) else ""


def plot_pair(path: Path, table: pd.DataFrame, a: str, b: str, title: str) -> None:
    """Draw predictions intact, with A, with B and with both scrambled, and eps beside that of the control."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8, 4.2), layout="constrained", gridspec_kw={"width_ratios": [4, 2]}
    )
    names = ["intact", f"{short(a, 14)}\nscrambled", f"{short(b, 14)}\nscrambled", "both\nscrambled"]
    style = {"widths": 0.6, "medianprops": {"color": "black"}, "flierprops": {"markersize": 2, "alpha": 0.4}}
    boxes = left.boxplot([table[name] for name in PREDICTIONS], tick_labels=names, patch_artist=True, **style)
    for box, colour in zip(boxes["boxes"], ("#FFFFFF", "#56B4E9", "#E69F00", "#BBBBBB"), strict=True):
        box.set_facecolor(colour)
    left.set_ylabel("prediction, units of the label")
    control = table["control_eps"].dropna()
    boxes = right.boxplot(
        [table["eps"], control], tick_labels=["pair", "random\nstretches"], patch_artist=True, **style
    )
    for box, colour in zip(boxes["boxes"], ("#CC79A7", "#FFFFFF"), strict=True):
        box.set_facecolor(colour)
    right.axhline(0, color="grey", linewidth=0.8, zorder=0)
    right.set_ylabel("epistasis: o - a - b + n")
    figure.suptitle(f"{title}: {short(a)}, {short(b)}, {len(table)} sequences", fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    plt.close(figure)


def map_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each two motifs by database name (else word): of several the one with the smallest q.

    Args:
        table: of all pairs; rows without a class are left out.

    Returns:
        ``one`` and ``other`` (in alphabetical order), ``class``, ``q_eps``, ``survives``.
    """
    table = table[table["class"].map(kind_of) != ""]
    names = [
        table[f"name_{side}"].where(table[f"name_{side}"].fillna("") != "", table[f"motif_{side}"]) for side in "ab"
    ]
    pairs = np.sort(np.stack([name.to_numpy(dtype=str) for name in names], axis=1), axis=1)
    cells = pd.DataFrame({"one": pairs[:, 0], "other": pairs[:, 1]})
    for column in ("class", "q_eps", "survives"):
        cells[column] = table[column].to_numpy()
    cells = cells.sort_values("q_eps", kind="stable", na_position="last")
    return cells.drop_duplicates(["one", "other"]).sort_values(["one", "other"]).reset_index(drop=True)


def plot_map(path: Path, table: pd.DataFrame, title: str) -> None:
    """Draw the map of all pairs: motifs on both axes, colours by class, a sign for positive and negative ones.

    A call that does not survive the control of linearity is hatched.
    """
    cells = map_cells(table)
    names = sorted({*cells["one"], *cells["other"]})
    place = {name: number for number, name in enumerate(names)}
    size = max(4.0, 0.3 * len(names) + 2.5)
    figure, axes = plt.subplots(figsize=(size + 1.5, size), layout="constrained")
    shown = set()
    for _, cell in cells.iterrows():
        kind = kind_of(cell["class"])
        shown.add(kind)
        sign = {"positive": "+", "negative": "−"}.get(cell["class"].partition("_")[0], "")
        for x, y in {(place[cell["one"]], place[cell["other"]]), (place[cell["other"]], place[cell["one"]])}:
            hatch = "////" if cell["survives"] == "no" else None
            axes.add_patch(
                plt.Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=COLOURS[kind], edgecolor="white", hatch=hatch)
            )
            axes.text(x, y, sign, ha="center", va="center", color="white", fontsize=9, fontweight="bold")
    axes.set(xlim=(-0.5, max(0, len(names) - 1) + 0.5), ylim=(max(0, len(names) - 1) + 0.5, -0.5), aspect="equal")
    axes.set_xticks(range(len(names)), [short(name) for name in names], rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), [short(name) for name in names], fontsize=7)
    handles = [Patch(facecolor=colour, label=kind) for kind, colour in COLOURS.items() if kind in shown]
    if (cells["survives"] == "no").any():
        handles.append(Patch(facecolor="white", edgecolor="grey", hatch="////", label="gone on the linear scale"))
    if handles:
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    else:
        axes.text(0, 0, "no pair could be tested", ha="center", va="center")
    axes.set_title(f"{title}\n+ both raise the prediction, − both lower it", fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
    plt.close(figure)
