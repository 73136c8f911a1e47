"""Comparison of methods: thresholds, recall and precision known by hand, and a run over files of three methods."""

import math

import numpy as np
import pytest

from figures import method_comparison
from figures.method_comparison import matched_threshold, recall_and_precision
from motif_discovery import settings as places
from motif_discovery.demixing import Part
from motif_discovery.files import Sample, write_motifs
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from tests.toy import seeded_model
from utils.checkpoint import save_checkpoint
from utils.motif import Motif, shuffled_columns, write_meme
from utils.runtime import InputError, write_text
from utils.sequence import encode, iupac_ppm


def test_matched_threshold_by_hand():
    real = np.array([0.001, 0.002, 0.01, 0.02, 0.03, 0.05])
    assert matched_threshold(real, np.array([])) == 0.05
    assert matched_threshold(real, np.array([0.04]), share=0.2) == 0.05  # 1 of 6
    assert matched_threshold(real, np.array([0.015, 0.04]), share=0.2) == 0.03  # 1 of 5; at 0.05 it is 2 of 6
    assert matched_threshold(real, np.array([0.0005]), share=0.1) == 0.0
    assert matched_threshold(np.array([]), np.array([0.1])) == 0.0


def test_recall_and_precision_by_hand():
    effects = {"a": 0.5, "b": -0.2, "decoy": 0.0}
    assert recall_and_precision({"a", "decoy", "shuffled"}, effects) == (0.5, pytest.approx(1 / 3))
    recall, precision = recall_and_precision(set(), effects)
    assert recall == 0
    assert math.isnan(precision)


def test_shuffled_columns_keep_the_columns():
    (one,) = shuffled_columns([Motif("x", "", iupac_ppm("UGUAAAUA"))])
    assert one.name == "x"
    assert sorted(map(tuple, one.ppm.T)) == sorted(map(tuple, iupac_ppm("UGUAAAUA").T))
    assert not np.array_equal(one.ppm, iupac_ppm("UGUAAAUA"))


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Return the settings of a toy model whose motifs are written by hand, and a function that writes them."""
    monkeypatch.setattr(places, "HERE", tmp_path)
    save_checkpoint(tmp_path / "toy.pth", seeded_model(2, 4, channels=4), {})
    write_text(tmp_path / "toy.yaml", f"name: toy\ncheckpoint: {tmp_path}/toy.pth\ndataset: none.h5\n")
    words = [
        "UGUAAAUA",
        "CCAUCACG",
        "GGACUUCA",
        "UUAUUUAU",
        *("ACGU"[i % 4] * 3 + "GCAUC" + "ACGU"[i // 4] for i in range(16)),
    ]
    write_meme(tmp_path / "database.meme", [Motif(f"m{i}", "", iupac_ppm(word)) for i, word in enumerate(words)])
    settings = DiscoverySettings(
        model=str(tmp_path / "toy.yaml"), device="cpu", motif_database=str(tmp_path / "database.meme")
    )

    def write(method, neuron, word):
        discovery = Discovery(
            settings, 3, *[getattr(open_discovery(settings, 3), key) for key in ("checkpoint", "network")], method
        )
        pfm = np.full((4, 18), 25.0)
        pfm[:, 4 : 4 + len(word)] = np.eye(4)[:, encode(word)] * 100
        sample = Sample(np.zeros((1, 18), dtype=np.uint8), np.ones(1, dtype=np.float32), 1.0)
        parts = [Part("all", pfm, 100, 1.0, 1.0)]
        write_motifs(discovery.motif_path(neuron), discovery.name(neuron), parts, sample, 18, discovery.motif_key)

    return settings, write


def test_methods_are_compared_on_the_neurons_that_all_have(opened):
    settings, write = opened
    for neuron, word in ((1, "UGUAAAUA"), (2, "CCAUCACG"), (3, "GGACUUCA")):
        write("neuronmotif", neuron, word)
    for neuron, word in ((1, "UGUAAAUA"), (2, "UGUAAAUA")):
        write("max_seqlet", neuron, word)
    rows = method_comparison.compared(
        [Discovery(settings, 3, one.checkpoint, one.network, method)
         for one in [open_discovery(settings, 3)] for method in ("neuronmotif", "max_seqlet")],
        {"m0": 1.0, "m1": -1.0, "m2": 0.5, "m3": 0.0},
    )  # fmt: skip
    assert [row["neurons"] for row in rows] == [2, 2]
    assert [row["motifs"] for row in rows] == [2, 1]
    assert [row["recall"] for row in rows] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert [row["precision"] for row in rows] == [1, 1]


def test_a_method_without_results_is_named(opened, tmp_path):
    settings, write = opened
    write("neuronmotif", 1, "UGUAAAUA")
    with pytest.raises(InputError, match=r"no motifs of conv3; run bash motif_discovery/tf_modisco"):
        method_comparison.run(settings, "3", ["neuronmotif", "tf_modisco"], None, tmp_path)
    write("max_seqlet", 2, "UGUAAAUA")
    with pytest.raises(InputError, match="no neuron has results of all"):
        method_comparison.run(settings, "3", ["neuronmotif", "max_seqlet"], None, tmp_path)
