"""The genetic sampler, on networks whose answer is known."""

import numpy as np
import pytest
import torch

from motif_discovery.bins import bin_of, bin_quota
from motif_discovery.genetic import GeneticSampler
from tests.toy import pair_model, seeded_model, word_model
from utils.activation import WindowNetwork
from utils.sequence import decode


def sampler(model, layer, **more):
    settings = {"population": 200, "generations": 30, "patience": 10, "seed": 1} | more
    return GeneticSampler(WindowNetwork(model), layer, quota=bin_quota(model.receptive_field(layer)), **settings)


def test_the_word_of_a_first_layer_is_found():
    (bins,) = sampler(word_model(["UGUAU"]), 1).sample([0])
    sequence, activation = bins.result()
    assert decode(sequence[0]) == "UGUAU"
    assert activation[0] == 5
    assert activation[1] == 4


def test_the_pair_of_a_second_layer_is_found():
    (bins,) = sampler(pair_model([("UGUAC", "CGGAC")]), 2, generations=200, patience=60).sample([0])
    sequence, activation = bins.result()
    assert decode(sequence[0]) == "UGUACGGAC"
    assert activation[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("layers", "padding", "layer"), [(3, 0, 4), (3, 2, 3)])
def test_stored_activations_are_those_of_the_network(layers, padding, layer):
    model = seeded_model(layers, 4, padding)
    network = WindowNetwork(model)
    for neuron, bins in zip([3, 7], sampler(model, layer).sample([3, 7]), strict=True):
        sequence, activation = bins.result()
        assert sequence.max() <= 3  # row 4 of the traps: a base at every position, never an empty column
        assert len(np.unique(sequence, axis=0)) == len(sequence)
        own = torch.full((len(sequence),), neuron)
        again = network.activation(torch.from_numpy(sequence), layer, own).numpy()
        assert np.allclose(again, activation, atol=1e-5)
        assert bins.maximum == activation[0]
        counts = np.bincount(bin_of(activation, bins.maximum), minlength=20)
        assert (counts <= bin_quota(model.receptive_field(layer))).all()
        assert bin_of(activation[:1], bins.maximum)[0] == 19


def test_the_best_survive():
    """Row 2: the best of a generation is never lost."""
    genetic = sampler(seeded_model(3, 4), 4)
    best, step = [], genetic._step

    def watched(state, bins):
        step(state, bins)
        best.append(float(state.activation[0, 0]))
        assert float(state.activation[0, 0]) == bins[5].maximum

    genetic._step = watched
    genetic.sample([5])
    assert len(best) > 5
    assert (np.diff(best) >= 0).all()
    assert best[-1] > best[0]


def test_the_same_seed_gives_the_same_sample():
    """Row 3: and a neuron's sample does not depend on which others are sampled beside it."""
    model = seeded_model(2, 4)
    first, again = (sampler(model, 3).sample([0, 1]) for _ in range(2))
    (alone,) = sampler(model, 3).sample([1])
    other = sampler(model, 3, seed=2).sample([0])[0]
    for one, two in [(first[0], again[0]), (first[1], again[1]), (first[1], alone)]:
        assert np.array_equal(one.result()[0], two.result()[0])
        assert np.array_equal(one.result()[1], two.result()[1])
    assert not np.array_equal(first[0].result()[0], other.result()[0])


def test_cached_gradients_are_those_of_the_elites():
    genetic = sampler(seeded_model(2, 4), 3)
    step, compared = genetic._step, []

    def watched(state, bins):
        step(state, bins)
        elites = state.population[0, : genetic.elites]
        known = ~state.gradient[0, :, 0, 0].isnan()
        if known.any():
            own = state.neuron[:1].expand(int(known.sum()))
            _, gradient = genetic.network.gradient(elites[known], 3, own)
            compared.append(torch.allclose(gradient, state.gradient[0, known], atol=1e-5))

    genetic._step = watched
    genetic.sample([0])
    assert len(compared) > 3
    assert all(compared)


def test_a_neuron_that_never_fires_gives_nothing():
    """Row 5."""
    model = word_model(["UGUAU"])  # its other neurons are always 0
    (bins,) = sampler(model, 1).sample([9])
    assert len(bins) == 0
    assert bins.maximum == 0


def test_a_neuron_that_random_sequences_do_not_fire_is_climbed_to():
    """A maximum below zero that still rises is progress."""
    model = seeded_model(2, 4)
    model.conv_layers[1].bias[0] -= 1.2 * float(sampler(model, 3, generations=1).sample([0])[0].maximum)
    assert sampler(model, 3, generations=1).sample([0])[0].maximum == 0
    assert sampler(model, 3, generations=60, patience=10).sample([0])[0].maximum > 0


def test_elites_mutate_beside_themselves_and_duplicates_go():
    """Rows 2 and 3: the population never holds a sequence twice."""
    genetic = sampler(seeded_model(2, 4), 3, population=100)
    step = genetic._step

    def watched(state, bins):
        step(state, bins)
        for population in state.population:
            best = population[: genetic.elites]
            assert len(torch.unique(best, dim=0)) == len(best)

    genetic._step = watched
    genetic.sample([0, 1])
