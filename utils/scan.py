"""The scan of a data set, shared by motif_contribution and motif_interaction -> maxact_from_trainSet/MODEL/convN.h5.

What is computed says ``utils.dense_scan``; here are the files, and how a stopped scan goes on.
"""

import contextlib
import logging
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.config import load_settings
from utils.dense_scan import bases_of_codes, scan_messages
from utils.hdf5 import Damaged, new_file, read_arrays
from utils.interpretation_settings import (
    InteractionSettings,
    Interpretation,
    chosen_layers,
    layers_parser,
    open_interpretation,
)
from utils.progress import progress_bar
from utils.runtime import ROOT, InputError, atomic_path, fingerprint, one_at_a_time, run_script, shown
from utils.stack_network import window_network

logger = logging.getLogger(__name__)

SCANS = ROOT / "motif_contribution" / "maxact_from_trainSet"
BLOCK_NUCLEOTIDES = 2**20  # of the messages that are scanned at once; what is kept when a run is stopped


@dataclass(frozen=True)
class Scan:
    """The scan of a layer.

    Attributes:
        layer: counted from 1.
        receptive_field: nt, the length of every window.
        maximum: float32 (messages, neurons), train, valid and test in this order; minus infinity without a window.
        start: int32 (messages, neurons), 0-based; -1 without a window.
        neuron_maximum: float32 (neurons,), over the training set.
        neuron_row: int64 (neurons,), the training message that has it; -1 where no message has a window.
        neuron_start: int64 (neurons,), its window.
    """

    layer: int
    receptive_field: int
    maximum: np.ndarray
    start: np.ndarray
    neuron_maximum: np.ndarray
    neuron_row: np.ndarray
    neuron_start: np.ndarray


def summarise(layer: int, receptive_field: int, maximum: np.ndarray, start: np.ndarray, n_train: int) -> Scan:
    """Return a scan with the maximum of each neuron over the first ``n_train`` messages (of equal ones the first)."""
    row, neurons = maximum[:n_train].argmax(axis=0), np.arange(maximum.shape[1])
    highest, first = maximum[row, neurons], start[row, neurons].astype(np.int64)
    return Scan(layer, receptive_field, maximum, start, highest, np.where(first >= 0, row, -1), first)


def scan_path(model_name: str, layer: int) -> Path:
    """Return where the scan of a layer lies."""
    return SCANS / model_name / f"conv{layer}.h5"


def scan_facts(work: Interpretation, layer: int) -> dict[str, object]:
    """Return what decides a scan."""
    facts = {"checkpoint_sha256": work.checkpoint.sha256, "dataset_sha256": work.dataset_sha256, "layer": layer}
    return facts | {"settings": scan_key(*facts.values())}


def scan_key(checkpoint: str, dataset: str, layer: int) -> str:
    """Return the key of the scan of a layer by the hashes of checkpoint and data set."""
    return fingerprint(scan=1, checkpoint_sha256=checkpoint, dataset_sha256=dataset, layer=layer)


def write_scan(path: Path, scan: Scan, work: Interpretation) -> None:
    """Write a scan whole or not at all."""
    with new_file(path) as file:
        for name in ("maximum", "start"):
            file.create_dataset(f"message_{name}", data=getattr(scan, name), compression="gzip", compression_opts=1)
        for name in ("neuron_maximum", "neuron_row", "neuron_start"):
            file[name] = getattr(scan, name)
        facts = {**scan_facts(work, scan.layer), "model": work.name, "receptive_field": scan.receptive_field}
        facts |= {f"{split}_rows": rows for split, rows in work.rows.items()}
        facts |= {"positions": work.positions, "coordinates": "0-based start of the window in the message"}
        for key, value in facts.items():
            file.attrs[key] = value


def stored_settings(path: Path) -> str:
    """Return the key in a scan, or an empty text where there is none or the file is damaged."""
    try:
        return read_arrays(path, {}, {"settings": str})["settings"]
    except Damaged:
        return ""


def is_finished(work: Interpretation, layer: int) -> bool:
    """Return whether the scan of a layer is there and of this checkpoint and data set."""
    return stored_settings(scan_path(work.name, layer)) == scan_facts(work, layer)["settings"]


