"""Maximum-activation seqlets, and what all methods share: places, keys, samples and steps."""

import numpy as np
import pytest
import torch
import yaml

import utils.scan
from motif_discovery import baseline, cluster, files, match, sample, settings
from motif_discovery.max_seqlet import discover
from motif_discovery.max_seqlet.seqlets import best_windows, stacked
from motif_discovery.methods import MESSAGE_SEQLETS, METHODS, MODISCO, SEQLETS
from motif_discovery.tf_modisco import discover as modisco
from tests.toy import seeded_model, word_model
from utils.activation import WindowNetwork, dense_activation
from utils.checkpoint import save_checkpoint
from utils.data import SPLITS, Split, write_dataset
from utils.dense_scan import scan_messages
from utils.interpretation_settings import InteractionSettings, open_interpretation
from utils.motif import pfm_of, read_meme
from utils.runtime import InputError
from utils.scan import Scan, run_scan, summarise

FAST = {"sampler": "genetic", "population": 120, "generations": 12, "patience": 5}
NOTHING = np.zeros((0, 5), dtype=np.uint8)


def messages(n, length, seed=0):
    """Return bases (n, length) with N and padding, and their codes."""
    random = np.random.default_rng(seed)
    bases = random.integers(4, size=(n, length)).astype(np.uint8)
    bases[random.random(bases.shape) < 0.02] = 4
    for row, end in enumerate(random.integers(length // 3, length, size=n)):
        bases[row, end:] = 4
    return bases, np.where(bases < 4, 1 << bases, 0).astype(np.uint8)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Results and scans go to folders of their own; returns a function that makes the config of a model."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")
    monkeypatch.setattr(utils.scan, "SCANS", tmp_path / "scans")

    def config(model, **more):
        save_checkpoint(tmp_path / "toy.pth", model, {})
        described = {"name": "toy", "checkpoint": str(tmp_path / "toy.pth"), "dataset": str(tmp_path / "toy.h5")}
        (tmp_path / "model.yaml").write_text(yaml.safe_dump(described))
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"model": str(tmp_path / "model.yaml"), **FAST, **more}))
        return path

    return config


def test_the_strongest_sequences_are_stacked_with_plain_counts():
    network = WindowNetwork(word_model(["UGUAC"]))
    every = np.array(np.unravel_index(np.arange(4**5), (4,) * 5), dtype=np.uint8).T
    activation = network.activation(torch.from_numpy(every), 1, torch.zeros(4**5, dtype=torch.int64)).numpy()
    order = np.argsort(-activation, kind="stable")
    pool = files.Sample(every[order], activation[order], 5.0)
    (part,) = stacked(network, 1, 0, pool, 16)  # the word and the 15 words with one other letter
    expected = np.ones((4, 5))
    expected[[3, 2, 3, 0, 1], range(5)] = 13
    assert np.array_equal(part.pfm, expected)
    assert (part.path, part.size, part.max_activation, part.consensus_activation) == ("all", 16, 5, 5)
    assert np.array_equal(stacked(network, 1, 0, pool, 100)[0].pfm, pfm_of(every[order][:100]))


def test_a_handful_of_sequences_is_no_motif():
    """Rows 5 and 6: too few sequences, or none that fires."""
    network = WindowNetwork(seeded_model(2, 4))
    few = files.Sample(np.zeros((19, 18), dtype=np.uint8), np.ones(19, dtype=np.float32), 1.0)
    assert stacked(network, 3, 0, few, 100) == []
    assert stacked(network, 1, 0, files.Sample(NOTHING, np.zeros(0), 0.0), 100) == []


