"""Settings that motif_contribution and motif_interaction share, and the model and messages that both work on."""

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic

from utils.checkpoint import Checkpoint, load_checkpoint
from utils.config import Settings, load_model_settings, settings_parser
from utils.data import SPLITS, Split, StoredCodes, read_split, require_size, split_shape
from utils.prediction import require_fit
from utils.runtime import InputError, file_sha256, pick_device, root_path, shown


class InteractionSettings(Settings):
    """Settings of an interaction config (configs/interaction/NAME.yaml)."""

    model: str
    threshold: float = pydantic.Field(0.7, gt=0, lt=1, description="share of a neuron's maximum that activates it")
    fragment_threshold: float = pydantic.Field(0.9, gt=0, lt=1, description="share of the maximum of a fragment")
    fragment_choice: Literal["best", "first"] = "best"
    n_draws: int = pydantic.Field(20, ge=1, le=10_000, description="scrambles of a motif")
    min_sequences: int = pydantic.Field(6, ge=2, description="of a test, in each group")
    zero_annotation: bool = pydantic.Field(False, description="clear codon and splice tracks, as published")
    labels: str = pydantic.Field("motif_combination_labels", description="folder of pairs written by a person")
    motifs: str = pydantic.Field("motif_discovery/motifs", description="folder of the motifs of neurons")
    motif_database: str | tuple[str, ...] = ()
    n_bootstrap: int = pydantic.Field(1000, ge=100, le=10**6)
    q_threshold: float = pydantic.Field(0.05, gt=0, lt=1)
    batch_size: int = pydantic.Field(64, ge=1, le=2**14, description="messages predicted together")
    seed: int = pydantic.Field(1, ge=0)
    device: str = "auto"
    smallest_effect: float = pydantic.Field(0.2, ge=0, description="contribution called: Cohen's d, from its size on")
    matches: str = pydantic.Field("motif_discovery/tomtom_match_results", description="folder of database matches")
    smallest_eps: float = pydantic.Field(0.3, ge=0, description="epistasis called, as share of the single effects")
    max_sequences: int = pydantic.Field(200, ge=6, description="measured of a pair; of more, a random choice")
    max_places: int = pydantic.Field(4, ge=1, description="where a pair stands in a fragment; of more, a random choice")


@dataclass(frozen=True)
class Interpretation:
    """A trained model and the messages it is interpreted on.

    Attributes:
        settings: of the config.
        checkpoint: the model, on its device.
        dataset: path of the data set.
        messages: train, valid and test in this order: the rows that all files count.
        rows: messages of each split.
    """

    settings: InteractionSettings
    checkpoint: Checkpoint
    dataset: Path
    messages: Split
    rows: dict[str, int]

    @property
    def name(self) -> str:
        """Name of the model, which names files and folders."""
        return self.checkpoint.name

    @cached_property
    def dataset_sha256(self) -> str:
        """Hash of the data set's file."""
        return file_sha256(self.dataset)

    @property
    def positions(self) -> str:
        """What the windows stand for in the trained model, in one sentence."""
        padding = self.checkpoint.model.padding
        if not padding:
            return "no padding in the convolutions: a window means the same at every position of a message"
        return (
            f"the convolutions have padding {padding}: interior positions, whose receptive field holds no padding; "
            "near the ends of a message the padding is part of what the neuron sees"
        )

    def require_layer(self, layer: int) -> None:
        """Check that the model has a layer.

        Raises:
            InputError: it has not.
        """
        highest = self.checkpoint.model.layers
        if not 1 <= layer <= highest:
            raise InputError(f"layer: conv{layer} is not a layer of {self.name}, which has conv1 to conv{highest}")


def joined(splits: dict[str, Split], codes: np.ndarray | StoredCodes | None = None) -> Split:
    """Return the messages of several splits as one, in the order given, padded to the longest input.

    Args:
        splits: by their names.
        codes: of all of them, where they are there already.
    """
    if codes is None:
        width = max(split.codes.shape[1] for split in splits.values())
        parts = [np.pad(split.codes, ((0, 0), (0, width - split.codes.shape[1]))) for split in splits.values()]
        codes = np.concatenate(parts)
    return Split(
        codes,
        np.concatenate([split.label for split in splits.values()]),
        np.concatenate([split.length for split in splits.values()]),
        [name for split in splits.values() for name in split.id],
        next(iter(splits.values())).tracks,
    )


def read_messages(dataset: Path, stored_codes: bool = False) -> tuple[dict[str, Split], Split]:
    """Return the splits of a data set, and all their messages as one; both are of the same memory.

    Args:
        dataset: its path.
        stored_codes: leave the codes in the file, for a step that reads a block of messages at a time.

    Raises:
        InputError: a split is missing or damaged, or all are too large for the memory.
    """
    shapes = {name: split_shape(dataset, name) for name in SPLITS}
    rows, width = {name: n for name, (n, _) in shapes.items()}, max(length for _, length in shapes.values())
    if stored_codes:
        splits = {name: read_split(dataset, name, stored_codes=True) for name in SPLITS}
        return splits, joined(splits, StoredCodes(dataset, rows, width))
    require_size(sum(rows.values()), width, shown(dataset))
    codes, first, splits = np.zeros((sum(rows.values()), width), dtype=np.uint8), 0, {}
    for name, n in rows.items():
        splits[name] = read_split(dataset, name, codes[first : first + n])
        first += n
    return splits, joined(splits, codes)


def open_interpretation(settings: InteractionSettings, stored_codes: bool = False) -> Interpretation:
    """Load the model and its data set and check that they fit each other before anything is computed.

    ``stored_codes`` leaves the codes of the messages in the file, for a step that reads a block of them at a time.

    Raises:
        InputError: a file is missing or damaged, a split is missing, or tracks or labels are others than the model's.
    """
    model_settings = load_model_settings(settings.model)
    checkpoint = load_checkpoint(model_settings, pick_device(settings.device))
    dataset = root_path(model_settings.dataset)
    splits, messages = read_messages(dataset, stored_codes)
    for name, split in splits.items():
        require_fit(checkpoint.model, split, f"{shown(dataset)}, {name} split", f"the checkpoint of {checkpoint.name}")
    return Interpretation(settings, checkpoint, dataset, messages, {key: len(one) for key, one in splits.items()})


def layers_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the command line of a step on layers: ``--config FILE --from 2 --to 5 [key=value ...]``."""
    parser = settings_parser(doc, InteractionSettings)
    parser.add_argument("--from", dest="first", type=int, required=True, help="first layer, such as 2")
    parser.add_argument("--to", dest="last", type=int, required=True, help="last layer, included")
    parser.add_argument("--overwrite", action="store_true", help="compute again what is finished")
    return parser


def chosen_layers(work: Interpretation, first: int, last: int) -> list[int]:
    """Return the layers ``first`` to ``last``, both included.

    Raises:
        InputError: no range, or the model has no such layer.
    """
    if first > last:
        raise InputError(f"layers: {first} to {last} is no range; write the lower layer first")
    for layer in (first, last):
        work.require_layer(layer)
    return list(range(first, last + 1))
