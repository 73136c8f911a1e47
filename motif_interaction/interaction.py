"""Interaction of the motif pairs of neurons: fragments and pairs -> mutagenesis, statistics, interaction map.

Reads fragment_location/MODEL/convN_neuronM_fragment_location.yaml, the pairs of motif_combination_labels/MODEL/
convN_neuronM.yaml or of the neuron's motifs, the model and its data set. Writes results/scramble_res/MODEL/
convN_neuronM/A_B/ (fragments.txt, predictions.csv, boxplot.png) and, over all finished pairs of the layer,
results/stats/MODEL/convN_motif_scramble_stats.csv and convN_motif_interaction_map.png.
"""

import logging
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from motif_interaction.files import (
    HERE,
    map_path,
    neuron_name,
    pair_folder,
    pair_key,
    read_fragments,
    read_table,
    stats_key,
    stats_path,
    stored_key,
    write_table,
)
from motif_interaction.fragments import command_parser
from motif_interaction.mutagenesis import CONTROLS, PREDICTIONS, measure, per_sequence, without_annotation
from motif_interaction.pairs import Pair, StageMissing, derive_pairs, read_labels
from motif_interaction.plots import plot_map, plot_pair
from motif_interaction.statistics import Measured, is_called, pair_statistics
from motif_interaction.words import Places, find_pairs
from utils.config import load_settings, parse_layer, root_files
from utils.data import Split
from utils.dense_scan import bases_of_codes
from utils.interpretation_settings import InteractionSettings, Interpretation, open_interpretation
from utils.motif import Motif as DatabaseMotif
from utils.motif import read_meme
from utils.progress import progress_bar
from utils.runtime import InputError, one_at_a_time, root_path, run_script, shown, write_text
from utils.sequence import decode, spelled

logger = logging.getLogger(__name__)

SETTINGS = ("fragment_threshold", "n_draws", "seed", "q_threshold", "smallest_eps")  # that stand in the table of pairs
MEASURED = ("sequence", "start_a", "start_b", "spacing", "random_bases", *PREDICTIONS, "eps")  # of a finished pair
OF_CONTROL = (*CONTROLS, "control_eps")  # missing where two stretches do not fit


