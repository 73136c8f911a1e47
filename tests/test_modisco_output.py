"""TF-MoDISco of the model's output: attributions of real messages, the strip they lie in, effects, files and pages."""

import numpy as np
import openpyxl
import pytest
import torch
import yaml

from motif_discovery import files, settings, summarize
from motif_discovery.methods import METHODS, MODISCO_OUTPUT, OUTPUT, ModiscoSettings
from motif_discovery.tf_modisco import discover, output, strip
from motif_discovery.tf_modisco.patterns import Pattern
from tests.toy import plain_prediction, seeded_model
from utils.checkpoint import save_checkpoint
from utils.data import SPLITS, Split, write_dataset
from utils.motif import consensus, read_meme, segments, to_ppm
from utils.sequence import N, decode, encode, one_hot

FEW = ModiscoSettings(min_metacluster_size=40, n_leiden_runs=2)
LENGTH = np.array([40, 61, 33, 52])
WORD, OTHER = "UGUAAGCACC", "CCAUGGAGUU"


def messages(length=LENGTH, full=64, seed=0):
    """Return messages with codon and splice tracks and an N at position 7, padded to ``full``."""
    random = np.random.default_rng(seed)
    codes = np.zeros((len(length), full), dtype=np.uint8)
    for row, end in enumerate(length):
        codes[row, :end] = 1 << random.integers(4, size=end)
        codes[row, :end:3] |= 1 << 4
        codes[row, 7] = 0
    label = np.zeros((len(length), 1), dtype=np.float32)
    return Split(codes, label, np.asarray(length, dtype=np.int32), [f"m{row}" for row in range(len(length))], 6)


def doubled(model):
    return {key: value.double() if value.is_floating_point() else value for key, value in model.state_dict().items()}


