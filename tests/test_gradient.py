"""The gradient sampler: on networks with a known optimum, bins, determinism, stored activations, dead neurons."""

import itertools

import numpy as np
import pytest
import torch

from motif_discovery.bins import BINS, SampleBins, bin_of, bin_quota
from motif_discovery.genetic import GeneticSampler
from motif_discovery.gradient import (
    FILLER_JUMPS,
    FILLERS,
    JOINTS_ORDERS,
    JOINTS_REST,
    LIBRARY,
    LONGEST_PART,
    NEAR,
    STRETCH,
    GradientSampler,
)
from motif_discovery.proposals import tilted
from motif_discovery.sample import chosen_sampler
from motif_discovery.settings import DiscoverySettings, open_discovery
from tests.toy import pair_model, seeded_model, word_model
from utils.activation import WindowNetwork
from utils.checkpoint import save_checkpoint
from utils.sequence import decode


def sampler(model, layer, seed=1):
    return GradientSampler(WindowNetwork(model), layer, bin_quota(model.receptive_field(layer)), seed)


def test_a_word_is_found_and_every_level_of_it():
    (bins,) = sampler(word_model(["UGUAU"]), 1).sample([0])
    sequence, activation = bins.result()
    assert decode(sequence[0]) == "UGUAU"
    assert activation[0] == 5
    assert {1.0, 2.0, 3.0, 4.0, 5.0} <= set(activation.tolist())


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_the_shortest_fields(kernel_size):
    """More positions than a field has cannot change."""
    model = seeded_model(2, 4, kernel_size=kernel_size)
    words = np.array(list(itertools.product(range(4), repeat=kernel_size)), dtype=np.uint8)
    network = WindowNetwork(model)
    highest = network.feature_map(torch.from_numpy(words), 1).max(dim=0).values
    for neuron, bins in enumerate(sampler(model, 1).sample([0, 1, 2])):
        assert bins.maximum == pytest.approx(max(0.0, float(highest[neuron])), abs=1e-5)


