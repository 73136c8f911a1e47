"""Activations: fast paths equal the plain network on every window."""

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

import utils.activation
from tests.toy import pair_model, plain_map, seeded_model, word_model
from utils.activation import WindowNetwork, dense_activation, interior_starts
from utils.model import Predictor
from utils.sequence import N, encode, one_hot

MODELS = [(6, 6, 0), (6, 4, 2), (3, 4, 2), (3, 4, 0)]
LAYERS = [(*model, layer) for model in MODELS[:1] for layer in range(1, 8)]
LAYERS += [(*model, layer) for model in MODELS[2:] for layer in range(1, 5)] + [(*MODELS[1], 5)]


def random_indices(rows, length, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 4, (rows, length)).astype(np.uint8))


@pytest.fixture(scope="module")
def networks():
    """Return the window network of each model of the module, made once."""
    return {arguments: WindowNetwork(seeded_model(*arguments, seed=5)) for arguments in MODELS}


@pytest.mark.parametrize(("layers", "tracks", "padding", "layer"), LAYERS)
def test_activation_equals_the_plain_network_on_each_window(networks, layers, tracks, padding, layer):
    """A window is an interior position: no padding in the plain network, whatever the model's own (row 9)."""
    network = networks[layers, tracks, padding]
    windows = random_indices(70, network.model.receptive_field(layer), seed=layer)
    neuron = torch.randint(64, (70,), generator=torch.Generator().manual_seed(0))
    expected = plain_map(network.model.state_dict(), one_hot(windows), layer)[:, :, 0]
    found = network.activation(windows, layer, neuron)
    torch.testing.assert_close(found, expected[torch.arange(70), neuron], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", range(2, 8))
def test_tables_of_what_is_read_change_nothing(networks, layer):
    """Against the plain network, also at odd lengths of the map below, and what a tap reads of every word."""
    network = WindowNetwork(networks[MODELS[0]].model)
    network.tabulate()
    windows = random_indices(70, network.model.receptive_field(layer), seed=layer)
    neuron = torch.randint(64, (70,), generator=torch.Generator().manual_seed(0))
    expected = plain_map(network.model.state_dict(), one_hot(windows), layer)[:, :, 0]
    found = network.activation(windows, layer, neuron)
    torch.testing.assert_close(found, expected[torch.arange(70), neuron], atol=1e-5, rtol=1e-5)
    longer = random_indices(5, network.model.receptive_field(layer) + 7, seed=layer)
    expected = plain_map(network.model.state_dict(), one_hot(longer), layer).transpose(1, 2).flatten(1)
    torch.testing.assert_close(network.feature_map(longer, layer), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("layer", "kernel"), [(2, 5), (3, 5), (3, 3), (4, 2)])
def test_what_a_tap_reads_of_every_word(layer, kernel):
    """The convolution of the plain network with a kernel that looks through one tap at one channel."""
    torch.manual_seed(2)
    model = Predictor(4, 4, channels=8, kernel_size=kernel).eval()
    width = model.receptive_field(layer) - (kernel - 1) * model.stride(layer)
    words = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (50, width)))
    x = model.trunk(one_hot(words), layer - 1)[:, :, None]
    expected = model.rectify(max_pool2d(x, (1, 2)) if layer > 2 else x, layer)
    number = (words * 4 ** torch.arange(width - 1, -1, -1)).sum(dim=1)
    found = WindowNetwork(model).read_of_words(layer, width)
    assert len(found) == 4**width
    torch.testing.assert_close(found[number], expected[:, :, 0, 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("layers", "tracks", "padding", "layer"), LAYERS)
def test_feature_map_equals_the_plain_network(networks, layers, tracks, padding, layer):
    """The map of a layer on windows of the layer above: positions x channels, flattened."""
    network = networks[layers, tracks, padding]
    windows = random_indices(9, network.model.receptive_field(min(layer + 1, layers + 1)), seed=layer)
    expected = plain_map(network.model.state_dict(), one_hot(windows), layer).transpose(1, 2).flatten(1)
    torch.testing.assert_close(network.feature_map(windows, layer), expected, atol=1e-5, rtol=1e-5)


def test_feature_map_of_layer_zero_is_the_sequence(networks):
    windows = random_indices(6, 5)
    X = networks[MODELS[3]].feature_map(windows, 0)
    assert X.shape == (6, 20)
    differences = (windows[:, None] != windows[None]).sum(dim=2)  # any order of the columns keeps distances
    torch.testing.assert_close(torch.cdist(X, X) ** 2, 2.0 * differences, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("layers", "tracks", "padding", "layer"), LAYERS)
def test_gradient_equals_autograd_of_the_plain_network(networks, layers, tracks, padding, layer):
    network = networks[layers, tracks, padding]
    windows = random_indices(8, network.model.receptive_field(layer), seed=layer)
    neuron = torch.arange(8) * 7
    X = one_hot(windows).requires_grad_()
    expected = plain_map(network.model.state_dict(), X, layer)[torch.arange(8), neuron, 0]
    (expected_gradient,) = torch.autograd.grad(expected.sum(), X)
    found, gradient = network.gradient(windows, layer, neuron)
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(found, network.activation(windows, layer, neuron), atol=1e-5, rtol=1e-5)


def test_gradient_predicts_a_small_step(networks):
    """Finite differences in float64."""
    network = networks[MODELS[0]]
    windows, neuron = random_indices(4, 36), torch.tensor([0, 9, 30, 63])
    state = {key: value.double() for key, value in network.model.state_dict().items()}
    X = one_hot(windows).double()
    step = torch.randn(X.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 1e-6
    up, down = (plain_map(state, X + sign * step, 4)[torch.arange(4), neuron, 0] for sign in (1, -1))
    gradient = network.gradient(windows, 4, neuron)[1].double()
    torch.testing.assert_close((gradient * step).sum(dim=(1, 2)), (up - down) / 2, rtol=1e-3, atol=1e-9)


def test_gradient_leaves_no_trace(networks):
    network = networks[MODELS[0]]
    network.gradient(random_indices(2, 18), 3, torch.tensor([0, 1]))
    assert all(parameter.grad is None for parameter in network.model.parameters())
    assert not network.model.training


@pytest.mark.parametrize(("layers", "tracks", "padding", "layer"), LAYERS)
def test_dense_scan_equals_window_by_window(networks, layers, tracks, padding, layer):
    """method.md section 2: a maximum at stride 1 and dilation give the same numbers as each window alone."""
    model = networks[layers, tracks, padding].model
    field = model.receptive_field(layer)
    indices = random_indices(2, field + 33, seed=layer)
    dense = dense_activation(model, indices, layer)
    assert dense.shape == (2, 64, 34)
    windows = indices.unfold(1, field, 1)
    expected = plain_map(model.state_dict(), one_hot(windows.reshape(-1, field)), layer)[:, :, 0]
    torch.testing.assert_close(dense.transpose(1, 2).reshape(-1, 64), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_windows_that_touch_n_are_left_out(networks, layer):
    """Row 8: padding is not a sequence; windows that hold an N or padding are minus infinity, all others are not."""
    model = networks[MODELS[3]].model
    field = model.receptive_field(layer)
    indices = random_indices(3, 100)
    whole = dense_activation(model, indices, layer)
    masked = indices.clone()
    masked[0, 50] = masked[1, 0] = N
    masked[2, 90:] = N
    touched = (masked == N).unfold(1, field, 1).any(dim=2)
    dense = dense_activation(model, masked, layer)
    assert touched.any(dim=1).all()
    assert torch.equal(torch.isneginf(dense), touched[:, None].expand_as(dense))
    torch.testing.assert_close(dense[~torch.isneginf(dense)], whole[~torch.isneginf(dense)], atol=1e-5, rtol=1e-5)


def test_sequences_shorter_than_the_window_have_none(networks):
    model = networks[MODELS[3]].model
    assert dense_activation(model, random_indices(2, 8), 2).shape == (2, 64, 0)
    assert dense_activation(model, random_indices(2, 9), 2).shape == (2, 64, 1)
    assert torch.isneginf(dense_activation(model, torch.full((1, 20), N, dtype=torch.uint8), 2)).all()


def test_padded_model_has_four_interior_positions_in_conv4(networks):
    """Row 9: of the 12 conv4 positions of a 50-nt message 4 see no padding; only there are windows right."""
    model = networks[MODELS[2]].model
    starts = interior_starts(model, 50, 4)
    inside = starts >= 0
    assert (len(starts), int(inside.sum())) == (12, 4)
    indices = random_indices(20, 50)
    trunk, dense = model.trunk(one_hot(indices), 4), dense_activation(model, indices, 4)
    torch.testing.assert_close(trunk[..., inside], dense[..., starts[inside]], atol=1e-5, rtol=1e-5)
    for place in (~inside).nonzero()[:, 0]:  # elsewhere no window explains the map
        nearest = (trunk[..., place, None] - dense).abs().amax(dim=(0, 1)).min()
        assert nearest > 1e-2


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [50, 51, 64])
def test_interior_positions_equal_the_dense_scan(networks, layer, length):
    """Row 9, every layer; the positions said to be interior are those whose window lies inside, no fewer."""
    model = networks[MODELS[2]].model
    starts = interior_starts(model, length, layer)
    inside = starts >= 0
    indices = random_indices(5, length)
    trunk, dense = model.trunk(one_hot(indices), layer), dense_activation(model, indices, layer)
    assert len(starts) == trunk.shape[-1]
    agrees = [
        place for place in range(len(starts)) if (trunk[..., place, None] - dense).abs().amax(dim=(0, 1)).min() < 1e-4
    ]
    assert agrees == inside.nonzero()[:, 0].tolist()
    torch.testing.assert_close(trunk[..., inside], dense[..., starts[inside]], atol=1e-5, rtol=1e-5)


def test_every_position_of_an_unpadded_model_is_interior(networks):
    model = networks[MODELS[3]].model
    starts = interior_starts(model, 61, 4)
    assert starts.tolist() == [4 * place for place in range(model.map_length(61, 4))]


def test_batch_size_does_not_matter(networks, monkeypatch):
    network = networks[MODELS[0]]
    windows = random_indices(40, 36)
    neuron = torch.arange(40)

    def everything():
        maps = network.feature_map(windows, 3)
        return network.activation(windows, 4, neuron), maps, network.gradient(windows, 4, neuron)

    whole = everything()
    ones = torch.cat([network.activation(windows[i : i + 1], 4, neuron[i : i + 1]) for i in range(40)])
    torch.testing.assert_close(whole[0], ones, atol=1e-5, rtol=1e-5)
    monkeypatch.setattr(utils.activation, "POSITIONS_AT_ONCE", 36 * 17)  # 17 windows at once: parts of 17, 17 and 6
    torch.testing.assert_close(everything(), whole, atol=1e-5, rtol=1e-5)
    dense = dense_activation(network.model, windows, 3)
    single = torch.cat([dense_activation(network.model, row[None], 3) for row in windows])
    torch.testing.assert_close(single, dense, atol=1e-5, rtol=1e-5)


def test_no_windows_give_no_activations(networks):
    network = networks[MODELS[3]]
    assert network.activation(random_indices(0, 9), 2, torch.zeros(0, dtype=torch.int64)).shape == (0,)


def test_a_word_model_counts_matches():
    """A convolution that is the word UGUAA is 5 at this word and nowhere else in a random sequence without it."""
    model = word_model(["UGUAA", "GGACU"])
    dense = dense_activation(model, torch.from_numpy(encode("CCUGUAACCGGACUCCUGUCA"))[None], 1)[0]
    assert dense[0].argmax() == 2
    assert dense[1].argmax() == 9
    assert dense[0].tolist().count(5) == dense[1].tolist().count(5) == 1
    assert dense[0, 16] == 4  # UGUCA: one mismatch
    assert not dense[2:].any()
    words = torch.cartesian_prod(*[torch.arange(4)] * 5).to(torch.uint8)
    activation = WindowNetwork(model).activation(words, 1, torch.zeros(len(words), dtype=torch.int64))
    expected = (words == torch.from_numpy(encode("UGUAA"))).sum(dim=1).float()
    torch.testing.assert_close(activation, expected)


def test_a_pair_model_fires_for_the_pair_only():
    network = WindowNetwork(pair_model([("UGUAA", "AUUUA"), ("GGACU", "UGUAA")]))
    texts = ["UGUAAUUUA", "UGUAACCCC", "CCCCAUUUA", "CCCCCCCCC", "UGUAGUUUA", "UGUAAUUUC", "GGACUGUAA"]
    windows = torch.from_numpy(np.stack([encode(text) for text in texts]))
    first = network.activation(windows, 2, torch.zeros(len(texts), dtype=torch.int64))
    torch.testing.assert_close(first, torch.tensor([1.0, 0, 0, -1, -1, 0, -1]), atol=1e-4, rtol=0)
    second = network.activation(windows, 2, torch.ones(len(texts), dtype=torch.int64))
    torch.testing.assert_close(second, torch.tensor([-1.0, -1, -1, -1, -1, -1, 1]), atol=1e-4, rtol=0)
    expected = plain_map(network.model.state_dict(), one_hot(windows), 2)[:, 0, 0]
    torch.testing.assert_close(first, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("layer", [0, 1, 2, 3, 4])
def test_the_width_of_a_feature_map_is_known_beforehand(layer):
    network = WindowNetwork(seeded_model(3, 4))
    indices = torch.zeros(3, 36, dtype=torch.uint8)
    assert network.feature_map(indices, layer).shape == (3, network.feature_width(36, layer))


@pytest.mark.parametrize("layer", [2, 3, 6])
def test_projected_maps_are_the_maps_along_the_directions(networks, layer):
    network = networks[MODELS[0]]
    windows = random_indices(70, network.model.receptive_field(layer), seed=layer)
    random = torch.Generator().manual_seed(3)
    widths = {lower: network.feature_width(windows.shape[1], lower) for lower in range(1, layer)}
    along = {lower: torch.randn(width, 7, generator=random) / width**0.5 for lower, width in widths.items()}
    found = network.projected_maps(windows, along)
    assert list(found) == list(along)
    for lower, directions in along.items():
        expected = network.feature_map(windows, lower) @ directions
        torch.testing.assert_close(found[lower], expected, atol=1e-4, rtol=1e-4)
