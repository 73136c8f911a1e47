"""Contribution of neurons against their layer: the effect of each, and the share of either sign.

Run: python -m figures.contribution_layers --config configs/figures.yaml

Reads motif_contribution/results/MODEL_neuron_contribution.csv and writes, below the key ``output``, for each model
``contribution_layers_MODEL.png``, ``.svg`` (above a point per neuron and a box per layer, below the shares) and for all
of them ``contribution_layers.csv`` (a row per model and layer). Effects are against the predictions or the labels (key
``contribution``), positive, negative or neutral as the table says.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.drawing import BLACK, BLUE, GREY, VERMILION, save, short, style
from figures.results import named_layers
from figures.settings import FigureSettings, config_of, file_name, interaction_config
from motif_contribution import contribution
from motif_discovery.settings import DiscoverySettings
from motif_discovery.workbook import write_csv
from utils.checkpoint import load_checkpoint
from utils.config import load_model_settings, load_settings, settings_parser
from utils.runtime import InputError, file_sha256, root_path, run_script, shown
from utils.tables import read_csv

SIGNS = {"positive": (BLUE, "^"), "negative": (VERMILION, "v"), "neutral": (GREY, "o")}
UNTESTED = "no test"  # never fires, too few messages, no variation
SHARES = {**{sign: colour for sign, (colour, _) in SIGNS.items()}, UNTESTED: "#FFFFFF"}


def read_table(settings: FigureSettings, model: str) -> tuple[str, pd.DataFrame]:
    """Return the name of a model and its contributions: layer, neuron, effect, sign (``SIGNS`` or ``UNTESTED``).

    Raises:
        InputError: no table, of another checkpoint or data set, or without one of the layers that the config names.
    """
    described = load_model_settings(load_settings(DiscoverySettings, config_of(model)).model)
    checkpoint = load_checkpoint(described)
    highest = checkpoint.model.layers
    named = named_layers(settings, model, highest)
    path = contribution.RESULTS / f"{checkpoint.name}_neuron_contribution.csv"

    def again(layers: list[int]) -> str:
        config = interaction_config(checkpoint.name)
        return f"run bash motif_contribution/script/run_contribution.sh {layers[0]} {layers[-1]} {config}"

    if not path.is_file():
        raise InputError(f"{shown(path)}: no such table; {again(named or [1, highest])}")
    before = "" if settings.contribution == "prediction" else "label_"
    columns = {"layer": "layer", "neuron": "neuron", f"{before}effect_size": "effect", f"{before}contribution": "sign"}
    try:
        table = read_csv(path, usecols=[*columns, "checkpoint", "dataset"])
    except (ValueError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(
            f"{shown(path)}: not a table of contributions ({reason}); {again(named or [1, highest])}"
        ) from None
    dataset = root_path(described.dataset)
    same = (table["checkpoint"] == checkpoint.sha256).all()
    if not same or (dataset.is_file() and not (table["dataset"] == file_sha256(dataset)).all()):
        raise InputError(f"{shown(path)}: of another checkpoint or data set; {again(named or [1, highest])}")
    missing = [layer for layer in named if layer not in set(table["layer"])]
    if missing:
        raise InputError(f"{shown(path)}: no contributions of conv{missing[0]}; {again(missing)}")
    table = table.rename(columns=columns)[list(columns.values())]
    if named:
        table = table[table["layer"].isin(named)]
    table["sign"] = table["sign"].where(table["sign"].isin(list(SIGNS)), UNTESTED)
    return checkpoint.name, table.sort_values(["layer", "neuron"], ignore_index=True)


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row per layer: neurons, counts and shares of each sign, median effect of those tested."""
    rows = []
    for layer, own in table.groupby("layer"):
        count = {sign: int((own["sign"] == sign).sum()) for sign in SHARES}
        part = {f"share {sign}": count[sign] / len(own) for sign in SHARES}
        rows.append({"layer": layer, "neurons": len(own), **count, **part, "median effect": own["effect"].median()})
    return pd.DataFrame(rows)


