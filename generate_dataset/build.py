"""Make data/NAME.h5 from a public table: python -m generate_dataset.build --config configs/datasets/NAME.yaml."""

import logging
from typing import Literal

import numpy as np
import pydantic

from generate_dataset.readers import READERS, Messages
from utils.config import Settings, load_settings, root_files, settings_parser
from utils.data import SPLITS, TRACKS, Split, write_dataset
from utils.runtime import InputError, file_sha256, root_path, run_script, shown

logger = logging.getLogger(__name__)


class DatasetSettings(Settings):
    """Settings of a data set."""

    source: str
    reader: Literal["mrl", "yeast", "human_3utr", "mpra"]
    output: str
    tracks: Literal[4, 6] = 6
    max_length: int = pydantic.Field(12288, ge=8)
    valid_share: float = pydantic.Field(0.1, gt=0, lt=1)
    test_share: float = pydantic.Field(0.1, gt=0, lt=1)
    seed: int = 1


def draw_split(sequences: list[bytes], valid_share: float, test_share: float, seed: int) -> np.ndarray:
    """Return ``train``, ``valid`` or ``test`` for each row, at random; rows with the same sequence stay together."""
    groups: dict[bytes, int] = {}
    group = np.array([groups.setdefault(sequence, len(groups)) for sequence in sequences])
    place = np.random.default_rng(seed).permutation(len(groups))[group] / len(groups)
    return np.select([place < test_share, place < test_share + valid_share], ["test", "valid"], "train")


def split_messages(messages: Messages, settings: DatasetSettings) -> dict[str, Split]:
    """Return the three splits of a set of messages."""
    split = messages.split
    if split is None:
        sequences = [row.tobytes() for row in messages.codes]
        split = draw_split(sequences, settings.valid_share, settings.test_share, settings.seed)
    splits = {}
    for name in SPLITS:
        rows = np.flatnonzero(split == name)
        if not len(rows):
            raise InputError(f"{settings.source}: the {name} split would be empty; give more rows or a larger share")
        ids = [messages.id[row] for row in rows]
        label = messages.label[rows].astype(np.float32)
        splits[name] = Split(messages.codes[rows], label, messages.length[rows], ids, settings.tracks)
    return splits


def run(settings: DatasetSettings) -> None:
    """Read the source, split it, write the HDF5 file."""
    (source,) = root_files(settings.source)
    messages = READERS[settings.reader](source, settings.max_length)
    if not len(messages.id):
        raise InputError(f"{shown(source)}: no usable row")
    if len(set(messages.id)) < len(messages.id):
        raise InputError(f"{shown(source)}: ids are not unique")
    splits = split_messages(messages, settings)
    output = root_path(settings.output)
    attributes = {
        "tracks": TRACKS[: settings.tracks],
        "label_name": messages.label_name,
        "source": [source.name],
        "source_sha256": [file_sha256(source)],
        "settings": settings.model_dump_json(),
    }
    write_dataset(output, splits, attributes)
    counts = ", ".join(f"{len(split)} {name}" for name, split in splits.items())
    logger.info("%s: %s; median length %d nt", shown(output), counts, np.median(messages.length))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, DatasetSettings).parse_args(argv)
    run_script(lambda: run(load_settings(DatasetSettings, arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
