"""Map of motif interactions: which two motifs act additively, in synergy, or against each other.

Run: python -m figures.interaction_map --config configs/figures.yaml

Reads motif_interaction/results/stats/MODEL/convN_motif_scramble_stats.csv of the layers that the config names and
writes, below the key ``output``, for each model ``interaction_map_MODEL.png``, ``.svg`` and ``.csv`` (a row per two
motifs, by database name where they have one). Of several pairs of the same two motifs, in any neuron and layer, the one
with the smallest q-value is shown.
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from figures.drawing import save, short, style
from figures.results import read_pairs
from figures.settings import FigureSettings, config_of, file_name
from motif_discovery.settings import DiscoverySettings
from motif_discovery.workbook import write_csv
from motif_interaction.plots import COLOURS, kind_of, map_cells
from utils.config import load_model_settings, load_settings, settings_parser
from utils.runtime import InputError, run_script

MOST_NAMES = 40  # motifs on an axis
SIGNS = {"positive": "+", "negative": "−"}
TEXT = {"synergistic": "white", "antagonistic": "white"}  # on the colour of a class
GONE = "////"


def drawn_cells(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the cells that are drawn and the names on the axes, in alphabetical order.

    With more than ``MOST_NAMES`` motifs those of calls come first, then those with the smallest q-values.
    """
    called = cells["class"].map(kind_of).isin(TEXT)
    order = cells.assign(called=called).sort_values(["called", "q_eps"], ascending=[False, True], kind="stable")
    names = list(dict.fromkeys(order[["one", "other"]].to_numpy().ravel().tolist()))[:MOST_NAMES]
    return cells[cells["one"].isin(names) & cells["other"].isin(names)], sorted(names)


def map_figure(cells: pd.DataFrame, title: str) -> Figure:
    """Return the map: motifs on both axes, a square for each two that were tested, its colour and sign the class.

    A call that is gone on the scale on which single effects are the same at every level is hatched.
    """
    drawn, names = drawn_cells(cells)
    place = {name: number for number, name in enumerate(names)}
    labels = [short(name, 30) for name in names]
    room = 0.075 * max([len(label) for label in labels], default=0)  # inches of the longest label
    size = 0.22 * max(8, len(names))
    figure, axes = plt.subplots(figsize=(max(5.2, size + room + 2.3), size + room + 0.7), layout="constrained")
    for cell in drawn.to_dict("records"):
        kind, sign = kind_of(cell["class"]), SIGNS.get(cell["class"].partition("_")[0], "")
        hatch = GONE if cell["survives"] == "no" else None
        x, y = place[cell["one"]], place[cell["other"]]
        for column, row in {(x, y), (y, x)}:
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(plt.Rectangle(corner, 1, 1, facecolor=COLOURS[kind], edgecolor="white", hatch=hatch))
            if sign:
                axes.text(
                    column, row, sign, ha="center", va="center_baseline", color=TEXT[kind], fontweight="bold",
                    bbox={"facecolor": COLOURS[kind], "edgecolor": "none", "pad": 0.5},
                )  # fmt: skip
    edge = max(1, len(names)) - 0.5
    axes.set(xlim=(-0.5, edge), ylim=(edge, -0.5), facecolor="#F5F5F5")
    axes.set_xticks(range(len(names)), labels, rotation=90)
    axes.set_yticks(range(len(names)), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    shown = set(drawn["class"].map(kind_of))
    handles = [Patch(facecolor=colour, label=kind) for kind, colour in COLOURS.items() if kind in shown]
    if (drawn["survives"] == "no").any():
        handles.append(Patch(facecolor="white", edgecolor="grey", hatch=GONE, label="gone on the linear scale"))
    if handles:
        said = "+ both raise the prediction\n− both lower it"
        figure.legend(handles=handles, loc="outside right center", frameon=False, title=said, alignment="left")
    else:
        axes.text(0, 0, "no pair could be tested", ha="center", va="center")
        axes.set(xticks=[], yticks=[])
    rest = len(cells) - len(drawn)
    figure.suptitle(title + (f"\n{rest} more pairs are in the table" if rest else ""))
    return figure


def run(settings: FigureSettings) -> None:
    """Write the maps of all models.

    Raises:
        InputError: a model has no tested pairs, or two configs are of one model.
    """
    tables: dict[str, pd.DataFrame] = {}
    for model in settings.models:
        name = load_model_settings(load_settings(DiscoverySettings, config_of(model)).model).name
        if name in tables:
            raise InputError(f"key 'models': two configs are of the model {name}; name one of them")
        tables[name] = read_pairs(settings, model, name)
    for name, table in tables.items():
        cells = map_cells(table)
        layers = ", ".join(f"conv{layer}" for layer in sorted(set(table["layer"])))
        path = settings.folder / f"interaction_map_{file_name(name)}"
        write_csv(path.with_name(f"{path.name}.csv"), cells)
        with style():
            save(map_figure(cells, f"Interaction of motifs\n{short(name, 30)}, {layers}"), path)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, FigureSettings).parse_args(argv)
    run_script(lambda: run(load_settings(FigureSettings, arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