def read_scan(work: Interpretation, layer: int) -> Scan:
    """Read the scan of a layer.

    Raises:
        InputError: there is none, it is damaged, or it is of another checkpoint or data set.
    """
    path = scan_path(work.name, layer)
    again = f"run bash motif_contribution/script/run_search_maxact.sh {layer} {layer} CONFIG"
    if not path.is_file():
        raise InputError(f"{shown(path)}: no scan of conv{layer} yet; {again}")
    facts = scan_facts(work, layer)
    try:
        stored = read_arrays(path, {}, {"checkpoint_sha256": str, "dataset_sha256": str, "settings": str})
        for key, what in (("checkpoint_sha256", "checkpoint"), ("dataset_sha256", "data set")):
            if stored[key] != facts[key]:
                raise InputError(f"{shown(path)}: a scan of another {what} than that of {work.name} now; {again}")
        if stored["settings"] != facts["settings"]:
            raise InputError(f"{shown(path)}: a scan of another version; {again}")
        return _read(path, layer, work)
    except Damaged as error:
        raise InputError(f"{shown(path)}: damaged scan ({error}); {again} --overwrite") from None


def _read(path: Path, layer: int, work: Interpretation) -> Scan:
    """Read a scan whose key was right.

    Raises:
        Damaged: it holds something else than a scan of the messages.
    """
    field, each = work.checkpoint.model.receptive_field(layer), (work.checkpoint.model.channels_of(layer),)
    shapes = {f"message_{name}": (len(work.messages), *each) for name in ("maximum", "start")}
    shapes |= {f"neuron_{name}": each for name in ("maximum", "row", "start")}
    scan = Scan(layer, field, **{key.removeprefix("message_"): one for key, one in read_arrays(path, shapes).items()})
    rows, columns = np.nonzero(scan.start >= 0)
    if (scan.start[rows, columns] + field > work.messages.codes.shape[1]).any():
        raise Damaged("'message_start' holds a window behind the end of a message")
    return scan


def blocks_of_rows(length: np.ndarray, nucleotides: int) -> list[slice]:
    """Return consecutive messages, together at most so many nucleotides (or a single message)."""
    blocks, first, total = [], 0, 0
    for row, size in enumerate(length.tolist()):
        if row > first and total + size > nucleotides:
            blocks.append(slice(first, row))
            first, total = row, 0
        total += size
    return [*blocks, slice(first, len(length))]


def run_scan(work: Interpretation, layers: Sequence[int], overwrite: bool = False, rows: range | None = None) -> None:
    """Scan the data set for layers in one pass and write a file for each; a stopped scan goes on after its last block.

    Args:
        work: the model and the messages.
        layers: counted from 1.
        overwrite: also what is finished.
        rows: scan the blocks of messages that begin in these rows, and leave it to a run without ``rows`` to write the
            files, of the same bytes. Several processes may each do their rows at the same time.

    Raises:
        InputError: no training message is as long as a layer's receptive field.
    """
    model, messages = work.checkpoint.model, work.messages
    longest = int(messages.length[: work.rows["train"]].max())
    for layer in layers:
        if longest < model.receptive_field(layer):
            raise InputError(
                f"layer: conv{layer} sees {model.receptive_field(layer)} nt, but the longest training message of "
                f"{shown(work.dataset)} has {longest}; choose lower layers"
            )
    with contextlib.ExitStack() as locks:
        for layer in sorted(layers):
            lock = scan_path(work.name, layer).with_name(f".lock-conv{layer}")
            locks.enter_context(one_at_a_time(lock, f"scan of conv{layer} of {work.name}", part=rows is not None))
        waiting = [layer for layer in layers if overwrite or not is_finished(work, layer)]
        if waiting:
            _scan(work, waiting, overwrite, rows)
        else:
            logger.info("the scans are there already; --overwrite computes them again")
        for layer in layers if rows is None else ():
            for folder in scan_path(work.name, layer).parent.glob(f".part-conv{layer}-*"):
                shutil.rmtree(folder, ignore_errors=True)


def part_folder(work: Interpretation, layer: int) -> Path:
    """Return the folder of the blocks of a scan that is not finished."""
    return scan_path(work.name, layer).with_name(f".part-conv{layer}-{scan_facts(work, layer)['settings']}")


