"""Networks of the user's: loading, what cannot be read, known designs, and the stages on them."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from motif_discovery import cluster, files, match, report, sample, settings
from motif_discovery.demixing import clusters_at
from tests import own_networks
from tests.own_networks import BassetLike, DeepSEALike, TwoWords
from utils.checkpoint import load_checkpoint
from utils.config import load_model_settings
from utils.data import Split
from utils.dense_scan import scan_messages
from utils.edits import predict_edits
from utils.geometry import clusters_above
from utils.motif import Motif, read_meme, write_meme
from utils.prediction import predict, require_fit
from utils.runtime import InputError
from utils.sequence import N, decode, iupac_ppm
from utils.stack_network import StackNetwork, window_network

FILE = own_networks.__file__


@pytest.fixture
def described(tmp_path):
    """Return a function that writes weights and the config of a network, and gives the config's path."""

    def write(kind, state=None, file="weights.pth", **more):
        if isinstance(kind, nn.Module):
            state, kind = kind.state_dict(), type(kind).__name__
        torch.save(state if state is not None else getattr(own_networks, kind)().state_dict(), tmp_path / file)
        content = {"name": "toy", "network": f"{FILE}:{kind}", "checkpoint": str(tmp_path / file), "dataset": "none.h5"}
        path = tmp_path / "model.yaml"
        path.write_text(yaml.safe_dump(content | more))
        return path

    return write


def opened(path):
    return load_checkpoint(load_model_settings(path))


def seeded(kind, **more):
    torch.manual_seed(1)
    network = kind(**more).eval()
    for one in network.modules():
        if isinstance(one, nn.BatchNorm1d):
            one.running_mean.normal_(std=0.1)
            one.running_var.uniform_(0.5, 2)
    return network


def messages(n, length, tracks=4, seed=0, targets=1):
    bases = np.random.default_rng(seed).integers(4, size=(n, length))
    return Split((1 << bases).astype(np.uint8), np.zeros((n, targets), np.float32), np.full(n, length, np.int32),
                 [str(row) for row in range(n)], tracks)  # fmt: skip


# -- known designs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "strides", "clusters", "padding"),
    [(DeepSEALike, [8, 39, 163], [1, 4, 16], [8, 8], 0), (BassetLike, [19, 51, 132], [1, 3, 12], [6, 8], 9)],
)
def test_geometry_of_known_designs(described, kind, fields, strides, clusters, padding):
    """Receptive fields by hand: each pool adds (width - 1) x stride, each convolution likewise (method.md 2)."""
    model = opened(described(seeded(kind))).model
    layers = range(1, model.layers + 1)
    assert [model.receptive_field(layer) for layer in layers] == fields
    assert [model.stride(layer) for layer in layers] == strides
    assert [clusters_above(model, layer, 3) for layer in (1, 2)] == clusters
    assert model.padding == padding


@pytest.mark.parametrize(("kind", "length", "targets"), [(DeepSEALike, 200, 3), (BassetLike, 240, 2)])
def test_scan_and_predictions_of_known_designs(described, kind, length, targets):
    """Traps 9, 13: the scan finds the highest of all windows; near the ends the padding is not in it."""
    network = seeded(kind)
    checkpoint = opened(described(network, targets=targets))
    split = messages(5, length, targets=targets)
    require_fit(checkpoint.model, split, "set", "toy")
    X = torch.from_numpy((split.codes[:, None] >> np.arange(4)[:, None]) & 1).float()
    torch.testing.assert_close(torch.from_numpy(predict(checkpoint.model, split, 2)), network(X).detach())
    bases = np.log2(split.codes).astype(np.uint8)
    bases[0, 100] = N
    own = window_network(checkpoint.model)
    found = scan_messages(own, bases, [1, 2, 3])
    for layer in (1, 2, 3):
        field = checkpoint.model.receptive_field(layer)
        windows = np.lib.stride_tricks.sliding_window_view(bases, field, axis=1)
        for row, starts in enumerate(windows):
            fine = np.flatnonzero((starts < N).all(axis=1))
            if not len(fine):
                assert (found[layer][1][row] == -1).all()
                continue
            every = own.feature_map(torch.from_numpy(starts[fine]), layer).numpy()
            np.testing.assert_allclose(found[layer][0][row], every.max(axis=0), atol=1e-4)
            best = every[np.searchsorted(fine, found[layer][1][row]), np.arange(every.shape[1])]
            np.testing.assert_allclose(best, every.max(axis=0), atol=1e-4)


