"""Simulated data sets as a whole: the truth is what the messages hold, and a regression on it gives its effects."""

import itertools

import numpy as np
import pytest
import yaml

from generate_dataset import learn_background, simulate
from generate_dataset.planted import scan, shared_word
from generate_dataset.simulate import main
from generate_dataset.simulation_settings import MotifSettings, SimulationSettings, make_motifs, random_ppm
from generate_dataset.truth import read_truth
from utils.config import load_model_settings, load_settings, read_yaml
from utils.data import SPLITS, read_split, unpack_tracks
from utils.epistasis import pair_class
from utils.motif import Motif, information, read_meme, write_meme
from utils.runtime import ROOT, InputError, file_sha256
from utils.sequence import decode, from_one_hot

CONFIG = ROOT / "configs" / "simulated.yaml"
CLASSES = {f"{sign}_{way}" for sign in ("positive", "negative") for way in ("synergistic", "antagonistic")} | {
    "additive"
}


@pytest.fixture(scope="module")
def settings():
    """Return the committed settings."""
    return load_settings(SimulationSettings, CONFIG)


@pytest.fixture(scope="module")
def simulated(settings):
    """Return the committed data set."""
    return simulate.simulate(settings)


def made(tmp_path, *overrides):
    """Return the three files of a small set."""
    main(["--config", str(CONFIG), f"output={tmp_path}", "n=300", *overrides])
    return [tmp_path / f"simulated{end}" for end in (".h5", "_truth.yaml", "_motifs.meme")]


def regression(X, y):
    """Return coefficients and their standard errors by ordinary least squares, with an intercept (last)."""
    X = np.column_stack([X, np.ones(len(X))])
    inverse = np.linalg.inv(X.T @ X)
    coefficient = inverse @ X.T @ y
    residual = y - X @ coefficient
    return coefficient, np.sqrt(np.diag(inverse) * (residual @ residual) / (len(y) - X.shape[1]))


# -- the committed settings ----------------------------------------------------------------------------------------


def test_planted_instances_are_all_that_the_messages_hold(simulated):
    assert scan(simulated.sequences, simulated.motifs) == simulated.instances


def test_planted_counts_are_those_of_the_shares(settings, simulated):
    """Messages that get a motif by itself or in a pair: binomial, within five standard deviations."""
    of_motif = np.bincount(simulated.instances.motif, minlength=len(simulated.motifs))
    for number, motif in enumerate(simulated.motifs):
        shares = [(count, share) for count, share in enumerate(motif.shares, start=1)]
        shares += [(1, pair.share) for pair in simulated.pairs if number in (pair.a, pair.b)]
        mean = sum(count * share for count, share in shares) * settings.n
        variance = sum(count**2 * share for count, share in shares) * settings.n
        assert abs(of_motif[number] - mean) < 5 * np.sqrt(variance), motif.motif.name


def test_regression_on_the_truth_gives_the_effects_back(simulated):
    """Every main effect and epistasis, either sign; decoys have none."""
    planted = np.array([one.effect for one in simulated.motifs] + [one.eps for one in simulated.pairs])
    coefficient, error = regression(simulated.design, simulated.label)
    assert (np.abs(coefficient[:-1] - planted) < 4 * error[:-1]).all()
    assert error.max() < 0.03
    decoys = planted[: len(simulated.motifs)] == 0
    assert decoys.sum() >= 3
    assert (np.abs(coefficient[: len(decoys)][decoys]) < 4 * error[: len(decoys)][decoys]).all()


def test_a_regression_without_pairs_leaves_their_epistasis(simulated):
    """The test above could not pass by main effects alone: without pairs the residuals of their messages are eps."""
    effects = np.array([one.effect for one in simulated.motifs])
    rest = simulated.label - simulated.design[:, : len(effects)] @ effects
    for number, pair in enumerate(simulated.pairs, start=len(effects)):
        alone = (simulated.design[:, number] == 1) & (simulated.design[:, len(effects) :].sum(axis=1) == 1)
        assert rest[alone].mean() == pytest.approx(pair.eps, abs=5 * rest[alone].std() / np.sqrt(alone.sum()))


