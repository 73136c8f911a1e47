"""What the baselines share: samples where they are missing, motifs of a method of its own, matches, pages."""

import argparse
import logging
from collections.abc import Callable

from motif_discovery import match, report, sample
from motif_discovery.demixing import Part
from motif_discovery.files import Sample, read_sample, stored_key, unfinished, write_motifs
from motif_discovery.methods import MESSAGE_SEQLETS
from motif_discovery.settings import Discovery, DiscoverySettings, discovery_parser, layers_with_neurons, open_discovery
from utils.config import load_settings
from utils.progress import progress_bar
from utils.runtime import InputError, shown

logger = logging.getLogger(__name__)
PartsOf = Callable[[Discovery, int, Sample], list[Part]]


def layers_of(discovery: Discovery, first: int | None, last: int | None) -> list[int]:
    """Return the layers ``first`` to ``last``, both included; without them those from conv1, up to the highest.

    Raises:
        InputError: no range, or the model has no such layer.
    """
    highest = discovery.network.model.layers
    first, last = 1 if first is None else first, highest if last is None else last
    if first > last:
        raise InputError(f"layers: {first} to {last} is no range; write the lower layer first")
    for layer in (first, last):
        if not 1 <= layer <= highest:
            raise InputError(
                f"layer: conv{layer} is not a layer of {discovery.model_name}, which has conv1 to conv{highest}"
            )
    return list(range(first, last + 1))


def current_sample(discovery: Discovery, neuron: int) -> Sample:
    """Read the sample of a neuron (counted from 1).

    Raises:
        InputError: missing, damaged, or made with other settings.
    """
    path = discovery.sample_path(neuron)
    found = read_sample(path)
    if stored_key(path) != discovery.sample_key:
        raise InputError(f"{shown(path)}: made with other settings or weights; run motif_discovery.sample again")
    return found


def sampled(discovery: Discovery) -> Callable[[int], Sample]:
    """Return what gives the sample of a neuron (counted from 1)."""
    return lambda neuron: current_sample(discovery, neuron)


def run_layer(
    discovery: Discovery, neurons: list[int], overwrite: bool, source: Callable[[int], Sample], parts_of: PartsOf
) -> None:
    """Make motifs, matches and pages of neurons of one layer (counted from 1).

    Args:
        discovery: layer and method.
        neurons: counted from 1.
        overwrite: make motifs, matches and pages again; samples, which all methods share, are kept.
        source: the sequences of a neuron.
        parts_of: the motifs in them.
    """
    waiting = unfinished(neurons, discovery.motif_path, discovery.motif_key, overwrite)
    for neuron in progress_bar(waiting, desc=f"conv{discovery.layer}: neurons"):
        found = source(neuron)
        parts = parts_of(discovery, neuron, found)
        field = discovery.receptive_field
        last = field, discovery.motif_key, discovery.alphabet, discovery.made_with
        write_motifs(discovery.motif_path(neuron), discovery.name(neuron), parts, found, *last)
    match.run(discovery, neurons, overwrite)
    report.run(discovery, neurons, overwrite)
    logger.info("open %s", shown(discovery.report_path()))


def run(
    settings: DiscoverySettings, method: str, layers: tuple[int | None, int | None], neurons: str | None,
    overwrite: bool, source_of: Callable[[Discovery], Callable[[int], Sample]], parts_of: PartsOf,
) -> None:  # fmt: skip
    """Run a method on neurons of some layers.

    Args:
        settings: of the config.
        method: its name.
        layers: first and last, both included; None for the lowest and the highest.
        neurons: such as ``1-4``; None for those of the config.
        overwrite: make again what is finished.
        source_of: what gives the sequences of the neurons of a layer.
        parts_of: the motifs in them.
    """
    opened = open_discovery(settings, 1, method, sampling=False)
    sampling = method != MESSAGE_SEQLETS
    for discovery, chosen in layers_with_neurons(opened, layers_of(opened, *layers), neurons, sampling):
        if sampling:
            waiting = unfinished(chosen, discovery.motif_path, discovery.motif_key, overwrite)
            sample.run(discovery, waiting)
        run_layer(discovery, chosen, overwrite, source_of(discovery), parts_of)


def method_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the command line of a method: ``--config FILE [--from 2 --to 5] [--neurons 1-4] [key=value ...]``."""
    parser = discovery_parser(doc, layer=False)
    parser.add_argument("--from", dest="first", type=int, help="first layer, such as 2 (default: 1)")
    parser.add_argument("--to", dest="last", type=int, help="last layer, included (default: the highest)")
    return parser


def load_method(arguments: argparse.Namespace) -> DiscoverySettings:
    """Return the settings of a parsed command line."""
    return load_settings(DiscoverySettings, arguments.config, arguments.overrides)
