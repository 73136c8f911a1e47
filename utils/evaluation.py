"""Evaluation of a checkpoint on a split: metrics as JSON, predictions as CSV, a scatter plot."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from utils.baseline import kmer_ridge
from utils.checkpoint import Checkpoint, load_checkpoint
from utils.config import ModelSettings
from utils.data import Split, read_split, unpack_tracks
from utils.plotting import plt
from utils.prediction import bootstrap_intervals, metrics, predict, require_fit, require_length
from utils.runtime import InputError, atomic_path, file_sha256, one_line, pick_device, root_path, shown, write_text
from utils.sequence import decode, from_one_hot

logger = logging.getLogger(__name__)

LONGEST_UTR = 100  # nt; inputs up to this length are 5' UTRs


def scatter_plot(path: Path, y: np.ndarray, y_hat: np.ndarray, title: str, label_name: str) -> None:
    """Draw measurement against prediction, with the line of equality."""
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.scatter(y, y_hat, s=6, alpha=0.35, color="#0072B2", linewidths=0)
    both = np.concatenate([y, y_hat])
    axes.axline((both.min(), both.min()), slope=1, color="0.5", linewidth=1, linestyle="--")
    axes.set(xlabel=f"measured {label_name}", ylabel="predicted")
    axes.set_title(title, fontsize="small")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
    plt.close(figure)


def own_checkpoints(model_settings: ModelSettings) -> list[Path]:
    """Return the files that a model's config names."""
    named = [model_settings.checkpoint] if isinstance(model_settings.checkpoint, str) else model_settings.checkpoint
    return [root_path(name) for name in named]


def results_folder(results: Path, model_settings: ModelSettings, checkpoints: Sequence[Path]) -> Path:
    """Return where the figures of some checkpoints go: those of the model's own to a folder of its name.

    Those of another file go to a folder of the file's name, as its training log does, and those of several files to
    ``NAME-ensemble``: none takes the place of the model's own.
    """
    files = [path.resolve() for path in checkpoints]
    if not files or files == [path.resolve() for path in own_checkpoints(model_settings)]:
        return results / model_settings.name
    name = files[0].stem.removesuffix("-best") if len(files) == 1 else f"{model_settings.name}-ensemble"
    return results / (f"{name}-other" if name == model_settings.name else name)


def open_checkpoints(
    model_settings: ModelSettings, paths: Sequence[Path], data: Split, device: str
) -> list[tuple[Path, Checkpoint]]:
    """Load the checkpoints of an ensemble (or the one of a model) and check that they fit the data.

    Raises:
        InputError: one has other tracks, another number of targets or too many layers for the data set, or is there
            twice.
    """
    dataset = root_path(model_settings.dataset)
    opened: list[tuple[Path, Checkpoint]] = []
    for path in paths or own_checkpoints(model_settings):
        if any(path.resolve() == other.resolve() for other, _ in opened):
            raise InputError(f"{shown(path)}: is named twice; name each checkpoint of an ensemble once")
        loaded = load_checkpoint(model_settings, pick_device(device), path)
        require_fit(loaded.model, data, shown(dataset), shown(path))
        require_length(loaded.model, data, shown(dataset))
        if not loaded.training:
            logger.warning("%s: a bare checkpoint without label scaling: predictions on its own scale", shown(path))
        elif loaded.training.get("data_sha256") != file_sha256(dataset):
            logger.warning("%s was not trained on this %s; its test split may differ", shown(path), shown(dataset))
        opened.append((path, loaded))
    return opened


def without_aug(split: Split) -> np.ndarray | None:
    """Return which 5' UTRs have no upstream AUG, bool (n,); None for longer messages, where it is no question."""
    if split.codes.shape[1] > LONGEST_UTR:
        return None
    texts = (decode(row) for row in from_one_hot(unpack_tracks(split.codes, split.tracks)))
    found = np.array(["AUG" not in text for text in texts])
    return found if 1 < found.sum() < len(found) else None