@pytest.mark.parametrize("kind", [DeepSEALike, BassetLike])
def test_gradient_is_the_finite_difference(described, kind):
    own = window_network(opened(described(seeded(kind))).model)
    for layer in (1, 2, 3):
        field = own.model.receptive_field(layer)
        windows = torch.from_numpy(np.random.default_rng(layer).integers(4, size=(3, field)).astype(np.uint8))
        neuron = torch.tensor([0, 1, 2])
        activation, gradient = own.gradient(windows, layer, neuron)
        torch.testing.assert_close(activation, own.activation(windows, layer, neuron))
        X = own._input(windows).double()
        own.model.module.double()
        step = 1e-6 * torch.randn(X.shape, generator=torch.Generator().manual_seed(0), dtype=X.dtype)
        change = (own._window(X + step, layer) - own._window(X - step, layer)).gather(1, neuron[:, None])[:, 0] / 2
        own.model.module.float()
        torch.testing.assert_close((gradient.double() * step).sum((1, 2)), change, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize(("kind", "layer"), [(DeepSEALike, 2), (BassetLike, 2), (BassetLike, 3)])
def test_known_designs_go_through_discovery(described, tmp_path, monkeypatch, kind, layer):
    """DNA networks: a neuron is sampled, demixed by maps of the lower layers, matched and shown."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")
    chosen = settings.DiscoverySettings(model=str(described(seeded(kind), alphabet="DNA")), bin_limit=200)
    discovery = settings.open_discovery(chosen, layer)
    for step in (sample, cluster, match, report):
        step.run(discovery, [1, 2, 3], quiet=True)
    firing = 0
    for neuron in (1, 2, 3):
        found = files.read_sample(discovery.sample_path(neuron))
        assert discovery.report_path(neuron).is_file()
        if not found.maximum > 0:  # trap 5: said so, no motif
            continue
        firing += 1
        owner = torch.full((len(found.sequence),), neuron - 1)
        again = discovery.network.activation(torch.from_numpy(found.sequence), layer, owner).numpy()
        np.testing.assert_allclose(found.activation, again, rtol=1e-3, atol=1e-4)
        assert len(found.sequence) > 500
        parts, *_ = files.read_motifs(discovery.motif_path(neuron))
        assert max(part.consensus_ratio for part in parts) > 0.8
    assert firing


def test_a_motif_that_is_known_is_given_back(described, tmp_path, monkeypatch):
    """Two words, each at any of three places (a pool of 3): both come back from the whole of motif discovery."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")
    chosen = settings.DiscoverySettings(model=str(described(TwoWords())))
    discovery = settings.open_discovery(chosen, 2)
    assert discovery.receptive_field == 5 + 2 + 3 * 3
    assert clusters_at(discovery.clusters, 1) == 6
    for step in (sample, cluster, match, report):
        step.run(discovery, [1], quiet=True)
    assert files.read_sample(discovery.sample_path(1)).maximum == 6  # both words
    parts, *_ = files.read_motifs(discovery.motif_path(1))
    words = [decode(part.pfm.argmax(axis=0)) for part in parts if part.consensus_activation == 6]
    assert words
    assert all("UGUAA" in word and "CCUGA" in word for word in words)
    lower = settings.open_discovery(chosen, 1)
    for step in (sample, cluster, match, report):
        step.run(lower, [1, 2], quiet=True)
    for neuron, word in enumerate(TwoWords.WORDS, 1):
        parts, *_ = files.read_motifs(lower.motif_path(neuron))
        assert decode(max(parts, key=lambda part: part.consensus_activation).pfm.argmax(axis=0)) == word