def test_the_pair_at_its_spacing_is_the_maximum():
    (bins,) = sampler(pair_model([("UGUAC", "CGGAC")]), 2).sample([0])
    sequence, activation = bins.result()
    assert decode(sequence[0]) == "UGUACGGAC"
    assert activation[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("layer", [2, 4])
def test_levels_are_filled_evenly_with_different_sequences_and_true_activations(layer):
    model = seeded_model(4, 4, seed=2)
    for neuron, bins in zip([3, 7], sampler(model, layer).sample([3, 7]), strict=True):
        sequence, activation = bins.result()
        own = torch.full((len(sequence),), neuron)
        again = WindowNetwork(model).activation(torch.from_numpy(sequence), layer, own).numpy()
        np.testing.assert_allclose(activation, again, atol=1e-5)
        assert len(np.unique(sequence, axis=0)) == len(sequence)
        assert (activation > 0).all()
        counts = np.bincount(bin_of(activation, bins.maximum), minlength=BINS)
        assert (counts == bins.counts).all()
        assert (counts <= bins.quota).all()
        assert layer == 2 or (counts >= 0.9 * bins.quota).sum() >= 15


def test_the_exact_maximum_of_a_short_field_is_found():
    network = WindowNetwork(seeded_model(2, 4, kernel_size=4, seed=6))
    words = torch.tensor(list(itertools.product(range(4), repeat=7)), dtype=torch.uint8)
    best = network.feature_map(words, 2).max(dim=0).values
    neurons = [int(one) for one in best.argsort(descending=True)[:6]]
    found = GradientSampler(network, 2, 200, 1).sample(neurons)
    assert [bins.maximum for bins in found] == pytest.approx(best[neurons].tolist(), abs=1e-5)


def test_a_seed_decides_everything_and_other_neurons_nothing():
    model = seeded_model(3, 4, seed=2)
    first, again = (sampler(model, 3).sample([0, 1]) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.result()[0], other.result()[0])
    (alone,) = sampler(model, 3).sample([1])
    np.testing.assert_array_equal(first[1].result()[0], alone.result()[0])
    (different,) = sampler(model, 3, seed=2).sample([0])
    assert not np.array_equal(first[0].result()[0][:50], different.result()[0][:50])


def test_another_rounding_gives_a_sample_that_is_statistically_the_same(monkeypatch):
    """Another device rounds otherwise: other draws, but over four neurons the same maxima, levels and diversity."""
    model = seeded_model(4, 4, seed=2)
    neurons = list(range(4))
    exactly = sampler(model, 4).sample(neurons)
    exact = WindowNetwork.activation

    def rounded(*arguments):
        return exact(*arguments).bfloat16().float()

    monkeypatch.setattr(WindowNetwork, "activation", rounded)
    both = list(zip(exactly, sampler(model, 4).sample(neurons), strict=True))
    assert not any(np.array_equal(one.result()[0], other.result()[0]) for one, other in both)
    ratios = [other.maximum / one.maximum for one, other in both]
    assert np.median(ratios) == pytest.approx(1, abs=0.03)
    counts = np.array([[one.counts.sum(), abs(one.counts - other.counts).sum()] for one, other in both]).sum(axis=0)
    assert counts[1] < 0.05 * counts[0]
    far = []
    for one, other in both:
        pairs = np.random.default_rng(0).integers(min(len(one), len(other)), size=(2, 5000))
        far.append([(seen.result()[0][pairs[0]] != seen.result()[0][pairs[1]]).mean() for seen in (one, other)])
    assert np.mean(far, axis=0)[0] == pytest.approx(np.mean(far, axis=0)[1], abs=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_a_sample_that_is_statistically_the_same():
    model = seeded_model(4, 4, seed=2)
    (one,) = sampler(model, 4).sample([3])
    network = WindowNetwork(model, "cuda")
    (other,) = GradientSampler(network, 4, one.quota, 1).sample([3])
    assert other.maximum == pytest.approx(one.maximum, rel=0.03)
    assert abs(one.counts - other.counts).sum() < 0.05 * one.counts.sum()


def test_chains_laid_end_to_end_fill_the_lower_bins_with_true_activations(monkeypatch):
    """What the dense pass says of a window over a joint is what the network says of that window by itself."""
    model = seeded_model(4, 4, seed=2)
    added = []
    plain = SampleBins.add
    monkeypatch.setattr(SampleBins, "add", lambda own, *found: (added.append(found), plain(own, *found))[1])
    (bins,) = sampler(model, 4).sample([3])
    laid = [found for found in added if len(found[0]) == (FILLERS - 1) * model.receptive_field(4) + 1]
    assert laid
    own = torch.full((len(laid[0][0]),), 3)
    again = WindowNetwork(model).activation(torch.from_numpy(np.ascontiguousarray(laid[0][0])), 4, own).numpy()
    np.testing.assert_allclose(laid[0][1], again, atol=1e-5)
    assert (bins.counts[:8] >= 0.95 * bins.quota).all()


def test_a_climber_takes_over_one_part_of_another_and_moves_one_of_its_own():
    one = sampler(seeded_model(3, 4, seed=2), 3)
    one.random, one.bins = {0: np.random.default_rng(1)}, {0: SampleBins(one.field, one.quota, 1)}
    constant = torch.arange(4, dtype=torch.uint8).repeat_interleave(6)[None, :, None].expand(1, 24, one.field)
    children = one._jumps(one._start([0], constant), 3, own=True, from_library=0.0)
    assert children.shape == (1, 24, 4, one.field)
    own = children == constant[:, :, None]
    assert own[:, :, -1].all()  # a part of itself that is moved is the same letter
    edges = (own[..., 1:] != own[..., :-1]).sum(dim=-1)
    assert (edges <= 2).all()  # what is of others is one part
    assert (~own).sum(dim=-1).max() <= LONGEST_PART * one.field
    strange = [len(set(child.tolist())) for child in children[0, :, :-1].flatten(0, 1)]
    assert set(strange) == {1, 2}  # of one other climber, which may be of the same letter
    counting = (torch.arange(one.field) % 4).to(torch.uint8)[None, None].expand(1, 24, -1)
    moved = one._jumps(one._start([0], counting), 3, own=True, from_library=0.0)
    assert (moved[:, :, :2] == counting[:, :, None]).all()  # the first ones are put where they were
    assert (moved[:, :, 2:] != counting[:, :, None]).any(dim=-1).float().mean() > 0.5
    others = one._jumps(one._start([0], constant), 3, own=False, from_library=0.0) != constant[:, :, None]
    assert others.any(dim=-1).float().mean(dim=1).min() > 0.5  # all of them are of others


def test_substitutions_that_help_are_tried_together():
    """From one letter of five the word is reached at once, by the two highest chains only."""
    one = sampler(word_model(["UGUAU"]), 1)
    one.random, one.bins = {0: np.random.default_rng(1)}, {0: SampleBins(5, one.quota, 1)}
    state = one._start([0], torch.tensor([[[0] * 5, [2] * 5, [1] * 5, [0, 0, 0, 0, 3]]], dtype=torch.uint8))
    assert state.activation[0].tolist() == [1, 1, 0, 2]
    one._polish(state)
    assert sorted(state.activation[0].tolist()) == [0, 1, 5, 5]
    assert decode(state.sequence[0, 3].numpy()) == "UGUAU"
    assert state.stale[0].sum() == 2
    assert one.bins[0].maximum == 5


def test_joints_that_give_nothing_are_read_again_some_steps_later(monkeypatch):
    one, read = sampler(seeded_model(3, 4, seed=2), 3), []
    one.random, one.bins = {0: np.random.default_rng(1)}, {0: SampleBins(one.field, one.quota, 1)}
    state = one._start([0], one._random([0], FILLERS))
    one.joints_from = {0: 0}
    dense = one.network.dense_maps
    monkeypatch.setattr(one.network, "dense_maps", lambda *given: (read.append(step), dense(*given))[1])
    monkeypatch.setattr(SampleBins, "add", lambda *given: None)  # full bins
    for step in range(2 * JOINTS_REST):
        one._scan_joints(state, step)
    assert read == [0, JOINTS_REST]
    monkeypatch.undo()
    monkeypatch.setattr(one.network, "dense_maps", lambda *given: (read.append(step), dense(*given))[1])
    one._scan_joints(state, step := 2 * JOINTS_REST)
    assert read[2:] == [step] * JOINTS_ORDERS


def test_parts_come_from_the_best_windows_of_the_stretch_at_first():
    """The library holds the best windows of the whole stretch, the highest first, whatever chunks it was read in."""
    one = sampler(seeded_model(3, 4, seed=2), 3)
    one.random, one.bins = {1: np.random.default_rng(1)}, {1: SampleBins(one.field, one.quota, 1)}
    library = one.library[1]
    activation = one.network.activation(library, 3, torch.ones(LIBRARY, dtype=torch.int64))
    assert (activation[:-1] >= activation[1:] - 1e-5).all()
    random = np.random.default_rng((one.seed, 3)).integers(4, size=STRETCH + one.field - 1, dtype=np.uint8)
    windows = torch.from_numpy(np.lib.stride_tricks.sliding_window_view(random, one.field).copy())
    every = one.network.activation(windows, 3, torch.ones(STRETCH, dtype=torch.int64))
    np.testing.assert_allclose(activation, every.sort(descending=True).values[:LIBRARY], atol=1e-5)
    one.library[1] = 3  # all U, so that its parts are seen
    adenine = torch.zeros(1, 24, one.field, dtype=torch.uint8)
    for share, wanted in ((1.0, 1.0), (0.5, 0.5), (0.0, 0.0)):
        children = one._jumps(one._start([1], adenine), 3, own=False, from_library=share)
        assert abs((children == 3).any(dim=-1).float().mean() - wanted) < 0.15
        assert ((children == 0) | (children == 3)).all()


def test_fillers_take_over_parts_of_chains_of_about_their_activation():
    one = sampler(seeded_model(3, 4, seed=2), 3)
    one.random, one.bins = {0: np.random.default_rng(1)}, {0: SampleBins(one.field, one.quota, 1)}
    halves = (torch.arange(FILLERS) >= FILLERS // 2).to(torch.uint8)  # A below, C above
    children = one._parts_of_near(one._start([0], halves[None, :, None].expand(1, FILLERS, one.field)))[0]
    assert children.shape == (FILLERS, FILLER_JUMPS, one.field)
    foreign = (children != halves[:, None, None]).any(dim=-1).float().mean(dim=-1)
    far = (torch.arange(FILLERS) - (FILLERS / 2 - 0.5)).abs() > NEAR
    assert not foreign[far].any()
    assert foreign[~far].mean() > 0.15


def test_gradients_are_of_the_sequences_of_now_when_they_are_refreshed(monkeypatch):
    one, seen = sampler(seeded_model(3, 4, seed=2), 3), []
    plain = GradientSampler._children

    def watched(self, state, *rest, **more):
        seen.append((state.stale.clone(), state.sequence.clone(), state.gradient.clone()))
        return plain(self, state, *rest, **more)

    monkeypatch.setattr(GradientSampler, "_children", watched)
    one.sample([0])
    assert any(stale.any() for stale, *_ in seen)
    for stale, sequence, gradient in seen[:6]:
        fresh = ~stale[0]
        _, now = one.network.gradient(sequence[0][fresh], 3, torch.zeros(int(fresh.sum()), dtype=torch.int64))
        np.testing.assert_allclose(gradient[0][fresh], now, atol=1e-5)


def test_neurons_that_never_fire_have_no_sample():
    model = word_model(["UGUAA"])
    found, dead = sampler(model, 1).sample([0, 9])
    assert found.maximum == 5
    assert dead.maximum == 0
    assert len(dead.result()[0]) == 0


def test_tilted_bases_have_the_expected_effect():
    d = torch.randn(6, 4, 10, generator=torch.Generator().manual_seed(1))
    gap = torch.tensor([-6.0, -2.0, 0.0, 1.0, 4.0, 1000.0])
    share = tilted(d, gap)
    assert torch.allclose(share.sum(dim=-2), torch.ones(6, 10))
    expected = (share * d).sum(dim=(-2, -1))
    assert torch.allclose(expected[:5], gap[:5], atol=0.05)
    assert expected[5] == pytest.approx(float(d[5].max(dim=0).values.sum()), abs=0.2)  # out of reach: the best bases


def test_the_setting_chooses_it(tmp_path):
    save_checkpoint(tmp_path / "toy.pth", seeded_model(3, 4, channels=8), {})
    (tmp_path / "toy.yaml").write_text(f"name: toy\ncheckpoint: {tmp_path}/toy.pth\ndataset: none.h5\n")
    chosen = {}
    for name in ("auto", "genetic", "gradient"):
        settings = DiscoverySettings(model=str(tmp_path / "toy.yaml"), device="cpu", sampler=name)
        chosen[name] = open_discovery(settings, 4)  # conv3 is drawn by boltzmann
    for name, kind in (("auto", GradientSampler), ("gradient", GradientSampler), ("genetic", GeneticSampler)):
        assert isinstance(chosen_sampler(chosen[name]), kind)
    assert chosen["auto"].sample_key == chosen["gradient"].sample_key != chosen["genetic"].sample_key


def test_the_sampler_goes_by_the_receptive_field_and_bins_have_a_limit(tmp_path):
    save_checkpoint(tmp_path / "toy.pth", seeded_model(6, 4, channels=4), {})
    (tmp_path / "toy.yaml").write_text(f"name: toy\ncheckpoint: {tmp_path}/toy.pth\ndataset: none.h5\n")
    settings = DiscoverySettings(model=str(tmp_path / "toy.yaml"), device="cpu")
    assert [open_discovery(settings, layer).sampler for layer in (2, 5, 6, 7)] == [
        "exhaustive", "gradient", "gradient", "gradient"
    ]  # fmt: skip
    assert [open_discovery(settings, layer).quota for layer in (2, 4, 6, 7)] == [200, 800, 1500, 1500]
    published = settings.model_copy(update={"bin_limit": 0})
    assert [open_discovery(published, layer).quota for layer in (6, 7)] == [2900, 5800]