def test_attributions_are_those_of_a_plain_network():
    """Row 26, and row 8: all four bases have one, N and padding have none; the other tracks are read as they are."""
    model, split = seeded_model(2, 6, seed=3, num_targets=2), messages()
    rows = np.array([0, 1, 3])
    found = output.attributed(model, split, rows, 1, FEW.model_copy(update={"path_steps": 1}))
    state, step = doubled(model), 1e-6
    for place, row in enumerate(rows):
        own = found.hypothetical[found.first[place] : found.first[place] + LENGTH[row]]
        assert np.allclose(own.sum(axis=1), 0, atol=1e-6)
        X, _ = split.batch(np.array([row]))
        X = X.double()
        for position in (0, 6, 8, LENGTH[row] // 2, LENGTH[row] - 1):
            for base in range(4):
                change = torch.zeros_like(X)
                change[:, :4, position] = -0.25
                change[:, base, position] += 1
                up, down = (plain_prediction(state, X + sign * step * change, readout="last") for sign in (1, -1))
                assert own[position, base] == pytest.approx(float((up - down)[0, 1]) / (2 * step), abs=1e-5)
        assert (own[7] == 0).all()
        assert abs(own).max() > 1e-3
    between = np.ones(len(found.bases), dtype=bool)
    for place, row in enumerate(rows):
        between[found.first[place] : found.first[place] + LENGTH[row]] = False
    assert (found.hypothetical[between] == 0).all()
    assert (found.bases[between] == N).all()
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_contributions_on_the_way_add_up_to_the_change_of_the_prediction():
    """The defining property of integrated gradients: from even bases to the message; saturation does not hide it."""
    model, split = seeded_model(2, 6, seed=3), messages()
    rows = np.arange(4)
    found = output.attributed(model, split, rows, 0, FEW.model_copy(update={"path_steps": 400}))
    for row in rows:
        X, longest = split.batch(np.array([row]))
        even = X.clone()
        even[:, :4] = X[:, :4].sum(dim=1, keepdim=True) / 4
        change = float(model(X, longest)[0, 0] - model(even, longest)[0, 0])
        own = found.contribution[found.first[row] : found.first[row] + LENGTH[row]]
        assert own.sum() == pytest.approx(change, abs=0.02 * max(1, abs(change)))


def test_no_seqlet_lies_on_n_or_padding():
    rng = np.random.default_rng(1)
    length = rng.integers(30, 90, size=150)
    bases = rng.integers(4, size=(150, 90)).astype(np.uint8)
    bases[rng.random(bases.shape) < 0.02] = N
    one = strip.empty_strip(bases, length, FEW)
    one.hypothetical[:] = rng.normal(size=one.hypothetical.shape) * (one.bases < N)[:, None]
    places = strip.strip_places(one, FEW)
    assert sum(map(len, places.values())) > 30
    for sign, own in places.items():
        for start in own[:, 1] + one.size.flank:
            assert (one.bases[start : start + one.size.window] < N).all()
            assert np.sign(one.contribution[start : start + one.size.window].sum()) == sign
    starts = np.sort(np.concatenate([own[:, 1] for own in places.values()]))
    assert np.diff(starts).min() > one.size.window // 2 + one.size.flank
    few = FEW.model_copy(update={"max_seqlets_per_metacluster": 5})
    strongest = strip.strip_places(one, few)
    for sign in (1, -1):
        total = strip.window_sums(one.contribution, one.size.window)[places[sign][:, 1] + one.size.flank]
        kept = places[sign][np.argsort(-sign * total)[:5], 1]
        assert sorted(kept) == strongest[sign][:, 1].tolist()


def test_the_strongest_windows_apart_by_hand():
    value, start = np.array([3.0, 5.0, 4.0, 1.0, 5.0]), np.array([0, 2, 4, 9, 12])
    assert strip.strongest_apart(value, start, 2, 20).tolist() == [1, 4, 3]
    assert strip.strongest_apart(value, start, 1, 20).tolist() == [1, 4, 2, 0, 3]
    assert strip.window_sums(np.array([1, 2, 3, 4]), 3).tolist() == [6, 9]


def planted_strip(n=80, seed=0):
    """Return messages that hold WORD, which raises, or OTHER, which lowers, and where each begins."""
    random = np.random.default_rng(seed)
    length = random.integers(35, 70, size=2 * n)
    bases = random.integers(4, size=(2 * n, 70)).astype(np.uint8)
    place = np.array([random.integers(0, end - 10) for end in length])
    for row, start in enumerate(place):
        bases[row, start : start + 10] = encode((WORD, OTHER)[row // n])
    one = strip.empty_strip(bases, length, FEW)
    one.hypothetical[:] = random.normal(0, 0.02, one.hypothetical.shape) * (one.bases < N)[:, None]
    for row, start in enumerate(place):
        at = one.first[row] + start
        one.hypothetical[at : at + 10] += (1, -1)[row // n] * (one_hot(bases[row, start : start + 10]).numpy().T - 0.25)
    return one, place


def test_patterns_of_either_sign_lie_where_they_were_planted():
    one, place = planted_strip()
    found = strip.strip_patterns(one, FEW)
    assert {pattern.sign for pattern in found} == {1, -1}
    for pattern in found:
        word = WORD if pattern.sign > 0 else OTHER
        bases = output.seqlet_bases(one.bases[None], pattern)
        text = decode(consensus(to_ppm(output.placed(bases, 0, pattern.width))))
        at = text.index(word)
        rows = one.message_of(pattern.start + at)
        assert (rows // 80 == (pattern.sign < 0)).all()
        right = pattern.start + at == one.first[rows] + place[rows]
        assert right.mean() > 0.9
        assert np.sign(one.scores(pattern).sum()) == pattern.sign


def test_one_sign_only_is_no_pattern_and_a_warning(caplog):
    one, _ = planted_strip()
    np.abs(one.hypothetical, out=one.hypothetical)
    assert strip.strip_patterns(one, FEW, "output_target1") == []
    assert "output_target1" in caplog.text


def test_effects_are_differences_of_plain_predictions():
    model, split = seeded_model(2, 6, seed=3), messages()
    state, word = doubled(model), encode("ACGUACGU")
    for start in (12, 4, -3, 57):  # inside, over the N at 7, beyond either end
        intact, _ = split.batch(np.array([1]))
        blotted, other = intact.double(), intact.double()
        for place, base in enumerate(word, start):
            if 0 <= place < LENGTH[1] and place != 7:
                blotted[0, :4, place], other[0, :4, place] = 0.25, 0
                other[0, base, place] = 1
        y = [float(plain_prediction(state, X.double())[0, 0]) for X in (intact, blotted, other)]
        found = output.effects(model, split, 1, 0, start, word)
        assert found == pytest.approx((y[0] - y[1], y[2] - y[1]), abs=1e-5)


def test_a_part_stands_in_the_middle_and_tells_its_strongest_effect():
    model, split = seeded_model(2, 6, seed=3), messages()
    rows = np.arange(4)
    one = output.attributed(model, split, rows, 0, FEW)
    start = np.array([10, 20, 11, 30])
    pattern = Pattern(-1, np.zeros(4, dtype=np.int64), one.first + start, 8)
    part = output.part_of(model, split, rows, 0, one, pattern, "neg-0", 20)
    assert (part.path, part.size, part.pfm.shape) == ("neg-0", 4, (4, 20))
    assert (part.pfm[:, [0, 5, 14, 19]] == 1).all()  # no seqlet reaches these
    assert part.pfm[:, 6:14].max() > 1
    bases = output.seqlet_bases(one.bases[None], pattern)
    ppm = to_ppm(part.pfm[:, 6:14])
    (low, *_), (*_, high) = (segments(ppm) or [(0, 8)])[0], (segments(ppm) or [(0, 8)])[-1]
    word = consensus(ppm[:, low:high])
    every = [output.effects(model, split, row, 0, int(start[row]) + low, word) for row in rows]
    assert part.max_activation == pytest.approx(max(-intact for intact, _ in every))
    assert part.consensus_activation == pytest.approx(-min(every)[1])
    assert np.array_equal(bases[1], one.bases[one.first[1] + 20 : one.first[1] + 28])


def test_messages_are_chosen_by_seed():
    assert output.chosen_messages(5, 9, 1).tolist() == [0, 1, 2, 3, 4]
    some = output.chosen_messages(100, 10, 1)
    assert len(set(some.tolist())) == 10
    assert np.array_equal(some, np.sort(some))
    assert np.array_equal(some, output.chosen_messages(100, 10, 1))
    assert not np.array_equal(some, output.chosen_messages(100, 10, 2))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Return the config of a toy model with two targets, whose results lie in a folder of their own."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")
    save_checkpoint(tmp_path / "toy.pth", seeded_model(2, 6, seed=3, num_targets=2), {})
    described = {"name": "toy", "checkpoint": str(tmp_path / "toy.pth"), "dataset": str(tmp_path / "toy.h5")}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(described))
    splits = {name: messages(seed=seed) for seed, name in enumerate(SPLITS)}
    splits = {
        name: Split(one.codes, np.zeros((4, 2), np.float32), one.length, one.id, 6) for name, one in splits.items()
    }
    write_dataset(tmp_path / "toy.h5", splits, {})
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"model": str(tmp_path / "model.yaml"), "ind": "0-4"}))
    return path


