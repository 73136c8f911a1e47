"""Comparison figures: counts, pairs, tests and rows known by hand; names of any kind; the same bytes twice."""

import csv

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import wilcoxon

from figures import combinations, contribution_layers, diversity, drawing, interaction_map, logo_table, quality, upset
from figures.sets import intersections, memberships
from motif_contribution import contribution
from motif_discovery import files, settings
from motif_discovery.demixing import Part
from motif_discovery.files import Sample
from motif_discovery.settings import Discovery
from motif_interaction.statistics import ONLY_TOGETHER
from tests.toy import seeded_model
from utils import config
from utils.checkpoint import save_checkpoint
from utils.motif import Motif, information, write_meme
from utils.runtime import InputError
from utils.sequence import iupac_ppm

NAMES = ["P1/x,y", '<b>"bold"</b>', "$x^2$_$y$", "=1+1", "a" * 90, "M6", "M7", "M8"]
WORDS = ["UGUAUAUA", "GGACCAGG", "CCAUGGCC", "AUUUAUUU", "GCGCGCAA", "CACACACA", "UCUCUCUU", "GAGAGAGG"]
CLUSTER = [1, 1, 2, 3, 4, 5, 6, 7]  # the first two motifs are alike
PART = np.concatenate([40 * iupac_ppm("UGUAU"), np.full((4, 3), 10.0), 40 * iupac_ppm("GGACC")], axis=1)
FIELD = PART.shape[1]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Return what writes a figure config of a toy model whose results lie in a folder of their own."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")
    monkeypatch.setattr(contribution, "RESULTS", tmp_path / "contribution")
    monkeypatch.setattr(config, "is_below_root", lambda path: True)  # a config may not write into a folder of a test
    save_checkpoint(tmp_path / "toy.pth", seeded_model(2, 4), {})
    for name in ("toy", "toy_2"):
        described = {"name": name, "checkpoint": str(tmp_path / "toy.pth"), "dataset": str(tmp_path / "none.h5")}
        (tmp_path / f"model_{name}.yaml").write_text(yaml.safe_dump(described))
        chosen = {"model": str(tmp_path / f"model_{name}.yaml"), "motif_database": str(tmp_path / "db.meme")}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(chosen))
    write_meme(tmp_path / "db.meme", [Motif(*one) for one in zip(NAMES, NAMES, map(iupac_ppm, WORDS), strict=True)])
    table = pd.DataFrame({"motif": NAMES, "cluster": CLUSTER, "cluster_name": [f"of {name}" for name in NAMES]})
    table["cluster_name"] = table.groupby("cluster")["cluster_name"].transform("first")
    table.to_csv(tmp_path / "clusters.tsv", sep="\t", index=False)

    def write(models=None, **more):
        models = {"toy": ""} if models is None else models
        content = {
            "models": {str(tmp_path / f"{name}.yaml"): layers for name, layers in models.items()},
            "clusters": str(tmp_path / "clusters.tsv"), "output": str(tmp_path / "figures"),
        }  # fmt: skip
        (tmp_path / "figures.yaml").write_text(yaml.safe_dump(content | more))
        return str(tmp_path / "figures.yaml")

    return write


def results(tmp_path, method, found, name="toy", layer=2):
    """Write what a method found: neuron -> list of (segment, motif, q)."""
    chosen = settings.load_settings(settings.DiscoverySettings, tmp_path / f"{name}.yaml")
    opened = settings.open_discovery(chosen, 1, method)
    one = Discovery(opened.settings, layer, opened.checkpoint, opened.network, method)
    sample = Sample(np.zeros((1, FIELD), dtype=np.uint8), np.ones(1, dtype=np.float32), 1.0)
    for neuron, matches in found.items():
        parts = [Part("0-1", PART, 40, 2.0, 1.9)]
        files.write_motifs(one.motif_path(neuron), one.name(neuron), parts, sample, FIELD, one.motif_key)
        rows = [
            [f"{one.name(neuron)}_0-1_{segment}", motif, 0, q / 10, q, q, 5, "ACGUA", "ACGUA", "+"]
            for segment, motif, q in matches
        ]
        files.write_matches(one.match_path(neuron), pd.DataFrame(rows, columns=files.COLUMNS), one.match_key)


def rows_of(path):
    return list(csv.DictReader(path.open(newline="")))


