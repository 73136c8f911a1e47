"""What the workflow is to do: its shards, and which of them are done -> workflow/done/plan-KEY.json.

    python -m workflow.plan workflow/done/plan-KEY.json < SETTINGS.json

Snakefile runs this once, where the workflow is started: it checks every setting before anything is computed, opens the
model and the data set, and cuts the stages into shards. Jobs on other machines read the plan and load nothing.

A flag in workflow/done/MODEL says that a shard is done. It holds the key of what decided its results; a flag with
another key is removed, and so is one whose results are not there any more or are of other settings. The commands of the
stages look at their results themselves, so a shard that runs again without need costs only its start.
"""

import json
import logging
import sys
from collections.abc import Container
from pathlib import Path

import torch

from motif_contribution.contribution import contribution_key, is_finished_for
from motif_discovery.settings import Discovery, DiscoverySettings, chosen_neurons, open_discovery
from motif_discovery.summarize import workbook_path
from motif_interaction.files import (
    fragment_key,
    fragment_path,
    pair_folder,
    pair_key,
    stats_key,
    stats_path,
    stored_key,
)
from motif_interaction.interaction import Layer
from motif_interaction.pairs import StageMissing
from utils.config import find_config, load_settings, parse_range, validated
from utils.interpretation_settings import InteractionSettings, Interpretation, open_interpretation
from utils.runtime import ROOT, InputError, file_sha256, fingerprint, run_script, shown, write_text
from utils.scan import BLOCK_NUCLEOTIDES, block_name, blocks_of_rows, is_finished, part_folder, scan_facts
from workflow.settings import WorkflowSettings, blocks_of_neurons, layer_range, shard_size, shards_of_rows

logger = logging.getLogger(__name__)
DONE = ROOT / "workflow" / "done"


