"""Evaluation of a checkpoint on a split: metrics as JSON, predictions as CSV, a scatter plot."""

import json
import logging
from pathlib import Path

import h5py
import matplotlib
import numpy as np
import pandas as pd

from utils.checkpoint import load_checkpoint
from utils.config import ModelSettings
from utils.data import read_split, unpack_tracks
from utils.prediction import metrics, predict, require_length
from utils.runtime import InputError, atomic_path, file_sha256, pick_device, root_path, shown, write_text
from utils.sequence import decode, from_one_hot

matplotlib.use("Agg")
import matplotlib.pyplot as plt

logger = logging.getLogger(__name__)


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


def run_evaluation(
    model_settings: ModelSettings, results: Path, checkpoint: Path | None, split: str, device: str
) -> dict[str, float]:
    """Evaluate a checkpoint on a split of the model's data set and write what was found into ``results``.

    Predictions are brought to label units with the scaling of the training set that the checkpoint keeps.
    """
    loaded = load_checkpoint(model_settings, pick_device(device), checkpoint)
    dataset = root_path(model_settings.dataset)
    data = read_split(dataset, split)
    if data.tracks != loaded.model.in_channels:
        raise InputError(
            f"{shown(dataset)}: {data.tracks} tracks, but the checkpoint reads {loaded.model.in_channels}; "
            "evaluate on the data set the model was trained for"
        )
    if data.label.shape[1] != loaded.model.head.out_features:
        raise InputError(
            f"{shown(dataset)}: {data.label.shape[1]} labels a message, but the checkpoint predicts "
            f"{loaded.model.head.out_features}"
        )
    if not loaded.training:
        logger.warning("a bare checkpoint without label scaling: predictions stay on its own scale")
    elif loaded.training.get("data_sha256") != file_sha256(dataset):
        logger.warning("%s is not the file this checkpoint was trained on; its test split may differ", shown(dataset))
    require_length(loaded.model, data, shown(dataset))
    mean, std = loaded.label_scaling
    y, y_hat = data.label[:, 0], predict(loaded.model, data)[:, 0] * std[0] + mean[0]
    found = metrics(y, y_hat)
    if data.codes.shape[1] <= 100:  # 5' UTRs: the ones without an upstream AUG are the harder, separate question
        texts = (decode(row) for row in from_one_hot(unpack_tracks(data.codes, data.tracks)))
        without_aug = np.array(["AUG" not in text for text in texts])
        if 1 < without_aug.sum() < len(y):
            part = metrics(y[without_aug], y_hat[without_aug])
            found |= {f"{key}_without_AUG": value for key, value in part.items()}
    write_text(results / f"{split}_metrics.json", json.dumps(found, indent=1) + "\n")
    with atomic_path(results / f"{split}_predictions.csv") as temporary:
        pd.DataFrame({"id": data.id, "measured": y, "predicted": y_hat}).to_csv(
            temporary, index=False, float_format="%.6g"
        )
    with h5py.File(dataset, "r") as file:
        label_name = str(file.attrs.get("label_name", "label"))
    title = f"{model_settings.name}, {split}: r = {found['r']:.3f}, r2 = {found['r2']:.3f}, n = {found['n']}"
    scatter_plot(results / f"{split}_scatter.png", y, y_hat, title, label_name)
    logger.info("%s", title)
    return found