@pytest.mark.parametrize("layer", [1, 3])
def test_best_windows_are_those_of_a_plain_search(layer):
    """Rows 8 and 13: the exact maximum of every message, and no window with N or padding."""
    model = seeded_model(2, 4, seed=5)
    field = model.receptive_field(layer)
    bases, codes = messages(40, 60)
    maximum, start = scan_messages(WindowNetwork(model), bases, [layer])[layer]
    scan = summarise(layer, field, maximum, start, 30)
    plain = dense_activation(model, torch.from_numpy(bases), layer).numpy()
    for neuron in (0, 11, 40):
        found = best_windows(scan, codes, neuron, 12)
        highest = plain[:, neuron].max(axis=1)
        order = np.argsort(-highest, kind="stable")
        order = order[highest[order] > 0]
        assert np.allclose(found.activation, highest[order], atol=1e-4)
        for window, row in zip(found.sequence, order[:12], strict=False):
            at = plain[row, neuron].argmax()
            assert np.array_equal(window, bases[row, at : at + field])
        assert len(found.sequence) == min(12, len(order))
        assert found.sequence.max(initial=0) < 4


def test_messages_that_do_not_fire_give_no_window():
    scan = Scan(1, 5, np.array([[-1.0], [-np.inf], [0.0]]), np.array([[3], [-1], [0]]), *[np.zeros(1)] * 3)
    found = best_windows(scan, np.ones((3, 9), dtype=np.uint8), 0, 100)
    assert found.sequence.shape == (0, 5)
    assert found.maximum == 0


def test_seqlets_go_all_the_way_and_share_the_sample(workplace):
    config = workplace(word_model(["UGUAU", "GGACC"]), population=1000, generations=60, seqlets=20)
    discover.main(["--config", str(config), "--from", "1", "--to", "1", "--neurons", "1,2,9"])
    opened = settings.open_discovery(settings.load_settings(settings.DiscoverySettings, config), 1, SEQLETS)
    root = settings.HERE
    assert opened.motif_path(1) == root / "max_seqlet" / "motifs" / "toy" / "conv1_neuron1.h5"
    assert opened.match_path(1) == root / "max_seqlet" / "tomtom_match_results" / "toy" / "conv1" / "conv1_neuron1.tsv"
    assert opened.report_path(1).parent == root / "max_seqlet" / "clustering" / "toy" / "conv1-mechanic"
    assert opened.sample_path(1) == root / "maxactivation_samples" / "toy" / "conv1_neuron1.h5"
    assert not (root / "motifs").exists()  # those of NeuronMotif
    for neuron, word in ((1, "UGUAU"), (2, "GGACC")):
        (part,), activation, maximum, _ = files.read_motifs(opened.motif_path(neuron))
        assert "".join("ACGU"[base] for base in part.pfm.argmax(axis=0)) == word
        assert part.consensus_activation == maximum == activation.max() == 5
        pool = files.read_sample(opened.sample_path(neuron))
        assert np.array_equal(part.pfm, pfm_of(pool.sequence[:20]))
        assert [motif.name for motif in read_meme(opened.motif_path(neuron).with_suffix(".meme"))] == [
            f"conv1_neuron{neuron}_all_0-5"
        ]
        assert METHODS[SEQLETS] in opened.report_path(neuron).read_text()
    assert "never fires" in opened.report_path(9).read_text()
    assert len(files.read_matches(opened.match_path(9))) == 0

    before = {path: path.stat().st_mtime_ns for path in root.rglob("*_neuron*.*")}
    discover.main(["--config", str(config), "--from", "1", "--to", "1", "--neurons", "1,2,9"])
    assert before == {path: path.stat().st_mtime_ns for path in before}
    discover.main(["--config", str(config), "--from", "1", "--to", "1", "--neurons", "1", "--overwrite"])
    assert opened.motif_path(1).stat().st_mtime_ns > before[opened.motif_path(1)]
    assert opened.sample_path(1).stat().st_mtime_ns == before[opened.sample_path(1)]


