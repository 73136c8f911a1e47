"""The published sampler of the benchmarks: right where it is right, and with its faults."""

import numpy as np
import pytest
import torch

from benchmarks.published_sampler import (
    PublishedSample,
    mutated,
    next_generation,
    random_individuals,
    roulette,
    sample_published,
    without_duplicates,
)
from tests.toy import plain_map, seeded_model
from utils.sequence import decode


def sample(model, layer, neuron=5, **more):
    return sample_published(model, layer, neuron, **({"seed": 1, "population": 100, "generations": 12} | more))


class Draws:
    """Stands for a generator whose every number is the same."""

    def __init__(self, value):
        self.value = value

    def random(self):
        return self.value


@pytest.mark.parametrize(("layers", "padding", "layer"), [(3, 0, 4), (3, 2, 3)])
def test_stored_activations_are_those_of_the_network(layers, padding, layer):
    """Whatever the model's padding, windows stand for interior positions."""
    model = seeded_model(layers, 4, padding)
    found = sample(model, layer)
    X, activation = found.result()
    assert len(X) > 100
    expected = plain_map(model.state_dict(), torch.from_numpy(X), layer)[:, 5, 0].numpy()
    assert np.allclose(expected, activation, atol=1e-4)
    texts = [decode(x.argmax(axis=0)) for x in X]
    assert len(set(texts)) == len(texts)
    assert found.generations == 12
    assert found.stop == "generations"


def test_the_same_seed_gives_the_same_sample():
    model = seeded_model(2, 4)
    (X, activation), (again, same) = (sample(model, 3).result() for _ in range(2))
    assert np.array_equal(X, again)
    assert np.array_equal(activation, same)
    assert not np.array_equal(X, sample(model, 3, seed=2).result()[0])


def test_a_run_ends():
    model = seeded_model(1, 4)
    found = sample(model, 1, population=400, generations=200)
    assert found.stop == "patience"  # 4^5 sequences cannot fill the bins
    assert 30 < found.generations < 200
    cut = sample(model, 1, seconds=0)
    assert (cut.stop, cut.generations) == ("time", 1)


def test_row_1_the_maximum_is_left_out_and_stored_sequences_stay_in_their_bin():
    found, X = PublishedSample(), random_individuals(3, 30, np.random.default_rng(0))
    found.store(X, np.array([1.0, 0.97, 0.5], dtype=np.float32), quota=10)
    assert found.maximum == 1
    assert [len(one) for one in found.bins] == [0] * 10 + [1] + [0] * 8 + [1]
    found.store(random_individuals(1, 30, np.random.default_rng(1)), np.array([2.0], dtype=np.float32), quota=10)
    assert found.maximum == 2
    assert [value for _, value in found.bins[19]] == pytest.approx([0.97])
    model = seeded_model(3, 4)
    run = sample(model, 4)
    assert max(value for value in run.result()[1]) < run.maximum


def test_row_2_the_best_is_mutated_too():
    model, random = seeded_model(2, 4), np.random.default_rng(0)
    X = random_individuals(50, 18, random)
    changed = [(mutated(X, 1.0, model, 3, 5, random) != X).any(axis=(1, 2)) for _ in range(10)]
    assert np.mean(changed, axis=0).min() > 0.5  # none is spared; a base may be drawn again
    assert np.array_equal(mutated(X, 0.0, model, 3, 5, random), X)


def test_row_4_a_float32_sum_can_leave_a_column_without_a_base():
    assert roulette(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32), Draws(0.15)).tolist() == [0, 1, 0, 0]
    share = np.random.default_rng(0).random((1000, 4), dtype=np.float32)
    share /= share.sum(axis=1, keepdims=True)
    sums = np.cumsum(share, axis=1, dtype=np.float32)[:, -1]
    assert (sums < 1).any()
    columns = np.array([roulette(row, Draws(1 - 2**-24)) for row in share])
    assert np.array_equal(columns.sum(axis=1) == 0, sums < 1)


def test_the_next_generation():
    random = np.random.default_rng(0)
    X = random_individuals(50, 18, random)
    activation = np.arange(50, dtype=np.float32)
    new = next_generation(X, activation, random)
    assert new.shape == X.shape
    assert np.array_equal(new[:20], X[:-21:-1])
    for row in range(10):
        turns = [np.roll(X[-1 - row], by, axis=1) for by in range(1, 18)]
        assert any(np.array_equal(new[20 + row], turn) for turn in turns)
    assert (new.sum(axis=1) == 1).all()
    different = without_duplicates(np.concatenate([X[:25], X[:25]]), random)
    assert len(different) == 50
    assert len(np.unique(different, axis=0)) == 50
