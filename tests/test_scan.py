"""The exact scan: every real window of every message, against the network on each window; files and resuming."""

import dataclasses
import subprocess

import h5py
import numpy as np
import pytest
import torch

import utils.dense_scan
import utils.scan
from motif_contribution.scan import main
from tests.toy import plain_map, seeded_model, word_model
from utils.activation import WindowNetwork
from utils.checkpoint import Checkpoint, save_checkpoint
from utils.data import TRACKS, Split, write_dataset
from utils.dense_scan import BLOCK, bases_of_codes, pack, scan_messages
from utils.interpretation_settings import InteractionSettings, Interpretation, joined, read_messages
from utils.runtime import ROOT, InputError
from utils.scan import blocks_of_rows, is_finished, read_scan, run_scan, scan_facts, scan_path
from utils.sequence import N, decode, encode, one_hot

MODELS = {"half-life, padding 0": (6, 6, 0), "MRL, padding 2": (3, 4, 2)}


def messages(lengths, full, seed=0):
    """Return random bases up to each length, N behind."""
    rng = np.random.default_rng(seed)
    bases = np.full((len(lengths), full), N, dtype=np.uint8)
    for row, length in enumerate(lengths):
        bases[row, :length] = rng.integers(0, 4, length)
    return bases


def with_n(full=420):
    """Return messages of all kinds: short ones, one of N only, N here and there, N at both ends, N behind the end."""
    bases = messages([full, 300, 288, 60, 17, 5, 4, 0, 350, full], full)
    bases[0, [0, 150, 151, full - 1]] = N
    bases[1, 100:110] = N
    bases[8, ::40] = N
    return bases


def window_by_window(model, bases, layer):
    """Return maxima and starts from the plain network run on every window without N: the slow, independent way."""
    field, channels = model.receptive_field(layer), model.channels
    maximum = np.full((len(bases), channels), -np.inf, dtype=np.float32)
    start = np.full((len(bases), channels), -1)
    for row, message in enumerate(bases):
        places = [one for one in range(len(message) - field + 1) if (message[one : one + field] < N).all()]
        if places:
            windows = np.stack([message[one : one + field] for one in places])
            found = plain_map(model.state_dict(), one_hot(windows), layer)[:, :, 0].numpy()
            maximum[row], start[row] = found.max(axis=0), np.array(places)[found.argmax(axis=0)]
    return maximum, start


