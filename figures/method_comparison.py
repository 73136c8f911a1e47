"""Which method of motif discovery finds what, on the same neurons of the same layers and the same samples.

Run: python -m figures.method_comparison --config configs/interpreting/MODEL.yaml --layers 3 [--methods A,B]
         [--truth data/simulated_truth.yaml] [--output FOLDER] [key=value ...]

Reads the motifs that the methods have made (motif_discovery, max_seqlet, tf_modisco) and writes, and prints, a row per
layer and method, over the neurons for which all methods have results: -> comparison/MODEL_methods.csv, .png, .svg.

Matches are counted at q < 0.01, and at a matched rate of false discoveries: the database is matched again with the
columns of its motifs shuffled, five times, and the threshold is the largest q-value at which the motifs of a shuffled
database are, on average, at most a tenth as many as those of the real one. With the truth of a simulation, recall is
the share of the motifs with an effect that are found, and precision the share of what is found (motifs with an effect,
decoys, shuffled ones) that has one; at either threshold.
"""

import logging
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing import METHOD_LABELS, METHOD_LOOKS, save, short, style
from figures.results import make_command
from figures.settings import file_name, require_methods
from generate_dataset.motif_database import cluster_numbers, linked
from generate_dataset.truth import read_truth
from motif_discovery.files import part_segments, read_motifs, stored_key
from motif_discovery.methods import MODISCO, NEURON_METHODS, NEURONMOTIF, SEQLETS
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from motif_discovery.workbook import write_csv
from utils.config import find_config, load_settings, parse_range, settings_parser
from utils.motif import Motif, shuffled_columns
from utils.runtime import ROOT, InputError, root_path, run_script, shown
from utils.tomtom import tomtom

logger = logging.getLogger(__name__)
RESULTS = ROOT / "figures" / "comparison"
Q = 0.01
FALSE_SHARE = 0.1  # of the motifs of a shuffled database to those of the real one, at the matched threshold
SHUFFLES = 5
WIDEST_Q = 0.2
LINKED_Q = 0.001  # of the clusters of a database
PANELS = {  # columns that are drawn, and what they are called
    "clusters": "clusters, q < 0.01",
    "clusters_at_matched_q": "clusters, 10 % false",
    "recall": "recall, q < 0.01",
    "precision": "precision, q < 0.01",
}


def matched_threshold(q: np.ndarray, q_shuffled: np.ndarray, share: float = FALSE_SHARE) -> float:
    """Return the largest q-value at which shuffled motifs are at most a share of the real ones; 0 if there is none.

    Args:
        q: best q-value of each database motif that is matched at all.
        q_shuffled: the same of the shuffled database.
        share: highest allowed.
    """
    for threshold in np.sort(q)[::-1]:
        if (q_shuffled <= threshold).sum() <= share * (q <= threshold).sum():
            return float(threshold)
    return 0.0


def best_q(table: pd.DataFrame) -> pd.Series:
    """Return the smallest q-value of each target of Tomtom's table."""
    return table.groupby("Target_ID")["q-value"].min()


def recall_and_precision(found: set[str], effects: dict[str, float]) -> tuple[float, float]:
    """Return how many of the motifs with an effect are found, and how many of the found have one (NaN for none)."""
    real = {name for name, effect in effects.items() if effect}
    return len(found & real) / len(real), len(found & real) / len(found) if found else float("nan")


def shared_neurons(methods: list[Discovery], config: Path) -> list[int]:
    """Return the neurons of a layer that all methods have motifs of.

    Raises:
        InputError: a method has none with the config's settings, or they share none.
    """
    found = []
    for one in methods:
        own = {neuron for neuron in one.neurons if stored_key(one.motif_path(neuron)) == one.motif_key}
        if not own:
            command = make_command(one.method, config, [one.layer])
            raise InputError(f"{shown(one.motif_path(1).parent)}: no motifs of conv{one.layer}; run {command}")
        found.append(own)
    shared = set.intersection(*found)
    if not shared:
        names = ", ".join(one.method for one in methods)
        raise InputError(f"conv{methods[0].layer}: no neuron has results of all of {names}; run them on the same ones")
    return sorted(shared)


def counted(
    one: Discovery, neurons: list[int], shuffled: list[list[Motif]], cluster: dict[str, int],
    effects: dict[str, float] | None,
) -> dict[str, object]:  # fmt: skip
    """Return the row of a method on the neurons of one layer."""
    parts = [(neuron, part) for neuron in neurons for part in read_motifs(one.motif_path(neuron))[0]]
    segments = [motif for neuron, part in parts for motif, _ in part_segments(one.name(neuron), part)]
    table = tomtom(segments, one.database, WIDEST_Q)
    q = best_q(table)
    q_shuffled = np.concatenate([best_q(tomtom(segments, motifs, WIDEST_Q)).to_numpy() for motifs in shuffled])
    threshold = matched_threshold(q.to_numpy(), q_shuffled, FALSE_SHARE * len(shuffled))
    found, at_matched = set(q.index[q < Q]), set(q.index[(q <= threshold) & (threshold > 0)])
    row = {
        "model": one.model_name, "layer": one.layer, "method": one.method, "neurons": len(neurons),
        "parts": len(parts), "segments": len(segments),
        "segments_matched": int(table.loc[table["q-value"] < Q, "Query_ID"].nunique()),
        "motifs": len(found), "clusters": len({cluster[name] for name in found}),
        "motifs_of_shuffled": (q_shuffled < Q).sum() / len(shuffled), "matched_q": threshold,
        "clusters_at_matched_q": len({cluster[name] for name in at_matched}),
    }  # fmt: skip
    if effects is not None:
        row["recall"], row["precision"] = recall_and_precision(found, effects)
        row["recall_at_matched_q"], row["precision_at_matched_q"] = recall_and_precision(at_matched, effects)
    return row


