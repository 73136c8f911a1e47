"""Make data/NAME.h5 from public files: python -m generate_dataset.build --config configs/datasets/NAME.yaml."""

import logging
from collections.abc import Callable

import numpy as np

from generate_dataset.measured import (
    MrlSettings,
    TableSettings,
    YeastSettings,
    read_human_3utr,
    read_mpra,
    read_mrl,
    read_yeast,
)
from generate_dataset.messages import DatasetSettings, Messages
from generate_dataset.saluki import SalukiSettings, read_saluki
from generate_dataset.splits import draw_split, join_groups, near_identical
from generate_dataset.transcripts import TranscriptSettings, read_transcripts
from utils.config import load_variant, settings_parser
from utils.data import SPLITS, TRACKS, Split, write_dataset
from utils.runtime import InputError, file_sha256, root_path, run_script, shown

logger = logging.getLogger(__name__)

READERS: dict[str, tuple[type[DatasetSettings], Callable[..., Messages]]] = {
    "mrl": (MrlSettings, read_mrl),
    "yeast": (YeastSettings, read_yeast),
    "human_3utr": (TableSettings, read_human_3utr),
    "mpra": (TableSettings, read_mpra),
    "saluki": (SalukiSettings, read_saluki),
    "transcripts": (TranscriptSettings, read_transcripts),
}
SCHEMAS = {name: schema for name, (schema, _) in READERS.items()}


def split_messages(messages: Messages, settings: DatasetSettings) -> dict[str, Split]:
    """Return the three splits of a set of messages.

    Where the source does not say them they are drawn: nearly identical messages, and those of one gene, stay together.
    """
    split = messages.split
    if split is None:
        group = near_identical(messages.codes)
        if messages.gene is not None:
            group = join_groups(group, messages.gene)
        logger.info("%d groups of messages that are nearly the same or of one gene", group.max() + 1)
        split = draw_split(group, settings.valid_share, settings.test_share, settings.seed)
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
    messages = READERS[settings.reader][1](settings)
    if not len(messages.id):
        raise InputError(f"{settings.source}: no usable row")
    if len(set(messages.id)) < len(messages.id):
        ids, counts = np.unique(messages.id, return_counts=True)
        twice = f"{ids[counts.argmax()]} is there {counts.max()} times"
        raise InputError(f"{settings.source}: ids are not unique ({twice}); keep one row of each")
    splits = split_messages(messages, settings)
    output = root_path(settings.output)
    attributes = {
        "tracks": TRACKS[: settings.tracks],
        "label_name": messages.label_name,
        "source": [path.name for path in messages.files],
        "source_sha256": [file_sha256(path) for path in messages.files],
        "settings": settings.model_dump_json(),
    }
    write_dataset(output, splits, attributes)
    counts = ", ".join(f"{len(split)} {name}" for name, split in splits.items())
    logger.info("%s: %s; median length %d nt", shown(output), counts, np.median(messages.length))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, *SCHEMAS.values()).parse_args(argv)
    run_script(lambda: run(load_variant(SCHEMAS, "reader", arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
