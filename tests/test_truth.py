"""Labels and classes of simulated messages, against slow versions and known answers."""

import numpy as np
import pytest

from generate_dataset.planted import Instances, PlantedPair
from generate_dataset.truth import (
    design_matrix,
    link,
    motif_facts,
    noise_sd,
    pair_class,
    pair_facts,
    read_truth,
    truth_text,
)
from tests.test_planted import planted
from utils.config import LARGEST_YAML
from utils.runtime import InputError

MOTIFS = [planted("a", "GGACU", effect=0.5), planted("b", "ACUAAC", effect=0.4), planted("c", "UGCAUG", effect=-0.3)]
MOTIFS += [planted("d", "CUACCUCA", effect=-0.6), planted("decoy", "UAGGGA", effect=0.0)]


@pytest.mark.parametrize(
    ("effects", "eps", "wanted"),
    [((0.5, 0.4), 0.2, "positive_synergistic"), ((0.5, 0.4), -0.2, "positive_antagonistic"),
     ((-0.3, -0.6), 0.2, "negative_antagonistic"), ((-0.3, -0.6), -0.2, "negative_synergistic"),
     ((0.5, 0.4), 0, "additive"), ((-0.3, -0.6), 0, "additive"),
     ((0.5, -0.3), 0.2, "none"), ((-0.3, 0.5), 0, "none"), ((0, 0.5), 0.2, "none"), ((-0.5, 0), -1, "none")],
)  # fmt: skip
def test_classes_of_the_table(effects, eps, wanted):
    """Rows 18 and 28: method.md section 5, every cell."""
    assert pair_class(*effects, eps) == wanted
    assert pair_class(*effects[::-1], eps) == wanted


def random_instances(rng, n=300):
    """Return instances at random, free of overlaps: each in a slot of 20 nt of its own."""
    row, slot = np.nonzero(rng.random((n, 6)) < 0.5)
    start = slot * 20 + rng.integers(0, 12, len(row))
    return Instances(row, rng.integers(0, len(MOTIFS), len(row)), start).sorted()


def test_the_design_counts_pairs_in_their_window_and_order():
    rng = np.random.default_rng(0)
    instances = random_instances(rng)
    pairs = [PlantedPair(0, 1, (3, 15), True, 0.5, 0.1), PlantedPair(2, 3, (0, 30), False, -0.5, 0.1)]
    wanted = np.zeros((300, 7))
    found = list(zip(instances.row.tolist(), instances.motif.tolist(), instances.start.tolist(), strict=True))
    for row, motif, _ in found:
        wanted[row, motif] += 1
    for number, pair in enumerate(pairs):
        for row, a, start_a in found:
            for other, b, start_b in found:
                if row != other or (a, b) != (pair.a, pair.b):
                    continue
                after, before = start_b - start_a - MOTIFS[a].width, start_a - start_b - MOTIFS[b].width
                gaps = [after] if pair.ordered else [after, before]
                wanted[row, 5 + number] += any(pair.spacing[0] <= gap <= pair.spacing[1] for gap in gaps)
    np.testing.assert_array_equal(design_matrix(instances, MOTIFS, pairs, 300), wanted)
    assert (wanted[:, 5:].sum(axis=0) > 5).all()
    assert wanted[:, 6].max() > 1  # two pairs in one message count twice


@pytest.mark.parametrize(("start", "present"), [(8, 0), (9, 1), (12, 1), (13, 0)])
def test_both_ends_of_the_window_belong_to_it(start, present):
    """GGACU at 4 ends before 9; the other motif begins 0 to 3 nt behind it."""
    pair = [PlantedPair(0, 1, (0, 3), True, 0.5, 0.1)]
    instances = Instances(np.array([0, 0]), np.array([0, 1]), np.array([4, start]))
    assert design_matrix(instances, MOTIFS, pair, 1)[0, 5] == present


def test_the_link_saturates():
    score = np.linspace(-50, 50, 1001)
    label = link(score, 2.0)
    assert (np.diff(label) >= 0).all()
    assert label.max() == pytest.approx(2)
    assert label.min() == pytest.approx(-2)
    assert link(np.array([0.01]), 2.0)[0] == pytest.approx(0.01, rel=1e-4)
    assert link(score, 0.0) is score


