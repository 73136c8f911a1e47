"""Exhaustive sampling: against a plain enumeration, with exact maximum and populations; when it is chosen."""

import itertools

import numpy as np
import pytest
import torch

from motif_discovery.bins import BINS, bin_quota
from motif_discovery.exhaustive import ExhaustiveSampler, words_of
from motif_discovery.settings import DiscoverySettings, open_discovery
from tests.toy import seeded_model, word_model
from utils.activation import WindowNetwork
from utils.checkpoint import save_checkpoint
from utils.runtime import InputError
from utils.sequence import decode


def plain(network, layer, neuron, field):
    """Return every sequence of a receptive field and its activation, one after the other."""
    words = np.array(list(itertools.product(range(4), repeat=field)), dtype=np.uint8)
    own = torch.full((len(words),), neuron)
    return words, network.activation(torch.from_numpy(words), layer, own).numpy()


@pytest.mark.parametrize("layer", [1, 2])
def test_maximum_and_populations_are_those_of_a_plain_enumeration(layer):
    network = WindowNetwork(seeded_model(2, 4, kernel_size=4, channels=8, seed=5))
    field = network.model.receptive_field(layer)
    assert field == {1: 4, 2: 7}[layer]
    samples = ExhaustiveSampler(network, layer, bin_quota(network.model.receptive_field(layer)), seed=1).sample(
        list(range(8))
    )
    assert any(sample.maximum > 0 for sample in samples)
    for neuron, sample in enumerate(samples):
        _, activation = plain(network, layer, neuron, field)
        assert sample.maximum == pytest.approx(max(activation.max(), 0), abs=1e-6)
        edges = sample.maximum * np.arange(BINS + 1) / BINS
        firing = activation[activation > 0]
        inside = [((firing > low) & (firing <= high)).sum() for low, high in itertools.pairwise(edges)]
        near = 1e-5 * max(sample.maximum, 1)  # rounding may move what lies on an edge
        doubtful = [(np.abs(firing[:, None] - edges[[i, i + 1]]) < near).sum() for i in range(BINS)]
        assert (np.abs(sample.population - inside) <= doubtful).all()
        assert sample.population.sum() == len(firing)
        # the sample: no sequence twice, stored activations are the network's, each bin its quota or all there is
        number = sample.sequence.astype(np.int64) @ 4 ** np.arange(field - 1, -1, -1)
        assert len(np.unique(number)) == len(number)
        np.testing.assert_allclose(sample.activation, activation[number], atol=1e-6)
        assert (np.diff(sample.activation) <= 0).all()
        quota = bin_quota(field)
        assert len(sample.sequence) == np.minimum(sample.population, quota).sum()
        if sample.maximum > 0:
            assert sample.activation[0] == np.float32(sample.maximum)


def test_a_seed_decides_the_draws_and_nothing_beside_it():
    network = WindowNetwork(seeded_model(2, 4, channels=8, seed=5))
    both = ExhaustiveSampler(network, 2, 200, seed=1).sample([2, 3])
    alone = ExhaustiveSampler(network, 2, 200, seed=1).sample([3])
    other = ExhaustiveSampler(network, 2, 200, seed=2).sample([3])
    np.testing.assert_array_equal(both[1].sequence, alone[0].sequence)
    assert alone[0].maximum == other[0].maximum
    assert not np.array_equal(alone[0].sequence, other[0].sequence)


def test_a_word_is_the_exact_maximum_of_its_neuron_and_a_dead_neuron_has_no_sample():
    network = WindowNetwork(word_model(["UGUAA"], channels=4))
    found, dead = ExhaustiveSampler(network, 1, 200, seed=1).sample([0, 1])
    assert decode(found.sequence[0]) == "UGUAA"
    assert found.population[-1] == 1
    assert found.population.sum() == 4**5 - 3**5  # at least one letter in common
    assert dead.maximum == 0
    assert len(dead.sequence) == len(dead.activation) == dead.population.sum() == 0


def test_words_are_counted_in_alphabetical_order():
    assert [decode(word) for word in words_of(np.array([0, 1, 6, 63]), 3)] == ["AAA", "AAC", "ACG", "UUU"]


def test_it_is_chosen_where_all_sequences_fit(tmp_path, one_line):
    save_checkpoint(tmp_path / "toy.pth", seeded_model(2, 4, channels=8), {})
    (tmp_path / "toy.yaml").write_text(f"name: toy\ncheckpoint: {tmp_path}/toy.pth\ndataset: none.h5\n")

    def opened(layer, **changes):
        return open_discovery(DiscoverySettings(model=str(tmp_path / "toy.yaml"), device="cpu", **changes), layer)

    assert opened(2).sampler == "exhaustive"
    assert opened(3).sampler == "boltzmann"
    assert opened(2, sampler="genetic").sampler == "genetic"
    assert opened(2, exhaustive_limit=8).sampler == "boltzmann"
    assert opened(2).sample_key == opened(2, population=20, sampler="exhaustive").sample_key
    assert opened(2).sample_key != opened(2, sampler="genetic").sample_key
    with pytest.raises(InputError) as raised:
        opened(3, sampler="exhaustive")
    assert "conv3 sees 18 nt, more than exhaustive_limit (9)" in one_line(raised)
