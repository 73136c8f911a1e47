"""Sequences with the highest activation of a neuron, from its sample or from real messages, and what they stack to."""

import numpy as np
import torch

from motif_discovery.demixing import Part, smallest_part
from motif_discovery.files import Sample
from utils.activation import WindowNetwork
from utils.dense_scan import bases_of_codes
from utils.motif import consensus, pfm_of, to_ppm
from utils.scan import Scan


def best_windows(scan: Scan, codes: np.ndarray, neuron: int, count: int) -> Sample:
    """Return the best window of each of the messages that fire a neuron most.

    Args:
        scan: of the neuron's layer.
        codes: uint8 (messages, length), as in ``utils.data.Split``, the rows of the scan.
        neuron: counted from 0.
        count: windows, at most; messages whose best window is not above 0 give none.

    Returns:
        The windows, the highest activation first (of equal ones the first message), with the activations of the best
        windows of all messages that fire it. Messages that share a window give it several times.
    """
    maximum, start = scan.maximum[:, neuron], scan.start[:, neuron]
    order = np.argsort(-maximum, kind="stable")
    order = order[(start[order] >= 0) & (maximum[order] > 0)]
    rows = order[:count]
    place = start[rows, None].astype(np.int64) + np.arange(scan.receptive_field)
    sequence = bases_of_codes(codes[rows[:, None], place])
    return Sample(sequence, maximum[order], float(maximum[order[0]]) if len(order) else 0.0)


def stacked(network: WindowNetwork, layer: int, neuron: int, sample: Sample, count: int) -> list[Part]:
    """Return the first ``count`` sequences of a sample as one part, plain counts; none where they are too few.

    Args:
        network: the predictor's lower layers.
        layer: of the neuron.
        neuron: counted from 0.
        sample: the highest activation first.
        count: sequences, at most.
    """
    sequence = sample.sequence[:count]
    if sample.maximum <= 0 or len(sequence) < smallest_part(sequence.shape[1]):
        return []
    pfm = pfm_of(sequence)
    best = torch.from_numpy(consensus(to_ppm(pfm)))[None]
    of_consensus = float(network.activation(best, layer, torch.tensor([neuron]))[0])
    return [Part("all", pfm, len(sequence), float(sample.activation[0]), of_consensus)]
