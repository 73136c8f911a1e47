"""Any stack of convolutions: read from the module, the same numbers by window, densely, and in the module itself."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from tests.stacks import Written, networks, randomised
from tests.toy import seeded_model
from utils.activation import WindowNetwork, dense_activation
from utils.sequence import one_hot
from utils.stack import Sliding, Stack
from utils.stack_reader import Unreadable, read_stack

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def one_hot_double(n, length, seed):
    generator = torch.Generator().manual_seed(seed)
    bases = torch.randint(4, (n, length), generator=generator)
    return torch.nn.functional.one_hot(bases, 4).transpose(1, 2).double()


def windows_of(stack, X, layer):
    """The activation at every window start, one window at a time."""
    first, end = stack.field(layer)
    number, width = stack.layers[layer - 1].map, end - first
    starts = range(X.shape[2] - width + 1)
    found = [stack.windows(X[:, :, s : s + width], first, {number: (0, 1)})[number] for s in starts]
    return torch.cat(found, dim=2)


@EXAMPLES
@given(networks(), st.integers(0, 1000))
def test_dense_scan_equals_windows(network, seed):
    stack = read_stack(network)
    longest = max(stack.receptive_field(layer) for layer in range(1, len(stack.layers) + 1))
    X = one_hot_double(2, longest + 7, seed)
    dense = dict(stack.dense(X, {layer.map for layer in stack.layers}))
    for layer, own in enumerate(stack.layers, 1):
        torch.testing.assert_close(dense[own.map], windows_of(stack, X, layer), rtol=1e-9, atol=1e-9)


@EXAMPLES
@given(networks(), st.integers(0, 1000))
def test_maps_of_lower_layers_in_a_window(network, seed):
    """What demixing reads: every position of a lower layer whose own window lies in that of the layer above."""
    stack = read_stack(network)
    for upper in range(1, len(stack.layers) + 1):
        first, end = stack.field(upper)
        X = one_hot_double(2, end - first, seed)
        for lower in range(1, upper + 1):
            begin, last = stack.positions(lower, upper)
            number, (low, high), jump = stack.layers[lower - 1].map, stack.field(lower), stack.stride(lower)
            assert begin * jump + low >= first > (begin - 1) * jump + low
            if last == begin:
                continue
            together = stack.windows(X, first, {number: (begin, last)})[number]
            for index in range(begin, last):
                start = index * jump + low - first
                single = stack.windows(X[..., start : start + high - low], low, {number: (0, 1)})[number]
                torch.testing.assert_close(together[..., index - begin], single[..., 0], rtol=1e-9, atol=1e-9)


@EXAMPLES
@given(networks(smooth=True), st.integers(0, 1000))
def test_receptive_field_is_the_support_of_the_gradient(network, seed):
    """Of the network itself: exactly the nucleotides on which a position of a convolution depends."""
    stack = read_stack(network)
    longest = max(stack.receptive_field(layer) for layer in range(1, len(stack.layers) + 1))
    X = one_hot_double(1, 3 * longest + 60, seed).requires_grad_()
    kept = raw_outputs(network, stack, X)
    for layer, own in enumerate(stack.layers, 1):
        (first, end), jump = stack.field(layer), stack.stride(layer)
        index = (X.shape[2] // 2 - first) // jump
        (gradient,) = torch.autograd.grad(kept[own.name][0, :, index].sum(), X, retain_graph=True)
        touched = gradient[0].abs().sum(dim=0).nonzero()[:, 0]
        start = index * jump + first
        assert touched.min() >= start
        assert touched.max() < start + end - first
        if all(one.stride <= one.width for one in sliding(stack)):  # no position is skipped
            assert (int(touched.min()), int(touched.max()) + 1) == (start, start + end - first)


def sliding(stack):
    return [step.operation for step in stack.steps if isinstance(step.operation, Sliding)]


def raw_outputs(network, stack, X):
    """The raw output of each convolution of the network itself, before anything overwrites it."""
    kept, hooks = {}, []
    for name in {layer.name for layer in stack.layers}:

        def keep(module, given, out, name=name):
            kept[name] = out.clone()

        hooks.append(network.get_submodule(name).register_forward_hook(keep))
    network(X)
    for hook in hooks:
        hook.remove()
    return kept


@EXAMPLES
@given(networks(), st.integers(0, 1000))
def test_windows_equal_the_network_at_interior_positions(network, seed):
    stack = read_stack(network)
    longest = max(stack.receptive_field(layer) for layer in range(1, len(stack.layers) + 1))
    X = one_hot_double(1, 3 * longest + 100, seed)
    kept = raw_outputs(network, stack, X)
    for layer, own in enumerate(stack.layers, 1):
        (first, end), jump = stack.field(layer), stack.stride(layer)
        index = (X.shape[2] // 2 - first) // jump
        start = index * jump + first
        window = stack.windows(X[:, :, start : start + end - first], first, {own.map: (0, 1)})[own.map]
        torch.testing.assert_close(window[..., 0], kept[own.name][..., index], rtol=1e-9, atol=1e-9)


def test_what_people_write_in_forward_is_read():
    network = randomised(Written(), 3)
    stack = read_stack(network)
    names = ["causal", "normed", "steps.0", "steps.1", "wide", "conv1d", "last"]
    assert [layer.name for layer in stack.layers] == names
    assert [stack.receptive_field(layer) for layer in range(1, 8)] == [4, 8, 8, 8, 18, 26, 30]
    X = one_hot_double(2, 130, 1)
    inner = [layer for layer in stack.layers if layer.name not in ("causal", "conv1d")]
    kept = raw_outputs(network, Stack(stack.steps, tuple(inner)), X)
    dense = dict(stack.dense(X, {layer.map for layer in stack.layers}))
    for layer, own in enumerate(stack.layers, 1):
        torch.testing.assert_close(dense[own.map], windows_of(stack, X, layer), rtol=1e-9, atol=1e-9)
        if own in inner:
            (first, _), jump = stack.field(layer), stack.stride(layer)
            index = (65 - first) // jump
            found = dense[own.map][..., index * jump + first]
            torch.testing.assert_close(found, kept[own.name][..., index], rtol=1e-9, atol=1e-9)


def test_the_predictor_as_a_stack():
    """The same design written as a network of the user's gives what the project's own fast path gives."""
    model = seeded_model(3, 4, 2, channels=8)

    class Design(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.norms, self.convolutions = model.conv1, model.ln_layers, model.conv_layers

        def forward(self, X):
            x = self.conv1(X)
            for place, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
                x = F.max_pool1d(x, 2) if place else x
                x = convolution(norm(x.unsqueeze(2)).squeeze(2).relu())
            return x.mean(dim=2)

    stack, network = read_stack(Design().eval()), WindowNetwork(model)
    for layer in range(1, 5):
        assert stack.receptive_field(layer) == model.receptive_field(layer)
        assert stack.stride(layer) == model.stride(layer)
        assert layer == 4 or stack.pool_width(layer, 4) == model.pool_width(layer, 4)
        assert stack.layers_below(layer) == model.layers_below(layer)
        bases = torch.randint(4, (3, 90), dtype=torch.uint8)
        number = stack.layers[layer - 1].map
        ((_, dense),) = stack.dense(one_hot(bases), {number})
        torch.testing.assert_close(dense, dense_activation(model, bases, layer), rtol=1e-4, atol=1e-4)
        windows = bases[:, : model.receptive_field(4)]
        begin, last = stack.positions(layer, 4)
        found = stack.windows(one_hot(windows), stack.field(4)[0], {number: (begin, last)})[number]
        expected = network.feature_map(windows, layer).view(3, -1, 8).transpose(1, 2)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_dropout_that_is_always_on_is_named():
    class Always(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv1d(4, 4, 3), nn.Conv1d(4, 4, 3)

        def forward(self, X):
            return self.second(F.dropout(self.first(X), 0.5))

    with pytest.raises(Unreadable, match=r"'second'.*'dropout' in the forward of the network"):
        read_stack(Always().eval())
    assert len(read_stack(Always().eval(), ("first",)).layers) == 1


def test_a_convolution_that_is_called_twice_is_two_layers():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = nn.Conv1d(4, 4, 3)

        def forward(self, X):
            return self.shared(self.shared(X).relu()).mean(dim=2)

    stack = read_stack(Twice().eval())
    assert [layer.name for layer in stack.layers] == ["shared", "shared (2)"]
    assert [stack.receptive_field(layer) for layer in (1, 2)] == [3, 5]
