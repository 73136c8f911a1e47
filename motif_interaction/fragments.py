"""Locate the fragments that activate each neuron -> fragment_location/MODEL/convN_neuronM_fragment_location.yaml.

Reads the scan (../motif_contribution/maxact_from_trainSet/MODEL/convN.h5) and, for the first windows, the data set.

A fragment is a window above ``fragment_threshold`` of the neuron's maximum over the training set, one of each message:
its best one, or with ``fragment_choice: first`` the one nearest the 5' end.
"""

import argparse
import logging

import numpy as np
import torch

from motif_interaction.files import fragment_key, fragment_path, neuron_name, stored_key, write_fragments
from utils.config import load_settings, parse_layer, parse_range, settings_parser
from utils.dense_scan import bases_of_codes
from utils.geometry import Geometry
from utils.interpretation_settings import InteractionSettings, Interpretation, open_interpretation
from utils.progress import progress_bar
from utils.runtime import run_script, shown
from utils.scan import Scan, read_scan
from utils.stack_network import window_network

logger = logging.getLogger(__name__)
ROUNDING = 1e-5  # of a neuron's maximum, between two computations of one activation


def activating(scan: Scan, neuron: int, threshold: float) -> np.ndarray:
    """Return the messages int64 (k,) in which a neuron, counted from 1, exceeds a share of its training maximum.

    A neuron that never fires, whose maximum is not above 0, has none.
    """
    highest = scan.neuron_maximum[neuron - 1]
    if not highest > 0:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(scan.maximum[:, neuron - 1] > threshold * highest)


def first_starts(
    model: Geometry, sequences: np.ndarray, layer: int, neurons: np.ndarray, least: np.ndarray, device: torch.device
) -> np.ndarray:
    """Return the first window of one message in which each neuron exceeds a bound, int64 (neurons,).

    Args:
        model: in evaluation mode.
        sequences: uint8 (1, length).
        layer: of the neurons.
        neurons: int (k,), counted from 0.
        least: float (k,), the bound of each.
        device: where the model is.
    """
    activation = window_network(model, device).dense_activation(torch.from_numpy(sequences), layer)[0].cpu().numpy()
    return (activation[neurons] > least[:, None]).argmax(axis=1)


def locate(work: Interpretation, scan: Scan, neurons: list[int]) -> dict[int, dict[int, int]]:
    """Return the fragments of each neuron, counted from 1: row of the message -> 0-based start."""
    threshold = work.settings.fragment_threshold
    rows = {neuron: activating(scan, neuron, threshold) for neuron in neurons}
    if work.settings.fragment_choice == "best":
        return {neuron: dict(zip(own.tolist(), scan.start[own, neuron - 1].tolist(), strict=True))
                for neuron, own in rows.items()}  # fmt: skip
    model = work.checkpoint.model
    device = next(model.parameters()).device
    found: dict[int, dict[int, int]] = {neuron: {} for neuron in neurons}
    of_row: dict[int, list[int]] = {}
    for neuron, own in rows.items():
        for row in own.tolist():
            of_row.setdefault(row, []).append(neuron)
    for row, firing in progress_bar(sorted(of_row.items()), desc=f"conv{scan.layer}: first windows"):
        sequence = bases_of_codes(work.messages.codes[row : row + 1][:, : work.messages.length[row]])
        columns = np.array(firing) - 1
        # a window that the scan found at the bound itself is not lost to rounding
        highest = scan.neuron_maximum[columns]
        least = np.minimum(threshold * highest, scan.maximum[row, columns] - ROUNDING * highest)
        starts = first_starts(model, sequence, scan.layer, columns, least, device)
        for neuron, start in zip(firing, starts.tolist(), strict=True):
            found[neuron][row] = start
    return found


def run(work: Interpretation, layer: int, neurons: list[int], overwrite: bool = False) -> None:
    """Write the fragments of the neurons (counted from 1) that have none with these settings yet."""
    key = fragment_key(work, layer)
    waiting = [one for one in neurons if overwrite or stored_key(fragment_path(work, layer, one)) != key]
    if not waiting:
        logger.info("the fragments are there already; --overwrite locates them again")
        return
    scan = read_scan(work, layer)
    share, choice = work.settings.fragment_threshold, work.settings.fragment_choice
    silent, total = [], 0
    for neuron, fragments in locate(work, scan, waiting).items():
        highest = float(scan.neuron_maximum[neuron - 1])
        note = (
            f"{choice} window above {share:g} x {highest:.6g} of each message; row in train + valid + test, 0-based "
            f"start, {scan.receptive_field} nt"
        )
        if not highest > 0:
            note = f"{neuron_name(layer, neuron)} never fires (maximum {highest:.6g}): no fragments"
            silent.append(neuron)
        write_fragments(fragment_path(work, layer, neuron), fragments, note, key)
        total += len(fragments)
    logger.info("%s: %d fragments of %d neurons", shown(fragment_path(work, layer, 1).parent), total, len(waiting))
    if silent:
        logger.warning("never fire: neurons %s", ", ".join(map(str, silent)))


def command_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the command line of a step on a layer: ``--config FILE --layer 5 [key=value ...]``."""
    parser = settings_parser(doc, InteractionSettings)
    parser.add_argument("--layer", required=True, help="such as conv5")
    parser.add_argument("--overwrite", action="store_true", help="compute again what is finished")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = command_parser(__doc__)
    parser.add_argument("--neurons", help="such as 1-4 or 1,3,7; counted from 1, both ends included")
    arguments = parser.parse_args(argv)

    def start() -> None:
        settings = load_settings(InteractionSettings, arguments.config, arguments.overrides)
        layer = parse_layer(arguments.layer)
        work = open_interpretation(settings, stored_codes=True)
        work.require_layer(layer)
        channels = work.checkpoint.model.channels_of(layer)
        run(work, layer, parse_range(arguments.neurons or f"1-{channels}", channels), arguments.overwrite)

    run_script(start)


if __name__ == "__main__":
    main()
