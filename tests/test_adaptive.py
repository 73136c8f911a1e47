"""Demixing that stops at one pattern and joins shifted copies, on samples whose patterns are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from motif_discovery.adaptive import alignments, demix_adaptively, drawn, shifted
from motif_discovery.bins import bin_quota
from motif_discovery.demixing import demix
from motif_discovery.gradient import GradientSampler
from tests.toy import pair_model, seeded_model
from utils.activation import WindowNetwork
from utils.motif import iupac_consensus, segments, to_ppm
from utils.sequence import encode, one_hot

WORDS = ("UGUACGGAC", "AAAAGCUCU")


def two_word_sample(share, n=800):
    """Return a network whose first neuron answers to either word, and its sample with this share of the first."""
    model = pair_model([("UGUAC", "CGGAC"), ("AAAAG", "GCUCU")])
    model.conv_layers[0].weight[0] += model.conv_layers[0].weight[1]
    first = np.arange(n) < share * n
    sequence = np.where(first[:, None], encode(WORDS[0]), encode(WORDS[1])).astype(np.uint8)
    network = WindowNetwork(model)
    activation = network.activation(torch.from_numpy(sequence), 2, torch.zeros(n, dtype=torch.int64)).numpy()
    return network, sequence, activation


def texts(parts):
    return sorted(iupac_consensus(to_ppm(part.pfm)) for part in parts)


def test_one_pattern_is_not_split():
    network, sequence, activation = two_word_sample(1.0)
    (part,) = demix_adaptively(network, 2, 0, sequence, activation)
    assert (part.path, part.size, part.copies) == ("all", 800, 1)
    assert texts([part]) == [WORDS[0]]
    assert part.consensus_ratio == pytest.approx(1, abs=1e-3)
    assert part.drawn_ratio == pytest.approx(1, abs=1e-3)


def test_a_mixture_is_split_although_its_consensus_fires_fully():
    """Of two words the more frequent is the consensus, with ratio 1; what is drawn from the mixture does not fire."""
    network, sequence, activation = two_word_sample(0.6)
    parts = demix_adaptively(network, 2, 0, sequence, activation)
    assert texts(parts) == sorted(WORDS)
    assert sorted(part.size for part in parts) == [320, 480]
    assert all(part.drawn_ratio == pytest.approx(1, abs=1e-3) for part in parts)


def test_fewer_and_better_parts_than_the_published_rule():
    network = WindowNetwork(seeded_model(3, 4, seed=3))
    sampler = GradientSampler(network, 4, bin_quota(36), 1)
    for neuron, found in zip((2, 5), sampler.sample([2, 5]), strict=True):
        sequence, activation = found.result()
        fixed = demix(network, 4, neuron, sequence, activation)
        parts = demix_adaptively(network, 4, neuron, sequence, activation, most=4000)
        assert 0 < len(parts) < len(fixed)
        assert sum(part.size for part in parts) <= 4000
        assert max(part.max_activation for part in parts) == activation.max()
        assert all(np.allclose(part.pfm.sum(axis=0), part.size, rtol=0.3) or part.copies > 1 for part in parts)
        again = demix_adaptively(network, 4, neuron, sequence, activation, most=4000)
        assert [(one.path, one.size, one.drawn_ratio) for one in parts] == [
            (one.path, one.size, one.drawn_ratio) for one in again
        ]


class AnywhereNetwork:
    """Stands for a network whose only neuron fires by the longest agreement with UGUAAA, wherever it stands."""

    device, model = torch.device("cpu"), SimpleNamespace(layers_below=lambda layer: list(range(1, layer)))
    word = torch.from_numpy(encode("UGUAAA"))

    def activation(self, windows, layer, neuron):
        return (windows.unfold(1, 6, 1) == self.word).sum(dim=2).amax(dim=1).float()

    def feature_width(self, length, layer, upper):
        return 4 * length

    def projected_maps(self, windows, along, upper):
        return {layer: one_hot(windows).flatten(1) @ directions for layer, directions in along.items()}


def test_the_same_pattern_at_two_places_is_one_part():
    network, random = AnywhereNetwork(), np.random.default_rng(0)
    sequence = random.integers(4, size=(2000, 16), dtype=np.uint8)
    sequence[:1000, 2:8] = sequence[1000:, 7:13] = encode("UGUAAA")
    activation = network.activation(torch.from_numpy(sequence), 3, None).numpy()
    (part,) = demix_adaptively(network, 3, 0, sequence, activation)
    assert part.copies >= 2
    assert part.size == 2000
    (place,) = segments(to_ppm(part.pfm))
    assert iupac_consensus(to_ppm(part.pfm[:, slice(*place)])) == "UGUAAA"
    assert part.drawn_ratio == pytest.approx(1, abs=0.02)


def test_alignments_and_shifts():
    pfm = np.zeros((4, 30))
    pfm[:, 8:14] = np.eye(4)[:, encode("UGUAAA")] * 50
    pfm[:, :8] = pfm[:, 14:] = 12.5
    other = shifted(pfm, 5)
    other[:, :5] = 12.5
    third = np.zeros_like(pfm) + 12.5
    third[:, 8:14] = np.eye(4)[:, encode("CCCGGG")] * 50
    likeness, shift = alignments(np.stack([pfm, other, third]))
    assert likeness[0, 1] == pytest.approx(1, abs=1e-5)
    assert (shift[0, 1], shift[1, 0], shift[0, 0]) == (-5, 5, 0)
    assert likeness[0, 2] < 0.6
    assert np.allclose(np.diag(likeness), 1, atol=1e-5)
    assert segments(to_ppm(shifted(other, -5)))[0] == segments(to_ppm(pfm))[0]
    assert not shifted(pfm, 40).any()
    assert np.array_equal(shifted(pfm, 3)[:, 3:], pfm[:, :-3])


def test_draws_follow_the_matrix():
    random = np.random.default_rng(2)
    ppm = to_ppm(random.random((2, 4, 3)) + 0.05)
    draws = drawn(ppm, 40_000, random)
    shares = np.stack([(draws == base).mean(axis=1) for base in range(4)], axis=1)
    assert np.abs(shares - ppm).max() < 0.015


def test_nothing_and_little_to_demix():
    network = WindowNetwork(seeded_model(2, 4))
    assert demix_adaptively(network, 3, 0, np.zeros((0, 18), dtype=np.uint8), np.zeros(0, dtype=np.float32)) == []
    random = np.random.default_rng(0)
    for count, expected in ((19, 0), (20, 1)):  # row 6 of the traps
        sequence = random.integers(4, size=(count, 18), dtype=np.uint8)
        assert len(demix_adaptively(network, 3, 0, sequence, np.ones(count, dtype=np.float32))) == expected