def test_methods_do_not_take_each_others_results(workplace):
    config = workplace(word_model(["UGUAU"]))
    keys = set()
    for method in METHODS:
        opened = settings.open_discovery(settings.load_settings(settings.DiscoverySettings, config), 1, method)
        keys.add(opened.motif_key)
        for more, changes in (({"seqlets": 30}, "max_seqlet"), ({"modisco": {"sequences": 9}}, MODISCO)):
            overrides = [f"{key}={value}" for key, value in more.items()]
            other = settings.load_settings(settings.DiscoverySettings, config, overrides)
            changed = settings.open_discovery(other, 1, method).motif_key != opened.motif_key
            ours = method == changes if changes == MODISCO else method.startswith(changes)
            assert changed == ours, (method, more)
    assert len(keys) == len(METHODS)


def test_seqlets_of_real_messages(workplace, tmp_path):
    config = workplace(seeded_model(2, 4, seed=5))
    everything = {}
    for seed, split in enumerate(SPLITS):
        _, codes = messages(60, 80, seed)
        length = (80 - (codes[:, ::-1] > 0).argmax(axis=1)).astype(np.int32)
        everything[split] = Split(
            codes, np.zeros((60, 1), dtype=np.float32), length, [f"{split}{i}" for i in range(60)], 4
        )
    write_dataset(tmp_path / "toy.h5", everything, {})
    command = ["--config", str(config), "--messages", "--from", "3", "--to", "3", "--neurons", "1-4"]
    with pytest.raises(SystemExit) as stopped:  # no scan yet
        discover.main(command)
    assert stopped.value.code == 2
    run_scan(open_interpretation(InteractionSettings(model=str(tmp_path / "model.yaml"))), [3])
    discover.main(command)
    opened = settings.open_discovery(settings.load_settings(settings.DiscoverySettings, config), 3, MESSAGE_SEQLETS)
    bases = np.concatenate([messages(60, 80, seed)[0] for seed in range(3)])
    plain = dense_activation(opened.network.model, torch.from_numpy(bases), 3).numpy()
    fired = 0
    for neuron in (1, 2, 3, 4):
        highest, at = plain[:, neuron - 1].max(axis=1), plain[:, neuron - 1].argmax(axis=1)
        rows = np.argsort(-highest, kind="stable")[:100]
        rows = rows[highest[rows] > 0]
        parts, *_ = files.read_motifs(opened.motif_path(neuron))
        if len(rows) >= 20:
            fired += 1
            assert np.array_equal(parts[0].pfm, pfm_of(np.stack([bases[row, at[row] : at[row] + 18] for row in rows])))
            assert parts[0].size == len(rows)
        else:
            assert parts == []
        page = opened.report_path(neuron).read_text()
        assert METHODS[MESSAGE_SEQLETS] in page
        assert "quota of" not in page
        if len(rows):
            assert f"<dd>{len(rows)} of {(highest > 0).sum()} that activate it, the strongest</dd>" in page
    assert fired
    assert not (settings.HERE / "maxactivation_samples").exists()  # nothing was sampled
    assert opened.is_matched(1)
    everything["test"].label[:] += 1
    write_dataset(tmp_path / "toy.h5", everything, {})
    opened = settings.open_discovery(opened.settings, 3, MESSAGE_SEQLETS)
    assert not opened.is_matched(1)  # of another data set than that of now


@pytest.mark.parametrize("main", [discover.main, modisco.main])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "3", "--to", "2"], "layers: 3 to 2 is no range"),
        (["--to", "9"], "conv9 is not a layer of toy"),
        (["--from", "0"], "conv0 is not a layer of toy"),
        (["--neurons", "60-70", "--to", "1"], "outside 1 to 64"),
        (["seqlets=3"], "'seqlets'"),
        (["modisco.sequence=3"], "'sequences'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(workplace, capsys, main, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        main(["--config", str(workplace(seeded_model(2, 4))), *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error


def test_steps_that_all_methods_share_take_the_method(workplace, capsys):
    config = workplace(word_model(["UGUAU"]))
    command = ["--config", str(config), "--layer", "conv1", "--neurons", "1"]
    for method, said in (("max_seqlets", "not one of neuronmotif"), (MODISCO, "tf_modisco/script/main.sh")):
        with pytest.raises(SystemExit) as stopped:
            match.main([*command, "--method", method])
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):  # a step of NeuronMotif alone
        cluster.main([*command, "--method", SEQLETS])