def test_targets_go_all_the_way(workplace, monkeypatch):
    """Motifs, matches, pages and statistics of both targets, in a place of their own; a second run does nothing."""
    made = []

    def patterns(one, chosen, name):
        made.append(name)
        bases = one.bases.copy()
        for row in range(len(one.first)):
            bases[one.first[row] + 10 : one.first[row] + 20] = encode("UUAUUUAUUU")
        one.bases[:] = bases
        return [Pattern(1 if name.endswith("1") else -1, np.zeros(12, np.int64), one.first + 8, 14)]

    monkeypatch.setattr(output, "strip_patterns", patterns)
    command = ["--config", str(workplace), "--target", "output"]
    discover.main(command)
    opened = settings.open_discovery(
        settings.load_settings(settings.DiscoverySettings, workplace), OUTPUT, MODISCO_OUTPUT
    )
    root = settings.HERE / MODISCO_OUTPUT
    assert opened.motif_path(2) == root / "motifs" / "toy" / "output_target2.h5"
    assert opened.match_path(2) == root / "tomtom_match_results" / "toy" / "output" / "output_target2.tsv"
    for target, path in ((1, "pos-0"), (2, "neg-0")):
        (part,), score, maximum, _ = files.read_motifs(opened.motif_path(target))
        assert (part.path, part.size, part.pfm.shape) == (path, 12, (4, 40))
        assert maximum == score.max() > 0
        (motif, *_) = read_meme(opened.motif_path(target).with_suffix(".meme"))
        assert motif.name.startswith(f"output_target{target}_{path}_")
        assert "ARE_UUAUUUAWW" in set(files.read_matches(opened.match_path(target))["Target_ID"])
        page = opened.report_path(target).read_text()
        assert f"output target {target}" in page
        assert METHODS[MODISCO_OUTPUT] in page
        assert "conv0" not in page
        assert "neuron" not in page.partition("<script")[0].replace("combmotif", "").partition("<body")[2]
    assert 'href="output_target2.html">target 2' in opened.report_path().read_text()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*_target*.*")}
    discover.main(command)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert made == ["output_target1", "output_target2"]

    summarize.main(["--config", str(workplace), "--method", MODISCO_OUTPUT])
    folder = settings.HERE / "analysis" / "results" / "toy" / MODISCO_OUTPUT
    book = openpyxl.load_workbook(folder / "motif_statistics.xlsx")
    assert [cell.value for cell in book["best motif per neuron"]["A"]] == ["layer", 0, 0]
    assert [cell.value for cell in book["counts"]["A"]] == ["layer", "output", "all"]
    assert "output (0 in tables)" in [cell.value for cell in book["about"]["B"]]


