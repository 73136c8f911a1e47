"""The predictor: sizes and names of the published networks, the same numbers as the network written down plainly."""

import pytest
import torch

from tests.toy import plain_map, plain_prediction, random_messages, seeded_model
from utils.model import Dropout, Predictor

HALF_LIFE = {"num_layers": 6, "in_channels": 6, "padding": 0}
MRL = {"num_layers": 3, "in_channels": 4, "padding": 2}
FIELDS = [5, 9, 18, 36, 72, 144, 288]  # method.md, section 2


@pytest.mark.parametrize(("arguments", "count"), [(HALF_LIFE, 155_521), (MRL, 92_865)])
def test_parameter_counts_are_the_published_ones(arguments, count):
    assert sum(parameter.numel() for parameter in Predictor(**arguments).parameters()) == count


@pytest.mark.parametrize("layers", [3, 6])
def test_state_dict_keys_are_the_published_ones(layers):
    """method.md, Compatibility."""
    expected = {"conv1.weight", "Pln1.ln.weight", "Pln1.ln.bias"}
    for block in range(layers):
        expected |= {f"ln_layers.{block}.ln.weight", f"ln_layers.{block}.ln.bias"}
        expected |= {f"conv_layers.{block}.weight", f"conv_layers.{block}.bias"}
    expected |= {f"rnn.gru.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    for norm in ("bn1", "bn2"):
        expected |= {f"{norm}.{kind}" for kind in ("weight", "bias", "running_mean", "running_var")}
        expected.add(f"{norm}.num_batches_tracked")
    expected |= {f"{dense}.{kind}" for dense in ("fc1", "head") for kind in ("weight", "bias")}
    state = Predictor(layers, 6).state_dict()
    assert set(state) == expected
    assert state["conv1.weight"].shape == (64, 6, 5)
    assert state["rnn.gru.weight_ih_l0"].shape == (192, 64)


def test_receptive_fields_are_the_published_ones():
    model = Predictor(6, 6)
    assert [model.receptive_field(layer) for layer in range(1, 8)] == FIELDS


@pytest.mark.parametrize("layer", range(1, 8))
def test_receptive_field_is_what_a_position_depends_on(layer):
    """The gradient of one position of the plain network covers exactly the stated window, at the stated stride."""
    model = seeded_model(6, 4)
    field, stride = model.receptive_field(layer), model.stride(layer)
    X = torch.rand(8, 4, field + stride, requires_grad=True)  # eight inputs: a maximum hides one of two columns
    x = plain_map(model.state_dict(), X, layer)
    assert x.shape[-1] == model.map_length(field + stride, layer) == 2
    used = torch.autograd.grad(x[:, :, 1].abs().sum(), X)[0].ne(0).any(dim=1).any(dim=0).nonzero()
    assert (int(used.min()), int(used.max())) == (stride, field + stride - 1)


@pytest.mark.parametrize("layer", [0, 8, -1])
def test_a_layer_outside_the_network_is_refused(layer):
    with pytest.raises(ValueError, match="outside 1 to 7"):
        Predictor(6, 6).convolution(layer)


@pytest.mark.parametrize("readout", ["last", "first"])
@pytest.mark.parametrize(
    ("layers", "tracks", "padding", "full"),
    [
        (6, 6, 0, 1000), (3, 4, 2, 50), (3, 4, 0, 61), (6, 6, 2, 400), (3, 4, 1, 80), (3, 4, 3, 80), (6, 6, 4, 400),
    ],
)  # fmt: skip
def test_predictions_equal_the_plain_network(layers, tracks, padding, full, readout):
    """Row 8: padding is part of what the GRU reads, and over 2 makes maps longer; the plain network has no shortcut."""
    model = seeded_model(layers, tracks, padding, seed=layers + padding, readout=readout, num_targets=2)
    X = random_messages([full, full // 2, 7, full - 1], tracks, full)
    expected = plain_prediction(model.state_dict(), X, padding, readout)
    assert expected.std() > 1e-3  # the comparison below could fail
    torch.testing.assert_close(model(X), expected, atol=1e-5, rtol=1e-5)


def test_readouts_differ():
    X = random_messages([50], 4, 50)
    state = seeded_model(3, 4, 2).state_dict()
    assert (plain_prediction(state, X, 2, "last") - plain_prediction(state, X, 2, "first")).abs() > 1e-4


@pytest.mark.parametrize("readout", ["last", "first"])
@pytest.mark.parametrize("full", [320, 353, 1203])
def test_shortcut_over_padding_equals_full_length(full, readout):
    """method.md, 'Padding costs nothing twice': for messages of any length, alone and in batches of mixed length."""
    model = seeded_model(6, 6, readout=readout)
    lengths = sorted({length for length in (0, 1, 17, 288, 351, 352, 353, 1000, full - 1, full) if length <= full})
    X = random_messages(lengths, 6, full)
    at_full_length = model(X, full)
    torch.testing.assert_close(model(X), at_full_length, atol=1e-5, rtol=0)
    for row, length in enumerate(lengths):
        alone = model(X[row : row + 1], length)
        torch.testing.assert_close(alone, at_full_length[row : row + 1], atol=1e-5, rtol=0, msg=f"length {length}")
    shorter = X[: len(lengths) // 2]
    torch.testing.assert_close(model(shorter), at_full_length[: len(shorter)], atol=1e-5, rtol=0)


@pytest.mark.parametrize("readout", ["last", "first"])
def test_shortcut_at_the_input_length_of_the_half_life_model(readout):
    model = seeded_model(6, 6, readout=readout)
    X = random_messages([1000, 3001], 6, 12288)
    expected = plain_prediction(model.state_dict(), X, 0, readout)
    torch.testing.assert_close(model(X), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(model(X[:1]), expected[:1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("layers", [1, 3])
def test_shortcut_holds_at_every_length_of_a_small_network(layers):
    model = seeded_model(layers, 4, seed=3, readout="first")
    full = 61
    X = random_messages(list(range(full + 1)), 4, full)
    expected = plain_prediction(model.state_dict(), X, 0, "first")
    for length in range(full + 1):
        torch.testing.assert_close(model(X[length : length + 1]), expected[length : length + 1], atol=1e-5, rtol=0)


def test_shortcut_costs_the_real_length():
    """A message of a tenth of the input makes a tenth of the GRU's positions."""
    model = seeded_model(6, 6)
    features, repeats = model.features(random_messages([1000], 6, 12288))
    everything, none = model.features(random_messages([1000], 6, 12288), 12288)
    assert none == 0
    assert features.shape[1] + repeats == everything.shape[1]
    assert features.shape[1] <= 1000 // 64 + 2


@pytest.mark.parametrize("layer", [1, 2, 4])
@pytest.mark.parametrize("padding", [0, 2])
def test_trunk_counts_tracks_not_given_as_zero(layer, padding):
    model = seeded_model(3, 6, padding)
    X = random_messages([60, 60], 4, 60)
    whole = torch.cat([X, torch.zeros(2, 2, 60)], dim=1)
    torch.testing.assert_close(model.trunk(X, layer), model.trunk(whole, layer), atol=1e-6, rtol=0)
    expected = plain_map(model.state_dict(), whole, layer, padding)
    torch.testing.assert_close(model.trunk(X, layer), expected, atol=1e-5, rtol=1e-5)


def test_batch_of_five_equals_batches_of_one():
    model = seeded_model(6, 6)
    X = random_messages([900, 30, 700, 0, 512], 6, 1000)
    torch.testing.assert_close(model(X), torch.cat([model(row[None]) for row in X]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("readout", ["last", "first"])
def test_parts_of_a_batch_are_one_batch(readout):
    """BatchNorm sees the whole batch, in training too."""
    model = seeded_model(3, 4, readout=readout, dropout=0.0).train()
    X = random_messages([10, 30, 150, 200], 4, 200)
    statistics = model.bn1.running_mean.clone()
    whole = model(X, 200)
    moved = model.bn1.running_mean.clone()
    model.bn1.running_mean.copy_(statistics)
    parts = model.predict_parts([(X[:2], 30), (X[2:], None)])
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=0)
    torch.testing.assert_close(model.bn1.running_mean, moved, atol=1e-5, rtol=0)


def test_an_input_too_short_is_refused():
    """One position after the last pooling needs two of conv7: 288 + 32 nt."""
    model = seeded_model(6, 4)
    with pytest.raises(ValueError, match="too short"):
        model(torch.zeros(1, 4, 319))
    assert model(torch.zeros(1, 4, 320)).shape == (1, 1)


def test_an_unknown_readout_is_refused():
    with pytest.raises(ValueError, match="readout"):
        Predictor(3, 4, readout="middle")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_dropout_share_and_scale(share):
    torch.manual_seed(0)
    x = torch.ones(50, 64, 1, 100).contiguous(memory_format=torch.channels_last)
    y = Dropout(share).train()(x)
    assert float(y.eq(0).float().mean()) == pytest.approx(share, abs=0.005)
    assert float(y.mean()) == pytest.approx(1, abs=0.01)
    assert len(y.unique()) == 2
    per_channel = y.eq(0).float().mean(dim=(0, 2, 3))
    assert float((per_channel - share).abs().max()) < 0.05  # every channel alike
    assert torch.equal(Dropout(share).eval()(x), x)


def test_dropout_is_drawn_anew_and_follows_the_seed():
    dropout, x = Dropout(0.3).train(), torch.ones(1000)
    torch.manual_seed(1)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(1)
    assert not torch.equal(first, second)
    assert torch.equal(first, dropout(x))


def test_training_mode_is_random_and_evaluation_is_not():
    model = seeded_model(3, 4, 2)
    X = random_messages([50] * 8, 4, 50)
    assert torch.equal(model(X), model(X))
    model.train()
    assert not torch.equal(model(X), model(X))


@pytest.mark.parametrize("readout", ["last", "first"])
def test_gradients_equal_those_of_the_plain_network(readout):
    """With the shortcut, too: every parameter of the network learns what it would at full length."""
    model = seeded_model(3, 4, readout=readout).requires_grad_(True)
    state = {key: value.detach().clone().requires_grad_(value.is_floating_point())
             for key, value in model.state_dict().items()}  # fmt: skip
    X = random_messages([40, 61, 0], 4, 200)
    (model(X) ** 2).sum().backward()
    (plain_prediction(state, X, 0, readout) ** 2).sum().backward()
    for key, parameter in model.named_parameters():
        scale = float(state[key].grad.abs().max())
        assert scale > 0
        torch.testing.assert_close(parameter.grad, state[key].grad, atol=2e-4 * scale, rtol=1e-3, msg=key)


def test_batch_norm_follows_slowly():
    """Row 23: momentum 0.1 as PyTorch counts it, so that a batch moves the statistics by a tenth."""
    model = Predictor(1, 4)
    assert model.bn1.momentum == model.bn2.momentum == 0.1
    model.bn1.train()(torch.full((4, 64), 10.0))
    torch.testing.assert_close(model.bn1.running_mean, torch.ones(64))


def test_layer_norm_epsilon_is_the_published_one():
    model = Predictor(2, 4)
    assert {module.ln.eps for module in (*model.ln_layers, model.Pln1)} == {0.007}