def test_intersections_are_those_counted_by_hand():
    members = memberships({"A": {1, 2, 3, 4}, "B": {3, 4, 5}, "C": {4, 6, 7}})
    found = [(one.sets, one.items) for one in intersections(members)]
    assert found == [
        ((True, False, False), (1, 2)),
        ((False, False, True), (6, 7)),
        ((False, True, False), (5,)),
        ((True, True, False), (3,)),
        ((True, True, True), (4,)),
    ]
    assert intersections(memberships({"A": set(), "B": set()})) == []


def two_methods(tmp_path):
    results(
        tmp_path, "neuronmotif",
        {1: [("0-5", NAMES[0], 1e-4), ("8-13", NAMES[2], 2e-3)], 2: [("0-5", NAMES[3], 0.5)], 3: [("0-5", "M8", 1e-5)]},
    )  # fmt: skip
    results(
        tmp_path, "max_seqlet", {1: [("0-5", NAMES[1], 1e-3), ("0-5", NAMES[0], 5e-3)], 2: [("0-5", NAMES[4], 1e-3)]}
    )


def test_diversity_counts_clusters_of_the_same_neurons(workplace, tmp_path):
    two_methods(tmp_path)
    diversity.main(["--config", workplace()])
    folder = tmp_path / "figures"
    found = rows_of(folder / "diversity_methods_toy_intersections.csv")
    # P1 and <b> are one cluster, found by both; q = 0.5 is no match; neuron 3 has no seqlets and does not count
    assert [(one["in NeuronMotif"], one["in max. seqlets"], one["count"], one["clusters"]) for one in found] == [
        ("1", "0", "1", "of $x^2$_$y$"),
        ("0", "1", "1", f"of {'a' * 90}"),
        ("1", "1", "1", "of P1/x,y"),
    ]
    clusters = rows_of(folder / "diversity_methods_toy_clusters.csv")
    assert [(one["cluster"], one["NeuronMotif"], one["max. seqlets"]) for one in clusters] == [
        ("1", "0.0001", "0.001"), ("4", "", "0.001"), ("2", "0.002", ""),
    ]  # fmt: skip
    stems = {"diversity_methods_toy", "diversity_methods_toy_clusters"}
    assert {path.stem for path in folder.glob("*.png")} == {path.stem for path in folder.glob("*.svg")} == stems


def test_models_are_compared_by_method(workplace, tmp_path):
    results(tmp_path, "neuronmotif", {1: [("0-5", "M6", 1e-4), ("0-5", "M7", 1e-4)]})
    results(tmp_path, "neuronmotif", {5: [("0-5", "M6", 1e-3)]}, name="toy_2")
    diversity.main(["--config", workplace({"toy": "", "toy_2": None}, methods=["neuronmotif"])])
    found = rows_of(tmp_path / "figures" / "diversity_models_neuronmotif_intersections.csv")
    assert [list(one.values()) for one in found] == [["1", "0", "1", "of M7"], ["1", "1", "1", "of M6"]]


def test_the_same_bytes_twice(workplace, tmp_path):
    two_methods(tmp_path)
    config, runs = workplace(), []
    for _ in range(2):
        for one in (diversity, quality, logo_table):
            one.main(["--config", config])
        runs.append({path.name: path.read_bytes() for path in sorted((tmp_path / "figures").iterdir())})
        for path in (tmp_path / "figures").iterdir():
            path.unlink()
    assert runs[0] == runs[1]
    assert len(runs[0]) == 13
    assert not any(b"<dc:date>" in content for content in runs[0].values())


def test_names_are_drawn_as_text_and_labels_do_not_overlap():
    names = [f"{name} {number}" for number, name in enumerate([*NAMES, "k" * 80] * 4)]
    q = pd.DataFrame({name: np.full(len(names), 1e-4) for name in names[:8]}, index=names)
    sets = {name: {number, number + 1, 40} for number, name in enumerate(names[:8])}
    sizes = {name: len(one) for name, one in sets.items()}
    with drawing.style():
        for figure in (
            upset.upset_figure(sizes, intersections(memberships(sets)), "clusters", "title $1$"),
            upset.chart_figure(q, "clusters", "title", 0.01),
        ):
            figure.canvas.draw()
            renderer = figure.canvas.get_renderer()
            for axes in (one for one in figure.axes if one.axison):
                labels = [label for label in axes.get_yticklabels() if label.get_text()]
                assert not any(label.get_parse_math() for label in labels)
                assert all(label.get_fontsize() >= drawing.SMALLEST for label in labels)
                boxes = [label.get_window_extent(renderer) for label in labels]
                assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
                assert all(box.x0 >= 0 for box in boxes)
            drawing.plt.close(figure)
    assert drawing.short("a" * 90, 21) == "a" * 14 + "…" + "a" * 6