def test_a_sample_of_other_settings_is_refused(workplace):
    config = workplace(word_model(["UGUAU"]))
    one = settings.open_discovery(settings.load_settings(settings.DiscoverySettings, config), 1, SEQLETS)
    sample.run(one, [1], quiet=True)
    assert baseline.current_sample(one, 1).maximum == 5
    other = settings.load_settings(settings.DiscoverySettings, config, ["seed=2"])
    with pytest.raises(InputError, match="made with other settings"):
        baseline.current_sample(settings.open_discovery(other, 1, SEQLETS), 1)


def test_a_neuron_without_a_pattern_is_a_result(workplace):
    """TF-MoDISco with fewer sequences than it wants: empty motifs, matches and a page."""
    config = workplace(word_model(["UGUAU"]))
    modisco.main(["--config", str(config), "--to", "1", "--neurons", "1,9", "modisco.sequences=30"])
    one = settings.open_discovery(
        settings.load_settings(settings.DiscoverySettings, config, ["modisco.sequences=30"]), 1, MODISCO
    )
    for neuron in (1, 9):
        assert files.read_motifs(one.motif_path(neuron))[0] == []
        assert len(files.read_matches(one.match_path(neuron))) == 0
    assert "The seqlets of the 30 strongest sequences form no pattern" in one.report_path(1).read_text()
    assert "never fires" in one.report_path(9).read_text()


def test_a_stopped_run_goes_on_where_it_was(workplace, monkeypatch):
    """Rows 14 and 27: what was finished stays, nothing is half-written, and the files are those of a run in one go."""
    config = workplace(word_model(["UGUAU", "GGACC"]), population=1000, generations=60)
    command = ["--config", str(config), "--to", "1", "--neurons", "1,2,9"]
    whole, root = discover.parts_of, settings.HERE

    def stopped_at_two(discovery, neuron, pool):
        if neuron == 2:
            raise KeyboardInterrupt
        return whole(discovery, neuron, pool)

    monkeypatch.setattr(discover, "parts_of", stopped_at_two)
    with pytest.raises(SystemExit) as stopped:
        discover.main(command)
    assert stopped.value.code == 130
    motifs = root / "max_seqlet" / "motifs" / "toy"
    assert sorted(path.name for path in motifs.iterdir()) == ["conv1_neuron1.h5", "conv1_neuron1.meme"]
    before = (motifs / "conv1_neuron1.h5").stat().st_mtime_ns
    monkeypatch.setattr(discover, "parts_of", whole)
    discover.main(command)
    assert (motifs / "conv1_neuron1.h5").stat().st_mtime_ns == before

    def texts():
        return {path.relative_to(settings.HERE): path.read_bytes()
                for suffix in ("tsv", "meme", "html") for path in settings.HERE.rglob(f"*.{suffix}")}  # fmt: skip

    resumed = texts()
    assert len(resumed) == 3 + 3 + 4
    assert not list(root.rglob(".part-*"))
    monkeypatch.setattr(settings, "HERE", root.with_name("undisturbed"))
    discover.main(command)
    assert texts() == resumed


def test_names_with_quotes_and_markup_are_read_back_as_they_stand(tmp_path):
    import pandas as pd

    rows = [["q", name, 0, 1e-5, 1e-4, 1e-3, 4, "ACGU", "ACGU", "+"] for name in ('<b>"x"</b>', "a/b,c", '"', "=1")]
    files.write_matches(tmp_path / "a.tsv", pd.DataFrame(rows, columns=files.COLUMNS), "key")
    assert files.read_matches(tmp_path / "a.tsv")["Target_ID"].tolist() == ['<b>"x"</b>', "a/b,c", '"', "=1"]