def draw_points(axes: Axes, table: pd.DataFrame, layers: list[int]) -> None:
    """Draw a point per tested neuron at its layer, and a box per layer."""
    for place, layer in enumerate(layers):
        own = table[(table["layer"] == layer) & (table["sign"] != UNTESTED)]
        effect = own["effect"].to_numpy(dtype=np.float64)
        if not len(effect):
            axes.text(place, 0, "no test", ha="center", va="bottom", fontsize=8)
            continue
        axes.boxplot(
            [effect], positions=[place], widths=0.62, showfliers=False, manage_ticks=False, zorder=1,
            medianprops={"color": BLACK, "linewidth": 1.6}, boxprops={"color": "#777777"},
            whiskerprops={"color": "#777777"}, capprops={"color": "#777777"},
        )  # fmt: skip
        x = place + np.random.default_rng(layer).uniform(-0.22, 0.22, len(effect))
        for sign, (colour, marker) in SIGNS.items():
            chosen = (own["sign"] == sign).to_numpy()
            axes.scatter(
                x[chosen], effect[chosen], s=18, color=colour, marker=marker, alpha=0.8, linewidths=0, zorder=2
            )
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_ylabel("effect size (Cohen's d)")


def draw_shares(axes: Axes, share: pd.DataFrame) -> None:
    """Draw the shares of each layer as one bar, with their counts where there is room."""
    bottom = np.zeros(len(share))
    for sign, colour in SHARES.items():
        height = share[f"share {sign}"].to_numpy(dtype=np.float64)
        axes.bar(range(len(share)), height, bottom=bottom, width=0.62, color=colour, edgecolor="0.4", linewidth=0.6)
        for place, (low, part, count) in enumerate(zip(bottom, height, share[sign], strict=True)):
            if part >= 0.09:
                dark = sign in ("positive", "negative")
                axes.text(
                    place, low + part / 2, str(count), ha="center", va="center", fontsize=8,
                    color="white" if dark else "black",
                )  # fmt: skip
        bottom += height
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.set_ylabel("share of neurons")


def layer_figure(name: str, table: pd.DataFrame, target: str) -> Figure:
    """Return the figure of a model."""
    share = shares(table)
    layers = share["layer"].tolist()
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(2.6 + 0.85 * max(3, len(layers)), 6), sharex=True, layout="constrained",
        gridspec_kw={"height_ratios": [2, 1]},
    )  # fmt: skip
    draw_points(above, table, layers)
    draw_shares(below, share)
    below.set_xticks(range(len(layers)), [f"conv{layer}" for layer in layers])
    spare = max(0, 3 - len(layers)) / 2
    below.set_xlim(-0.6 - spare, len(layers) - 0.4 + spare)
    present = [sign for sign in SHARES if share[sign].any()]
    handles = [
        Line2D([], [], linestyle="", marker=SIGNS[sign][1] if sign in SIGNS else "s", color=SHARES[sign],
               markeredgecolor="0.4", markeredgewidth=0.6, label=sign)
        for sign in present
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    figure.suptitle(f"Contribution of neurons to {target}s\n{short(name, 36)}")
    return figure


def run(settings: FigureSettings) -> None:
    """Write the figures of all models, and their shares."""
    tables = [read_table(settings, model) for model in settings.models]
    if len({name for name, _ in tables}) < len(tables):
        raise InputError("key 'models': two configs are of one model; name one of them")
    rows = [shares(table).assign(model=name, against=settings.contribution) for name, table in tables]
    all_rows = pd.concat(rows, ignore_index=True)
    first = ["model", "against"]
    all_rows = all_rows[first + [column for column in all_rows.columns if column not in first]]
    write_csv(settings.folder / "contribution_layers.csv", all_rows)
    for name, table in tables:
        with style():
            figure = layer_figure(name, table, settings.contribution)
            save(figure, settings.folder / f"contribution_layers_{file_name(name)}")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, FigureSettings).parse_args(argv)
    run_script(lambda: run(load_settings(FigureSettings, arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