def test_pairs_are_made_before_they_are_filtered():
    """Row 22."""
    a = pd.Series({"A": 1e-4, "B": 0.5, "C": 1e-3, "only a": 1e-9})
    b = pd.Series({"C": 1e-2, "B": 1e-8, "A": 1e-3, "only b": 1e-9})
    pairs = quality.paired(a, b, 0.01)
    assert pairs.index.tolist() == ["A", "C"]
    assert pairs.to_numpy().tolist() == [[1e-4, 1e-3], [1e-3, 1e-2]]


def test_wilcoxon_of_six_pairs_of_one_sign_is_2_in_64():
    q_a = np.array([1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9])
    test = quality.signed_rank_test(pd.DataFrame({"q_a": q_a, "q_b": 1e-3}))
    assert (test["n"], test["p"], test["statistic"]) == (6, 2 / 64, 0)
    assert test["median_difference"] == pytest.approx(3.5)
    same = quality.signed_rank_test(pd.DataFrame({"q_a": q_a, "q_b": q_a}))
    assert (same["n"], same["p"]) == (6, 1)
    few = quality.signed_rank_test(pd.DataFrame({"q_a": q_a[:5], "q_b": 1e-3}))
    assert np.isnan(few["p"])
    assert few["note"] == "fewer than 6 shared: no test"


def test_quality_of_shared_motifs(workplace, tmp_path, caplog):
    q_a, q_b = [10.0 ** -(3 + n) for n in range(8)], [10.0 ** -(10 - 2 * (n % 4)) for n in range(8)]
    results(tmp_path, "neuronmotif", {1: [("0-5", *one) for one in zip(NAMES, q_a, strict=True)]})
    other = [("0-5", *one) for one in zip(NAMES, q_b, strict=True)]
    results(tmp_path, "max_seqlet", {1: [*other[::-1], ("0-5", NAMES[0], 1e-4)]})  # not the best of its motif
    quality.main(["--config", workplace()])
    motif, cluster = rows_of(tmp_path / "figures" / "quality_tests.csv")
    expected = wilcoxon(np.log10(q_b) - np.log10(q_a)).pvalue
    assert motif["n"] == "8"
    assert float(motif["p"]) == pytest.approx(expected, rel=1e-5)
    first = [min(q_a[:2]), *q_a[2:]], [min(q_b[:2]), *q_b[2:]]  # two motifs of one cluster: its best
    assert cluster["n"] == "7"
    assert float(cluster["p"]) == pytest.approx(wilcoxon(np.log10(first[1]) - np.log10(first[0])).pvalue, rel=1e-5)
    pairs = rows_of(tmp_path / "figures" / "quality_pairs.csv")
    values = {
        one["name"].lstrip("'"): (float(one["q_a"]), float(one["q_b"])) for one in pairs if one["unit"] == "motif"
    }
    assert values == {name: pytest.approx(pair) for name, *pair in zip(NAMES, q_a, q_b, strict=True)}
    assert not caplog.records or "no test" not in caplog.text
    results(tmp_path, "max_seqlet", {1: other[:5]})
    quality.main(["--config", workplace()])
    assert "share 5 motifs, fewer than 6: no test" in caplog.text
    assert [one["p"] for one in rows_of(tmp_path / "figures" / "quality_tests.csv")] == ["", ""]


def test_what_a_panel_says_of_a_test():
    assert quality.said({"n": 1, "unit": "motif", "p": np.nan}) == "1 motif: too few for a test"
    assert quality.said({"n": 7, "unit": "cluster", "p": 0.02}) == "7 clusters: p = 0.02"


