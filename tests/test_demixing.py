"""Layer-wise demixing, on networks whose motifs are known."""

import numpy as np
import pytest
import torch

from motif_discovery.bins import bin_quota
from motif_discovery.demixing import demix, effective_size, part_weight, smallest_part, split
from motif_discovery.genetic import GeneticSampler
from tests.toy import pair_model, seeded_model, word_model
from utils.activation import WindowNetwork
from utils.motif import iupac_consensus, to_ppm


def sampled(model, layer, neuron, **more):
    network = WindowNetwork(model)
    settings = {"population": 400, "generations": 120, "patience": 40, "seed": 1} | more
    (bins,) = GeneticSampler(network, layer, quota=bin_quota(network.model.receptive_field(layer)), **settings).sample(
        [neuron]
    )
    return network, *bins.result()


def test_a_first_layer_that_is_a_word_gives_that_word_back():
    network, sequence, activation = sampled(word_model(["UGUAU"]), 1, 0)
    parts = demix(network, 1, 0, sequence, activation)
    best = max(parts, key=lambda part: (part.max_activation, part.consensus_activation))
    assert "".join("ACGU"[base] for base in best.pfm.argmax(axis=0)) == "UGUAU"
    assert best.consensus_ratio == 1


def test_a_second_layer_gives_the_pair_at_its_spacing():
    network, sequence, activation = sampled(pair_model([("UGUAC", "CGGAC")]), 2, 0)
    strong = activation > 0.5  # both words stand
    parts = demix(network, 2, 0, sequence[strong], activation[strong])
    whole = demix(network, 2, 0, np.repeat(sequence[strong], 30, axis=0), np.repeat(activation[strong], 30))
    assert not parts or all(part.size >= 20 for part in parts)
    assert {iupac_consensus(to_ppm(part.pfm)) for part in whole} == {"UGUACGGAC"}
    assert all(part.consensus_ratio == pytest.approx(1, abs=1e-3) for part in whole)


def test_two_patterns_of_a_neuron_come_apart():
    """Two words that fire one neuron through different channels are two parts, each one pattern."""
    model = pair_model([("UGUAC", "CGGAC"), ("AAAAG", "GCUCU")])
    model.conv_layers[0].weight[0] += model.conv_layers[0].weight[1]  # neuron 0 answers to either pair
    random = np.random.default_rng(0)
    words = [np.array(["ACGU".index(base) for base in word]) for word in ("UGUACGGAC", "AAAAGCUCU")]
    sequence = np.stack([words[which] for which in random.integers(2, size=600)]).astype(np.uint8)
    network = WindowNetwork(model)
    own = torch.zeros(600, dtype=torch.int64)
    activation = network.activation(torch.from_numpy(sequence), 2, own).numpy()
    parts = demix(network, 2, 0, sequence, activation)
    assert {iupac_consensus(to_ppm(part.pfm)) for part in parts} == {"UGUACGGAC", "AAAAGCUCU"}
    assert sum(part.size for part in parts) == 600


def test_weights_say_how_much_a_sequence_counts():
    """The effective size of Kish: equal weights count fully, one weight above all others counts as one."""
    assert effective_size(np.ones(30)) == pytest.approx(30)
    assert effective_size(np.array([1.0, *[1e-9] * 29])) == pytest.approx(1)
    few = np.array([1.0, *[1e-3] * 29])
    assert effective_size(part_weight(few, 20)) >= 20
    assert (np.argsort(part_weight(few, 20)) == np.argsort(few)).all()
    assert np.array_equal(part_weight(np.ones(25), 20), np.ones(25))
    network, sequence, activation = sampled(seeded_model(2, 4), 3, 1)
    plain = demix(network, 3, 1, sequence, activation, weight_power=0)
    assert all(np.array_equal(part.pfm, np.rint(part.pfm)) for part in plain)
    weighted = demix(network, 3, 1, sequence, activation)
    strong = [
        np.median([part.consensus_ratio for part in parts if part.max_activation > activation.max() / 2])
        for parts in (plain, weighted)
    ]
    assert strong[1] > strong[0]


def test_a_handful_of_sequences_is_no_motif():
    """Row 6 of the traps."""
    network = WindowNetwork(seeded_model(2, 4))
    random = np.random.default_rng(0)
    for count, expected in ((19, 0), (20, 1)):
        sequence = random.integers(4, size=(count, 18), dtype=np.uint8)
        assert len(demix(network, 3, 0, sequence, np.ones(count, dtype=np.float32))) == expected
    assert smallest_part(5) == 5
    assert smallest_part(9) == 20


def test_paths_sizes_and_counts_are_those_of_the_tree():
    model = seeded_model(3, 4)
    network, sequence, activation = sampled(model, 4, 2)
    parts = demix(network, 4, 2, sequence, activation)
    again = demix(network, 4, 2, sequence, activation)
    assert [part.path for part in parts] == [part.path for part in again]
    assert len({part.path for part in parts}) == len(parts) > 4
    assert sum(part.size for part in parts) <= len(sequence)
    for part in parts:
        assert part.size >= 20
        assert np.allclose(part.pfm.sum(axis=0), part.size)
        assert 1 <= len(part.path.split("-")) <= 3
        assert part.max_activation <= activation.max()


def test_centres_fitted_on_some_serve_all():
    """Copies of four sequences with a few changed letters come apart, though the centres are fitted on some of them."""
    random = np.random.default_rng(0)
    source = random.integers(4, size=3000)
    sequence = random.integers(4, size=(4, 18), dtype=np.uint8)[source]
    changed = random.random(sequence.shape) < 0.05
    sequence[changed] = random.integers(4, size=int(changed.sum()), dtype=np.uint8)
    network = WindowNetwork(seeded_model(2, 4))
    label = split(network, torch.from_numpy(sequence), np.ones(3000), 2, 3, 4, 300, seed=1)
    agreement = np.array([[np.mean(label[source == one] == cluster) for cluster in range(4)] for one in range(4)])
    assert (agreement.max(axis=1) > 0.9).all()
    assert len(set(agreement.argmax(axis=1))) == 4


def test_nothing_to_demix():
    network = WindowNetwork(seeded_model(2, 4))
    assert demix(network, 3, 0, np.zeros((0, 18), dtype=np.uint8), np.zeros(0, dtype=np.float32)) == []
