"""Any stack of convolutions: read from the module, the same numbers by window, densely, and in the module itself."""

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stacks import networks
from utils.stack_reader import read_stack

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
