"""Predictions of every message of a data set, made once -> results/MODEL_predictions.h5."""

import dataclasses
from pathlib import Path

import numpy as np

from utils.data import Split
from utils.hdf5 import Damaged, new_file, read_arrays
from utils.interpretation_settings import Interpretation
from utils.prediction import predict, require_length
from utils.progress import progress_bar
from utils.runtime import fingerprint, shown

PARTS = 50  # steps of the progress bar


def predictions(work: Interpretation, path: Path, overwrite: bool = False) -> np.ndarray:
    """Return predictions float64 (n, targets) in units of the label, from the file where they are there already.

    Raises:
        InputError: the messages are too short for the network.
    """
    key = fingerprint(predictions=1, checkpoint=work.checkpoint.sha256, dataset=work.dataset_sha256)
    model, messages = work.checkpoint.model, work.messages
    stored = None if overwrite else _stored(path, key, (len(messages), model.targets))
    if stored is not None:
        return stored
    require_length(model, messages, shown(work.dataset))
    y_hat = np.empty((len(messages), model.targets))
    size = work.settings.batch_size
    order = np.argsort(messages.length, kind="stable")
    step = size * max(1, -(-len(order) // (PARTS * size)))
    with progress_bar(total=int(messages.length.sum()), desc="predictions", unit="nt", unit_scale=True) as bar:
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            y_hat[rows] = predict(model, _part(messages, rows), size)
            bar.update(int(messages.length[rows].sum()))
    mean, std = (np.array(values) for values in work.checkpoint.label_scaling)
    y_hat = y_hat * std + mean
    with new_file(path) as file:
        file["prediction"] = y_hat
        file.attrs["rows"] = "train, valid and test in this order, in units of the label"
        file.attrs["settings"] = key
    return y_hat


def _part(messages: Split, rows: np.ndarray) -> Split:
    """Return some messages of a split; only what ``predict`` reads."""
    return dataclasses.replace(
        messages, codes=messages.codes[rows], label=messages.label[rows], length=messages.length[rows], id=[]
    )


def _stored(path: Path, key: str, shape: tuple[int, int]) -> np.ndarray | None:
    """Return stored predictions, or None where there are none of this checkpoint and data set."""
    try:
        found = read_arrays(path, {"prediction": shape}, {"settings": str})
    except Damaged:
        return None
    return found["prediction"] if found["settings"] == key else None