class Layer:
    """One layer of a model whose pairs are measured.

    Args:
        work: the model and its messages.
        layer: counted from 1.
    """

    def __init__(self, work: Interpretation, layer: int) -> None:
        work.require_layer(layer)
        self.work, self.layer = work, layer
        self.model = work.checkpoint.model
        self.receptive_field = self.model.receptive_field(layer)
        means, deviations = work.checkpoint.label_scaling
        self.mean, self.unit = means[0], deviations[0]  # of the labels of the first target, which is measured
        paths = work.settings.motif_database
        self.database_paths = root_files(paths, "motif_database") if paths else []
        self._fragments: tuple[int, dict[int, int]] | None = None
        labels, by_default = work.settings.labels, InteractionSettings.model_fields["labels"].default
        if labels != by_default and not any(one.is_dir() for one in self.label_folders):
            raise InputError(f"key 'labels': {labels}: no such folder, neither in motif_interaction nor from the root")

    @property
    def label_folders(self) -> list[Path]:
        """Where label files are looked for: in the stage folder, then from the root."""
        return [HERE / self.work.settings.labels, root_path(self.work.settings.labels)]

    @cached_property
    def messages(self) -> Split:
        """The messages that are predicted."""
        return without_annotation(self.work.messages) if self.work.settings.zero_annotation else self.work.messages

    @cached_property
    def database(self) -> list[DatabaseMotif]:
        """The motifs that name words of a label file."""
        return read_meme(self.database_paths) if self.database_paths else []

    def label_path(self, neuron: int) -> Path:
        """Where a person's pairs of a neuron lie: from the root, or from the stage folder."""
        name = Path(self.work.name) / f"{neuron_name(self.layer, neuron)}.yaml"
        in_stage, from_root = (folder / name for folder in self.label_folders)
        return in_stage if in_stage.is_file() else from_root

    def pairs(self, neuron: int) -> list[Pair]:
        """Return the pairs of a neuron.

        Raises:
            InputError: there are none; says what is missing.
        """
        settings, name = self.work.settings, neuron_name(self.layer, neuron)
        labels = self.label_path(neuron)
        if labels.is_file():
            return read_labels(labels, self.receptive_field, self.database)
        motifs = root_path(settings.motifs) / self.work.name / f"{name}.h5"
        matches = root_path(settings.matches) / self.work.name / f"conv{self.layer}" / f"{name}.tsv"
        return derive_pairs(name, motifs, matches, settings.q_threshold)

    def fragments(self, neuron: int) -> dict[int, int]:
        """Return the fragments of a neuron, read once for all its pairs: row of the message -> start."""
        if self._fragments is None or self._fragments[0] != neuron:
            self._fragments = neuron, read_fragments(self.work, self.layer, neuron)
        return self._fragments[1]

    def facts(self, neuron: int, pair: Pair | None = None) -> dict[str, str]:
        """Return the first columns of the table."""
        facts = {"task": neuron_name(self.layer, neuron)}
        if pair:
            a, b = (spelled(motif.text, self.model.alphabet) for motif in (pair.a, pair.b))
            facts |= {"motif_a": a, "motif_b": b, "name_a": pair.a.name, "name_b": pair.b.name}
            return facts | {"source": pair.source}
        return facts | dict.fromkeys(("motif_a", "motif_b", "name_a", "name_b", "source"), "")

    def finished(self, neuron: int, pair: Pair) -> Measured | None:
        """Return what was measured of a pair with these settings before, None where nothing was."""
        path = pair_folder(self.work, self.layer, neuron, pair) / "predictions.csv"
        if stored_key(path) != pair_key(self.work, self.layer, neuron, pair):
            return None
        return Measured(self.facts(neuron, pair), read_table(path, MEASURED, ("id", "order"), OF_CONTROL))

    def noted(self) -> dict[tuple[str, str, str], str]:
        """Return what the table that is there says of pairs and neurons that could not be measured.

        Task and motifs (empty of a neuron without pairs) -> note; nothing where the table is of other settings.
        """
        path = stats_path(self.work, self.layer)
        if stored_key(path) != stats_key(self.work, self.layer):
            return {}
        texts = ["task", "motif_a", "motif_b", "note"]
        table = read_table(path, ["n"], texts)
        rows = table.loc[(table["n"] == 0) & table["note"].notna(), texts].fillna("").astype(str)
        return {(task, a, b): note for task, a, b, note in rows.itertuples(index=False)}

    def places(self, neuron: int, pair: Pair) -> Places:
        """Return the places in the fragments of a neuron where both motifs of a pair stand.

        Raises:
            InputError: no fragments, or none with both motifs.
        """
        settings, fragments = self.work.settings, self.fragments(neuron)
        if not fragments:
            raise InputError("no fragments: the neuron never fires, or nothing exceeds fragment_threshold; lower it")
        row, start = np.array(list(fragments.items()), dtype=np.int64).T
        column = start[:, None] + np.arange(self.receptive_field)
        sequences = bases_of_codes(self.work.messages.codes[row[:, None], column])
        found = find_pairs(
            sequences, row, start, pair.a, pair.b, settings.seed, settings.max_sequences, settings.max_places
        )
        if not len(found):
            raise InputError(
                f"none of {len(row)} fragments holds both motifs without overlap; lower fragment_threshold (of "
                "run_fragment_location.sh too), or write wider words in a label file"
            )
        return found

    def measure(self, neuron: int, pair: Pair) -> Measured:
        """Measure a pair and write its folder."""
        facts = self.facts(neuron, pair)
        try:
            places = self.places(neuron, pair)
        except InputError as error:
            return Measured(facts, pd.DataFrame(), str(error))
        settings = self.work.settings
        predictions = measure(
            self.model, self.messages, places, pair.a, pair.b, settings.n_draws, settings.seed, self.layer, neuron
        )
        predictions[PREDICTIONS + CONTROLS] = predictions[PREDICTIONS + CONTROLS] * self.unit + self.mean
        table = per_sequence(predictions)
        if table.empty:
            return Measured(facts, table, "no replacement breaks these motifs without creating them; narrow the words")
        table.insert(1, "id", [self.work.messages.id[row] for row in table["sequence"]])
        folder = pair_folder(self.work, self.layer, neuron, pair)
        (folder / "predictions.csv").unlink(missing_ok=True)  # the pair is finished when that is there again
        self.write_fragments(folder / "fragments.txt", neuron, table)
        plot_pair(folder / "boxplot.png", table, pair.a.name or pair.a.text, pair.b.name or pair.b.text, facts["task"])
        write_table(folder / "predictions.csv", table, pair_key(self.work, self.layer, neuron, pair))
        return Measured(facts, read_table(folder / "predictions.csv"))  # rounded, as a run that goes on finds it

    def write_fragments(self, path: Path, neuron: int, table: pd.DataFrame) -> None:
        """Write the fragments with both motifs of a pair, a line each: name, start, id, sequence."""
        fragments, lines = self.fragments(neuron), []
        for row, name in zip(table["sequence"], table["id"], strict=True):
            start = fragments[row]
            text = decode(bases_of_codes(self.work.messages.codes[row, start : start + self.receptive_field]))
            text = spelled(text, self.model.alphabet)
            lines.append(f"Seq{row}_0: {start}\t{name}\t{text}")
        write_text(path, "\n".join([*lines, ""]))