def with_intervals(y: np.ndarray, y_hat: np.ndarray) -> dict:
    """Return the figures of predictions (n,) with their bootstrap intervals."""
    return metrics(y, y_hat) | bootstrap_intervals(y, y_hat)


def run_evaluation(
    model_settings: ModelSettings,
    results: Path,
    checkpoints: Sequence[Path] = (),
    split: str = "test",
    device: str = "auto",
    baseline: bool = True,
) -> dict:
    """Evaluate a model, or the mean prediction of several, on a split; write what was found into ``results``.

    Predictions are brought to label units with the scaling of the training set that each checkpoint keeps. Of several
    targets the figures are those of the first; those of the others stand under ``targets``, by their number.

    Args:
        model_settings: the model's config.
        results: folder of the output.
        checkpoints: other files than those of the config; several are also judged one by one.
        split: of the data set.
        device: ``auto``, ``cpu`` or ``cuda``.
        baseline: fit the ridge regression on k-mers on the same splits.

    Returns:
        What SPLIT_metrics.json holds; ``weights_sha256`` and ``data_sha256`` say which weights and data it is of.
    """
    dataset = root_path(model_settings.dataset)
    data = read_split(dataset, split)
    opened = open_checkpoints(model_settings, checkpoints, data, device)
    every = []
    for _, loaded in opened:
        mean, std = loaded.label_scaling
        every.append(predict(loaded.model, data) * np.array(std) + np.array(mean))
    of_all = np.mean(every, axis=0)
    y, y_hat, y_hats = data.label[:, 0], of_all[:, 0], [one[:, 0] for one in every]
    found: dict = with_intervals(y, y_hat)
    found["weights_sha256"] = [loaded.sha256 for _, loaded in opened]
    found["data_sha256"] = file_sha256(dataset)
    part = without_aug(data)
    if part is not None:  # the harder, separate question
        found["without_AUG"] = with_intervals(y[part], y_hat[part])
    table = {"id": data.id, "measured": y, "predicted": y_hat}
    for number in range(2, of_all.shape[1] + 1):
        measured, predicted = data.label[:, number - 1], of_all[:, number - 1]
        found.setdefault("targets", {})[str(number)] = with_intervals(measured, predicted)
        table |= {f"measured_{number}": measured, f"predicted_{number}": predicted}
    if len(opened) > 1:
        each = [metrics(y, one) for one in y_hats]
        names = [path.name for path, _ in opened]
        names = names if len(set(names)) == len(names) else [shown(path) for path, _ in opened]
        found["checkpoints"] = dict(zip(names, each, strict=True))
        for key in ("r", "r2"):
            values = [one[key] for one in each]
            found[f"{key}_mean"], found[f"{key}_sd"] = float(np.mean(values)), float(np.std(values, ddof=1))
    if baseline:
        ridge = kmer_ridge(read_split(dataset, "train"), read_split(dataset, "valid"), data)
        table["ridge"] = ridge.pop("y_hat")
        if part is not None:
            ridge["without_AUG"] = metrics(y[part], table["ridge"][part])
        found["ridge"] = ridge
    write_text(results / f"{split}_metrics.json", json.dumps(found, indent=1) + "\n")
    with atomic_path(results / f"{split}_predictions.csv") as temporary:
        pd.DataFrame(table).to_csv(temporary, index=False, float_format="%.6g")
    with h5py.File(dataset, "r") as file:
        label_name = one_line(file.attrs.get("label_name", "label"))
    title = f"{model_settings.name}, {split}: r = {found['r']:.3f}, r2 = {found['r2']:.3f}, n = {found['n']}"
    scatter_plot(results / f"{split}_scatter.png", y, y_hat, title, label_name)
    low, high = found["r_interval"]
    logger.info("%s (r 95 %% interval %.3f to %.3f)", title, low, high)
    for number, one in found.get("targets", {}).items():
        logger.info("target %s: r = %.3f, r2 = %.3f; the figures above are of target 1", number, one["r"], one["r2"])
    if baseline:
        logger.info("ridge regression on %s: r = %.3f", found["ridge"]["features"], found["ridge"]["r"])
    return found