@pytest.fixture(scope="module")
def networks():
    return {name: WindowNetwork(seeded_model(*arguments, seed=5)) for name, arguments in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_equals_the_network_on_each_window(networks, name, monkeypatch):
    """Rows 8, 9 and 13: exhaustive, real windows only, at interior positions; chunk borders fall inside messages."""
    monkeypatch.setattr(utils.dense_scan, "CHUNK", 4 * BLOCK)
    network, bases = networks[name], with_n()
    layers = range(1, network.model.num_layers + 2)
    found = scan_messages(network, bases, layers)
    for layer in layers:
        maximum, start = window_by_window(network.model, bases, layer)
        there = np.isfinite(maximum)
        assert (np.isfinite(found[layer][0]) == there).all()
        assert there.any()
        assert not there.all()
        np.testing.assert_allclose(found[layer][0][there], maximum[there], atol=1e-5, rtol=1e-5)
        assert (found[layer][1][~there] == -1).all()
        assert (found[layer][1] == start).mean() > 0.999  # two windows may differ by rounding only
        field = network.model.receptive_field(layer)
        for row, neuron in np.argwhere(there)[::97]:  # the window that is named has this activation
            window = bases[row, found[layer][1][row, neuron] :][:field]
            assert (window < N).all()
            here = network.activation(torch.from_numpy(window)[None], layer, torch.tensor([neuron]))
            assert abs(float(here) - found[layer][0][row, neuron]) < 1e-5 * max(1, abs(float(here)))


def test_several_layers_in_one_pass_equal_single_ones(networks):
    network, bases = networks["half-life, padding 0"], with_n()
    together = scan_messages(network, bases, range(1, 8))
    for layer in range(1, 8):
        alone = scan_messages(network, bases, [layer])[layer]
        there = np.isfinite(alone[0])
        np.testing.assert_allclose(together[layer][0][there], alone[0][there], atol=1e-5, rtol=1e-5)
        assert (np.isneginf(together[layer][0]) == ~there).all()
        assert (together[layer][1] == alone[1]).mean() > 0.999


@pytest.mark.parametrize("chunk", [BLOCK, 5 * BLOCK, 2**13])
def test_neither_chunks_nor_other_messages_matter(networks, chunk, monkeypatch):
    network, bases = networks["half-life, padding 0"], with_n()
    whole = scan_messages(network, bases, [5])[5]
    monkeypatch.setattr(utils.dense_scan, "CHUNK", chunk)
    parts = [scan_messages(network, bases[row : row + 1], [5])[5] for row in range(len(bases))]
    maximum = np.concatenate([part[0] for part in parts])
    there = np.isfinite(maximum)
    assert (np.isfinite(whole[0]) == there).all()
    np.testing.assert_allclose(maximum[there], whole[0][there], atol=1e-5, rtol=1e-5)


def test_threads_do_not_matter_and_are_given_back(networks, monkeypatch):
    monkeypatch.setattr(utils.dense_scan, "CHUNK", 4 * BLOCK)
    network, bases = networks["half-life, padding 0"], with_n()
    alone = scan_messages(network, bases, [4])[4]
    torch.set_num_threads(2)
    together = scan_messages(network, bases, [4])[4]
    assert torch.get_num_threads() == 2
    np.testing.assert_array_equal(alone, together)


def test_padding_adds_nothing(networks):
    """The padding behind the messages is never computed: four times the width, the same stream."""
    bases = with_n()
    wide = np.pad(bases, ((0, 0), (0, 1260)), constant_values=N)
    narrow, padded = pack(bases, 9), pack(wide, 9)
    for one, other in zip(vars(narrow).values(), vars(padded).values(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(narrow.bases) < 1.2 * (bases < N).sum()


def test_the_word_is_found_at_its_first_place_and_never_in_padding():
    """Row 8: AAAAA stands in no message; read as A, the padding would hold it. Of equal maxima the first counts."""
    network = WindowNetwork(word_model(["UGUAA", "AAAAA"]))
    texts = ["CCUGUAACCGUGUAACC", "CCUGUACNUGUAACAAA", "GGGG", "NNNNNNNN"]
    bases = np.full((4, 40), N, dtype=np.uint8)
    for row, text in enumerate(texts):
        bases[row, : len(text)] = encode(text)
    maximum, start = scan_messages(network, bases, [1])[1]
    assert maximum[:, 0].tolist() == [5, 5, -np.inf, -np.inf]
    assert start[:, 0].tolist() == [2, 8, -1, -1]
    assert (maximum[:2, 1] < 5).all()


def test_codes_become_bases_and_other_tracks_are_left_out():
    """Method 2: channels beyond the four bases are zero. A position without one base is N, never A."""
    codes = np.array([[1, 2, 4, 8, 0, 1 | 16, 8 | 32, 4 | 48, 16, 3]], dtype=np.uint8)
    assert decode(bases_of_codes(codes)[0]) == "ACGUNAUGNN"


def test_stretches_keep_their_places():
    bases = np.array([list(encode("ACGUNACNGGGGG")), list(encode("N" * 13))], dtype=np.uint8)
    stream = pack(bases, 3)
    assert (stream.message.tolist(), stream.origin.tolist()) == ([0, 0], [0, 8])
    assert stream.room.reshape(2, BLOCK)[:, :6].tolist() == [[4, 3, 2, 1, 0, 0], [5, 4, 3, 2, 1, 0]]
    assert decode(stream.bases.reshape(2, BLOCK)[1, :5]) == "GGGGG"
    assert pack(bases, 6).bases.size == 0


def test_no_message_with_a_window_gives_no_maximum(networks):
    maximum, start = scan_messages(networks["MRL, padding 2"], messages([8, 3], 12), [2])[2]
    assert np.isneginf(maximum).all()
    assert (start == -1).all()


def test_blocks_hold_every_row_once():
    length = np.array([5, 5, 20, 1, 1, 1, 9])
    blocks = blocks_of_rows(length, 10)
    assert [(one.start, one.stop) for one in blocks] == [(0, 2), (2, 3), (3, 6), (6, 7)]


# -- files --


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Return a toy model and its messages; scans lie in a temporary folder."""
    monkeypatch.setattr(utils.scan, "SCANS", tmp_path / "scans")
    monkeypatch.setattr(utils.scan, "BLOCK_NUCLEOTIDES", 500)
    bases = messages([200, 150, 9, 180, 120, 160, 199], 200, seed=3)
    codes = np.where(bases < N, 1 << np.minimum(bases, 3), 0).astype(np.uint8)
    length = (bases < N).sum(axis=1).astype(np.int32)
    splits, first = {}, 0
    for name, rows in (("train", 4), ("valid", 1), ("test", 2)):
        part = slice(first, first + rows)
        label = np.arange(first, first + rows, dtype=np.float32)[:, None]
        splits[name] = Split(codes[part], label, length[part], [f"m{row}" for row in range(*part.indices(9))], 4)
        first += rows
    dataset = tmp_path / "toy.h5"
    write_dataset(dataset, splits, {"tracks": list(TRACKS[:4])})
    model = seeded_model(3, 4, seed=5)
    save_checkpoint(tmp_path / "toy.pth", model, {})
    (tmp_path / "model.yaml").write_text(
        f"name: toy\ncheckpoint: {tmp_path}/toy.pth\ndataset: {dataset}\nnetwork: {{num_layers: 3, in_channels: 4}}\n"
    )
    (tmp_path / "toy.yaml").write_text(f"model: {tmp_path}/model.yaml\ndevice: cpu\n")
    settings = InteractionSettings(model=f"{tmp_path}/model.yaml", device="cpu")
    rows = {name: len(split) for name, split in splits.items()}
    return Interpretation(settings, Checkpoint(model, {}, "c" * 64, "toy"), dataset, joined(splits), rows)


def test_the_file_holds_rows_in_order_and_the_training_maximum(work):
    """Row 13: the maximum of the training set, over all real windows; rows are train + valid + test."""
    run_scan(work, [3])
    scan = read_scan(work, 3)
    maximum, start = window_by_window(work.checkpoint.model, bases_of_codes(work.messages.codes), 3)
    there = np.isfinite(maximum)
    np.testing.assert_allclose(scan.maximum[there], maximum[there], atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(scan.start, start)
    np.testing.assert_allclose(scan.neuron_maximum, maximum[:4].max(axis=0), atol=1e-5, rtol=1e-5)
    assert (maximum.max(axis=0) > maximum[:4].max(axis=0) + 1e-4).any()  # a test message would have raised it
    neurons = np.arange(64)
    np.testing.assert_array_equal(scan.maximum[scan.neuron_row, neurons], scan.neuron_maximum)
    np.testing.assert_array_equal(scan.start[scan.neuron_row, neurons], scan.neuron_start)
    with h5py.File(scan_path("toy", 3)) as file:
        assert file["message_maximum"].dtype == np.float32
        assert file["message_start"].dtype == np.int32
        assert file.attrs["checkpoint_sha256"] == "c" * 64
        assert file.attrs["dataset_sha256"] == work.dataset_sha256
        assert (file.attrs["layer"], file.attrs["receptive_field"], file.attrs["train_rows"]) == (3, 18, 4)
        assert "no padding" in file.attrs["positions"]


def test_a_padded_model_says_which_positions_it_means(work):
    """Row 9."""
    padded = dataclasses.replace(work, checkpoint=Checkpoint(seeded_model(3, 4, 2), {}, "p" * 64, "toy"))
    run_scan(padded, [2])
    with h5py.File(scan_path("toy", 2)) as file:
        assert "interior positions" in file.attrs["positions"]


def test_a_stopped_scan_goes_on_and_ends_the_same(work, monkeypatch):
    """Row 14; only the block in work is lost, and nothing is left lying about."""
    run_scan(work, [2, 3])
    whole = {layer: scan_path("toy", layer).read_bytes() for layer in (2, 3)}
    for layer in (2, 3):
        scan_path("toy", layer).unlink()
    calls = []

    def stopped(network, bases, layers):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(len(bases))
        return scan_messages(network, bases, layers)

    monkeypatch.setattr(utils.scan, "scan_messages", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_scan(work, [2, 3])
    assert not is_finished(work, 2)
    done, again = sum(calls), []
    monkeypatch.setattr(utils.scan, "scan_messages", lambda n, b, la: again.append(len(b)) or scan_messages(n, b, la))
    run_scan(work, [2, 3])
    assert done > 0
    assert done + sum(again) == len(work.messages)
    assert {layer: scan_path("toy", layer).read_bytes() for layer in (2, 3)} == whole
    assert sorted(path.name for path in scan_path("toy", 2).parent.iterdir()) == ["conv2.h5", "conv3.h5"]


def test_parts_of_a_scan_give_the_same_bytes(work, monkeypatch):
    """Row 27: each block is scanned by the process in whose rows it begins, and the last run puts them together."""
    run_scan(work, [2, 3])
    whole = {layer: scan_path("toy", layer).read_bytes() for layer in (2, 3)}
    for layer in (2, 3):
        scan_path("toy", layer).unlink()
    scanned = []
    monkeypatch.setattr(utils.scan, "scan_messages", lambda n, b, la: scanned.append(len(b)) or scan_messages(n, b, la))
    for rows in (range(3, 5), range(5, 7), range(0, 3)):  # some of them in the middle of a block
        run_scan(work, [2, 3], rows=rows)
        assert not scan_path("toy", 2).exists()
    assert sum(scanned) == len(work.messages)
    run_scan(work, [2, 3])
    assert sum(scanned) == len(work.messages)
    assert {layer: scan_path("toy", layer).read_bytes() for layer in (2, 3)} == whole
    assert sorted(path.name for path in scan_path("toy", 2).parent.iterdir()) == ["conv2.h5", "conv3.h5"]


@pytest.mark.parametrize("rows", ["5", "5-", "3-3", "0-8", "-1-3", "a-b"])
def test_rows_that_are_none_say_so(work, tmp_path, capsys, rows):
    with pytest.raises(SystemExit) as raised:
        main(["--config", str(tmp_path / "toy.yaml"), "--from", "2", "--to", "2", f"--rows={rows}"])
    assert raised.value.code == 2
    assert f"error: --rows: '{rows}' is no range within 0-7" in capsys.readouterr().err


def test_messages_that_stay_in_the_file_give_the_same_scan(work, tmp_path):
    """And both ways of reading give the same codes, across splits and behind the end."""
    run_scan(work, [2])
    whole = scan_path("toy", 2).read_bytes()
    _, stored = read_messages(work.dataset, stored_codes=True)
    _, read = read_messages(work.dataset)
    np.testing.assert_array_equal(read.codes, work.messages.codes)
    assert (len(stored), stored.codes.shape) == (7, read.codes.shape)
    for rows in (slice(0, 7), slice(2, 6), slice(4, 5), slice(5, 99), slice(3, 3)):
        np.testing.assert_array_equal(stored.codes[rows], read.codes[rows])
    run_scan(dataclasses.replace(work, messages=stored), [2], overwrite=True)
    assert scan_path("toy", 2).read_bytes() == whole


def test_blocks_of_a_killed_scan_that_are_damaged_are_computed_again(work):
    """And what it had left is gone, also where it was killed behind its last write."""
    run_scan(work, [2])
    whole = scan_path("toy", 2).read_bytes()
    left = scan_path("toy", 2).with_name(f".part-conv2-{scan_facts(work, 2)['settings']}")
    left.mkdir()
    run_scan(work, [2])
    assert not left.exists()
    left.mkdir()
    for rows, content in ((slice(0, 2), b"no archive"), (slice(2, 4), b"")):
        (left / f"rows_{rows.start}-{rows.stop}.npz").write_bytes(content)
    np.savez(left / "rows_4-6.npz", maximum=np.zeros((1, 1)), start=np.zeros((1, 1)))  # of another shape
    scan_path("toy", 2).unlink()
    run_scan(work, [2])
    assert scan_path("toy", 2).read_bytes() == whole
    assert [path.name for path in scan_path("toy", 2).parent.iterdir()] == ["conv2.h5"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("message_maximum", np.nan), ("message_maximum", np.inf), ("message_start", 10**6), ("neuron_maximum", np.nan)],
)
def test_a_scan_with_values_that_cannot_be_is_damaged(work, one_line, name, value):
    run_scan(work, [2])
    with h5py.File(scan_path("toy", 2), "r+") as file:
        file[name][...] = value
    with pytest.raises(InputError, match="damaged scan") as raised:
        read_scan(work, 2)
    assert name in one_line(raised)


def test_a_finished_scan_is_not_made_again_unless_asked(work, monkeypatch):
    run_scan(work, [2])
    calls = []
    monkeypatch.setattr(utils.scan, "scan_messages", lambda n, b, la: calls.append(la) or scan_messages(n, b, la))
    run_scan(work, [2])
    assert not calls
    run_scan(work, [2, 3])
    assert {tuple(layers) for layers in calls} == {(3,)}
    before = scan_path("toy", 2).read_bytes()
    run_scan(work, [2], overwrite=True)
    assert (2,) in {tuple(layers) for layers in calls[-1:]}
    assert scan_path("toy", 2).read_bytes() == before


def test_scans_that_are_not_there_or_of_something_else_say_so(work, one_line):
    with pytest.raises(InputError) as raised:
        read_scan(work, 3)
    assert "no scan of conv3 yet; run bash motif_contribution/script/run_search_maxact.sh 3 3" in one_line(raised)
    run_scan(work, [3])
    other = dataclasses.replace(work, checkpoint=dataclasses.replace(work.checkpoint, sha256="d" * 64))
    with pytest.raises(InputError) as raised:
        read_scan(other, 3)
    assert "another checkpoint" in one_line(raised)
    assert not is_finished(other, 3)
    with h5py.File(work.dataset, "a") as file:
        file.attrs["changed"] = 1
    changed = dataclasses.replace(work)
    with pytest.raises(InputError) as raised:
        read_scan(changed, 3)
    assert "another data set" in one_line(raised)
    scan_path("toy", 3).write_bytes(b"not a file")
    with pytest.raises(InputError) as raised:
        read_scan(work, 3)
    assert "damaged" in one_line(raised)


def test_messages_shorter_than_every_window(work, one_line):
    deep = dataclasses.replace(work, checkpoint=Checkpoint(seeded_model(6, 4), {}, "e" * 64, "deep"))
    with pytest.raises(InputError) as raised:
        run_scan(deep, [5, 7])
    assert "conv7 sees 288 nt, but the longest training message" in one_line(raised)


def command_line(tmp_path, *more, status=None):
    arguments = ["--config", str(tmp_path / "toy.yaml"), *more]
    if status is None:
        return main(arguments)
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == status
    return None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "3", "--to", "2"], "layers: 3 to 2 is no range"),
        (["--from", "2", "--to", "5"], "conv5 is not a layer of toy, which has conv1 to conv4"),
        (["--from", "2", "--to", "2", "treshold=0.5"], "unknown key 'treshold'; the nearest known one is 'threshold'"),
        (["--from", "2", "--to", "2", "zero_annotation=3"], "zero_annotation"),
    ],
)
def test_wrong_command_lines(work, tmp_path, capsys, arguments, said):
    """Row 25."""
    command_line(tmp_path, *arguments, status=2)
    text = capsys.readouterr().err.strip()
    assert said in text
    assert "\n" not in text


def test_data_that_do_not_fit(work, tmp_path, capsys):
    save_checkpoint(tmp_path / "toy.pth", seeded_model(3, 6), {})
    command_line(tmp_path, "--from", "2", "--to", "2", status=2)
    assert "train split: 4 tracks, but the checkpoint of toy has 6" in capsys.readouterr().err
    with h5py.File(work.dataset, "a") as file:
        del file["test_sequence"]
    command_line(tmp_path, "--from", "2", "--to", "2", status=2)
    assert "key 'test_sequence' is missing" in capsys.readouterr().err


def test_the_wrapper_as_it_is_typed(work, tmp_path):
    """The help and a wrong layer go through the wrapper; the scan itself through the command line."""
    folder = ROOT / "motif_contribution" / "script"
    config = str(tmp_path / "toy.yaml")
    done = subprocess.run(
        ["bash", "run_search_maxact.sh", "2", "9", config], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: layer: conv9")
    done = subprocess.run(
        ["bash", "run_search_maxact.sh", "2"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: bash run_search_maxact.sh FROM TO CONFIG")
    command_line(tmp_path, "--from", "1", "--to", "4")
    assert sorted(path.name for path in (tmp_path / "scans" / "toy").iterdir()) == [f"conv{n}.h5" for n in range(1, 5)]