def measure_neurons(
    layer: Layer, neurons: list[int], overwrite: bool = False, some: bool = True
) -> dict[int, list[Measured]]:
    """Return the measured pairs of neurons (counted from 1); what was finished before is read.

    Raises:
        StageMissing: for every one of them, where ``some`` are needed; what is there already is left as it is.
    """
    work: list[tuple[int, Pair | None, str]] = []
    missing: list[StageMissing] = []
    for neuron in neurons:
        try:
            layer.fragments(neuron)
            work += [(neuron, pair, "") for pair in layer.pairs(neuron)]
        except InputError as error:
            work.append((neuron, None, str(error)))
            missing += [error] if isinstance(error, StageMissing) else []
    if some and len(missing) == len(neurons):
        raise missing[0]
    found: dict[int, list[Measured]] = {neuron: [] for neuron in neurons}
    bar = progress_bar(work, desc=f"conv{layer.layer}: pairs")
    for neuron, pair, note in bar:
        if pair is None:
            found[neuron].append(Measured(layer.facts(neuron), pd.DataFrame(), note))
            continue
        done = None if overwrite else layer.finished(neuron, pair)
        found[neuron].append(done or layer.measure(neuron, pair))
    return found


def finished_elsewhere(layer: Layer, neurons: list[int]) -> dict[int, list[Measured]]:
    """Return what the other neurons of the layer have: runs over parts of it give the table of all.

    These are the finished pairs, and rows that say what is missing, of the table that is there.
    """
    found: dict[int, list[Measured]] = {}
    noted = layer.noted()
    for neuron in range(1, layer.model.channels_of(layer.layer) + 1):
        if neuron in neurons:
            continue
        task = neuron_name(layer.layer, neuron)
        without_pairs = (task, "", "") in noted
        try:
            if without_pairs:
                layer.fragments(neuron)
            pairs = layer.pairs(neuron)
        except InputError as error:
            if without_pairs:
                found[neuron] = [Measured(layer.facts(neuron), pd.DataFrame(), str(error))]
            elif (HERE / "results" / "scramble_res" / layer.work.name / task).is_dir():
                logger.warning("%s is left out of the table: %s", task, error)
            continue
        found[neuron] = []
        for pair in pairs:
            facts = layer.facts(neuron, pair)
            note = noted.get((task, facts["motif_a"], facts["motif_b"]), "")
            done = layer.finished(neuron, pair) or (Measured(facts, pd.DataFrame(), note) if note else None)
            found[neuron] += [done] if done else []
    return found


def run(
    work: Interpretation, layer_number: int, first: int, last: int, overwrite: bool = False, table: bool = True
) -> None:
    """Measure the pairs of neurons ``first`` to ``last`` (half-open, counted from 0) and write table and map.

    Without ``table`` the pairs are measured only: a last run, which finds all of them, makes the table.
    """
    layer = Layer(work, layer_number)
    channels = layer.model.channels_of(layer_number)
    if not 0 <= first < last <= channels:
        raise InputError(f"neurons: {first} to {last} is no range within 0 to {channels} (half-open, counted from 0)")
    neurons = list(range(first + 1, last + 1))
    measured = measure_neurons(layer, neurons, overwrite, some=table)
    if table:
        write_statistics(layer, neurons, measured)


def write_statistics(layer: Layer, neurons: list[int], measured: dict[int, list[Measured]]) -> None:
    """Write the table and the map of a layer, of measured neurons and of what is finished of the others."""
    work, layer_number = layer.work, layer.layer
    path = stats_path(work, layer_number)
    # of runs on other neurons the last one writes a table with the pairs of all
    with one_at_a_time(path.with_name(f".lock-conv{layer_number}"), f"table of conv{layer_number} of {work.name}"):
        measured = measured | finished_elsewhere(layer, neurons)
        pairs = [one for neuron in sorted(measured) for one in measured[neuron]]
        table, scale = pair_statistics(pairs, work.settings, layer.unit)
        table["checkpoint"], table["dataset"] = work.checkpoint.sha256, work.dataset_sha256
        for key in SETTINGS:
            table[key] = getattr(work.settings, key)
        plot_map(map_path(work, layer_number), table, f"{work.name}, conv{layer_number}: interaction of motifs")
        write_table(path, table, stats_key(work, layer_number))
    tested, called = (table["class"] != "").sum(), table["class"].map(is_called)
    fitted = "" if scale.fitted else "; too few single effects for the control of linearity"
    logger.info(
        "%s: %d pairs tested, %d called, of which %d survive on the linear scale%s",
        shown(path), tested, called.sum(), (table["survives"] == "yes").sum(), fitted,
    )  # fmt: skip
    for note, tasks in table[table["note"] != ""].groupby("note", sort=False)["task"]:
        logger.warning("%s: %s", ", ".join(dict.fromkeys(tasks)), note)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = command_parser(__doc__)
    parser.add_argument("--first", type=int, required=True, help="first neuron, counted from 0")
    parser.add_argument("--last", type=int, required=True, help="last neuron, counted from 0, not included")
    parser.add_argument(
        "--no-table", action="store_true", help="leave the table to a last run: others are at work on other neurons"
    )
    arguments = parser.parse_args(argv)

    def start() -> None:
        settings = load_settings(InteractionSettings, arguments.config, arguments.overrides)
        work = open_interpretation(settings)
        neurons = arguments.first, arguments.last
        run(work, parse_layer(arguments.layer), *neurons, arguments.overwrite, not arguments.no_table)

    run_script(start)


if __name__ == "__main__":
    main()
