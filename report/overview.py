"""The facts of the page of a model: its network, data set and figures, what was run and when, and what is missing."""

import importlib.metadata
import platform
import shlex
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from report.settings import Work
from utils.data import SPLITS, build_command
from utils.hdf5 import UNREADABLE, Damaged, require_stored
from utils.own_network import OwnNetwork
from utils.runtime import InputError, file_sha256, one_line, shown

PACKAGES = ("torch", "numpy", "pandas", "h5py", "scipy", "scikit-learn", "memelite", "Jinja2")


def network_facts(work: Work) -> dict:
    """Return the layers of the network, each with its receptive field, and its other facts."""
    model = work.checkpoint.model
    rows = [
        {"layer": layer, "name": f"conv{layer}", "field": model.receptive_field(layer),
         "channels": model.channels_of(layer)}
        for layer in work.layers
    ]  # fmt: skip
    if isinstance(model, OwnNetwork):
        for row, layer in zip(rows, model.stack.layers, strict=True):
            row["shape"] = f"{layer.name}: {layer.channels} channels"
        own = {"own": Path(model.label).name}
    else:
        for row in rows:
            row["shape"] = f"{model.in_channels if row['layer'] == 1 else model.channels} → {model.channels}"
        own = {"own": "", "channels": model.channels, "kernel": model.kernel_size}
        own["readout"] = {"first": "5' end", "last": "3' end"}[model.readout]
    return own | {
        "rows": rows,
        "padding": model.padding,
        "targets": model.targets,
        "tracks": model.in_channels,
        "parameters": sum(one.numel() for one in model.parameters()),
        "context": (
            "The convolutions have no padding: a window means the same at every position of a message."
            if not model.padding
            else f"The convolutions have padding {model.padding}: motifs describe interior positions, whose receptive "
            "field holds no padding; near the ends of a message the padding is part of what a neuron sees."
        ),
    }


def dataset_facts(work: Work) -> dict:
    """Return what the data set is; only its name and the command that makes it where it is not there.

    Raises:
        InputError: it is damaged.
    """
    path = work.dataset
    facts: dict = {"path": shown(path), "there": path.is_file(), "command": build_command(path)}
    if not path.is_file():
        return facts
    try:
        facts |= _stored_facts(path)
    except (Damaged, *UNREADABLE) as error:
        raise InputError(f"{shown(path)}: not a readable data set ({str(error)[:100]}); make it again") from None
    facts["sha256"] = work.dataset_sha256
    return facts


def _stored_facts(path: Path) -> dict:
    facts: dict = {}
    with h5py.File(path, "r") as file:
        facts["label"] = one_line(file.attrs.get("label_name", "label"))
        facts["tracks"] = [one_line(one) for one in np.atleast_1d(file.attrs.get("tracks", []))]
        facts["sources"] = [one_line(one) for one in np.atleast_1d(file.attrs.get("source", []))]
        facts["splits"] = []
        for name in SPLITS:
            if f"{name}_label" in file:
                require_stored(file[f"{name}_label"], f"{name}_label")
                rows = len(file[f"{name}_label"])
                length = file[f"{name}_length"][:] if f"{name}_length" in file else np.zeros(0)
                middle = f"{int(np.median(length)):,}" if len(length) else ""
                span = f"{int(length.min()):,} to {int(length.max()):,}" if len(length) else ""
                facts["splits"].append({"name": name, "rows": rows, "median": middle, "span": span})
    return facts


def training_facts(work: Work) -> dict:
    """Return the settings that a checkpoint was trained with, flat; empty for a bare published one."""
    training = dict(work.checkpoint.training)
    found = {key: value for key, value in (training.pop("settings", None) or {}).items() if value not in ("", None)}
    found |= {key: value for key, value in training.items() if not isinstance(value, dict) and key not in found}
    return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in found.items()}


