"""The bins of a neuron's sample."""

import numpy as np
import pytest

from motif_discovery.bins import BINS, SampleBins, bin_of, bin_quota


@pytest.mark.parametrize(
    ("field", "quota"), [(5, 200), (9, 200), (18, 400), (36, 800), (72, 1500), (144, 2900), (288, 5800)]
)
def test_quota_is_the_published_one(field, quota):
    assert bin_quota(field) == quota


def test_bins_are_closed_at_the_top():
    """Row 1 of the traps: the best sequence belongs to the top bin."""
    assert bin_of(np.array([10.0, 9.51, 9.5, 0.5, 0.501, 1e-9]), 10.0).tolist() == [19, 19, 18, 0, 1, 0]


def random_sample(n, field, seed):
    random = np.random.default_rng(seed)
    return random.integers(4, size=(n, field), dtype=np.uint8), random.exponential(size=n).astype(np.float32)


def test_bins_follow_a_growing_maximum():
    """Row 1: when the maximum grows, what is stored moves to the bins of the new maximum."""
    bins = SampleBins(12, 5, seed=0)
    sequence, activation = random_sample(3000, 12, 1)
    for start in range(0, 3000, 100):
        bins.add(sequence[start : start + 100], activation[start : start + 100] - 0.5)
        _, stored = bins.result()
        assert bins.maximum == stored[0] == (activation[: start + 100] - 0.5).max()
        assert (bins.counts == np.bincount(bin_of(stored, bins.maximum), minlength=BINS)).all()
        assert (bins.counts <= 5).all()
        assert (stored > 0).all()


def test_what_is_not_a_number_is_left_out():
    bins = SampleBins(3, 5, seed=0)
    sequence = np.array([[i // 16, i // 4 % 4, i % 4] for i in range(6)], dtype=np.uint8)
    bins.add(sequence, np.array([0.1, np.nan, 0.5, -1, 0.3, np.nan], dtype=np.float32))
    stored, activation = bins.result()
    assert activation.tolist() == np.array([0.5, 0.3, 0.1], dtype=np.float32).tolist()
    assert stored.tolist() == sequence[[2, 4, 0]].tolist()
    assert bins.maximum == activation[0]


def test_a_new_maximum_is_stored_where_the_top_bin_is_full():
    """Row 1: the best sequence takes the place of one that was stored later."""
    bins = SampleBins(3, 5, seed=0)
    sequence = np.array([[i // 16, i // 4 % 4, i % 4] for i in range(64)], dtype=np.uint8)
    bins.add(sequence[:5], np.array([1.0, 0.99, 0.98, 0.97, 0.96], dtype=np.float32))
    bins.add(sequence[5:8], np.array([1.001, 1.002, 1.005], dtype=np.float32))
    stored, activation = bins.result()
    assert bins.maximum == activation[0] == np.float32(1.005)
    assert stored[0].tolist() == sequence[7].tolist()
    assert bins.counts[-1] == len(activation) == 5


def test_a_sequence_is_stored_once_whatever_the_order():
    """Row 3: removal of duplicates does not depend on the order of a set."""
    sequence, activation = random_sample(400, 6, 2)
    activation = (sequence.sum(axis=1) + 1).astype(np.float32)
    sequence, activation = np.tile(sequence, (3, 1)), np.tile(activation, 3)
    stored = []
    for order in (np.arange(1200), np.random.default_rng(0).permutation(1200)):
        bins = SampleBins(6, 10_000, seed=0)
        bins.add(sequence[order[:700]], activation[order[:700]])
        bins.add(sequence[order[700:]], activation[order[700:]])
        stored.append({row.tobytes() for row in bins.result()[0]})
        assert len(bins) == len(stored[-1])
    assert stored[0] == stored[1] == {row.tobytes() for row in sequence}


def test_pairs_of_sequence_and_activation_stay_together():
    bins = SampleBins(8, 7, seed=3)
    sequence, _ = random_sample(5000, 8, 4)
    weight = np.random.default_rng(5).normal(size=(8, 4))
    activation = weight[np.arange(8), sequence].sum(axis=1).astype(np.float32)
    for start in range(0, 5000, 250):
        bins.add(sequence[start : start + 250], activation[start : start + 250])
    kept, stored = bins.result()
    assert np.array_equal(weight[np.arange(8), kept].sum(axis=1).astype(np.float32), stored)
    assert (np.diff(stored) <= 0).all()
    assert 0 < bins.filled <= 1


def test_nothing_fires():
    """Row 5: without a positive activation there is no sample."""
    bins = SampleBins(8, 7, seed=3)
    bins.add(random_sample(50, 8, 4)[0], np.zeros(50, dtype=np.float32))
    assert len(bins) == 0
    assert bins.maximum == 0
    assert not bins.full


def test_sequences_are_drawn_from_near_what_is_wanted():
    bins = SampleBins(9, 50, seed=1)
    random = np.random.default_rng(0)
    sequence = random.integers(4, size=(4000, 9), dtype=np.uint8)
    activation = random.random(4000).astype(np.float32)
    activation[(activation > 0.5) & (activation < 0.95)] = 0.4  # bins 11 to 19 want everything
    bins.add(sequence, activation)
    assert (bins.wanted == np.maximum(50 - bins.counts, 0)).all()
    drawn = bins.draw(300, random)
    of_text = {row.tobytes(): value for row, value in zip(*bins.result(), strict=True)}
    found = bin_of(np.array([of_text[row.tobytes()] for row in drawn]), bins.maximum)
    assert set(found) <= {9, 10, 18, 19}