def test_the_ceiling_is_attained_and_not_exceeded(settings, simulated):
    for split in SPLITS:
        rows = simulated.split == split
        r = np.corrcoef(simulated.noise_free[rows], simulated.label[rows])[0, 1]
        assert r**2 == pytest.approx(settings.ceiling, abs=0.02)
    coefficient, _ = regression(simulated.design, simulated.label)
    residual = simulated.label - np.column_stack([simulated.design, np.ones(settings.n)]) @ coefficient
    assert 1 - residual.var() / simulated.label.var() == pytest.approx(settings.ceiling, abs=0.01)


def test_every_class_is_there_and_decoys_are_as_frequent_as_motifs(simulated):
    effect = [motif.effect for motif in simulated.motifs]
    classes = [pair_class(effect[pair.a], effect[pair.b], pair.eps) for pair in simulated.pairs]
    assert set(classes) == CLASSES
    assert len(classes) >= 8
    assert len({pair.spacing for pair in simulated.pairs}) >= 4
    count = np.bincount(simulated.instances.motif)
    decoy = np.array(effect) == 0
    assert count[decoy].min() > 0.8 * count[~decoy].mean()
    assert sum(effect > 0 for effect in effect) >= 4
    assert sum(effect < 0 for effect in effect) >= 4


def test_a_middle_layer_of_the_model_sees_a_whole_pair(settings, simulated):
    model = load_model_settings("simulated")
    assert model.dataset == f"{settings.output}/{settings.name}.h5"
    assert model.network.in_channels == settings.tracks
    widest = max(simulated.motifs[p.a].width + simulated.motifs[p.b].width + p.spacing[1] for p in simulated.pairs)
    assert widest <= 36  # conv4


def test_the_background_is_that_of_human_3utrs(shared_data, settings):
    learned = learn_background.learn(shared_data / "half_life" / "human_3utr_pc1.csv.gz", "utr3")
    for name, table in zip(("initial", "transition"), learned, strict=True):
        np.testing.assert_allclose(table, getattr(settings.background, name), atol=5.1e-5)


# -- files ---------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_files(tmp_path):
    first, again, other = (
        [file_sha256(path) for path in made(tmp_path / folder, f"seed={seed}")]
        for folder, seed in (("a", 1), ("b", 1), ("b", 2))
    )
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))


def test_noise_and_effects_leave_the_sequences_as_they_are(settings):
    small = settings.model_copy(update={"n": 200})
    one = simulate.simulate(small)
    two = simulate.simulate(small.model_copy(update={"ceiling": 0.5, "link": "tanh", "baseline": 3.0}))
    assert one.instances == two.instances
    np.testing.assert_array_equal(one.sequences, two.sequences)
    assert np.abs(two.noise_free - 3).max() < 2
    np.testing.assert_allclose(two.noise_free, 3 + 2 * np.tanh(one.score / 2))


def test_the_truth_is_that_of_the_data_set(tmp_path):
    """Every instance of truth.yaml stands in the HDF5 file's message, and the label is its score and noise."""
    dataset, truth_path, meme = made(tmp_path)
    truth, motifs = read_truth(truth_path), {motif.name: motif for motif in read_meme(meme)}
    splits = [read_split(dataset, name) for name in SPLITS]
    assert list(truth["messages"]) == [name for split in splits for name in split.id]
    assert [split.tracks for split in splits] == [4, 4, 4]
    assert [len(split) for split in splits] == [240, 30, 30]
    noise, counts = [], dict.fromkeys(truth["motifs"], 0)
    for split in splits:
        texts = [decode(row) for row in from_one_hot(unpack_tracks(split.codes, 4))]
        for name, text, length, label in zip(split.id, texts, split.length, split.label[:, 0], strict=True):
            message = truth["messages"][name]
            assert len(text.rstrip("N")) == length
            noise.append(label - message["score"])
            for motif, start in message["instances"]:
                ppm, width = motifs[motif].ppm, truth["motifs"][motif]["width"]
                word = text[start : start + width]
                assert all(ppm["ACGU".index(base), column] > 0 for column, base in enumerate(word))
                counts[motif] += 1
    assert np.std(noise) == pytest.approx(truth["label"]["noise_sd"], rel=0.15)
    assert counts == {name: facts["instances"] for name, facts in truth["motifs"].items()}
    assert {pair["class"] for pair in truth["pairs"]} == CLASSES


