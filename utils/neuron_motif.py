"""The motif of a neuron, from the files of motif_discovery."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from utils.activation import WindowNetwork
from utils.hdf5 import Damaged, read_arrays
from utils.motif import consensus, information, iupac_consensus, segments, to_ppm
from utils.sample_bins import BINS

PART_COLUMNS = ("path", "pfm", "size", "max_activation", "consensus_activation", "drawn_ratio", "copies")
EVERYTHING = (*PART_COLUMNS, "sample_activation", "population", "maximum")
MADE_WITH: dict[str, type] = {  # attributes that say what a file was made with; older files have none of them
    "checkpoint_sha256": str, "sampler": str, "quota": int, "seed": int, "population": int, "generations": int,
    "patience": int, "demixing": str, "demixing_samples": int, "clusters": str, "fit_samples": int,
    "weight_power": float,
}  # fmt: skip
SAME = 1e-3  # share of the activation by which a stored one may differ from that of the network now


@dataclass(frozen=True)
class NeuronMotif:
    """A segment of a part of a neuron.

    Attributes:
        pfm: counts float64 (4, width); None where there is no motif.
        start: of the segment in the receptive field, 0-based.
        word: its IUPAC consensus.
        ratio: activation of the part's consensus over the part's maximum.
        note: why there is no motif.
        segment: its name without the neuron's, ``PATH_START-END``: branches of the part, place in the window.
        share: of the windows by which messages activate the neuron that hold it; not a number where not looked for.
        elsewhere: share of windows anywhere in the messages that hold it.
    """

    pfm: np.ndarray | None = None
    start: int = 0
    word: str = ""
    ratio: float = np.nan
    note: str = ""
    segment: str = ""
    share: float = np.nan
    elsewhere: float = np.nan


def read_parts(path: Path, wanted: tuple[str, ...] = EVERYTHING) -> dict:
    """Return what is wanted of the motifs of a neuron, by name: columns (parts, ...), its sample, its maximum.

    Raises:
        Damaged: not such a file.
    """
    shapes = {key: ("parts",) for key in PART_COLUMNS} | {"pfm": ("parts", 4, "field")}
    shapes |= {"sample_activation": ("n",), "population": (BINS,)}
    shapes = {key: shape for key, shape in shapes.items() if key in wanted}
    attributes = {"maximum": float} if "maximum" in wanted else {}
    found = read_arrays(path, shapes, attributes, ("path",), ("population",), ("drawn_ratio",))
    if "pfm" in found and (found["pfm"] < 0).any():
        raise Damaged("'pfm' holds a count below 0")
    return found


def made_with(path: Path) -> dict[str, str | int | float]:
    """Return the weights and settings that a file of motifs says it was made with.

    Raises:
        Damaged: not such a file.
    """
    found = read_arrays(path, {}, MADE_WITH, optional=tuple(MADE_WITH))
    return {name: value for name, value in found.items() if value is not None}


def neuron_motifs(path: Path, network: WindowNetwork, layer: int, neuron: int, weights: str = "") -> list[NeuronMotif]:
    """Return all segments of a neuron (counted from 1), or a single note that says why there is none.

    The part whose consensus has the highest activation comes first, and of its segments the most informative. The
    stored activation of the best consensus must be the network's: motifs of other weights are refused. So are, where
    the file has the SHA-256 of its weights, those of others than ``weights``, which a file without parts tells by that.
    """
    if not path.is_file():
        return [NeuronMotif(note="no motif yet: run motif_discovery")]
    try:
        found = read_parts(path, ("path", "pfm", "max_activation", "consensus_activation"))
        stored = made_with(path).get("checkpoint_sha256", weights)
    except Damaged:
        return [NeuronMotif(note="damaged motif file: run motif_discovery again")]
    if weights and stored != weights:
        return [NeuronMotif(note="motif of other weights: run motif_discovery again")]
    pfm, activation = found["pfm"].astype(np.float64), found["consensus_activation"]
    highest, paths = found["max_activation"], found["path"]
    if not len(pfm):
        return [NeuronMotif(note="motif_discovery found no motif")]
    part = int(activation.argmax())
    ppm = to_ppm(pfm[part])
    if ppm.shape[1] != network.model.receptive_field(layer):
        return [NeuronMotif(note="motif of another network: run motif_discovery again")]
    window = torch.from_numpy(consensus(ppm))[None]
    now = float(network.activation(window, layer, torch.tensor([neuron - 1]))[0])
    if abs(now - activation[part]) > SAME * max(1.0, abs(now)):
        return [NeuronMotif(note="motif of other weights: run motif_discovery again")]
    motifs = []
    for part in np.argsort(-activation, kind="stable"):
        ppm, ratio = to_ppm(pfm[part]), float(activation[part] / highest[part])
        bits = information(ppm)
        for start, end in sorted(segments(ppm), key=lambda one: -bits[one[0] : one[1]].sum()):
            word, segment = iupac_consensus(ppm[:, start:end]), f"{paths[part]}_{start}-{end}"
            motifs.append(NeuronMotif(pfm[part][:, start:end], start, word, ratio, segment=segment))
    return motifs or [NeuronMotif(note="no informative segment")]


def neuron_motif(path: Path, network: WindowNetwork, layer: int, neuron: int, weights: str = "") -> NeuronMotif:
    """Return the strongest motif of a neuron (counted from 1), or a note that says why there is none.

    Of all parts that have an informative segment the one whose consensus has the highest activation, and of its
    segments the one with the most information. ``weights`` as for ``neuron_motifs``.
    """
    return neuron_motifs(path, network, layer, neuron, weights)[0]