def test_settings_that_decide_the_output_alone(workplace):
    def key(method, *overrides):
        return settings.open_discovery(
            settings.load_settings(settings.DiscoverySettings, workplace, overrides), 1, method
        ).motif_key

    for method, override, changes in (
        (MODISCO_OUTPUT, "modisco.messages=9", True),
        (MODISCO_OUTPUT, "modisco.max_seqlets_per_metacluster=9", True),
        (MODISCO_OUTPUT, "modisco.path_steps=1", True),
        (MODISCO_OUTPUT, "seed=2", True),
        (MODISCO_OUTPUT, "modisco.sequences=9", False),
        ("tf_modisco", "modisco.messages=9", False),
        ("tf_modisco", "modisco.sequences=9", True),
    ):
        assert (key(method, override) != key(method)) == changes, (method, override)
    before = key(MODISCO_OUTPUT)
    data = workplace.parent / "toy.h5"
    data.write_bytes(data.read_bytes() + b"\0")
    assert key(MODISCO_OUTPUT) != before


@pytest.mark.parametrize(
    ("main", "arguments", "said"),
    [
        (discover.main, ["--target", "outputs"], "'outputs' is not one of neurons, output"),
        (discover.main, ["--target", "output", "--from", "2"], "--from: the output has no layers or neurons"),
        (discover.main, ["--target", "output", "--neurons", "1"], "--neurons: the output has no layers or neurons"),
        (discover.main, ["--target", "output", "modisco.messages=0"], "'modisco.messages'"),
        (summarize.main, ["--method", MODISCO_OUTPUT], "script/main.sh CONFIG --target output"),
        (summarize.main, ["--method", MODISCO_OUTPUT, "--layers", "2"], "is of the model's output"),
    ],
)
def test_bad_input_is_one_line_and_status_2(workplace, capsys, main, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        main(["--config", str(workplace), *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error


def test_no_data_set_says_how_to_make_it(workplace, capsys):
    (workplace.parent / "toy.h5").unlink()
    with pytest.raises(SystemExit) as stopped:
        discover.main(["--config", str(workplace), "--target", "output"])
    assert stopped.value.code == 2
    assert "no such data set; make it with" in capsys.readouterr().err
