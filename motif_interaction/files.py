"""Where the files of motif interaction lie, what decides each, and how they are read and written."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from motif_interaction.pairs import Pair, StageMissing
from utils.config import NOT_YAML
from utils.interpretation_settings import Interpretation
from utils.runtime import InputError, fingerprint, shown, write_text
from utils.scan import scan_facts
from utils.sequence import spelled
from utils.tables import read_csv, stored_key

HERE = Path(__file__).resolve().parent
VERSION = 2  # of the way pairs are measured
# settings of how to compute, and of motif_contribution
DECIDES_NO_PAIR = {"device", "batch_size", "threshold", "smallest_effect"}


def neuron_name(layer: int, neuron: int) -> str:
    """Return the name of a neuron, counted from 1: ``conv5_neuron2``."""
    return f"conv{layer}_neuron{neuron}"


def fragment_path(work: Interpretation, layer: int, neuron: int) -> Path:
    """Return where the fragments of a neuron lie."""
    return HERE / "fragment_location" / work.name / f"{neuron_name(layer, neuron)}_fragment_location.yaml"


def pair_folder(work: Interpretation, layer: int, neuron: int, pair: Pair) -> Path:
    """Return the folder of a pair."""
    folder = HERE / "results" / "scramble_res" / work.name / neuron_name(layer, neuron)
    return folder / spelled(f"{pair.a.text}_{pair.b.text}", work.checkpoint.model.alphabet)


def stats_path(work: Interpretation, layer: int) -> Path:
    """Return the table of all pairs of a layer."""
    return HERE / "results" / "stats" / work.name / f"conv{layer}_motif_scramble_stats.csv"


def map_path(work: Interpretation, layer: int) -> Path:
    """Return the interaction map of a layer."""
    return stats_path(work, layer).with_name(f"conv{layer}_motif_interaction_map.png")


def fragment_key(work: Interpretation, layer: int) -> str:
    """Return the key of everything that decides the fragments of a layer."""
    chosen = work.settings.model_dump(include={"fragment_threshold", "fragment_choice"})
    return fingerprint(scan=scan_facts(work, layer)["settings"], **chosen)


def pair_key(work: Interpretation, layer: int, neuron: int, pair: Pair) -> str:
    """Return the key of everything that decides the mutagenesis of a pair."""
    chosen = work.settings.model_dump(include={"n_draws", "zero_annotation", "seed", "max_sequences", "max_places"})
    words = [pair.a.words, pair.b.words]
    return fingerprint(
        fragments=fragment_key(work, layer), layer=layer, neuron=neuron, words=words, version=VERSION, **chosen
    )


def stats_key(work: Interpretation, layer: int) -> str:
    """Return the key of everything that decides the table of a layer, but the neurons that are in it."""
    chosen = work.settings.model_dump(exclude=DECIDES_NO_PAIR)
    return fingerprint(settings=chosen, fragments=fragment_key(work, layer), version=VERSION)


def write_fragments(path: Path, fragments: dict[int, int], note: str, key: str) -> None:
    """Write the fragments of a neuron, row of the message -> 0-based start, and a comment."""
    lines = [f"# {note}"] + [f"Seq{row}_0: {start}" for row, start in fragments.items()]
    write_text(path, "\n".join([*lines, f"# settings: {key}", ""]))


def read_fragments(work: Interpretation, layer: int, neuron: int) -> dict[int, int]:
    """Read the fragments of a neuron: row of the message in train + valid + test -> 0-based start.

    Raises:
        StageMissing: there are none, or they were made with other settings.
        InputError: not such a file.
    """
    path = fragment_path(work, layer, neuron)
    again = f"run bash motif_interaction/script/run_fragment_location.sh {layer} CONFIG, with the same key=value if any"
    if not path.is_file():
        raise StageMissing(f"{shown(path)}: no fragments yet; {again}")
    if stored_key(path) != fragment_key(work, layer):
        raise StageMissing(f"{shown(path)}: made with other settings, another checkpoint or data set; {again}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        fragments = {int(name.removeprefix("Seq").rpartition("_")[0]): int(start) for name, start in content.items()}
    except (*NOT_YAML, AttributeError, OverflowError):
        raise InputError(f"{shown(path)}: not lines such as 'Seq9510_0: 86'; {again} --overwrite") from None
    field, length = work.checkpoint.model.receptive_field(layer), work.messages.codes.shape[1]
    for row, start in fragments.items():
        if not 0 <= row < len(work.messages):
            raise InputError(f"{shown(path)}: Seq{row}_0 is not one of {len(work.messages)} messages; {again}")
        if not 0 <= start <= length - field:
            raise InputError(f"{shown(path)}: Seq{row}_0: {start} is no window of {length} nt; {again} --overwrite")
    return fragments


def write_table(path: Path, table: pd.DataFrame, key: str) -> None:
    """Write a table as CSV; the last line, a comment, holds the key."""
    write_text(path, table.to_csv(index=False, float_format="%.8g") + f"# settings: {key}\n")


def read_table(
    path: Path, numbers: Sequence[str] = (), texts: Sequence[str] = (), gaps: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a table of this stage; ``numbers``, ``texts`` and ``gaps``, numbers that may be missing, must be columns.

    Raises:
        InputError: not such a table.
    """
    again = "run again with --overwrite"
    try:
        table = read_csv(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"{shown(path)}: not a readable table ({reason}); {again}") from None
    for column in (*numbers, *texts, *gaps):
        if column not in table:
            raise InputError(f"{shown(path)}: column '{column}' is missing; {again}")
    for column in (*numbers, *gaps):
        missing = table[column].isna() & (column in gaps)
        if not (missing | np.isfinite(pd.to_numeric(table[column], errors="coerce"))).all():
            raise InputError(f"{shown(path)}: column '{column}' holds a value that is not a number; {again}")
    return table