def versions() -> dict[str, str]:
    """Return the versions installed where the report is built."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hashes(work: Work) -> dict[str, str]:
    """Return the SHA-256 of weights, data set and motif databases."""
    found = {"weights": work.checkpoint.sha256}
    if work.dataset_sha256:
        found[f"data set {work.dataset.name}"] = work.dataset_sha256
    for path in work.databases:
        if path.is_file():
            found[f"motif database {path.name}"] = file_sha256(path)
    return found


def when(paths: list[Path]) -> str:
    """Return the newest time of files that are there, to the minute in UTC; an empty text without one."""
    times = [path.stat().st_mtime for path in paths if path.is_file()]
    return datetime.fromtimestamp(max(times), UTC).strftime("%Y-%m-%d %H:%M") if times else ""


def evaluation_command(work: Work, label: str) -> str:
    """Return the command that evaluates the model."""
    if isinstance(work.checkpoint.model, OwnNetwork):  # what the config says beside the model is of training
        model = shlex.quote(f"model={work.named}")
        return f"python -m half_life.evaluate --config configs/training/hl_predictor.yaml {model}"
    stage = "mrl" if "ribosome" in label else "half_life"
    checkpoint = work.model.checkpoint if isinstance(work.model.checkpoint, str) else work.model.checkpoint[0]
    return f"bash {stage}/run_test.sh configs/training/{work.name}.yaml {checkpoint}"


READ = ("fine", "silent", "empty")  # states of neurons whose motif file was read


def commands(work: Work, layer: int) -> dict[str, str]:
    """Return the command of each stage for a layer."""
    interpreting, interaction = work.command_config("interpreting"), work.command_config("interaction")
    everything = f" --neurons 1-{work.channels_of(layer)}" if work.some_neurons else ""
    return {
        "motifs": f"bash motif_discovery/single_thread_script/main.sh {layer} {layer} {interpreting}{everything}",
        "scan": f"bash motif_contribution/script/run_search_maxact.sh {layer} {layer} {interaction}",
        "contribution": f"bash motif_contribution/script/run_contribution.sh {layer} {layer} {interaction}",
        "fragments": f"bash motif_interaction/script/run_fragment_location.sh {layer} {interaction}",
        "pairs": f"bash motif_interaction/script/run_scr.sh {layer} 0 {work.channels_of(layer)} {interaction}",
    }


def stage_rows(
    work: Work, layer: int, facts: dict[int, dict], scan_note: str, contributions: tuple[int, str],
    pairs: tuple[int, str], measured: int,
) -> list:  # fmt: skip
    """Return a row per stage of a layer: title, what is there, when it was made, and the command where it is missing.

    Args:
        work: the model.
        layer: counted from 1.
        facts: of each neuron.
        scan_note: what is wrong with the scan; empty where it is fine or not there.
        contributions: neurons of the layer in the table of contributions, and which of its settings are others now.
        pairs: pairs of the layer, likewise.
        measured: neurons of the layer in the table of pairs, which says of those without a pair why.
    """
    channels = work.channels_of(layer)
    neurons = range(1, channels + 1)
    run = commands(work, layer)
    done = [one for one, own in facts.items() if own["state"] in READ]
    matched = [one for one in done if work.matches(layer, one).is_file() and not facts[one]["outdated"]]
    located = [one for one in neurons if work.fragments(layer, one).is_file()]
    scanned = work.scan(layer).is_file() and not scan_note

    def row(title: str, count: int, of: str, paths: list[Path], command: str, problem: str = "") -> dict:
        said = problem or (f"{count:,} {of}" if count else "")  # nothing: not run yet
        return {"title": title, "said": said, "when": when(paths) if count else "",
                "command": "" if count and not problem and count >= full.get(title, 1) else command}  # fmt: skip

    full = {"Motifs": channels, "Database matches": channels, "Contribution": channels,
            "Fragments": channels, "Interactions": channels}  # fmt: skip
    wrong = sum(own["state"] in ("other", "damaged") for own in facts.values())
    problem = f"{wrong} of other weights or damaged" if wrong else ""
    stale = [facts[one]["differs"] for one in done if facts[one]["differs"]]
    if stale:
        more = " and others" if len(set(stale)) > 1 else ""
        problem = "; ".join([problem] * bool(problem) + [f"{len(done)} of {channels} neurons, {len(stale)} of them "
                            f"made with other settings than the config has now: {stale[0]}{more}"])  # fmt: skip

    def of_now(said: str, differs: str) -> str:
        return f"{said}, of other settings than the config has now: {differs}" if differs else ""

    return [
        row("Motifs", len(done), f"of {channels} neurons", [work.motifs(layer, one) for one in done],
            run["motifs"], problem),
        row("Database matches", len(matched), f"of {channels} neurons",
            [work.matches(layer, one) for one in matched], run["motifs"]),
        row("Scan of the data set", int(scanned), "layer", [work.scan(layer)], run["scan"], scan_note),
        row("Contribution", contributions[0], f"of {channels} neurons", [work.contribution()], run["contribution"],
            of_now(f"{contributions[0]} of {channels} neurons", contributions[1])),
        row("Fragments", len(located), f"of {channels} neurons",
            [work.fragments(layer, one) for one in located], run["fragments"]),
        row("Interactions", measured, f"of {channels} neurons: {pairs[0]:,} pairs", [work.pairs(layer)], run["pairs"],
            of_now(f"{measured} of {channels} neurons: {pairs[0]:,} pairs", pairs[1])),
    ]  # fmt: skip
