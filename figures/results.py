"""Reading what methods found: matches of the same neurons, with the cluster of the database beside each."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from figures.settings import FigureSettings, command_path, config_of, interaction_config
from motif_discovery.methods import COMMANDS, NEURONMOTIF
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from motif_discovery.summarize import collect, read_clusters
from motif_discovery.summary import with_clusters
from motif_interaction.files import read_table, stats_key, stats_path, stored_key
from utils.config import find_config, load_settings, parse_range
from utils.interpretation_settings import InteractionSettings, open_interpretation
from utils.runtime import InputError, root_path, shown


@dataclass(frozen=True)
class Found:
    """What a method found in a model.

    Attributes:
        discovery: settings, network, and where the files lie; opened at conv1.
        neurons: (layer, neuron) that have results.
        matches: a row per match up to the q threshold: ``summary.FOUND``, cluster, cluster_name.
    """

    discovery: Discovery
    neurons: frozenset[tuple[int, int]]
    matches: pd.DataFrame

    @property
    def layers(self) -> str:
        """The layers of the neurons, such as ``conv2, conv3``."""
        return ", ".join(f"conv{layer}" for layer in sorted({layer for layer, _ in self.neurons}))


def make_command(method: str, config: Path, layers: list[int]) -> str:
    """Return the command that makes the matches of a method."""
    first, last, name = layers[0], layers[-1], command_path(config)
    if method == NEURONMOTIF:
        return f"bash motif_discovery/single_thread_script/main.sh {first} {last} {name}"
    return f"{COMMANDS[method].replace('CONFIG', name)} --from {first} --to {last}"


def named_layers(settings: FigureSettings, model: str, highest: int) -> list[int]:
    """Return the layers that the config names for a model; empty where it names none."""
    layers = settings.models[model]
    return [] if layers in (None, "") else parse_range(layers, highest, f"key 'models.{model}': layers")


def opened(settings: FigureSettings, model: str, method: str) -> Discovery:
    """Return a model's discovery, opened at conv1.

    Raises:
        InputError: no such config, or matches up to the threshold of the figures are not stored.
    """
    path = config_of(model)
    chosen = load_settings(DiscoverySettings, path)
    if settings.q_threshold > chosen.q_threshold:
        raise InputError(
            f"key 'q_threshold': {settings.q_threshold:g} is above {chosen.q_threshold:g} of {shown(path)}, up to "
            "which matches are stored"
        )
    return open_discovery(chosen.model_copy(update={"device": "cpu"}), 1, method, sampling=False)


def read_found(settings: FigureSettings, model: str, method: str, clusters: pd.DataFrame) -> Found:
    """Read the matches of a method in the layers that the config names for a model.

    Raises:
        InputError: no results in one of them, or a motif of the database is in no cluster.
    """
    discovery = opened(settings, model, method)
    highest = discovery.network.model.layers
    named = named_layers(settings, model, highest)
    collected = collect(discovery, named or list(range(1, highest + 1)))
    have = set(collected.neurons["layer"])
    missing = [layer for layer in named or range(1, highest + 1) if layer not in have]
    if have and not named:
        missing = []  # all layers that have results were asked for
    if missing:
        where = ", ".join(f"conv{layer}" for layer in missing) if named else "any layer"
        old = f" ({collected.outdated} neurons have outdated ones)" if collected.outdated else ""
        raise InputError(
            f"{discovery.model_name}: no results of {method} in {where}{old}; run "
            f"{make_command(method, config_of(model), missing)}"
        )
    found = with_clusters(collected.found[collected.found["q"] <= settings.q_threshold], clusters)
    if found["cluster"].isna().any():
        target = found.loc[found["cluster"].isna(), "target"].iloc[0]
        raise InputError(
            f"{settings.clusters}: '{target}' of {shown(discovery.database_paths[0])} is in no cluster; make clusters "
            "of this database with python -m generate_dataset.motif_database"
        )
    rows = collected.neurons[["layer", "neuron"]].itertuples(index=False, name=None)
    return Found(discovery, frozenset(rows), found.astype({"cluster": int}).reset_index(drop=True))


def read_all(
    settings: FigureSettings, methods: tuple[str, ...] = ()
) -> tuple[dict[str, dict[str, Found]], pd.DataFrame]:
    """Read the matches of methods in all models.

    Returns:
        Model name -> method -> what it found; and the clusters (motif, cluster, cluster_name).

    Raises:
        InputError: something is missing, or two configs are of one model.
    """
    clusters = read_clusters(root_path(settings.clusters))
    found: dict[str, dict[str, Found]] = {}
    for model in settings.models:
        of_model = {method: read_found(settings, model, method, clusters) for method in methods or settings.methods}
        name = next(iter(of_model.values())).discovery.model_name
        if name in found:
            raise InputError(f"key 'models': two configs are of the model {name}; name one of them")
        found[name] = of_model
    return found, clusters


def of_neurons(found: Found, neurons: frozenset[tuple[int, int]]) -> Found:
    """Return what was found in some of the neurons."""
    place = list(found.matches[["layer", "neuron"]].itertuples(index=False, name=None))
    kept = found.matches[np.array([one in neurons for one in place], dtype=bool)]
    return replace(found, neurons=found.neurons & neurons, matches=kept.reset_index(drop=True))


def same_neurons(found: dict[str, Found]) -> dict[str, Found]:
    """Return what methods found in the neurons that all of them have results of, so that none has more to find in.

    Raises:
        InputError: there is no such neuron.
    """
    shared = frozenset.intersection(*(one.neurons for one in found.values()))
    if not shared:
        name = next(iter(found.values())).discovery.model_name
        raise InputError(f"{name}: no neuron has results of {' and '.join(found)}; run them on the same neurons")
    return {method: of_neurons(one, shared) for method, one in found.items()}


def best_q(matches: pd.DataFrame, by: str) -> pd.Series:
    """Return the smallest q-value of each ``target`` or ``cluster``, sorted by it."""
    return matches.groupby(by)["q"].min().sort_index()


def read_pairs(settings: FigureSettings, model: str, name: str) -> pd.DataFrame:
    """Read the tables of pairs of the layers of a model, by its key in ``models`` and its name; with their layer.

    Raises:
        InputError: there is none, or one is of other settings.
    """
    config = find_config(f"configs/interaction/{name}.yaml")
    work = open_interpretation(load_settings(InteractionSettings, config))
    highest = work.checkpoint.model.layers
    named = named_layers(settings, model, highest)
    there = [layer for layer in named or range(1, highest + 1) if stats_path(work, layer).is_file()]
    if not there:
        layer = (named or [highest])[0]
        raise InputError(
            f"{shown(stats_path(work, layer))}: no tested pairs of {work.name}; run bash "
            f"motif_interaction/script/run_scr.sh {layer} 0 64 {interaction_config(name)}"
        )
    for layer in there:
        if stored_key(stats_path(work, layer)) != stats_key(work, layer):
            raise InputError(
                f"{shown(stats_path(work, layer))}: of other settings or weights; run bash "
                f"motif_interaction/script/run_scr.sh {layer} 0 64 {interaction_config(name)}"
            )
    tables = [read_table(stats_path(work, layer)).assign(layer=layer) for layer in there]
    return pd.concat(tables, ignore_index=True)
