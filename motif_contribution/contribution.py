"""Does a neuron raise or lower the prediction? From the scans -> results/MODEL_neuron_contribution.csv and beside it.

Messages of the whole data set (train, valid and test) that activate a neuron are compared with the others, in the
model's predictions and in the measured labels; the maximum that sets the threshold is that of the training set.

    MODEL_neuron_contribution.csv             a row per neuron, at the threshold of the config
    MODEL_neuron_contribution_thresholds.csv  a row per neuron, threshold (0.1 to 0.9) and target
    MODEL_volcano.png, .svg                   effect against -log10 q
    MODEL_contribution.html                   the first table with the motif of each neuron
    MODEL_predictions.h5                      the predictions, made once

A table holds all layers that were ever asked for, as long as checkpoint and data set stay the same; every run computes
all of it again, so the order of runs does not matter. q-values are over all neurons of the table, at one threshold and
for one target. ``--overwrite`` starts a table of the given layers alone. The last line of a table, a
comment, holds the key of the settings that decided it.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from motif_contribution.comparison import compare, verdicts
from motif_contribution.fired_motif import fired_motifs
from motif_contribution.page import contribution_page
from motif_contribution.predictions import predictions
from motif_contribution.volcano import volcano_plot
from utils.config import load_settings
from utils.interpretation_settings import (
    InteractionSettings,
    Interpretation,
    chosen_layers,
    layers_parser,
    open_interpretation,
)
from utils.neuron_motif import neuron_motifs
from utils.runtime import fingerprint, one_at_a_time, root_path, run_script, shown, write_text
from utils.scan import Scan, is_finished, read_scan
from utils.sequence import spelled
from utils.stack_network import window_network
from utils.statistics import q_values
from utils.tables import read_csv, stored_key, write_csv

logger = logging.getLogger(__name__)

RESULTS = Path(__file__).resolve().parent / "results"
THRESHOLDS = tuple(step / 10 for step in range(1, 10))
SETTINGS = ("threshold", "q_threshold", "smallest_effect")  # that stand in the tables
NAMES = ("task", "layer", "neuron", "neuron_maximum", *SETTINGS)  # of a row of the first table
COUNTS = ("n_activating", "n_inactive", "checkpoint", "dataset")
VALUES = ("contribution", "t_statistic", "p_value", "q_value", "effect_size", "effect_low", "effect_high", "difference")


def target_names(count: int) -> list[str]:
    """Return the names of the targets: predictions first, then labels, numbered where there are several."""
    numbers = [f"_{one}" for one in range(1, count + 1)] if count > 1 else [""]
    return [f"{kind}{number}" for kind in ("prediction", "label") for number in numbers]


def layer_table(scan: Scan, y: np.ndarray, targets: list[str], thresholds: list[float], fewest: int) -> pd.DataFrame:
    """Return a row per threshold, neuron of a layer and target, q-value and verdict still to come.

    Args:
        scan: of the layer.
        y: float64 (messages, targets).
        targets: their names.
        thresholds: shares of the neuron's maximum.
        fewest: messages that each group needs.
    """
    neurons = len(scan.neuron_maximum)
    number = np.repeat(np.arange(1, neurons + 1), len(targets))
    parts = []
    for threshold in thresholds:
        found = compare(scan.maximum, scan.neuron_maximum, y, threshold, fewest)
        columns = {key: value.ravel() for key, value in vars(found).items()}
        columns |= {"task": [f"conv{scan.layer}_neuron{one}" for one in number], "layer": scan.layer, "neuron": number}
        columns |= {"neuron_maximum": scan.neuron_maximum[number - 1], "threshold": threshold}
        parts.append(pd.DataFrame(columns | {"target": targets * neurons}))
    return pd.concat(parts)


def contributions(scans: list[Scan], y: np.ndarray, targets: list[str], settings: InteractionSettings) -> pd.DataFrame:
    """Return the table of all thresholds: a row per neuron, threshold and target."""
    thresholds = sorted({*THRESHOLDS, settings.threshold})
    table = pd.concat([layer_table(scan, y, targets, thresholds, settings.min_sequences) for scan in scans])
    table = table.sort_values(["layer", "neuron", "threshold"], kind="stable", ignore_index=True)
    table["q_value"] = table.groupby(["threshold", "target"])["p_value"].transform(lambda p: q_values(p.to_numpy()))
    state, effect, q = (table[key].to_numpy() for key in ("state", "effect_size", "q_value"))
    table["contribution"] = verdicts(state, effect, q, settings.q_threshold, settings.smallest_effect)
    table["default"] = table["threshold"] == settings.threshold
    table["q_threshold"], table["smallest_effect"] = settings.q_threshold, settings.smallest_effect
    return table


def row_per_neuron(table: pd.DataFrame, targets: list[str]) -> pd.DataFrame:
    """Return the rows of the default threshold, one per neuron; what is of another target carries its name before."""
    chosen = table[table["default"]]
    first = chosen[chosen["target"] == targets[0]].reset_index(drop=True)
    columns = {key: first[key] for key in NAMES}
    for place, target in enumerate(targets):
        of_target = chosen[chosen["target"] == target].reset_index(drop=True)
        columns |= {(key if place == 0 else f"{target}_{key}"): of_target[key] for key in VALUES}
    return pd.DataFrame(columns | {key: first[key] for key in COUNTS})


def contribution_key(work: Interpretation) -> str:
    """Return the key of everything that decides the tables, but their layers and the motifs of neurons."""
    chosen = work.settings.model_dump(include={*SETTINGS, "min_sequences", "motifs", "seed"})
    return fingerprint(checkpoint=work.checkpoint.sha256, dataset=work.dataset_sha256, **chosen)


def is_finished_for(work: Interpretation, layers: Iterable[int]) -> bool:
    """Return whether all tables, plot and page are there, made with these settings and of these layers at least."""
    path = table_path(work)
    names = ("neuron_contribution_thresholds.csv", "volcano.png", "volcano.svg", "contribution.html")
    there = all((RESULTS / f"{work.name}_{name}").is_file() for name in names)
    return there and stored_key(path) == contribution_key(work) and set(layers) <= set(layers_to_keep(path, work))


def table_path(work: Interpretation) -> Path:
    """Return the table of a model, a row per neuron."""
    return RESULTS / f"{work.name}_neuron_contribution.csv"


def layers_to_keep(path: Path, work: Interpretation) -> list[int]:
    """Return the layers of an earlier table of the same checkpoint and data set whose scans are still there."""
    try:
        earlier = read_csv(path, usecols=["layer", "checkpoint", "dataset"], dtype=str)
    except (OSError, ValueError):
        return []
    same = (earlier["checkpoint"] == work.checkpoint.sha256) & (earlier["dataset"] == work.dataset_sha256)
    if not same.all():
        logger.warning("%s: of another checkpoint or data set; its rows are left out", shown(path))
    known = [int(text) for text in earlier.loc[same, "layer"].unique() if text.isdigit()]
    gone = [layer for layer in known if not is_finished(work, layer)]
    for layer in gone:
        logger.warning("conv%d was in %s but has no scan any more: left out", layer, shown(path))
    return [layer for layer in known if layer not in gone]


def run(work: Interpretation, layers: list[int], overwrite: bool = False) -> pd.DataFrame:
    """Write the tables, the plot and the page. Returns the table of all thresholds.

    Runs on other layers of the model wait for each other: each adds its layers to those in the table.

    Raises:
        InputError: a layer has no scan of this checkpoint and data set.
    """
    scans = {layer: read_scan(work, layer) for layer in layers}
    with one_at_a_time(RESULTS / f".lock-{work.name}", f"contributions of {work.name}"):
        return _run(work, scans, overwrite)


def _run(work: Interpretation, scans: dict[int, Scan], overwrite: bool) -> pd.DataFrame:
    name, settings, key = work.name, work.settings, contribution_key(work)
    path = table_path(work)
    for layer in [] if overwrite else layers_to_keep(path, work):
        scans.setdefault(layer, read_scan(work, layer))
    y_hat = predictions(work, RESULTS / f"{name}_predictions.h5", overwrite)
    targets = target_names(y_hat.shape[1])
    y = np.concatenate([y_hat, work.messages.label.astype(np.float64)], axis=1)
    table = contributions([scans[layer] for layer in sorted(scans)], y, targets, settings)
    table["checkpoint"], table["dataset"] = work.checkpoint.sha256, work.dataset_sha256
    wide = row_per_neuron(table, targets)
    names = [*NAMES, "default", "target", *VALUES, *COUNTS]
    write_csv(RESULTS / f"{name}_neuron_contribution_thresholds.csv", table[names], key)
    chosen = table[table["default"]]
    plot = RESULTS / f"{name}_volcano.png"
    volcano_plot(plot, chosen, f"{name}: contribution of neurons", settings)
    network = window_network(work.checkpoint.model, next(work.checkpoint.model.parameters()).device)
    folder = root_path(settings.motifs) / name
    motifs = []
    for layer, neurons in wide.groupby("layer"):  # as sorted as the table
        tasks = neurons[["task", "neuron"]].itertuples(index=False)
        weights = work.checkpoint.sha256
        candidates = [
            neuron_motifs(folder / f"{task}.h5", network, int(layer), neuron, weights) for task, neuron in tasks
        ]
        motifs += fired_motifs(work, scans[int(layer)], candidates)
    if motifs and not any(folder.glob("*.h5")):
        logger.warning("%s: no motifs, so none is shown; run motif_discovery, or correct key 'motifs'", shown(folder))
    alphabet = work.checkpoint.model.alphabet
    motifs = [replace(one, word=spelled(one.word, alphabet)) for one in motifs]
    wide["motif"], wide["segment"] = [one.word for one in motifs], [one.segment for one in motifs]
    wide["motif_note"] = [one.note for one in motifs]
    wide["motif_share"], wide["motif_elsewhere"] = [one.share for one in motifs], [one.elsewhere for one in motifs]
    page = contribution_page(
        name, wide, targets[0], motifs, plot.read_bytes(), settings,
        f"{work.positions}; codon and splice tracks are zero in the scan", dict(work.rows), alphabet,
    )  # fmt: skip
    write_text(RESULTS / f"{name}_contribution.html", page)
    write_csv(path, wide, key)  # last: it says which layers are in all of them
    for target in targets:
        count = chosen.loc[chosen["target"] == target, "contribution"].value_counts()
        logger.info("%s: %s", target, ", ".join(f"{n} {kind}" for kind, n in count.items()))
    logger.info("wrote %s; open %s", shown(path), shown(RESULTS / f"{name}_contribution.html"))
    return table


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = layers_parser(__doc__).parse_args(argv)

    def start() -> None:
        work = open_interpretation(load_settings(InteractionSettings, arguments.config, arguments.overrides))
        run(work, chosen_layers(work, arguments.first, arguments.last), arguments.overwrite)

    run_script(start)


if __name__ == "__main__":
    main()