def block_name(rows: slice) -> str:
    """Return the file name of a block."""
    return f"rows_{rows.start}-{rows.stop}.npz"


def _scan(work: Interpretation, waiting: list[int], overwrite: bool, begin: range | None) -> None:
    """Scan the data set for layers that wait for it: all of it, or the blocks that begin in some rows."""
    model, messages = work.checkpoint.model, work.messages
    parts = {layer: part_folder(work, layer) for layer in waiting}
    if overwrite:
        for folder in parts.values():
            shutil.rmtree(folder, ignore_errors=True)
    network = window_network(model, next(model.parameters()).device)
    blocks = blocks_of_rows(messages.length, BLOCK_NUCLEOTIDES)
    blocks = [rows for rows in blocks if begin is None or rows.start in begin]
    total = sum(int(messages.length[rows].sum()) for rows in blocks)
    kinds = (np.float32, np.int32) if begin is None else ()  # of maxima and starts
    found = {
        layer: tuple(np.empty((len(messages), model.channels_of(layer)), kind) for kind in kinds) for layer in waiting
    }
    label = f"scan conv{waiting[0]}" + (f" to conv{waiting[-1]}" if len(waiting) > 1 else "")
    with progress_bar(total=total, desc=label, unit="nt", unit_scale=True) as bar:
        for rows in blocks:
            names = {layer: folder / block_name(rows) for layer, folder in parts.items()}
            count = rows.stop - rows.start
            shapes = {layer: (count, model.channels_of(layer)) for layer in waiting}
            known = {layer: block for layer, name in names.items() if (block := _stored_block(name, shapes[layer]))}
            missing = [layer for layer in waiting if layer not in known]
            new = scan_messages(network, bases_of_codes(messages.codes[rows]), missing) if missing else {}
            for layer in waiting:
                if layer in new:
                    with atomic_path(names[layer]) as temporary, temporary.open("wb") as file:
                        np.savez(file, maximum=new[layer][0], start=new[layer][1])
                for whole, block in zip(found[layer], new.get(layer) or known[layer], strict=False):
                    whole[rows] = block
            bar.update(int(messages.length[rows].sum()))
    for layer, (maximum, start) in found.items() if begin is None else ():
        field, path = model.receptive_field(layer), scan_path(work.name, layer)
        write_scan(path, summarise(layer, field, maximum, start, work.rows["train"]), work)
        logger.info("wrote %s", shown(path))


def _stored_block(path: Path, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return maxima and starts of a block that a stopped run has left, or None where there is none that is whole."""
    try:
        with np.load(path) as file:
            maximum, start = file["maximum"], file["start"]
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile):
        return None
    return (maximum, start) if maximum.shape == start.shape == shape else None


def scan_command(doc: str | None, argv: list[str] | None) -> None:
    """Command line of the scan, the same in both stages."""
    parser = layers_parser(doc)
    parser.add_argument(
        "--rows",
        help="such as 0-1000 (half-open, counted from 0): only the blocks of messages that begin there; others may be "
        "at work on the rest, and a last run without --rows writes the files",
    )
    arguments = parser.parse_args(argv)

    def start() -> None:
        settings = load_settings(InteractionSettings, arguments.config, arguments.overrides)
        work = open_interpretation(settings, stored_codes=True)
        rows = chosen_rows(arguments.rows, len(work.messages)) if arguments.rows else None
        if rows and arguments.overwrite:
            raise InputError("--rows: a part of a scan does not overwrite it; leave out --overwrite or --rows")
        run_scan(work, chosen_layers(work, arguments.first, arguments.last), arguments.overwrite, rows)

    run_script(start)


def chosen_rows(text: str, messages: int) -> range:
    """Return the rows of a range such as ``0-1000``, half-open and counted from 0.

    Raises:
        InputError: no such range, or none of these messages.
    """
    first, dash, end = text.partition("-")
    if not (dash and first.isdecimal() and end.isdecimal() and int(first) < int(end) <= messages):
        raise InputError(f"--rows: '{text}' is no range within 0-{messages} (half-open, counted from 0)")
    return range(int(first), int(end))