def test_an_edit_is_a_prediction_of_the_whole_message(described):
    network = seeded(BassetLike)
    model = opened(described(network, targets=2)).model
    split = messages(3, 240, targets=2)
    bases = np.array([[[0, 1, 2], [3, 3, 3]], [[2, 2, 0], [1, 0, 0]]], dtype=np.uint8)
    row, start, width = np.array([2, 0]), np.array([237, 10]), np.array([3, 2])
    intact, edited = predict_edits(model, split, row, start, width, bases)
    for edit in range(2):
        X = split.batch(row[edit : edit + 1])[0]
        torch.testing.assert_close(torch.from_numpy(intact[edit]), network(X)[0].detach())
        for draw in range(2):
            codes = split.codes[row[edit]].copy()
            codes[start[edit] : start[edit] + width[edit]] = 1 << bases[edit, draw, : width[edit]]
            X = torch.from_numpy((codes >> np.arange(4)[:, None]) & 1).float()[None]
            torch.testing.assert_close(torch.from_numpy(edited[edit, draw]), network(X)[0].detach())


# -- loading --------------------------------------------------------------------------------------------------------


def test_extra_tracks_are_zero_and_later_control_flow_does_not_matter(described):
    """Trap 8: only the four bases are read; the other tracks are held at zero."""
    network = seeded(own_networks.WithTracks)
    model = opened(described(network, tracks=6)).model
    assert [model.receptive_field(layer) for layer in (1, 2)] == [5, 14]
    split = messages(4, 60)
    require_fit(model, split, "set", "toy")
    X = torch.zeros(4, 6, 60)
    X[:, :4] = split.batch(np.arange(4))[0]
    torch.testing.assert_close(torch.from_numpy(predict(model, split))[:, 0], network(X).detach())
    window = torch.from_numpy(np.log2(split.codes[:1, 3:8]).astype(np.uint8))
    found = StackNetwork(model).feature_map(window, 1)
    torch.testing.assert_close(found, network.first(X[:1, :, 3:8])[..., 0].detach())


@pytest.mark.parametrize("wrapped", ["bare", "state_dict", "model_state_dict"])
def test_weights_under_a_prefix(described, wrapped):
    network = TwoWords()
    network.words.bias.data.fill_(-1.5)
    state = {f"model.{key}": value for key, value in network.state_dict().items()} | {"loss.weight": torch.ones(2)}
    state = state if wrapped == "bare" else {wrapped: state, "epoch": 3}
    loaded = opened(described("TwoWords", state, prefix="model.")).model
    assert loaded.module.words.bias.tolist() == [-1.5, -1.5]


def test_the_file_lies_beside_the_config(described, tmp_path):
    (tmp_path / "net.py").write_text(Path(FILE).read_text())
    assert opened(described("TwoWords", network="net.py:TwoWords")).model.layers == 2
    assert opened(described("TwoWords", network="tests.own_networks:TwoWords")).model.layers == 2


def test_the_file_may_import_files_beside_it(described, tmp_path, one_line):
    """What is beside decides the result as well; names that are taken stay what they are."""
    (tmp_path / "parts_of_mine.py").write_text(Path(FILE).read_text())
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')\n")
    (tmp_path / "more.py").write_text("from parts_of_mine import TwoWords\n")
    (tmp_path / "net.py").write_text("import json\nfrom more import TwoWords\n")
    path = described("TwoWords", network="net.py:TwoWords")
    first = opened(path)
    assert first.model.layers == 2
    assert str(tmp_path) not in sys.path
    sys.path.insert(0, str(tmp_path))
    try:
        opened(path)
        assert sys.path.index(str(tmp_path)) == 0
    finally:
        sys.path.remove(str(tmp_path))
    assert str(tmp_path) not in sys.path
    assert opened(path).sha256 == first.sha256
    (tmp_path / "parts_of_mine.py").write_text(Path(FILE).read_text() + "\n# changed\n")
    assert opened(path).sha256 != first.sha256
    (tmp_path / "net.py").write_text("from nothing_of_the_kind import TwoWords\n")
    with pytest.raises(InputError) as raised:
        opened(path)
    assert "nothing_of_the_kind" in one_line(raised)


CODE = """import torch
from torch import nn
{0}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.act, self.second = nn.Conv1d(4, 4, 5), act(), nn.Conv1d(4, 3, 5)

    def forward(self, X):
        return self.second(self.act(self.first(X))).amax((1, 2))
"""
ACT = "from torch import nn\nact = nn.{0}\n"