def compared(methods: list[Discovery], effects: dict[str, float] | None, config: Path) -> list[dict]:
    """Return a row per method of one layer.

    Raises:
        InputError: a method has no results with the config's settings.
    """
    neurons, database = shared_neurons(methods, config), methods[0].database
    numbers = cluster_numbers(linked(database, LINKED_Q, quiet=True))
    cluster = {motif.name: number for motif, number in zip(database, numbers, strict=True)}
    shuffled = [shuffled_columns(database, seed) for seed in range(SHUFFLES)]
    return [counted(one, neurons, shuffled, cluster, effects) for one in methods]


def draw_bars(axes: Axes, table: pd.DataFrame, column: str, title: str) -> None:
    """Draw a column: a group of bars per layer, a bar per method with its value above it."""
    methods, layers = list(dict.fromkeys(table["method"])), sorted(set(table["layer"]))
    width = 0.8 / len(methods)
    for number, method in enumerate(methods):
        own = table[table["method"] == method].set_index("layer")[column].reindex(layers)
        x = np.arange(len(layers)) + (number - (len(methods) - 1) / 2) * width
        axes.bar(x, own, 0.9 * width, color=METHOD_LOOKS[method][0], edgecolor="black", linewidth=0.5)
        for at, value in zip(x, own, strict=True):
            place, text = (0, "–") if np.isnan(value) else (value, f"{value:.3g}" if value > 1 else f"{value:.2g}")
            axes.annotate(text, (at, place), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks(range(len(layers)), [f"conv{layer}" for layer in layers])
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_ylim(0, 1.12 * max(1.0, float(table[column].max())))
    axes.set_title(title, fontsize=9)
    axes.tick_params(axis="x", length=0)


def comparison_figure(table: pd.DataFrame) -> Figure:
    """Return the figure of a model: a panel per counted thing, a bar per layer and method."""
    panels = {column: title for column, title in PANELS.items() if column in table}
    methods, layers = list(dict.fromkeys(table["method"])), table["layer"].nunique()
    wide = max(2.0, 0.42 * layers * len(methods) + 0.7)
    figure, axes = plt.subplots(
        1, len(panels), figsize=(max(6.0, wide * len(panels)), 3.5), layout="constrained", squeeze=False
    )
    for one, (column, title) in zip(axes[0], panels.items(), strict=True):
        draw_bars(one, table, column, title)
    handles = [
        plt.Rectangle((0, 0), 1, 1, facecolor=METHOD_LOOKS[one][0], edgecolor="black", linewidth=0.5) for one in methods
    ]
    figure.legend(
        handles, [METHOD_LABELS[one] for one in methods], loc="outside lower center", ncols=len(methods), frameon=False
    )
    counts = ", ".join(
        f"{n} of conv{layer}" for layer, n in table.drop_duplicates("layer")[["layer", "neurons"]].to_numpy()
    )
    figure.suptitle(f"{short(table['model'].iloc[0], 30)}\nthe same neurons for each method: {counts}")
    return figure


def run(
    config: Path, layers: str, methods: list[str], truth: Path | None, overrides: list[str], output: Path = RESULTS
) -> pd.DataFrame:
    """Compare methods on layers; write the figure and the table, and return the table."""
    settings = load_settings(DiscoverySettings, config, overrides)
    effects = {name: one["effect"] for name, one in read_truth(truth)["motifs"].items()} if truth else None
    require_methods(methods)
    opened = open_discovery(settings, 1, sampling=False)
    rows = []
    for layer in parse_range(layers, opened.network.model.layers, "layer"):
        own = [Discovery(settings, layer, opened.checkpoint, opened.network, one) for one in methods]
        rows += compared(own, effects, config)
    table = pd.DataFrame(rows)
    path = output / f"{file_name(opened.model_name)}_methods"
    write_csv(path.with_name(f"{path.name}.csv"), table)
    with style():
        save(comparison_figure(table), path)
    return table


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = settings_parser(__doc__, DiscoverySettings)
    parser.add_argument("--layers", required=True, help="such as 3 or 2-5")
    parser.add_argument(
        "--methods", default=",".join((NEURONMOTIF, SEQLETS, MODISCO)),
        help=f"of {', '.join(NEURON_METHODS)}; default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--truth", type=Path, help="of simulated data")
    parser.add_argument("--output", default=str(RESULTS.relative_to(ROOT)), help="folder; default: %(default)s")
    arguments = parser.parse_args(argv)

    def start() -> None:
        methods, output = arguments.methods.split(","), root_path(arguments.output)
        config = find_config(arguments.config)
        table = run(config, arguments.layers, methods, arguments.truth, arguments.overrides, output)
        print("| " + " | ".join(table.columns) + " |\n|" + " --- |" * len(table.columns))
        for row in table.itertuples(index=False):
            print("| " + " | ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row) + " |")

    run_script(start)


if __name__ == "__main__":
    main()
