"""Networks of one's own: what people write is read rightly or refused with the name of the module, never wrong."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from motif_discovery.adaptive import demix_adaptively
from motif_discovery.demixing import demix
from tests.stacks import randomised
from utils.config import OwnModelSettings
from utils.geometry import clusters_above
from utils.own_network import OwnNetwork
from utils.runtime import InputError
from utils.stack_network import StackNetwork
from utils.stack_reader import Unreadable


def opened(module, targets=1, **more):
    """Return the network as the stages have it."""
    given = {"name": "x", "checkpoint": "x", "dataset": "x", "network": "x.py:X", "targets": targets}
    return OwnNetwork(module, OwnModelSettings(**given, **more))


def one_hot(n, length, seed=0):
    bases = torch.randint(4, (n, length), generator=torch.Generator().manual_seed(seed))
    return F.one_hot(bases, 4).transpose(1, 2).double()


def network_of(forward, **modules):
    """Return a network, random in double precision, with these modules and this forward(self, x)."""
    kind = type("Network", (nn.Module,), {"forward": forward})
    made = kind()
    for name, module in modules.items():
        setattr(made, name, module)
    return randomised(made, 1)


def require_equal(module, own, length=150):
    """Check dense activations against what hooks see of every convolution at interior positions."""
    X, kept, hooks = one_hot(2, length), {}, []
    names = [layer.name for layer in own.stack.layers]
    for name in names:

        def keep(module, given, out, name=name):
            kept[name] = out.clone()

        hooks.append(module.get_submodule(name).register_forward_hook(keep))
    with torch.no_grad():
        module(X)
        dense = dict(own.stack.dense(X, {layer.map for layer in own.stack.layers}))
    for hook in hooks:
        hook.remove()
    for layer, (name, step) in enumerate(zip(names, own.stack.layers, strict=True), 1):
        (first, end), jump = own.stack.field(layer), own.stack.stride(layer)
        inside = [i for i in range(kept[name].shape[2]) if i * jump + first >= 0 and i * jump + end <= length]
        assert inside
        found = dense[step.map][..., [i * jump + first for i in inside]]
        torch.testing.assert_close(found, kept[name][..., inside], rtol=1e-9, atol=1e-9)


class Sub(nn.Conv1d):
    """A convolution of the user's that does nothing else than torch's."""


def two(c1, c2):
    return network_of(lambda self, x: self.c2(self.c1(x).relu()).mean((1, 2)), c1=c1, c2=c2)


# -- weights that are computed --------------------------------------------------------------------------------------

NORMS = {
    "weight_norm": weight_norm,
    "spectral_norm": spectral_norm,
    "pruned": lambda one: prune.l1_unstructured(one, "weight", 0.5),
    "parametrized": parametrizations.weight_norm,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("kind", [nn.Conv1d, Sub])
@pytest.mark.parametrize("norm", NORMS)
def test_weights_that_are_computed_before_each_call(kind, norm):
    """The attribute that hooks set is of the weights before the checkpoint was loaded."""
    module = two(*(NORMS[norm](one) for one in (kind(4, 5, 6), kind(5, 4, 3))))
    state = {key: value + 0.3 for key, value in module.state_dict().items()}
    module.load_state_dict(state)
    require_equal(module, opened(module))


def test_weights_that_are_computed_in_the_forward_of_a_convolution():
    class Standardised(nn.Conv1d):
        def forward(self, x):
            flat = self.weight.view(self.weight.size(0), -1)
            weight = (self.weight - flat.mean(1)[:, None, None]) / (flat.std(1)[:, None, None] + 1e-5)
            return F.conv1d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    module = two(nn.Conv1d(4, 5, 6), Standardised(5, 4, 3))
    require_equal(module, opened(module))


def test_a_convolution_with_a_forward_that_cannot_be_read_is_named():
    """Nothing stands behind it, so nothing else would tell that it is missing."""

    class Noisy(nn.Conv1d):
        def forward(self, x):
            return F.conv1d(x, self.weight * torch.rand(1, dtype=x.dtype), self.bias)

    with pytest.raises(Unreadable, match="'c2'"):
        opened(two(nn.Conv1d(4, 5, 6), Noisy(5, 4, 3)))


def test_a_weight_of_the_network_itself():
    module = network_of(lambda self, x: F.conv1d(self.c1(x).relu(), self.w).mean((1, 2)), c1=nn.Conv1d(4, 5, 6))
    module.w = nn.Parameter(torch.randn(3, 5, 4).double())
    own = opened(module)
    assert [layer.name for layer in own.stack.layers] == ["c1", "conv1d"]
    X = one_hot(1, 60)
    ((_, dense),) = own.stack.dense(X, {own.stack.layers[1].map})
    torch.testing.assert_close(dense, F.conv1d(module.c1(X).relu(), module.w), rtol=1e-9, atol=1e-9)


# -- questions and parts --------------------------------------------------------------------------------------------


def guarded(self, x):
    if x.dim() == 2:
        x = x.unsqueeze(0)
    assert x.shape[1] == 4, "one-hot"
    if x.ndim != 3 or x.size(1) > 5 or x.size()[1] < 4:
        raise ValueError("no sequence")
    return self.c2(self.c1(x.to(self.c1.weight.dtype)).relu()).mean((1, 2))


def gated(self, x):
    a, b = self.c1(x).chunk(2, dim=1)
    return self.c2(a.tanh() * b.sigmoid()).mean((1, 2))


def gated_by_glu(self, x):
    return self.c2(F.glu(self.c1(x), dim=1)).mean((1, 2))


def some_channels(self, x):
    x = self.c1(x[:, :4])
    return self.c2(x[:, :3, 2:-2].softmax(1) * x[:, 3:, 2:-2].relu()).mean((1, 2))


@pytest.mark.parametrize("forward", [guarded, gated, gated_by_glu, some_channels])
def test_what_looks_at_every_position_by_itself(forward):
    before = 6 if forward is guarded else 3
    module = network_of(forward, c1=nn.Conv1d(4, 6, 5, padding=2), c2=nn.Conv1d(before, 3, 4))
    own = opened(module)
    assert len(own.stack.layers) == 2
    require_equal(module, own)


@pytest.mark.parametrize("mixing", [nn.GLU(), nn.Softmax(dim=2), nn.Softmax(dim=-1)])
def test_what_looks_along_the_sequence_is_named(mixing):
    module = network_of(lambda self, x: self.c2(self.mix(self.c1(x))).mean((1, 2)), c1=nn.Conv1d(4, 5, 5), mix=mixing,
                        c2=nn.Conv1d(5, 3, 4))  # fmt: skip
    with pytest.raises(Unreadable, match=r"'c2'.*'mix'"):
        opened(module)


def test_a_question_about_the_length_is_not_answered():
    def forward(self, x):
        x = x[:, :, 1:] if x.shape[2] > 100 else x
        return self.c1(x).mean((1, 2))

    with pytest.raises(Unreadable, match="could not be followed"):
        opened(network_of(forward, c1=nn.Conv1d(4, 5, 5)))


# -- what is overwritten under another name, which a trace does not show --------------------------------------------


def aliased(self, x):
    x = self.c1(x)
    y = x
    y += self.c2(x.relu())
    return self.c3(x).mean((1, 2))


def cropped_alias(self, x):
    x = self.c1(x)
    y = x
    y *= 3
    return self.c2(x[:, :, 60:-60]).mean((1, 2))


@pytest.mark.parametrize("made", [nn.Conv1d, Sub, lambda *given, **more: parametrizations.weight_norm(
    nn.Conv1d(*given, **more))])  # fmt: skip
def test_what_a_trace_does_not_show_is_found(made):
    first = {"c1": made(4, 4, 5)}
    with pytest.raises(Unreadable, match=r"'c3' \(Conv1d\): what was read.*layers: \[c1, c2\]"):
        opened(network_of(aliased, **first, c2=made(4, 4, 3, padding=1), c3=made(4, 3, 3)))
    with pytest.raises(Unreadable, match=r"'c2' \(Conv1d\): what was read.*layers: \[c1\]"):
        opened(network_of(cropped_alias, **first, c2=made(4, 3, 3)))


def test_tracing_leaves_the_network_as_it_was():
    def forward(self, x):
        x = self.c1(x)
        if self.mask is None:
            self.mask = torch.ones_like(x[:1, :, :1])
        return (x * self.mask).mean((1, 2))

    module = network_of(forward, c1=nn.Conv1d(4, 3, 5))
    module.mask = None
    own = opened(module)
    assert module.mask is None
    assert own(one_hot(2, 40)).shape == (2, 1)
    assert own(one_hot(2, 70)).shape == (2, 1)


class Centred(nn.Conv1d):
    """A convolution of the user's with a forward of its own, which can be read."""

    def forward(self, x):
        weight = self.weight - self.weight.mean()
        return F.conv1d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Masked(nn.Conv1d):
    """Changes its weight whenever it is called."""

    def forward(self, x):
        self.weight.data = self.weight.data * 0.5
        return super().forward(x)


