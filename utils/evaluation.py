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
from utils.runtime import atomic_path, file_sha256, one_line, pick_device, root_path, shown, write_text
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


def open_checkpoints(
    model_settings: ModelSettings, paths: Sequence[Path], data: Split, device: str
) -> list[tuple[Path, Checkpoint]]:
    """Load the checkpoints of an ensemble (or the one of a model) and check that they fit the data.

    Raises:
        InputError: one has other tracks, another number of targets or too many layers for the data set.
    """
    dataset = root_path(model_settings.dataset)
    named = [model_settings.checkpoint] if isinstance(model_settings.checkpoint, str) else model_settings.checkpoint
    opened = []
    for path in paths or map(root_path, named):
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

    Predictions are brought to label units with the scaling of the training set that each checkpoint keeps.

    Args:
        model_settings: the model's config.
        results: folder of the output.
        checkpoints: other files than those of the config; several are also judged one by one.
        split: of the data set.
        device: ``auto``, ``cpu`` or ``cuda``.
        baseline: fit the ridge regression on k-mers on the same splits.

    Returns:
        What SPLIT_metrics.json holds.
    """
    dataset = root_path(model_settings.dataset)
    data = read_split(dataset, split)
    opened = open_checkpoints(model_settings, checkpoints, data, device)
    y, y_hats = data.label[:, 0], []
    for _, loaded in opened:
        mean, std = loaded.label_scaling
        y_hats.append(predict(loaded.model, data)[:, 0] * std[0] + mean[0])
    y_hat = np.mean(y_hats, axis=0)
    found: dict = with_intervals(y, y_hat)
    part = without_aug(data)
    if part is not None:  # the harder, separate question
        found["without_AUG"] = with_intervals(y[part], y_hat[part])
    table = {"id": data.id, "measured": y, "predicted": y_hat}
    if len(opened) > 1:
        each = [metrics(y, one) for one in y_hats]
        found["checkpoints"] = {path.name: one for (path, _), one in zip(opened, each, strict=True)}
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
    if baseline:
        logger.info("ridge regression on %s: r = %.3f", found["ridge"]["features"], found["ridge"]["r"])
    return found
