"""Draws by dynamic programming against all sequences of a small network: best path, probabilities, bins."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from motif_discovery.bins import bin_of
from motif_discovery.boltzmann import BoltzmannSampler, Paths
from motif_discovery.exhaustive import words_of
from motif_discovery.sample import blocks, samples
from motif_discovery.settings import DiscoverySettings, open_discovery
from tests.toy import seeded_model
from utils.activation import WindowNetwork
from utils.checkpoint import save_checkpoint
from utils.model import Predictor
from utils.runtime import InputError
from utils.samplers import reads_short_words, word_length


def small(layer):
    """A network whose sequences can all be tried: 9 nt at conv2, 10 nt at conv3 (kernels of 3)."""
    if layer == 2:
        return WindowNetwork(seeded_model(2, 4, channels=8, seed=3))
    torch.manual_seed(4)
    model = Predictor(2, 4, channels=8, kernel_size=3).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    return WindowNetwork(model)


def everything(network, layer):
    """Return all sequences of a layer and the activations (channels, 4^field)."""
    field = network.model.receptive_field(layer)
    sequence = words_of(np.arange(4**field), field)
    maps = [network.feature_map(torch.from_numpy(part), layer) for part in np.array_split(sequence, 16)]
    return sequence, torch.cat(maps).T.numpy()


@pytest.fixture(scope="module", params=[2, 3])
def case(request):
    network = small(request.param)
    return network, request.param, *everything(network, request.param)


def paths_of(network, layer, neurons):
    sampler = BoltzmannSampler(network, layer, 100, seed=1)
    return [Paths(table, sampler.word, sampler.stride) for table in sampler.tables(neurons)]


def test_the_best_path_is_the_maximum_of_all_sequences(case):
    network, layer, sequence, activation = case
    for neuron, paths in enumerate(paths_of(network, layer, list(range(8)))):
        found, highest = paths.best()
        assert highest == pytest.approx(activation[neuron].max(), abs=1e-5)
        number = int(found.astype(np.int64) @ 4 ** np.arange(sequence.shape[1] - 1, -1, -1))
        assert activation[neuron, number] == pytest.approx(activation[neuron].max(), abs=1e-5)


@pytest.mark.parametrize("spread", [0.0, 2.0, -2.0, 20.0])
def test_sequences_are_drawn_with_their_probability(case, spread):
    """Chi-square over 50 groups of equal probability, of sequences in the order of a hash and of their activation."""
    network, layer, sequence, activation = case
    (paths,) = paths_of(network, layer, [5])
    value = activation[5].astype(np.float64)
    beta = spread / value.std()
    drawn, about = paths.tilted(beta).draw(np.random.default_rng(1).random((len(paths.table), 20_000)))
    number = drawn.astype(np.int64) @ 4 ** np.arange(sequence.shape[1] - 1, -1, -1)
    np.testing.assert_allclose(about, value[number], atol=1e-4)
    probability = np.exp(beta * value - (beta * value).max())
    probability /= probability.sum()
    for key in (value, np.random.default_rng(0).random(len(value))):
        order = np.argsort(key, kind="stable")
        group = np.empty(len(order), dtype=np.int64)
        group[order] = np.minimum(50 * np.cumsum(probability[order]), 49).astype(np.int64)
        expected = 20_000 * np.bincount(group, probability, minlength=50)
        there = expected > 5
        observed = np.bincount(group[number], minlength=50)[there]
        assert (observed.sum() > 0) & (np.bincount(group[number], minlength=50)[expected < 1e-3].sum() == 0)
        assert (
            there.sum() == 1
            or chisquare(observed, expected[there] * observed.sum() / expected[there].sum()).pvalue > 1e-3
        )


def test_bins_hold_their_quota_or_all_there_is(case):
    network, layer, sequence, activation = case
    quota = 300
    for neuron, bins in enumerate(BoltzmannSampler(network, layer, quota, seed=1).sample(list(range(8)))):
        value = activation[neuron]
        if value.max() <= 0:
            assert len(bins) == bins.maximum == 0
            continue
        assert bins.maximum == pytest.approx(value.max(), abs=1e-5)
        found, stored = bins.result()
        number = found.astype(np.int64) @ 4 ** np.arange(sequence.shape[1] - 1, -1, -1)
        assert len(np.unique(number)) == len(number)
        np.testing.assert_allclose(stored, value[number], atol=1e-5)
        population = np.bincount(bin_of(value[value > 0], bins.maximum), minlength=20)
        wanted = np.minimum(population, quota)
        assert (bins.counts >= 0.8 * wanted - 1).all()  # rare ones are drawn until 95 % of draws are known
        assert bins.counts.sum() >= 0.97 * wanted.sum()


def test_a_seed_decides_and_nothing_beside_it():
    network = small(2)
    both = BoltzmannSampler(network, 2, 50, seed=1).sample([2, 3])
    (alone,) = BoltzmannSampler(network, 2, 50, seed=1).sample([3])
    (other,) = BoltzmannSampler(network, 2, 50, seed=2).sample([3])
    np.testing.assert_array_equal(both[1].result()[0], alone.result()[0])
    assert alone.maximum == other.maximum
    assert not np.array_equal(alone.result()[0], other.result()[0])


def test_a_neuron_alone_has_the_bytes_it_has_among_others():
    """Row 27: with products of other sizes the tables would be rounded otherwise, and other sequences drawn."""
    network = WindowNetwork(seeded_model(2, 4, seed=5))
    together = BoltzmannSampler(network, 3, 20, seed=1).sample([0, 1, 2, 3])
    (alone,) = BoltzmannSampler(network, 3, 20, seed=1).sample([2])
    for one, other in zip(alone.result(), together[2].result(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_neuron_that_never_fires_has_an_empty_sample():
    network = small(3)
    with torch.no_grad():
        network.model.conv_layers[1].weight[[0, 3]] = 0
        network.model.conv_layers[1].bias[[0, 3]] = torch.tensor([0.0, -1.0])
    found = BoltzmannSampler(network, 3, 50, seed=1).sample([0, 1, 3])
    assert [one.maximum > 0 for one in found] == [False, True, False]
    assert [len(one) > 0 for one in found] == [False, True, False]


def test_only_words_of_a_short_length_have_tables(tmp_path, one_line):
    model = seeded_model(4, 4, channels=8)
    assert [word_length(model, layer) for layer in (2, 3, 4)] == [5, 10, 20]
    assert [reads_short_words(model, layer) for layer in (1, 2, 3, 4)] == [False, True, True, False]
    save_checkpoint(tmp_path / "toy.pth", model, {})
    (tmp_path / "toy.yaml").write_text(
        f"name: toy\ncheckpoint: {tmp_path}/toy.pth\ndataset: none.h5\nnetwork: {{num_layers: 4, in_channels: 4}}\n"
    )

    def opened(layer, **changes):
        return open_discovery(DiscoverySettings(model=str(tmp_path / "toy.yaml"), device="cpu", **changes), layer)

    assert [opened(layer).sampler for layer in (1, 2, 3, 4)] == ["exhaustive", "exhaustive", "boltzmann", "gradient"]
    assert blocks(opened(3), list(range(1, 9)), 4) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert len(samples(opened(3, bin_limit=20), [1], lambda _: None)) == 1
    with pytest.raises(InputError) as raised:
        opened(4, sampler="boltzmann")
    assert "key 'sampler': boltzmann, but conv4 is not" in one_line(raised)