def test_the_database_holds_planted_motifs_and_others(tmp_path, settings):
    motifs = read_meme(made(tmp_path)[2])
    planted = [one.name for one in settings.motifs]
    assert [motif.name for motif in motifs[: len(planted)]] == planted
    others = motifs[len(planted) :]
    assert len(others) == settings.database_decoys
    assert {motif.alt for motif in others} == {"never_planted"}
    for motif in others:
        source = next(one for one in motifs if motif.name.endswith(f"_of_{one.name}"))
        np.testing.assert_allclose(np.sort(motif.ppm.sum(axis=1)), np.sort(source.ppm.sum(axis=1)), atol=1e-4)
        assert not np.allclose(motif.ppm, source.ppm)


def test_a_motif_of_a_meme_file_can_be_sharpened(tmp_path, settings):
    ppm = np.full((4, 6), 0.1) + 0.6 * np.eye(4)[:, [0, 3, 2, 1, 1, 0]]
    write_meme(tmp_path / "soft.meme", [Motif("soft", "", ppm)])
    chosen = {"name": "soft", "meme": str(tmp_path / "soft.meme"), "effect": 1.0, "share": 0.1}
    for sharpness, wanted in ((1.0, ppm), (3.0, ppm**3 / (ppm**3).sum(axis=0))):
        one = settings.model_copy(update={"motifs": (MotifSettings(**chosen, sharpness=sharpness),), "threshold": 0.8})
        (motif,) = make_motifs(one, np.random.default_rng(0))
        np.testing.assert_allclose(motif.motif.ppm, wanted, atol=1e-5)
        assert motif.shares == (0.1,)


def test_random_motifs_are_unlike_all_others(settings):
    """Eight sets of other seeds: random motifs differ, chosen ones stay, and none holds an instance of another."""
    seen = set()
    for seed in range(8):
        motifs = make_motifs(settings, np.random.default_rng(seed))
        assert [motif.motif.name for motif in motifs] == [one.name for one in settings.motifs]
        for one, other in itertools.combinations(motifs, 2):
            assert shared_word(one.hits, other.hits) is None
        seen.add(tuple(tuple(motif.motif.ppm.argmax(axis=0)) for motif in motifs))
    assert len(seen) == 8


def test_a_random_motif_has_its_width_and_information():
    for width, bits in ((7, 12.5), (8, 8.0), (6, 12.0)):
        ppm = random_ppm(width, bits, np.random.default_rng(0))
        assert ppm.shape == (4, width)
        assert information(ppm).sum() == pytest.approx(bits, abs=1e-6)
        np.testing.assert_allclose(ppm.sum(axis=0), 1)


# -- settings that cannot be -----------------------------------------------------------------------------------------


def edited(tmp_path, edit):
    """Return the path of the committed config with changes."""
    content = read_yaml(CONFIG)
    content.update(n=200)
    edit(content)
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


