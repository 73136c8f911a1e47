"""What the neurons of a model say, in tables small enough to read and to keep: contributions and interactions.

Run: python -m figures.biology_tables --config configs/interaction/MODEL.yaml LAYER [LAYER ...]

Reads the results of motif_contribution, motif_interaction, and the matches of motif_discovery, and writes
``contribution_MODEL.csv`` (a row per neuron of the layers: its motif and that one's best database match, what it
contributes to predictions and labels) and, for each layer that has been measured, ``interaction_MODEL_convN.csv`` (a
row per pair that was tested).
"""

import argparse
import logging
from pathlib import Path

import pandas as pd

from motif_contribution import contribution
from motif_interaction.files import read_table, stats_key, stats_path, stored_key
from motif_interaction.pairs import read_match_names
from motif_interaction.statistics import was_tested
from utils.config import load_settings
from utils.hdf5 import stored_settings
from utils.interpretation_settings import InteractionSettings, Interpretation, open_interpretation
from utils.runtime import InputError, atomic_path, root_path, run_script, shown
from utils.tables import read_csv

logger = logging.getLogger(__name__)

CONTRIBUTION = [
    "task", "motif", "motif_share", "motif_elsewhere", "best_match", "contribution", "effect_size", "effect_low",
    "effect_high", "q_value", "label_contribution", "label_effect_size", "label_q_value", "n_activating",
]  # fmt: skip
INTERACTION = [
    "task", "motif_a", "motif_b", "name_a", "name_b", "source", "n", "class", "decided_by", "survives", "eps",
    "eps_low", "eps_high", "q_eps", "control_eps", "a_alone", "b_alone",
]  # fmt: skip
MATCHED = 0.05  # highest q-value of a match that is named


def contribution_table(work: Interpretation, layers: list[int], q_threshold: float = MATCHED) -> pd.DataFrame:
    """Return a row per neuron of the layers; its motif is named by the best match up to ``q_threshold``.

    Raises:
        InputError: motif_contribution has not run for one of them with this checkpoint.
    """
    path = contribution.table_path(work)
    there = contribution.layers_to_keep(path, work)
    missing = [layer for layer in layers if layer not in there]
    if missing:
        raise InputError(
            f"{shown(path)}: no contributions of conv{missing[0]} of this checkpoint; run bash "
            f"motif_contribution/script/run_contribution.sh {missing[0]} {missing[0]} CONFIG"
        )
    table = read_csv(path, dtype=dict.fromkeys(("motif", "motif_note", "segment"), "str"))
    table = table[table["layer"].isin(layers)].reset_index(drop=True)
    table["motif"] = table["motif"].fillna(table["motif_note"])
    motifs, matches = (root_path(one) / work.name for one in (work.settings.motifs, work.settings.matches))

    def best_match(row: tuple) -> str:
        own = stored_settings(motifs / f"{row.task}.h5")
        names = read_match_names(matches / f"conv{row.layer}" / f"{row.task}.tsv", q_threshold, own)
        return names.get(f"{row.task}_{row.segment}", "")

    table["best_match"] = [best_match(row) for row in table.itertuples()]
    return table[CONTRIBUTION]


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table with four digits; what is missing is an empty cell."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g")
    logger.info("wrote %s", shown(path))


def run(settings: InteractionSettings, layers: list[int], output: Path) -> None:
    """Write the tables of a model."""
    work = open_interpretation(settings)
    write(contribution_table(work, layers), output / f"contribution_{work.name}.csv")
    for layer in layers:
        path = stats_path(work, layer)
        if stored_key(path) != stats_key(work, layer):
            logger.warning("%s: not there, or of other settings: no interactions of conv%d", shown(path), layer)
            continue
        table = read_table(path)
        write(table.loc[was_tested(table), INTERACTION], output / f"interaction_{work.name}_conv{layer}.csv")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="interaction config, configs/interaction/NAME.yaml")
    parser.add_argument("layers", nargs="+", type=int, metavar="LAYER", help="such as 2 5")
    parser.add_argument("--output", default="figures/biology", help="folder; default figures/biology")
    arguments = parser.parse_args(argv)

    def start() -> None:
        settings = load_settings(InteractionSettings, arguments.config)
        run(settings, arguments.layers, root_path(arguments.output))

    run_script(start)


if __name__ == "__main__":
    main()