def written_parts(self, x):
    h = self.c1(x)
    a, _ = h.chunk(2, dim=1)
    a.relu_()
    return self.c2(h).mean((1, 2))


def where_negative(self, x):
    h = self.c1(x)
    y = h
    y[:, :1].relu_()
    return self.c2(h).mean((1, 2))


def not_a_number(self, x):
    h = self.c1(x)
    y = h
    y += 50
    return self.c2(h.sqrt()).mean((1, 2))


def scaled_by_the_input(self, x):
    if x.max() == 1:
        x = x * 3
    return self.c2(self.c1(x)).mean((1, 2))


def asked_of_a_map(self, x):
    h = self.c1(x)
    if h.shape[1] == 4:
        h = h * 2
    return self.c2(h).mean((1, 2))


def asked_of_a_slice(self, x):
    if x.shape[1:] == (4, 400):
        x = x * 3
    return self.c2(self.c1(x)).mean((1, 2))


@pytest.mark.parametrize("second", [nn.Conv1d, Centred])
@pytest.mark.parametrize(
    "forward",
    [written_parts, where_negative, not_a_number, scaled_by_the_input, asked_of_a_map, asked_of_a_slice],
)
def test_nothing_is_wrong_in_silence(forward, second):
    """Every call of torch's convolution is compared, at every position inside, whoever calls it."""
    for seed in range(5):
        module = randomised(network_of(forward, c1=nn.Conv1d(4, 2, 5), c2=second(2, 3, 1)), seed)
        with pytest.raises(Unreadable):
            opened(module)