BAD = {
    "unknown motif in a pair": (lambda c: c["pairs"][0].update(a="QKJ"), r"no motif 'QKJ'.*nearest is 'QKI'"),
    "motif with itself": (lambda c: c["pairs"][0].update(b="QKI"), "same motif twice"),
    "pair twice": (lambda c: c["pairs"].append({**c["pairs"][0], "a": "PCBP1", "b": "QKI"}), "stands twice"),
    "window that does not fit": (lambda c: c["pairs"][0].update(spacing=[1, 200]), r"spacing \[1, 200\] does not fit"),
    "window upside down": (lambda c: c["pairs"][0].update(spacing=[9, 3]), r"spacing \[9, 3\]"),
    "negative spacing": (lambda c: c["pairs"][0].update(spacing=[-2, 3]), r"spacing \[-2, 3\]"),
    "share over 1": (lambda c: c["motifs"][0].update(share=[0.8, 0.3]), "share.*0 to 1 together"),
    "negative share": (lambda c: c["motifs"][0].update(share=-0.1), r"share \[-0.1\]"),
    "share that is no number": (lambda c: c["motifs"][0].update(share="half"), r"'motifs\.share'"),
    "effect that is no number": (lambda c: c["motifs"][0].update(effect=float("nan")), r"'motifs\.effect'"),
    "share of a pair": (lambda c: c["pairs"][0].update(share=1.5), "pairs.share"),
    "overlapping motifs": (lambda c: c["motifs"][3].update(word="UACUAACU"), "'m6A' and 'QKI' are not distinct"),
    "same name": (lambda c: c["motifs"][1].update(name="let7"), "stands twice"),
    "no motif given": (lambda c: c["motifs"][1].update(word=""), "one of word, meme, or width"),
    "two motifs given": (lambda c: c["motifs"][1].update(width=7), "one of word, meme, or width"),
    "not a word": (lambda c: c["motifs"][1].update(word="UGXA"), "letter 'X'"),
    "unspecific": (lambda c: c["motifs"][1].update(word="AUG"), "one of 64 words"),
    "unknown in MEME": (lambda c: c["motifs"][0].update(name="ARE_UAUUUAUUA"), "nearest is 'ARE"),
    "no MEME file": (lambda c: c["motifs"][0].update(meme="absent.meme"), "absent.meme: no such file"),
    "too wide": (lambda c: c["motifs"][1].update(word="A" * 13), "13 nt wide"),
    "too much information": (lambda c: c["motifs"][8].update(information=20), "up to 14 bits"),
    "bad position": (lambda c: c["motifs"][3].update(position=[0, 0]), "position"),
    "not probabilities": (lambda c: c["background"].update(initial=[0.5, 0.5, 0.5, 0.5]), "background.initial"),
    "lengths": (lambda c: c.update(max_length=100), "less than min_length"),
    "too short messages": (lambda c: c.update(min_length=30, max_length=31), "no room.*min_length"),
    "no effect": (lambda c: c.update(pairs=[], motifs=c["motifs"][10:12]), "all labels would be the same"),
    "unknown link": (lambda c: c.update(link="step"), "link"),
    "ceiling": (lambda c: c.update(ceiling=0), "ceiling"),
    "no training split": (lambda c: c.update(test_share=0.5, valid_share=0.5), "train split empty"),
    "no decoy": (lambda c: c.update(motifs=[{"name": "A", "word": "AAAAAAA", "effect": 1, "share": 0.2}], pairs=[],
                                    database_decoys=1), "database_decoys: only 0"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), BAD.values(), ids=BAD)
def test_bad_settings_are_one_line_and_write_nothing(tmp_path, one_line, edit, message):
    path = edited(tmp_path, edit)
    with pytest.raises(InputError, match=message) as raised:
        simulate.run(load_settings(SimulationSettings, path, [f"output={tmp_path}"]))
    one_line(raised)
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_line_fails_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["--config", str(CONFIG), f"output={tmp_path}", "celing=0.5"])
    assert raised.value.code == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert "nearest known one is 'ceiling'" in error


def test_learning_a_background_of_a_bad_table(tmp_path, one_line):
    table = tmp_path / "table.csv"
    for text, column, message in (
        ("seq\nACGU\n", "utr3", "'utr3' is missing"),
        ("seq\nACXU\n", "seq", "letter 'X'"),
        ("seq\nACGU\nUUNA\n", "seq", "16 pairs"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=message) as raised:
            learn_background.learn(table, column)
        assert "table.csv" in one_line(raised)