@pytest.mark.parametrize(
    ("files", "network"),
    [
        ({"net.py": "from blocks.acts import act", "blocks/__init__.py": "", "blocks/acts.py": ""}, "net.py:Net"),
        ({"{0}/__init__.py": "", "{0}/models.py": "from .acts import act", "{0}/acts.py": ""}, "{0}.models:Net"),
        ({"{0}/__init__.py": "from .models import Net", "{0}/models.py": "from .acts import act", "{0}/acts.py": ""},
         "{0}:Net"),
        ({"{0}.py": "from {0}_acts import act", "{0}_acts.py": ""}, "{0}:Net"),
    ],
)  # fmt: skip
def test_code_in_other_files_of_the_user_is_in_the_hash(described, tmp_path, monkeypatch, request, files, network):
    """A package is one with all its files; results of other code are not taken for those of this one."""
    package = f"mine_{request.node.callspec.indices['files']}"
    monkeypatch.syspath_prepend(str(tmp_path))
    found = []
    for kind in ("ReLU", "Tanh", "ReLU"):
        for name, text in files.items():
            path = tmp_path / name.format(package)
            path.parent.mkdir(exist_ok=True)
            line = text.format(package)
            text = ACT.format(kind) if "acts" in name else line if path.name == "__init__.py" else CODE.format(line)
            path.write_text(text)
        for known in [one for one in sys.modules if one.partition(".")[0] in (package, f"{package}_acts", "blocks")]:
            monkeypatch.delitem(sys.modules, known)
        weights = {"first.weight": torch.ones(4, 4, 5), "second.weight": torch.ones(3, 4, 5)}
        weights |= {"first.bias": torch.ones(4), "second.bias": torch.ones(3)}
        checkpoint = opened(described("Net", weights, network=network.format(package)))
        found.append((checkpoint.sha256, type(checkpoint.model.module.act).__name__))
    assert [kind for _, kind in found] == ["ReLU", "Tanh", "ReLU"]
    assert found[0] == found[2]
    assert found[0][0] != found[1][0]


def test_what_decides_a_result_is_in_the_hash(described, tmp_path):
    first = opened(described("TwoWords")).sha256
    assert opened(described("TwoWords")).sha256 == first
    others = [opened(described("TwoWords", layers=["words"])).sha256]
    (tmp_path / "net.py").write_text(Path(FILE).read_text() + "\n# changed\n")
    others.append(opened(described("TwoWords", network="net.py:TwoWords")).sha256)
    assert len({first, *others}) == 3


def test_chosen_layers(described):
    model = opened(described("Gated", layers=["first"])).model
    assert (model.layers, model.receptive_field(1)) == (1, 5)


class Evil:
    def __reduce__(self):
        return (print, ("run",))


BAD = [
    ("TwoWords", {"network": "missing.py:TwoWords"}, "missing.py"),
    ("TwoWords", {"network": f"{FILE}:Missing"}, "TwoWords"),  # says what the file holds
    ("TwoWords", {"network": "no_such_package.models:Net"}, "no_such_package"),
    ("TwoWords", {"network": "own_networks"}, "'network'"),
    ("TwoWords", {"network": "subprocess:Popen", "arguments": {"args": ["true"]}}, "no torch.nn.Module"),
    ("TwoWords", {"network": "os:system", "arguments": {"command": "true"}}, "no torch.nn.Module"),
    ("TwoWords", {"network": f"{FILE}:not_a_network"}, "Module"),
    ("TwoWords", {"arguments": {"depth": 3}}, "'arguments'"),
    ("TwoWords", {"prefix": "model."}, "'model.'"),
    ("TwoWords", {"layers": ["words", "pears"]}, "'pears'"),
    ("TwoWords", {"reverse_complement": True}, "DNA"),
    ("TwoWords", {"alphabet": "protein"}, "'alphabet'"),
    ("TwoWords", {"trakcs": 6}, "'tracks'"),
    ("TwoWords", {"tracks": 2}, "'tracks'"),
    ("Gated", {}, "'second' (Conv1d): it stands behind 'squeeze' (AdaptiveAvgPool1d)"),
    ("Grouped", {}, "'norm' (GroupNorm)"),
    ("Flat", {}, "'wide' (Conv2d)"),
    ("Undecided", {}, "'second' (Conv1d)"),
    ("Moody", {}, "'second' (Conv1d): what was read"),
]