def test_q_values_of_a_run_are_those_known_by_hand(workplace, tmp_path):
    """Pairs of 7 and 6 motifs of one sign: p = 2/128 and 2/64, of two tests; 5 shared ones are no test."""
    methods = ["neuronmotif", "max_seqlet", "max_seqlet_data"]
    results(tmp_path, methods[0], {1: [("0-5", name, 1e-3) for name in NAMES]})
    results(tmp_path, methods[1], {1: [("0-5", name, 10.0 ** -(4 + n)) for n, name in enumerate(NAMES[:7])]})
    results(tmp_path, methods[2], {1: [("0-5", name, 10.0 ** -(4.5 + n)) for n, name in enumerate(NAMES[2:])]})
    quality.main(["--config", workplace(methods=methods)])
    tests = [one for one in rows_of(tmp_path / "figures" / "quality_tests.csv") if one["unit"] == "motif"]
    assert [(one["n"], one["p"], one["p_adjusted"]) for one in tests] == [
        ("7", "0.015625", "0.03125"), ("6", "0.03125", "0.03125"), ("5", "", ""),
    ]  # fmt: skip


def test_logo_rows(workplace, tmp_path, caplog):
    two_methods(tmp_path)
    logo_table.main(["--config", workplace(logo_table={"clusters": ["of $x^2$_$y$", "1", "6"]})])
    rows = rows_of(tmp_path / "figures" / "logo_table_toy_neuronmotif.csv")
    motifs = [(one["name"], one["consensus"]) for one in rows if one["section"] == "motifs"]
    assert motifs == [("of $x^2$_$y$", "GGACC"), ("of P1/x,y", "UGUAU")]  # in the order of the config
    assert "found no motif of the cluster 'of M7'" in caplog.text
    pair = [(one["name"], one["gap"]) for one in rows if one["section"] != "motifs"]
    assert pair == [("of P1/x,y", "3"), ("of $x^2$_$y$", "")]


def test_two_logos_stand_at_their_distance():
    logos = [combinations.Logo(word, iupac_ppm(word), word, 0.01) for word in ("UGUA", "GGRCC")]
    heights, _ = logo_table.logo_matrix(combinations.Row(tuple(logos), "", 3))
    assert heights.shape == (4, 4 + 3 + 5)
    assert heights.sum(axis=0).tolist() == [2, 2, 2, 2, 0, 0, 0, 2, 2, 1, 2, 2]
    np.testing.assert_allclose(heights[:, 7:], logos[1].ppm * information(logos[1].ppm))
    heights, _ = logo_table.logo_matrix(combinations.Row(tuple(logos), "", 200))
    assert heights.shape == (4, 9 + logo_table.LONGEST_GAP)


def test_names_of_any_length_stay_left_of_the_logos():
    rows = []
    for name in ("W" * 99, "$x^2$", "a\nb"):
        logos = [combinations.Logo(name, iupac_ppm("UGUA"), name, 0.01) for _ in range(2)]
        rows += [combinations.Row((logos[0],), name), combinations.Row(tuple(logos), name, 5)]
    with drawing.style():
        figure = logo_table.table_figure({"motifs": rows, "combinations": []}, "W" * 200)
        renderer = figure.canvas.get_renderer()
        boxes = [text.get_window_extent(renderer) for text in figure.texts]
        assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
        assert max(box.x1 for box in boxes) <= figure.bbox.width
        logos = figure.axes[0].get_window_extent(renderer)
        assert all(box.x1 < logos.x0 for box in boxes if box.y0 < logos.y1 and box.x0 < logos.x0)
        assert "$x^2$" in [text.get_text() for text in figure.texts]
        drawing.plt.close(figure)


def test_tested_pairs_are_shown_once_in_their_order():
    columns = ["task", "motif_a", "motif_b", "name_a", "name_b", "class", "q_eps", "spacing", "a_first", "note"]
    values = [
        ["conv5_neuron1", "UGUA", "GGAC", "Pum", np.nan, "additive", 0.2, 4.0, 0.9, np.nan],
        ["conv5_neuron2", "GGAC", "UGUA", np.nan, "Pum", "positive_synergistic", 1e-3, 7.0, 0.2, np.nan],
        ["conv5_neuron3", "AAAA+CCCC", "GGGG", np.nan, np.nan, "missing", np.nan, np.nan, np.nan, "none of 3"],
        ["conv5_neuron4", "ACUAAC", "CCCC", np.nan, np.nan, "none", 0.5, 3.0, 0.9, ONLY_TOGETHER],
    ]
    row, together = combinations.tested_pairs(pd.DataFrame(values, columns=columns), 5)
    assert together.name == "ACUAAC + CCCC"  # a note that is none of what is missing
    assert (row.name, row.gap) == ("Pum + GGAC", 7)
    assert "positive synergistic, q = 0.001" in row.note


