"""Reading and writing the files that pass between the steps of motif discovery."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from motif_discovery.bins import BINS
from motif_discovery.demixing import Part
from motif_discovery.methods import COMMANDS, NEURONMOTIF
from utils import tomtom
from utils.hdf5 import Damaged, new_file, read_arrays, stored_settings
from utils.motif import Motif, segments, to_ppm, write_meme
from utils.neuron_motif import PART_COLUMNS, read_parts
from utils.runtime import InputError, shown, write_text
from utils.sequence import spelled

COLUMNS = tomtom.COLUMNS  # of a table of matches


@dataclass(frozen=True)
class Sample:
    """The sample of a neuron.

    Attributes:
        sequence: uint8 (n, receptive field), 0 to 3, the highest activation first.
        activation: float32 (n,).
        maximum: the highest activation; 0 for a neuron that never fires.
        population: how many sequences each bin has in all, int64 (20,); None where not all were evaluated.
    """

    sequence: np.ndarray
    activation: np.ndarray
    maximum: float
    population: np.ndarray | None = None


def stored_key(path: Path) -> str:
    """Return the key in a file of motif discovery, or an empty text where there is none or the file is damaged."""
    if not path.is_file():
        return ""
    if path.suffix == ".h5":
        return stored_settings(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".tsv":
        last = text.rstrip().rpartition("\n")[2]
        return last.removeprefix("# settings: ") if last.startswith("# settings: ") else ""
    return text.partition('<meta name="combmotif-settings" content="')[2].partition('"')[0]


def unfinished(neurons: list[int], path_of, key: str, overwrite: bool) -> list[int]:
    """Return the neurons whose file, ``path_of(neuron)``, is not there or was made with other settings."""
    return [neuron for neuron in neurons if overwrite or stored_key(path_of(neuron)) != key]


def write_sample(path: Path, sample: Sample, key: str, alphabet: str = "RNA") -> None:
    """Write the sample of a neuron; ``alphabet`` (RNA or DNA) says what the codes 0 to 3 stand for."""
    with new_file(path) as file:
        file.create_dataset("sequence", data=sample.sequence, compression="gzip", compression_opts=1)
        file["activation"] = sample.activation.astype(np.float32)
        _write_population(file, sample)
        file.attrs["maximum"] = sample.maximum
        file.attrs["alphabet"] = spelled("ACGU", alphabet)
        file.attrs["settings"] = key


def read_sample(path: Path) -> Sample:
    """Read the sample of a neuron.

    Raises:
        InputError: missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"{shown(path)}: no such sample; run python -m motif_discovery.sample first")
    try:
        shapes = {"sequence": ("n", "field"), "activation": ("n",), "population": (BINS,)}
        found = read_arrays(path, shapes, {"maximum": float}, optional=("population",))
        if not np.isin(found["sequence"], np.arange(4)).all():
            raise Damaged("'sequence' holds other numbers than 0 to 3")
    except Damaged as error:
        raise InputError(f"{shown(path)}: damaged sample ({error}); sample again with --overwrite") from None
    return Sample(found["sequence"].astype(np.uint8), found["activation"], found["maximum"], found["population"])


def _write_population(file: h5py.File, sample: Sample) -> None:
    if sample.population is not None:
        file["population"] = sample.population


def write_motifs(
    path: Path, name: str, parts: list[Part], sample: Sample, field: int, key: str, alphabet: str = "RNA",
    made_with: Mapping[str, str | int | float] | None = None,
) -> None:  # fmt: skip
    """Write the parts of a neuron (.h5), and their segments beside them (.meme), in the alphabet RNA or DNA.

    ``made_with`` are attributes that say of which weights and settings they are (``utils.neuron_motif.MADE_WITH``).
    """
    motifs = [motif for part in parts for motif, _ in part_segments(name, part)]
    write_meme(path.with_suffix(".meme"), motifs, alphabet)
    with new_file(path) as file:
        pfm = np.stack([part.pfm for part in parts]) if parts else np.zeros((0, 4, field))
        file.create_dataset("pfm", data=pfm.astype(np.float32), compression="gzip", compression_opts=1)
        file.create_dataset("path", data=[part.path for part in parts], dtype=h5py.string_dtype())
        file["size"] = np.array([part.size for part in parts], dtype=np.int32)
        file["max_activation"] = np.array([part.max_activation for part in parts], dtype=np.float32)
        file["consensus_activation"] = np.array([part.consensus_activation for part in parts], dtype=np.float32)
        file["drawn_ratio"] = np.array([part.drawn_ratio for part in parts], dtype=np.float32)
        file["copies"] = np.array([part.copies for part in parts], dtype=np.int32)
        file["sample_activation"] = sample.activation
        _write_population(file, sample)
        file.attrs["maximum"] = sample.maximum
        file.attrs["settings"] = key
        for name, value in (made_with or {}).items():
            file.attrs[name] = value


def read_motifs(
    path: Path, command: str = COMMANDS[NEURONMOTIF]
) -> tuple[list[Part], np.ndarray, float, np.ndarray | None]:
    """Read the parts of a neuron, the activations of the sample they come from, its maximum and its population.

    ``command`` is what an error names as the one that makes them.

    Raises:
        InputError: missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"{shown(path)}: no such motifs; run {command} first")
    try:
        found = read_parts(path)
    except Damaged as error:
        raise InputError(f"{shown(path)}: damaged motifs ({error}); {command} --overwrite makes them") from None
    parts = [
        Part(branch, pfm.astype(np.float64), *(number.item() for number in numbers))
        for branch, pfm, *numbers in zip(*(found[key] for key in PART_COLUMNS), strict=True)
    ]
    return parts, found["sample_activation"], found["maximum"], found["population"]


def part_segments(name: str, part: Part) -> list[tuple[Motif, tuple[int, int]]]:
    """Return the segments of a part as motifs, with their half-open [start, end) in the receptive field.

    A motif's second name says how good its part is: ``activation=2.3;consensus_ratio=0.97;drawn_ratio=0.88;copies=1``.
    """
    ppm = to_ppm(part.pfm)
    quality = (
        f"activation={part.max_activation:.4g};consensus_ratio={part.consensus_ratio:.3g};"
        f"drawn_ratio={part.drawn_ratio:.3g};copies={part.copies}"
    )
    return [
        (Motif(f"{name}_{part.path}_{start}-{end}", quality, ppm[:, start:end], part.size), (start, end))
        for start, end in segments(ppm)
    ]


def write_matches(
    path: Path, matches: pd.DataFrame, key: str, motifs: str = "", q_threshold: float | None = None
) -> None:
    """Write Tomtom's table; the last lines, comments as in Tomtom's own files, hold the keys of motifs and matches.

    Before them stands the q-value up to which all matches are listed, where it is given.
    """
    table = matches.copy()
    for column in ("p-value", "E-value", "q-value"):
        table[column] = [f"{value:.6g}" for value in table[column]]
    # no quoting: names hold no white space, and read_matches takes them as they stand
    text = table.to_csv(sep="\t", index=False, quoting=csv.QUOTE_NONE)
    listed = "" if q_threshold is None else f"{tomtom.THRESHOLD}{q_threshold:g}\n"
    write_text(path, f"{text}{listed}{tomtom.MOTIFS}{motifs}\n# settings: {key}\n")


def read_matches(path: Path) -> pd.DataFrame:
    """Read Tomtom's table.

    Raises:
        InputError: missing, or not such a table.
    """
    if not path.is_file():
        raise InputError(f"{shown(path)}: no such matches; run python -m motif_discovery.match first")
    return tomtom.read_matches(path)