def test_a_weight_that_a_call_changes_is_found():
    with pytest.raises(Unreadable, match="'c1'"):
        opened(two(Masked(4, 5, 6), nn.Conv1d(5, 3, 4)))


def test_what_a_copy_keeps_is_not_overwritten():
    def forward(self, x):
        h = self.c1(x)
        keep = h.clone()
        h.relu_()
        return self.c3(self.c2(h) + keep).mean((1, 2))

    module = network_of(forward, c1=nn.Conv1d(4, 5, 6), c2=nn.Conv1d(5, 5, 3, padding=1), c3=nn.Conv1d(5, 3, 4))
    require_equal(module, opened(module))


def test_weights_and_constants_of_the_type_of_the_input():
    def forward(self, x):
        return self.c1((x - self.mean.to(x)) / self.sd.type_as(x).to(x.dtype)).mean((1, 2))

    module = network_of(forward, c1=nn.Conv1d(4, 5, 6))
    module.register_buffer("mean", torch.rand(4, 1))
    module.register_buffer("sd", torch.rand(4, 1) + 0.5)
    require_equal(module, opened(module))


def test_parts_that_are_put_together_otherwise_are_named():
    def maxout(self, x):
        return self.c2(torch.stack(self.c1(x).chunk(2, 1), 1).amax(1)).mean((1, 2))

    def turned(self, x):
        return self.c2(torch.cat(self.c1(x).chunk(2, 1)[::-1], 1)).mean((1, 2))

    for forward, before in ((maxout, 3), (turned, 6)):
        with pytest.raises(Unreadable, match=r"'c2' \(Conv1d\): it stands behind"):
            opened(network_of(forward, c1=nn.Conv1d(4, 6, 5), c2=nn.Conv1d(before, 3, 4)))


def test_a_convolution_without_torchs_is_named():
    class Unfolded(nn.Conv1d):
        def forward(self, x):
            return torch.einsum("ock,nclk->nol", self.weight, x.unfold(2, self.weight.shape[2], 1))

    with pytest.raises(Unreadable, match=r"'c2'.*its own forward"):
        opened(two(nn.Conv1d(4, 5, 6), Unfolded(5, 3, 4)))


def test_what_could_not_be_compared_is_said(caplog):
    def forward(self, x):
        h = self.c1(x)
        aux = self.head(h.flatten(1))
        return self.c2(h).mean((1, 2)) + aux[:, 0]

    module = network_of(forward, c1=nn.Conv1d(4, 2, 5), c2=nn.Conv1d(2, 3, 4), head=nn.Linear(2 * 396, 1))
    opened(module)
    assert "c2: not compared with the network itself" in caplog.text


# -- crops and padding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crop", [slice(50, None), slice(50, -50), slice(None, -30)])
def test_a_crop_is_read(crop):
    def forward(self, x):
        return self.c2(self.c1(x[:, :, crop]).relu()).mean((1, 2))

    module = network_of(forward, c1=nn.Conv1d(4, 5, 6), c2=nn.Conv1d(5, 3, 4))
    require_equal(module, opened(module), length=260)
    padded = network_of(forward, c1=nn.Conv1d(4, 5, 6, padding=3), c2=nn.Conv1d(5, 3, 4, padding=2, stride=2))
    own = opened(padded)  # positions beside the crop see padding
    first, end = own.stack.interior(260)[own.stack.layers[0].map]
    assert (first, end) == (3, 260 - (crop.start or 0) + (crop.stop or 0) - 2)