@pytest.mark.parametrize(("kind", "more", "said"), BAD)
def test_what_does_not_fit_is_one_line(described, one_line, kind, more, said):
    """A module that cannot be read is named, with the remedy."""
    with pytest.raises(InputError) as raised:
        opened(described(kind, **more))
    assert said in one_line(raised)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (lambda state: {f"model.{key}": value for key, value in state.items()}, 'write prefix: "model."'),
        (lambda state: {key: value for key, value in state.items() if key != "words.bias"}, "lacks 'words.bias'"),
        (lambda state: state | {"more.weight": torch.ones(2)}, "'more.weight'"),
        (lambda state: state | {"words.weight": torch.ones(3, 4, 5)}, "'words.weight' is (3, 4, 5)"),
        (lambda state: state | {"words.bias": torch.full((2,), float("nan"))}, "not a number"),
        (lambda state: {"epoch": 3}, "state_dict"),
        (lambda state: [1, 2], "state_dict"),
        (lambda state: TwoWords(), "not a readable checkpoint"),
        (lambda state: {"state_dict": state, "hook": Evil()}, "not a readable checkpoint"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(described, one_line, capsys, state, said):
    """Nothing in a checkpoint is run, not even a whole pickled network."""
    with pytest.raises(InputError) as raised:
        opened(described("TwoWords", state(TwoWords().state_dict())))
    assert said in one_line(raised)
    assert "run\n" not in capsys.readouterr().out


@pytest.mark.parametrize(("length", "targets", "said"), [(150, 3, "forward ends"), (200, 1, "'targets'")])
def test_inputs_and_outputs_that_do_not_fit_are_one_line(described, one_line, length, targets, said):
    model = opened(described(seeded(DeepSEALike), targets=targets)).model
    with pytest.raises(InputError) as raised:
        predict(model, messages(2, length))
    assert said in one_line(raised)


def test_the_predictor_keeps_its_published_clusters():
    from tests.toy import seeded_model

    model = seeded_model(3, 4)
    assert [clusters_above(model, layer, 4) for layer in range(1, 4)] == [4, 4, 4]


# -- DNA ------------------------------------------------------------------------------------------------------------


def test_dna_is_written_with_t_on_both_strands(described, tmp_path, monkeypatch):
    """Trap 10: reverse complements of the database are compared for DNA, where the config says so, and only there."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")
    random = np.random.default_rng(0)
    words = ["".join("ACGU"[base] for base in random.integers(4, size=9)) for _ in range(80)]
    write_meme(tmp_path / "db.meme", [Motif(one, "", iupac_ppm(one)) for one in words])
    shown = {}
    for alphabet, both in (("RNA", False), ("DNA", False), ("DNA", True)):
        model = described(TwoWords(), alphabet=alphabet, reverse_complement=both)
        chosen = settings.DiscoverySettings(model=str(model), motif_database=str(tmp_path / "db.meme"))
        discovery = settings.open_discovery(chosen, 2)
        for step in (sample, cluster, match, report):
            step.run(discovery, [1], quiet=True)
        shown[alphabet, both] = files.read_matches(discovery.match_path(1))
        letter, absent = ("T", "U") if alphabet == "DNA" else ("U", "T")
        meme = discovery.motif_path(1, ".meme").read_text()
        assert f"ALPHABET= ACG{letter}" in meme
        assert read_meme(discovery.motif_path(1, ".meme"))
        words = re.findall(r"<code>([A-Z]+)</code>", discovery.report_path(1).read_text())
        assert any(f"{letter}G{letter}AA" in word for word in words)
        assert not any(absent in word for word in words)
        assert not shown[alphabet, both]["Query_consensus"].str.contains(absent).any()
        assert ('"alphabet":"DNA"' in discovery.report_path(1).read_text()) == (alphabet == "DNA")
    assert set(shown["DNA", True]["Orientation"]) == {"+", "-"}
    assert "other strand" in discovery.report_path(1).read_text()
    assert set(shown["DNA", False]["Orientation"]) == set(shown["RNA", False]["Orientation"]) == {"+"}


def test_training_is_left_to_its_own_script(described, tmp_path, capsys):
    from half_life import train

    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump({"model": str(described("TwoWords"))}))
    with pytest.raises(SystemExit) as raised:
        train.main(["--config", str(path)])
    assert raised.value.code == 2
    assert "its own script" in capsys.readouterr().err
