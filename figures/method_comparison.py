"""Which method of motif discovery finds what, on the same neurons of the same layers and the same samples.

Run: python -m figures.method_comparison --config configs/interpreting/MODEL.yaml --layers 3 [--methods A,B]
         [--truth data/simulated_truth.yaml]

Reads the motifs that the methods have made (motif_discovery, max_seqlet, tf_modisco) and writes, and prints, a row per
layer and method, over the neurons for which all methods have results: -> comparison/MODEL_methods.csv.

Matches are counted at q < 0.01, and at a matched rate of false discoveries: the database is matched again with the
columns of its motifs shuffled, and the threshold is the largest q-value at which the motifs of the shuffled database
are at most a tenth as many as those of the real one. With the truth of a simulation, recall is the share of the motifs
with an effect that are found, and precision the share of what is found (motifs with an effect, decoys, shuffled ones)
that has one.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from generate_dataset.motif_database import cluster_numbers, linked
from generate_dataset.truth import read_truth
from motif_discovery.files import part_segments, read_motifs, stored_key
from motif_discovery.methods import COMMANDS, METHODS, MODISCO, NEURONMOTIF, SEQLETS, require_method
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from utils.config import load_settings, parse_range
from utils.motif import Motif, shuffled_columns
from utils.runtime import ROOT, InputError, atomic_path, run_script, shown
from utils.tomtom import tomtom

logger = logging.getLogger(__name__)
RESULTS = ROOT / "figures" / "comparison"
Q = 0.01
FALSE_SHARE = 0.1  # of the motifs of the shuffled database to those of the real one, at the matched threshold
WIDEST_Q = 0.2
LINKED_Q = 0.001  # of the clusters of a database


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


def compared(methods: list[Discovery], effects: dict[str, float] | None) -> list[dict]:
    """Return a row per method of one layer.

    Raises:
        InputError: a method has no results with the config's settings.
    """
    neurons = None
    for one in methods:
        channels = range(1, one.network.model.channels + 1)
        own = {neuron for neuron in channels if stored_key(one.motif_path(neuron)) == one.motif_key}
        if not own:
            command = COMMANDS[one.method].replace("CONFIG", f"configs/interpreting/{one.settings.model}.yaml")
            raise InputError(f"{shown(one.motif_path(1).parent)}: no motifs of conv{one.layer}; run {command}")
        neurons = own if neurons is None else neurons & own
    if not neurons:
        raise InputError(
            f"conv{methods[0].layer}: no neuron has results of all of {', '.join(o.method for o in methods)}"
        )
    database = methods[0].database
    clusters = cluster_numbers(linked(database, LINKED_Q, quiet=True))
    cluster = {motif.name: number for motif, number in zip(database, clusters, strict=True)}
    rows = []
    for one in methods:
        segments: list[Motif] = []
        parts = 0
        for neuron in sorted(neurons):
            own, *_ = read_motifs(one.motif_path(neuron))
            parts += len(own)
            segments += [motif for part in own for motif, _ in part_segments(one.name(neuron), part)]
        table = tomtom(segments, database, WIDEST_Q)
        q, q_shuffled = best_q(table), best_q(tomtom(segments, shuffled_columns(database), WIDEST_Q))
        threshold = matched_threshold(q.to_numpy(), q_shuffled.to_numpy())
        found = set(q.index[q < Q])
        row = {
            "model": one.model_name, "layer": one.layer, "method": one.method, "neurons": len(neurons),
            "parts": parts, "segments": len(segments),
            "segments_matched": int(table.loc[table["q-value"] < Q, "Query_ID"].nunique()),
            "motifs": len(found), "clusters": len({cluster[name] for name in found}),
            "motifs_of_shuffled": int((q_shuffled < Q).sum()), "matched_q": threshold,
            "clusters_at_matched_q": len({cluster[name] for name in q.index[q <= threshold]}) if threshold else 0,
        }  # fmt: skip
        if effects is not None:
            row["recall"], row["precision"] = recall_and_precision(found, effects)
        rows.append(row)
    return rows


def run(
    settings: DiscoverySettings, layers: str, methods: list[str], truth: Path | None, output: Path = RESULTS
) -> pd.DataFrame:
    """Compare methods on layers; write and return the table."""
    effects = {name: one["effect"] for name, one in read_truth(truth)["motifs"].items()} if truth else None
    opened = open_discovery(settings, 1)
    rows = []
    for layer in parse_range(layers, opened.network.model.num_layers + 1, "layer"):
        own = [Discovery(settings, layer, opened.checkpoint, opened.network, require_method(one)) for one in methods]
        rows += compared(own, effects)
    table = pd.DataFrame(rows)
    path = output / f"{opened.model_name}_methods.csv"
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g")
    logger.info("wrote %s", shown(path))
    return table


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML config of motif discovery")
    parser.add_argument("--layers", required=True, help="such as 3 or 2-5")
    parser.add_argument(
        "--methods", default=",".join((NEURONMOTIF, SEQLETS, MODISCO)), help=f"of {', '.join(METHODS)}; default three"
    )
    parser.add_argument("--truth", type=Path, help="of simulated data")
    arguments = parser.parse_args(argv)

    def start() -> None:
        settings = load_settings(DiscoverySettings, arguments.config)
        table = run(settings, arguments.layers, arguments.methods.split(","), arguments.truth)
        print("| " + " | ".join(table.columns) + " |\n|" + " --- |" * len(table.columns))
        for row in table.itertuples(index=False):
            print("| " + " | ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row) + " |")

    run_script(start)


if __name__ == "__main__":
    main()