class Plan:
    """Shards of a model, their flags and keys.

    Args:
        model: name, which names the folder of the flags.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.shards: dict[str, dict[str, str]] = {}  # step -> flag below workflow/done/MODEL -> its key

    def add(self, step: str, name: str, key: str, there: bool) -> None:
        """Add a shard; its flag is removed where it holds another key or the results are not ``there``."""
        flag = f"{step}/{name}"
        path = DONE / self.model / flag
        self.shards.setdefault(step, {})[flag] = key
        if path.is_file() and not (there and path.read_text(encoding="utf-8").strip() == key):
            logger.info("%s: its results are of other settings or gone; it runs again", flag)
            path.unlink()

    def key(self, *steps: str) -> str:
        """Return the key of all shards of some steps."""
        return fingerprint(shards={step: self.shards.get(step) for step in steps})


def plan_discovery(plan: Plan, settings: WorkflowSettings, opened: Discovery, layers: range) -> None:
    """Add the shards of motif discovery, a block of neurons of a layer each, and the pages of each layer."""
    for layer in layers:
        channels = opened.network.model.channels_of(layer)
        neurons = chosen_neurons(opened.settings, settings.neurons or None, channels)
        here = Discovery(opened.settings, layer, opened.checkpoint, opened.network)
        for first, last in blocks_of_neurons(neurons, shard_size(settings, layer)):
            block = list(range(first, last + 1))
            there = all(here.is_matched(neuron) for neuron in block)
            plan.add("discovery", f"conv{layer}_neurons_{first}-{last}", here.match_key, there)
        key = fingerprint(match=here.match_key, neurons=neurons)
        plan.add("pages", f"conv{layer}", key, here.report_path().is_file())
    if settings.statistics:
        there = workbook_path(opened.model_name).is_file()
        plan.add("statistics", "all", plan.key("discovery"), there)


def plan_scan(plan: Plan, settings: WorkflowSettings, work: Interpretation, layers: range) -> None:
    """Add the shards of the scan, a number of its blocks each and all layers, and the contribution of neurons."""
    facts = [scan_facts(work, layer) for layer in layers]
    waiting = [part_folder(work, layer) for layer in layers if not is_finished(work, layer)]
    blocks = blocks_of_rows(work.messages.length, BLOCK_NUCLEOTIDES)
    key = fingerprint(facts=facts)
    for first, end in shards_of_rows(blocks, settings.messages_per_scan_shard):
        own = [block_name(block) for block in blocks if first <= block.start < end]
        there = all((folder / name).is_file() for folder in waiting for name in own)
        plan.add("scan_rows", f"{first}-{end}", key, there)
    plan.add("scan", f"conv{layers[0]}-{layers[-1]}", key, not waiting)
    key = fingerprint(settings=contribution_key(work), scan=key, motifs=plan.key("discovery"))
    plan.add("contribution", "all", key, is_finished_for(work, layers))


def is_measured(layer: Layer, neuron: int, noted: Container[tuple[str, str, str]]) -> bool:
    """Return whether every pair of a neuron was measured with these settings.

    Args:
        layer: of the neuron.
        neuron: counted from 1.
        noted: task and motifs of the pairs that could not be measured.
    """
    try:
        pairs = layer.pairs(neuron)
    except StageMissing:
        return False
    except InputError:
        return True  # it has none, or its shard says what is wrong
    for pair in pairs:
        facts = layer.facts(neuron, pair)
        path = pair_folder(layer.work, layer.layer, neuron, pair) / "predictions.csv"
        measured = stored_key(path) == pair_key(layer.work, layer.layer, neuron, pair)
        if not measured and (facts["task"], facts["motif_a"], facts["motif_b"]) not in noted:
            return False
    return True


def plan_interaction(plan: Plan, settings: WorkflowSettings, work: Interpretation, layers: range) -> None:
    """Add fragments, shards of mutagenesis, a block of neurons of a layer each, and the tables of pairs."""
    decides = work.settings.model_dump(exclude={"device"})
    for layer in layers:
        channels = work.checkpoint.model.channels_of(layer)
        neurons = parse_range(settings.neurons or f"1-{channels}", channels)
        fragments = fragment_key(work, layer)
        there = all(stored_key(fragment_path(work, layer, neuron)) == fragments for neuron in neurons)
        plan.add("fragments", f"conv{layer}_neurons_{neurons[0]}-{neurons[-1]}", fragments, there)
        opened = Layer(work, layer)
        labels = [opened.label_path(neuron) for neuron in neurons]
        written = {str(path): file_sha256(path) for path in labels if path.is_file()}
        key = fingerprint(fragments=fragments, settings=decides, labels=written, motifs=plan.key("discovery"))
        noted = opened.noted()
        for first, last in blocks_of_neurons(neurons, settings.neurons_per_mutagenesis_shard):
            there = all(is_measured(opened, neuron, noted) for neuron in range(first, last + 1))
            plan.add("mutagenesis", f"conv{layer}_neurons_{first}-{last}", key, there)
        there = stored_key(stats_path(work, layer)) == stats_key(work, layer)
        plan.add("pairs", f"conv{layer}_neurons_{neurons[0]}-{neurons[-1]}", key, there)


def make_plan(settings: WorkflowSettings) -> dict[str, object]:
    """Return the plan, which Snakefile reads.

    Raises:
        InputError: a key, a config, the model or the data set cannot be used.
    """
    if not settings.interpreting and not settings.interaction:
        raise InputError("keys 'interpreting' and 'interaction' are both empty: name a config in one of them")
    discovery = work = None
    if settings.interpreting:
        path = find_config(settings.interpreting, "interpreting")
        chosen = load_settings(DiscoverySettings, path, ["device=cpu"])
        discovery = open_discovery(chosen, 1) if chosen.sampler == "auto" else open_discovery(chosen, top(settings))
    if settings.interaction:
        path = find_config(settings.interaction, "interaction")
        work = open_interpretation(load_settings(InteractionSettings, path, ["device=cpu"]), stored_codes=True)
    models = {one.checkpoint.name: one.checkpoint for one in (discovery, work) if one}
    if len(models) > 1:
        raise InputError(f"keys 'interpreting' and 'interaction' are of different models: {' and '.join(models)}")
    ((name, checkpoint),) = models.items()
    layers = layer_range(settings.layers, "layers", checkpoint.model.layers)
    of_pairs = layer_range(settings.interaction_layers, "interaction_layers", checkpoint.model.layers)
    if of_pairs and not set(of_pairs) <= set(layers):
        raise InputError(f"key 'interaction_layers': {settings.interaction_layers} is not within {settings.layers}")
    plan = Plan(name)
    if discovery:
        plan_discovery(plan, settings, discovery, layers)
    if work:
        plan_scan(plan, settings, work, layers)
        plan_interaction(plan, settings, work, of_pairs)
    if settings.report:
        page = ROOT / "report" / name / "index.html"
        plan.add("report", "all", plan.key(*plan.shards), page.is_file())
    return {
        "model": name,
        "device": ("cuda" if torch.cuda.is_available() else "cpu") if settings.device == "auto" else settings.device,
        "interpreting": str(find_config(settings.interpreting, "interpreting")) if discovery else "",
        "interaction": str(find_config(settings.interaction, "interaction")) if work else "",
        "shards": plan.shards,
    }


def top(settings: WorkflowSettings) -> int:
    """Return the highest layer that is asked for."""
    return int(settings.layers.rpartition("-")[2])


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    (target,) = argv or sys.argv[1:]

    def start() -> None:
        given = {key: "" if value is None else value for key, value in json.load(sys.stdin).items()}  # key= is empty
        settings = validated(WorkflowSettings, given, "workflow/config.yaml or --config")
        plan = make_plan(settings)
        write_text(target, json.dumps(plan, indent=1) + "\n")
        count = sum(map(len, plan["shards"].values()))
        logger.info("%s: %d shards of %s", shown(Path(target)), count, plan["model"])

    run_script(start)


if __name__ == "__main__":
    main()