def test_dots_stand_for_whole_axes():
    def forward(self, x):
        return self.c2(self.c1(x[..., :, 2:-2])[:, ..., 3:].relu()[...]).mean((1, 2))

    module = network_of(forward, c1=nn.Conv1d(4, 5, 6), c2=nn.Conv1d(5, 3, 4))
    require_equal(module, opened(module))


def test_a_crop_that_ends_at_a_place_of_its_own_is_named():
    """No window of a longer message tells whether the network reads it."""
    module = network_of(lambda self, x: self.c1(x[:, :, :100]).amax((1, 2)), c1=nn.Conv1d(4, 5, 6))
    with pytest.raises(Unreadable, match="'getitem' in the forward of the network"):
        opened(module)


@pytest.mark.parametrize(
    ("forward", "given", "padding"),
    [
        (lambda self, x: self.c1(x).mean((1, 2)), {"padding": "same"}, 1),  # of width 2: behind the last position
        (lambda self, x: self.c1(F.pad(x, (0, 30))).mean((1, 2)), {}, 30),
        (lambda self, x: self.c1(x[..., 3:-3]).mean((1, 2)), {}, 0),
    ],
)
def test_padding_at_either_end_is_told(forward, given, padding):
    assert opened(network_of(forward, c1=nn.Conv1d(4, 5, 2, **given))).padding == padding


def test_axes_of_length_one_are_taken_away_together():
    def forward(self, x):
        return self.c2(self.c1(x)[:, :, None, :, None].squeeze((2, 4)).relu()).mean((1, 2))

    module = network_of(forward, c1=nn.Conv1d(4, 5, 6), c2=nn.Conv1d(5, 3, 4))
    with pytest.raises(Unreadable, match="'getitem'"):  # an index that no crop has
        opened(module)

    def squeezing(self, x):
        return self.c2(self.c1(x).unsqueeze(2).unsqueeze(2).squeeze((2, 3)).relu()).mean((1, 2))

    module = network_of(squeezing, c1=nn.Conv1d(4, 5, 6), c2=nn.Conv1d(5, 3, 4))
    require_equal(module, opened(module))


def test_a_layer_that_is_named_twice():
    with pytest.raises(Unreadable, match="'c2' is named twice"):
        opened(two(nn.Conv1d(4, 5, 6), nn.Conv1d(5, 3, 4)), layers=["c2", "c2"])


# -- branches -------------------------------------------------------------------------------------------------------


def with_pooled_head(self, x):
    h = self.c1(x).relu()
    return self.c2(h).amax((1, 2)) + F.max_pool1d(h, 95).mean((1, 2))


def parallel(self, x):
    found = [one(x).relu() for one in (self.c1, self.c2, self.c3)]
    return self.c4(torch.cat([one[..., : found[0].shape[-1]] for one in found], 1)).mean((1, 2))


def inception(self, x):
    return self.c4(torch.cat([self.c1(x).relu(), self.c2(x).relu(), self.c3(x).relu()], 1)).mean((1, 2))


def deep_bind(self, x):
    found = [F.max_pool1d(one(x).relu(), 80).mean(2) for one in (self.c1, self.c2, self.c3)]
    return torch.cat(found, 1).mean(1)


def test_pools_that_a_layer_does_not_read_do_not_count():
    """They made 190 clusters of a sample, so that nothing was split."""
    own = opened(network_of(with_pooled_head, c1=nn.Conv1d(4, 5, 6), c2=nn.Conv1d(5, 3, 4)))
    assert clusters_above(own, 1, 2) == 4
    c1, c2, c3 = (nn.Conv1d(4, 3, width) for width in (10, 8, 6))
    own = opened(network_of(deep_bind, c1=c1, c2=c2, c3=c3))
    assert [own.layers_below(layer) for layer in (1, 2, 3)] == [[], [], []]


