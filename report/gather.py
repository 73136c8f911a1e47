"""Everything that a report shows, gathered from the files of the stages."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from report.cache import kept, state_of
from report.cards import card_of
from report.firing import Messages, read_firing
from report.motifs import motif_rows
from report.neurons import differences, neuron_name, ppm_of, read_neuron, without_others
from report.overview import READ, dataset_facts, network_facts, stage_rows
from report.settings import Work
from report.tables import (
    contribution_settings,
    pair_settings,
    read_contributions,
    read_evaluation,
    read_pairs,
    read_thresholds,
)
from utils.progress import progress_bar
from utils.stack_network import window_network

SOUGHT = 12  # parts whose segments are looked for in fragments


@dataclass
class Findings:
    """What there is of a model.

    Attributes:
        network: its layers.
        dataset: its data set.
        metrics: its figures on the test split; empty without an evaluation.
        points: measured and predicted label of each test message.
        facts: of each neuron by name, from motif_discovery.
        cards: of each neuron of the layers that have results.
        firing: of each neuron by name, from the scan.
        scan_notes: what is wrong with the scan of a layer.
        contributions: row of each neuron by name.
        called: threshold, q_threshold and smallest_effect of the contributions, those of the config without any.
        thresholds: effects of each neuron at all thresholds.
        pairs: of all layers.
        pair_notes: why a neuron has no pairs, by its name.
        motifs: database motifs and clusters that neurons hold.
        status: what was run, by layer.
        notes: what is outdated.
    """

    network: dict
    dataset: dict
    metrics: dict
    points: list[tuple[float, float]]
    facts: dict[str, dict] = field(default_factory=dict)
    cards: list[dict] = field(default_factory=list)
    firing: dict[str, dict] = field(default_factory=dict)
    scan_notes: dict[int, str] = field(default_factory=dict)
    contributions: dict[str, dict] = field(default_factory=dict)
    called: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, list[dict]] = field(default_factory=dict)
    pairs: list[dict] = field(default_factory=list)
    pair_notes: dict[str, str] = field(default_factory=dict)
    motifs: list[dict] = field(default_factory=list)
    status: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def gather(work: Work, messages: Messages, cache: Path) -> Findings:
    """Return what there is of a model; what was read before is taken from the cache.

    Args:
        work: the model.
        messages: of its data set.
        cache: folder.

    Raises:
        InputError: a table cannot be read.
    """
    metrics, points, note = read_evaluation(work)
    found = Findings(network_facts(work), dataset_facts(work), metrics, points)
    found.notes += [note] if note else []
    found.contributions, note = read_contributions(work)
    found.notes += [note] if note else []
    found.called = contribution_settings(work, found.contributions)
    found.thresholds = read_thresholds(work) if found.contributions else {}
    network = window_network(work.checkpoint.model)
    for layer in progress_bar(work.layers, desc="reading layers", disable=None):
        neurons = range(1, work.channels_of(layer) + 1)
        names = {neuron: neuron_name(layer, neuron) for neuron in neurons}
        facts = without_others({neuron: read_neuron(work, network, layer, neuron, cache) for neuron in neurons})
        pairs, notes, note = read_pairs(work, layer)
        found.notes += [note] if note else []
        found.pair_notes |= notes
        scan_note = _firing(work, messages, layer, facts, cache, found)
        contributed = sum(name in found.contributions for name in names.values())
        measured = len({pair["task"] for pair in pairs} | notes.keys())
        stale = differences(found.called, contribution_settings(work, {})) if contributed else ""
        of_pairs = differences(pair_settings(work, pairs[0]), pair_settings(work, {})) if pairs else ""
        rows = stage_rows(work, layer, facts, scan_note, (contributed, stale), (len(pairs), of_pairs), measured)
        shown = any(row["said"] for row in rows)
        interpreted = sum(one["state"] in READ for one in facts.values())
        found.network["rows"][layer - 1]["interpreted"] = interpreted
        found.status.append({"layer": layer, "started": shown, "rows": rows})
        found.pairs += pairs
        if not shown:
            continue
        for neuron in neurons:
            name = names[neuron]
            found.facts[name] = facts[neuron]
            own = sum(pair["task"] == name for pair in pairs)
            found.cards.append(card_of(layer, neuron, facts[neuron], found.contributions.get(name), own))
    found.motifs = motif_rows(work, found.cards)
    return found


def segments_of(facts: dict) -> list[tuple[str, np.ndarray]]:
    """Return the segments of the parts of a neuron whose consensus fires most: part and probabilities (4, width)."""
    parts = sorted(facts.get("parts", []), key=lambda part: -part["consensus"])[:SOUGHT]
    matrices = [(part, ppm_of(part["columns"])) for part in parts]
    return [(part["path"], ppm[:, start:end]) for part, ppm in matrices for start, end, _ in part["segments"]]


def _firing(work: Work, messages: Messages, layer: int, facts: dict, cache: Path, found: Findings) -> str:
    """Put in where the neurons of a layer fire; returns what is wrong with its scan, or an empty text."""
    if not work.scan(layer).is_file():
        return ""
    if not work.dataset.is_file():
        note = f"{found.dataset['path']} is not there: where neurons fire cannot be shown"
    else:
        states = {neuron: one["state"] for neuron, one in facts.items()}

        def read() -> dict:
            motifs = [segments_of(facts[neuron]) for neuron in sorted(facts)]
            wrong, neurons = read_firing(work, messages, layer, motifs, found.called["threshold"])
            return {"note": wrong, "neurons": neurons}

        value = kept(
            cache / f"conv{layer}_firing.json",
            read,
            files=state_of(work.scan(layer), work.dataset, *(work.motifs(layer, neuron) for neuron in sorted(facts))),
            weights=work.checkpoint.sha256,
            threshold=found.called["threshold"],
            states=states,
        )
        note = value["note"]
        found.firing |= {neuron_name(layer, neuron): one for neuron, one in enumerate(value["neurons"], 1)}
    found.scan_notes[layer] = note
    return note
