"""Comparison of methods: thresholds, recall and precision known by hand, and a run over files of three methods."""

import math

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg

from figures import drawing, method_comparison
from figures.method_comparison import matched_threshold, recall_and_precision
from figures.settings import FigureSettings, config_of
from motif_discovery import settings as places
from motif_discovery.demixing import Part
from motif_discovery.files import Sample, write_motifs
from motif_discovery.methods import NEURON_METHODS
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from tests.toy import seeded_model
from utils.checkpoint import save_checkpoint
from utils.config import load_settings
from utils.motif import Motif, iupac_consensus, shuffled_columns, write_meme
from utils.runtime import ROOT, InputError, write_text
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
    words = ["UUUUUU", "AAU", "AUA", "UAA", "GGAC"]
    for seed in range(20):  # of AAU all shuffles are other motifs
        (left,) = shuffled_columns([Motif(word, "", iupac_ppm(word)) for word in words], seed)
        assert left.name == "GGAC"
        assert iupac_consensus(left.ppm) != "GGAC"


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
    config = tmp_path / "interpreting.yaml"
    write_text(config, f"{{model: {tmp_path}/toy.yaml, device: cpu, motif_database: {tmp_path}/database.meme}}\n")
    settings = load_settings(DiscoverySettings, config)

    def write(method, neuron, word):
        discovery = Discovery(
            settings, 3, *[getattr(open_discovery(settings, 3), key) for key in ("checkpoint", "network")], method
        )
        pfm = np.full((4, 18), 25.0)
        pfm[:, 4 : 4 + len(word)] = np.eye(4)[:, encode(word)] * 100
        sample = Sample(np.zeros((1, 18), dtype=np.uint8), np.ones(1, dtype=np.float32), 1.0)
        parts = [Part("all", pfm, 100, 1.0, 1.0)] if word else []
        write_motifs(discovery.motif_path(neuron), discovery.name(neuron), parts, sample, 18, discovery.motif_key)

    return config, write


def test_methods_are_compared_on_the_neurons_that_all_have(opened, tmp_path):
    config, write = opened
    for neuron, word in ((1, "UGUAAAUA"), (2, "CCAUCACG"), (3, "GGACUUCA")):
        write("neuronmotif", neuron, word)
    for neuron, word in ((1, "UGUAAAUA"), (2, "UGUAAAUA")):
        write("max_seqlet", neuron, word)
    truth = tmp_path / "truth.yaml"
    effects = {"m0": 1.0, "m1": -1.0, "m2": 0.5, "m3": 0.0}
    motifs = {name: {"effect": effect} for name, effect in effects.items()}
    write_text(truth, yaml.safe_dump({"motifs": motifs, "messages": {}}))
    output = tmp_path / "figures"
    table = method_comparison.run(config, "3", ["neuronmotif", "max_seqlet"], truth, [], output)
    assert table["neurons"].tolist() == [2, 2]
    assert table["motifs"].tolist() == table["clusters"].tolist() == [2, 1]
    assert table["recall"].tolist() == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert table["precision"].tolist() == [1, 1]
    assert {path.name for path in output.iterdir()} == {f"toy_methods{suffix}" for suffix in (".csv", ".png", ".svg")}
    before = {path: path.read_bytes() for path in output.iterdir()}
    method_comparison.main(
        ["--config", str(config), "--layers", "3", "--methods", "neuronmotif,max_seqlet", "--truth", str(truth),
         "--output", str(output)]
    )  # fmt: skip
    assert before == {path: path.read_bytes() for path in output.iterdir()}
    assert method_comparison.run(config, "3", ["neuronmotif"], None, [], output)["neurons"].tolist() == [3]


def test_a_method_that_found_nothing_has_a_row(opened, tmp_path):
    config, write = opened
    write("neuronmotif", 1, "UGUAAAUA")
    write("tf_modisco", 1, "")
    table = method_comparison.run(config, "3", ["neuronmotif", "tf_modisco"], None, [], tmp_path).set_index("method")
    empty = table.loc["tf_modisco"]
    columns = ["parts", "segments", "motifs", "clusters", "matched_q", "clusters_at_matched_q", "motifs_of_shuffled"]
    assert (empty[columns] == 0).all()
    assert table.loc["neuronmotif", "motifs"] == 1


def bars(methods, layers, **columns):
    rows = [{"model": "m" * 40, "layer": layer, "method": one, "neurons": 16} for layer in layers for one in methods]
    return pd.DataFrame(rows).assign(clusters=120, clusters_at_matched_q=7, **columns)


@pytest.mark.parametrize("layers", [[3], [2, 3, 4]])
@pytest.mark.parametrize("columns", [{}, {"recall": 1 / 3, "precision": float("nan")}])
def test_the_figure_has_no_overlapping_labels(layers, columns):
    with drawing.style():
        figure = method_comparison.comparison_figure(bars(NEURON_METHODS, layers, **columns))
        canvas = FigureCanvasAgg(figure)  # whichever backend another module has chosen
        canvas.draw()
        renderer = canvas.get_renderer()
        texts = [text for axes in figure.axes for text in [*axes.texts, axes.title, *axes.get_xticklabels()]]
        texts += [figure._suptitle, *figure.legends[0].get_texts()]
        assert all(text.get_fontsize() >= drawing.SMALLEST for text in texts)
        boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
        assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
        assert min(box.x0 for box in boxes) >= 0
        assert max(box.x1 for box in boxes) <= figure.bbox.width
        drawing.plt.close(figure)


def test_a_method_without_results_is_named(opened, tmp_path):
    config, write = opened
    write("neuronmotif", 1, "UGUAAAUA")
    with pytest.raises(InputError, match=r"no motifs of conv3; run bash motif_discovery/tf_modisco"):
        method_comparison.run(config, "3", ["neuronmotif", "tf_modisco"], None, [], tmp_path)
    write("max_seqlet", 2, "UGUAAAUA")
    with pytest.raises(InputError, match="no neuron has results of all"):
        method_comparison.run(config, "3", ["neuronmotif", "max_seqlet"], None, [], tmp_path)
    for methods, said in ((["modisco"], "is no method"), (["tf_modisco_output"], "model's output"),
                          (["max_seqlet"] * 2, "stands twice")):  # fmt: skip
        with pytest.raises(InputError, match=said):
            method_comparison.run(config, "3", methods, None, [], tmp_path)


@pytest.mark.parametrize("model", ["mrl_predictor", "hl_predictor_mpra", "simulated"])
def test_the_fair_comparison_differs_in_what_it_says_alone(model):
    """Rows 12 and 22: the same samples and settings for every method, but for the two keys that the file names."""
    ours, plain = (
        load_settings(DiscoverySettings, ROOT / "configs" / folder / f"{model}.yaml").model_dump()
        for folder in ("comparison", "interpreting")
    )
    assert {key for key in plain if ours[key] != plain[key]} == {"ind", "modisco"}
    changed = {key for key in plain["modisco"] if ours["modisco"][key] != plain["modisco"][key]}
    assert changed == {"sequences", "n_leiden_runs"}


def test_the_figures_of_the_fair_comparison_name_what_it_runs():
    chosen = load_settings(FigureSettings, ROOT / "configs" / "comparison" / "figures.yaml")
    for model in chosen.models:
        assert config_of(model).parent == ROOT / "configs" / "comparison"
    assert chosen.folder == method_comparison.RESULTS