def test_noise_leaves_the_ceiling():
    noise_free = np.random.default_rng(0).normal(size=200_000) * 3
    label = noise_free + np.random.default_rng(1).normal(size=200_000) * noise_sd(noise_free, 0.8)
    assert noise_free.var() / label.var() == pytest.approx(0.8, abs=0.005)
    assert noise_sd(noise_free, 1.0) == 0


def test_effects_on_the_label():
    """Without a link they are the effects; with one, the epistasis that a mutagenesis of the label would measure."""
    pairs = [PlantedPair(0, 1, (0, 30), False, 0.5, 0.1), PlantedPair(2, 3, (0, 30), False, 0.0, 0.1)]
    design = np.eye(7)[[5, 6]] + np.array([[1, 1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0]])
    score = design @ np.array([0.5, 0.4, -0.3, -0.6, 0.0, 0.5, 0.0])
    plain = pair_facts(pairs, MOTIFS, design, score, 0.0)
    assert [fact["eps_label"] for fact in plain] == [0.5, 0.0]
    assert [fact["class"] for fact in plain] == ["positive_synergistic", "additive"]
    facts = motif_facts(MOTIFS, design, score, 0.0)
    assert [fact["decoy"] for fact in facts.values()] == [False] * 4 + [True]
    assert facts["d"]["effect_label"] == -0.6
    bent = pair_facts(pairs, MOTIFS, design, score, 1.0)
    assert bent[0]["eps_label"] == pytest.approx(np.tanh(1.4) - np.tanh(0.5) - np.tanh(0.4), abs=1e-6)
    assert bent[1]["eps_label"] == pytest.approx(np.tanh(-0.9) - np.tanh(-0.3) - np.tanh(-0.6), abs=1e-6)
    assert motif_facts(MOTIFS, design, score, 1.0)["decoy"]["effect_label"] == 0


def test_truth_reads_back(tmp_path):
    instances = Instances(np.array([0, 0, 2]), np.array([1, 0, 1]), np.array([3, 40, 7]))
    path = tmp_path / "truth.yaml"
    path.write_text(
        truth_text(
            {"name": "x", "label": {"ceiling": 0.9}},
            ["m0", "m1", "m2"],
            np.array([2, 0, 1]),
            np.array([1e-5, -2, 0.25]),
            instances,
            ["a", "b.1"],
        )
    )
    truth = read_truth(path)
    assert truth["name"] == "x"
    assert truth["messages"] == {
        "m2": {"score": 0.25, "instances": [("b.1", 7)]},
        "m0": {"score": 1e-5, "instances": [("b.1", 3), ("a", 40)]},
        "m1": {"score": -2.0, "instances": []},
    }
    assert list(truth["messages"]) == ["m2", "m0", "m1"]


def test_truth_of_many_messages_is_read_though_no_config_is_that_large(tmp_path):
    n = 3000
    names = [f"message_of_a_simulation_{number}_{'x' * 400}" for number in range(n)]
    instances = Instances(np.arange(n), np.zeros(n, dtype=np.int64), np.arange(n))
    text = truth_text({"name": "x", "label": {"ceiling": 0.9}}, names, np.arange(n), np.zeros(n), instances, ["a"])
    assert len(text) > LARGEST_YAML
    path = tmp_path / "truth.yaml"
    path.write_text(text)
    truth = read_truth(path)
    assert len(truth["messages"]) == n
    assert truth["messages"][names[-1]] == {"score": 0.0, "instances": [("a", n - 1)]}


@pytest.mark.parametrize("text", ["name: x\n", "messages: {m0: 3}\n", "messages: {m0: 0.5 a}\n", "messages: [1]\n"])
def test_something_else_is_not_a_truth(tmp_path, one_line, text):
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(InputError, match=r"other\.yaml: not the truth") as raised:
        read_truth(tmp_path / "other.yaml")
    one_line(raised)