@pytest.mark.parametrize("demixed", [demix, demix_adaptively])
@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_a_sample_is_split_on_the_layers_that_the_neuron_reads(demixed, layer):
    """Lower numbers may be of branches with a longer receptive field, which have no window in this one's."""
    widths = (11, 7, 5)
    made = {f"c{i}": nn.Conv1d(4, 3, width, padding=width // 2) for i, width in enumerate(widths, 1)}
    own = opened(network_of(inception, **made, c4=nn.Conv1d(9, 4, 3)).float())
    below = {1: [], 2: [], 3: [], 4: [1, 2, 3]}[layer]
    assert own.layers_below(layer) == below
    network = StackNetwork(own)
    field = own.receptive_field(layer)
    sequence = torch.randint(4, (900, field), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    activation = network.activation(sequence, layer, torch.zeros(900, dtype=torch.int64))
    order = activation.argsort(descending=True)[:300]
    order = order[activation[order] > 0]
    parts = demixed(network, layer, 0, sequence[order].numpy(), activation[order].numpy())
    assert parts
    assert all(part.pfm.shape == (4, field) for part in parts)


def of_one_field(self, x):
    h = self.stem(x).relu()
    return self.wide(h).mean((1, 2)) + self.b2(self.b1(h)).mean((1, 2))


@pytest.mark.parametrize("demixed", [demix, demix_adaptively])
def test_layers_with_the_same_field_but_another_alignment(demixed):
    """Windows of b2 are read where b2 reads, not where another layer that sees as many nucleotides does."""
    made = {"stem": nn.Conv1d(4, 3, 6, stride=2), "wide": nn.Conv1d(3, 3, 9)}
    made |= {f"b{i}": nn.Conv1d(3, 3, 5, padding=2) for i in (1, 2)}
    own = opened(network_of(of_one_field, **made).float())
    assert [own.receptive_field(layer) for layer in (2, 4)] == [22, 22]
    assert own.stack.field(2) != own.stack.field(4)
    network, random = StackNetwork(own), torch.Generator().manual_seed(2)
    sequence = torch.randint(4, (900, 22), generator=random, dtype=torch.uint8)
    activation = network.activation(sequence, 4, torch.zeros(900, dtype=torch.int64))
    order = activation.argsort(descending=True)[:300]
    order = order[activation[order] > 0]
    assert demixed(network, 4, 0, sequence[order].numpy(), activation[order].numpy())
    lower = network.feature_map(sequence[:5], 3, 4).view(5, -1, 3)
    assert lower.shape[1] == 5  # b2 reads five positions of b1
    number = own.stack.layers[2].map
    read = own.stack.windows(network._input(sequence[:5]), own.stack.field(4)[0], {number: (-2, 3)})
    torch.testing.assert_close(lower.transpose(1, 2), read[number])


# -- types and inputs that are changed ------------------------------------------------------------------------------


def test_a_convolution_of_another_type_is_one_line():
    def forward(self, x):
        return self.c1(x.to(torch.float32)).mean((1, 2))

    module = network_of(forward, c1=nn.Conv1d(4, 5, 6), other=nn.Linear(1, 1))
    module.c1.float()
    module.register_parameter("first", nn.Parameter(torch.ones(1, dtype=torch.float64)))
    opened(module)  # float32 inside, float64 outside: the same numbers but for rounding

    def lower(self, x):
        return self.c1(x.to(torch.bfloat16)).mean((1, 2))

    module = network_of(lower, c1=nn.Conv1d(4, 5, 6))
    module.c1.bfloat16()
    module.register_parameter("first", nn.Parameter(torch.ones(1)))
    with pytest.raises(Unreadable, match="other numbers"):
        opened(module)


def test_an_input_that_is_changed_in_place():
    def forward(self, x):
        x -= 0.25
        return self.c1(x).mean((1, 2))

    opened(network_of(forward, c1=nn.Conv1d(4, 5, 6)))


# -- outputs --------------------------------------------------------------------------------------------------------


def test_an_axis_of_length_one_may_be_left_out():
    module = network_of(lambda self, x: self.head(self.c1(x).amax(2)).squeeze(), c1=nn.Conv1d(4, 5, 6),
                        head=nn.Linear(5, 1))  # fmt: skip
    own, X = opened(module), one_hot(3, 40)
    together = own(X)
    assert together.shape == (3, 1)
    torch.testing.assert_close(own(X[:1]), together[:1])
    module = network_of(lambda self, x: self.head(self.c1(x).amax(2)).squeeze(), c1=nn.Conv1d(4, 5, 6),
                        head=nn.Linear(5, 2))  # fmt: skip
    own = opened(module, targets=2)
    torch.testing.assert_close(own(X[:1]), own(X)[:1])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_output_is_not_three(n):
    """It was copied to all targets."""
    own = opened(network_of(lambda self, x: self.c1(x).amax((1, 2)), c1=nn.Conv1d(4, 5, 6)), targets=3)
    with pytest.raises(InputError, match="correct key 'targets'"):
        own(one_hot(n, 40))