def pair_rows(count):
    """Return a table of tested pairs of ``count`` motifs with names of any kind, every class among them."""
    kinds = ["positive_synergistic", "negative_antagonistic", "additive", "none", "negative_synergistic"]
    names = [f"{NAMES[number % len(NAMES)]} {number}" for number in range(count)]
    values = [
        [names[number], names[(3 * number + 1) % count], "UGUA", "GGAC", kinds[number % 5], 10.0 ** -(number % 7),
         "no" if number % 5 == 1 else "", 2 + number % 2]
        for number in range(count)
    ]  # fmt: skip
    columns = ["name_a", "name_b", "motif_a", "motif_b", "class", "q_eps", "survives", "layer"]
    return pd.DataFrame(values, columns=columns)


def test_the_map_shows_the_smallest_q_of_two_motifs(workplace, tmp_path, monkeypatch):
    """Row 21: the last row does not win, whatever the order of the motifs, the neuron and the layer."""
    table = pair_rows(1).loc[[0] * 3].reset_index(drop=True)
    table["name_a"], table["name_b"] = ["ARE", "PUM", "ARE"], ["PUM", "ARE", "PUM"]
    table["class"], table["q_eps"] = ["additive", "negative_synergistic", "none"], [0.3, 1e-4, 1.0]
    monkeypatch.setattr(interaction_map, "read_pairs", lambda settings, model, name: table)
    interaction_map.main(["--config", workplace()])
    folder = tmp_path / "figures"
    (cell,) = rows_of(folder / "interaction_map_toy.csv")
    assert [cell[key] for key in ("one", "other", "class", "q_eps")] == ["ARE", "PUM", "negative_synergistic", "0.0001"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {f"interaction_map_toy{suffix}" for suffix in (".csv", ".png", ".svg")}
    interaction_map.main(["--config", workplace()])
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("count", [0, 3, 70])
def test_labels_of_the_map_do_not_overlap(count):
    cells = interaction_map.map_cells(pair_rows(max(1, count)).head(count))
    with drawing.style():
        figure = interaction_map.map_figure(cells, f"Interaction of motifs\n{'m' * 30}, conv5")
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        (axes,) = figure.axes
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            assert len(labels) == min(interaction_map.MOST_NAMES, count)
            assert all(label.get_fontsize() >= drawing.SMALLEST and not label.get_parse_math() for label in labels)
            boxes = [label.get_window_extent(renderer) for label in labels]
            assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
            assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
        for legend in figure.legends:
            assert not legend.get_window_extent(renderer).overlaps(axes.get_tightbbox(renderer))
            assert not legend.get_window_extent(renderer).overlaps(figure._suptitle.get_window_extent(renderer))
        title = figure._suptitle.get_window_extent(renderer)
        assert title.x0 >= 0
        assert title.x1 <= figure.bbox.width
        assert ("more pairs are in the table" in figure.get_suptitle()) == (count > 40)
        drawing.plt.close(figure)


def test_motifs_of_calls_are_drawn_first():
    cells = pd.DataFrame({"one": ["A", "B", "C"], "other": ["D", "E", "F"], "q_eps": [1e-9, 1e-2, 1e-5]})
    cells["class"], cells["survives"] = ["additive", "positive_synergistic", "none"], ""
    assert interaction_map.drawn_cells(cells)[1] == ["A", "B", "C", "D", "E", "F"]
    order = []
    for most in (2, 4):
        interaction_map.MOST_NAMES, before = most, interaction_map.MOST_NAMES
        order.append(interaction_map.drawn_cells(cells)[1])
        interaction_map.MOST_NAMES = before
    assert order == [["B", "E"], ["A", "B", "D", "E"]]


def contribution_table(tmp_path, **changed):
    checkpoint = settings.open_discovery(
        settings.load_settings(settings.DiscoverySettings, tmp_path / "toy.yaml"), 1
    ).checkpoint
    signs = ["positive", "positive", "negative", "neutral", "never fires", "too few"]
    table = pd.DataFrame({"layer": [2] * 6 + [3] * 2, "neuron": [1, 2, 3, 4, 5, 6, 1, 2]})
    table["contribution"] = [*signs, "negative", "neutral"]
    table["effect_size"] = [0.5, 0.3, -0.4, 0.0, np.nan, np.nan, -1.0, 0.1]
    table = table.assign(checkpoint=checkpoint.sha256, dataset="any", **changed)
    (tmp_path / "contribution").mkdir(exist_ok=True)
    table.to_csv(tmp_path / "contribution" / "toy_neuron_contribution.csv", index=False)


def test_shares_of_contributions(workplace, tmp_path):
    contribution_table(tmp_path)
    contribution_layers.main(["--config", workplace()])
    two, three = rows_of(tmp_path / "figures" / "contribution_layers.csv")
    assert [two[key] for key in ("neurons", "positive", "negative", "neutral", "no test")] == ["6", "2", "1", "1", "2"]
    assert float(two["share positive"]) == pytest.approx(1 / 3, rel=1e-5)
    assert float(two["median effect"]) == pytest.approx(0.15)  # of -0.4, 0, 0.3, 0.5
    assert (three["layer"], three["share negative"]) == ("3", "0.5")
    assert {path.suffix for path in (tmp_path / "figures").glob("contribution_layers_toy.*")} == {".png", ".svg"}


@pytest.mark.parametrize(
    ("figure", "more", "said"),
    [
        (diversity, {"methods": ["tf_modisco"]}, "no results of tf_modisco in any layer; run bash motif_discovery/tf"),
        (diversity, {"methods": ["modisco"]}, "'modisco' is no method; choose of neuronmotif"),
        (diversity, {"methods": ["tf_modisco_output"]}, "is of the model's output, which has no neurons"),
        (diversity, {"q_threshold": 0.05}, "key 'q_threshold': 0.05 is above 0.01 of"),
        (diversity, {"clusters": "nowhere.tsv"}, "no such table of clusters; make it with python -m generate_dataset"),
        (diversity, {"models": {"nowhere": 2}}, "nowhere.yaml: no such config file"),
        (diversity, {"models": {}}, "key 'models'"),
        (
            diversity,
            {"models": {"toy": 9}},
            "toy.yaml': layers: 9 is outside 1 to 3",
        ),
        (diversity, {"layer": 2}, "unknown key 'layer'"),
        (quality, {"methods": ["neuronmotif"]}, "neuronmotif only; two are needed"),
        (logo_table, {"logo_table": {"clusters": ["of M66"]}}, "'of M66' is no cluster of"),
        (logo_table, {"logo_table": {"method": "tf_modisco"}}, "'tf_modisco' is not one of methods"),
        (interaction_map, {}, "configs/interaction/toy.yaml: no such config file"),
        (contribution_layers, {}, "no such table; run bash motif_contribution/script/run_contribution.sh 1 3 CONFIG"),
    ],
)
def test_bad_input_is_one_line_and_status_2(workplace, tmp_path, capsys, figure, more, said):
    two_methods(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        figure.main(["--config", workplace(**more)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error
    assert not list(tmp_path.glob("figures/*"))


def test_a_missing_layer_is_named(workplace, tmp_path, capsys):
    two_methods(tmp_path)
    with pytest.raises(SystemExit):
        diversity.main(["--config", workplace({"toy": "2-3"})])
    assert "no results of neuronmotif in conv3; run bash motif_discovery/single_thread_script/main.sh 3 3" in (
        capsys.readouterr().err
    )
    contribution_table(tmp_path)
    with pytest.raises(SystemExit):
        contribution_layers.main(["--config", workplace({"toy": "1-2"})])
    assert "no contributions of conv1" in capsys.readouterr().err
    contribution_table(tmp_path, effect_low=0)
    path = tmp_path / "contribution" / "toy_neuron_contribution.csv"
    pd.read_csv(path).assign(checkpoint="another").to_csv(path, index=False)
    chosen = contribution_layers.load_settings(contribution_layers.FigureSettings, workplace())
    with pytest.raises(InputError, match="of another checkpoint"):
        contribution_layers.run(chosen)


def test_a_method_that_found_nothing_is_drawn(workplace, tmp_path):
    results(tmp_path, "neuronmotif", {1: []})
    results(tmp_path, "max_seqlet", {1: [("0-5", "M6", 0.9)]})
    for one in (diversity, quality, logo_table):
        one.main(["--config", workplace()])
    assert rows_of(tmp_path / "figures" / "diversity_methods_toy_intersections.csv") == []
    assert not list((tmp_path / "figures").glob("quality_toy.*"))
