"""Statistics of motifs: tables known by hand, workbook and CSV, and what is missing."""

import csv

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml
from scipy.stats import false_discovery_control

from motif_discovery import files, settings, summarize, summary, workbook
from motif_discovery.demixing import Part
from motif_discovery.files import Sample
from motif_discovery.settings import Discovery
from tests.toy import seeded_model
from utils.checkpoint import save_checkpoint
from utils.motif import Motif, write_meme
from utils.runtime import InputError
from utils.sequence import iupac_ppm

NAMES = ["P1/x,y", '<b>"bold"</b>', "=1+1", "-2-SUM(A1)", "@cmd"]
WORDS = ["UGUAUAUA", "GGACCAGG", "CCAUGGCC", "AUUUAUUU", "GCGCGCAA"]


def row(layer, neuron, target, q, segment="0_0-5", match=None):
    name = f"conv{layer}_neuron{neuron}_{segment}"
    values = [layer, neuron, "0", name, target, "", q / 5, q, q, q <= 0.01 if match is None else match, 0, 5, "A", "C"]
    return dict(zip(summary.FOUND, values, strict=True))


def table(*rows):
    return summary.with_q_all(pd.DataFrame(list(rows), columns=summary.FOUND), tests=1000)


def neurons(*pairs):
    return pd.DataFrame(
        [[layer, neuron, 1.0, 1, 1, 1.0, 1] for layer, neuron in pairs], columns=summarize.NEURONS
    )  # fmt: skip


DATABASE = [Motif(name, f"protein of {word}", iupac_ppm(word)) for name, word in zip(NAMES, WORDS, strict=True)]
A, B, C, *_ = NAMES
FOUND = table(
    row(2, 1, A, 1e-4), row(2, 1, B, 1e-3), row(2, 2, C, 0.4), row(3, 1, A, 1e-6), row(3, 1, A, 1e-5, "1_0-5"),
    row(3, 2, B, 1e-3),
)  # fmt: skip
CLUSTERS = pd.DataFrame(
    {"motif": [A, B, C, "elsewhere"], "cluster": [1, 1, 2, 2], "cluster_name": ["one"] * 2 + ["two"] * 2}
)


def test_best_neuron_of_each_motif():
    rows = summary.best_per_motif(FOUND, DATABASE)
    assert rows["target"].tolist() == NAMES  # two that were found, then the others in the order of the database
    assert rows[["layer", "neuron", "neurons"]].iloc[0].tolist() == [3, 1, 2]
    assert rows[["layer", "neuron", "neurons"]].iloc[1].tolist() == [2, 1, 2]  # equal q: the lower layer
    assert rows["layer"].iloc[2:].isna().all()
    assert rows["neurons"].iloc[2:].tolist() == [0, 0, 0]


def test_a_neuron_without_a_match_inherits_nothing():
    """Row 12: no state across neurons."""
    rows = summary.best_per_neuron(neurons((2, 1), (2, 2), (2, 3), (3, 1), (3, 2)), FOUND)
    assert rows["target"].isna().tolist() == [False, True, True, False, False]
    assert rows["target"].dropna().tolist() == [A, A, B]
    assert rows["motifs"].tolist() == [2, 0, 0, 1, 1]
    assert rows["q"].isna().tolist() == [False, True, True, False, False]


def test_the_smallest_q_wins_whatever_the_order():
    """Row 21."""
    for order in (FOUND, FOUND[::-1]):
        assert summary.best_per_motif(order, DATABASE)["q"].iloc[0] == 1e-6
        assert summary.best_per_neuron(neurons((3, 1)), order)["q"].tolist() == [1e-6]


def test_counts_and_clusters_are_those_known_by_hand():
    rows = summary.counts(neurons((2, 1), (2, 2), (3, 1), (3, 2)), FOUND, CLUSTERS, 0.01).set_index("layer")
    assert rows["matches"].to_dict() == {"conv2": 2, "conv3": 3, "all": 5}
    assert rows["neurons_with_match"].to_dict() == {"conv2": 1, "conv3": 2, "all": 3}
    assert rows["database_motifs"].to_dict() == {"conv2": 2, "conv3": 2, "all": 2}
    assert rows["database_motifs_q_all"].to_dict() == {"conv2": 1, "conv3": 1, "all": 1}  # of 1,000 tests B is chance
    assert rows["segments_with_match"].to_dict() == {"conv2": 1, "conv3": 3, "all": 4}
    assert rows["clusters"].to_dict() == {"conv2": 1, "conv3": 1, "all": 1}
    found = summary.cluster_rows(FOUND, CLUSTERS, DATABASE)
    assert found["cluster"].tolist() == [1, 2]
    assert found["size"].tolist() == [2, 1]  # motifs of other databases in a cluster are not ours
    assert found["motifs_found"].tolist() == [2, 0]
    assert found["neurons"].tolist() == [3, 0]
    assert found[["layer", "neuron", "target"]].iloc[0].tolist() == [3, 1, A]
    assert pd.isna(found["neuron"].iloc[1])


def test_q_over_all_segments_and_targets_is_benjamini_and_hochbergs():
    """Trap 11: a segment's own q-value does not know how many segments were tried."""
    random = np.random.default_rng(0)
    p = random.uniform(size=400) ** 3
    rows = pd.DataFrame({"p": p})
    np.testing.assert_allclose(summary.with_q_all(rows, 400)["q_all"], false_discovery_control(p))
    stored = rows[rows["p"] < 0.05]  # the others were tried as well
    assert (summary.with_q_all(stored, 400)["q_all"] >= false_discovery_control(p)[stored.index] - 1e-12).all()


def test_a_database_without_clusters_says_how_to_make_them():
    found = summary.cluster_rows(FOUND, None, DATABASE, "make them")
    assert found["note"].tolist() == ["The database has no clusters; they are made by: make them"]
    assert summary.counts(neurons((2, 1)), FOUND, None, 0.01)["clusters"].isna().all()


def test_no_match_at_all():
    nothing = table()
    assert summary.best_per_motif(nothing, DATABASE)["neurons"].sum() == 0
    assert summary.best_per_neuron(neurons((2, 1)), nothing)["motifs"].tolist() == [0]
    assert summary.counts(neurons((2, 1)), nothing, CLUSTERS, 0.01)["matches"].tolist() == [0, 0]
    assert summary.cluster_rows(nothing, CLUSTERS, DATABASE)["motifs_found"].tolist() == [0, 0]
    assert len(summary.all_matches(summary.with_clusters(nothing, None))) == 0


def test_text_never_becomes_a_formula(tmp_path):
    values = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "#N/A", "a\x07b", "<b>", "plain, with comma"]
    data = pd.DataFrame({"text": values, "number": np.arange(len(values)) - 3.5})
    workbook.write_workbook(tmp_path / "a.xlsx", {"one sheet": data, "empty": data[:0]})
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["one sheet", "empty"]
    sheet = book["one sheet"]
    assert [cell.data_type for cell in sheet["A"]] == ["s"] * 10
    assert [cell.value for cell in sheet["A"]][1:] == [*values[:6], "ab", *values[7:]]
    assert [cell.value for cell in sheet["B"]][1:4] == [-3.5, -2.5, -1.5]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:B10")
    assert book["empty"].auto_filter.ref == "A1:B1"
    workbook.write_csv(tmp_path / "a.csv", data)
    rows = list(csv.DictReader((tmp_path / "a.csv").open(newline="")))
    assert [one["text"] for one in rows] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "#N/A", "ab", *values[7:]]
    assert [float(one["number"]) for one in rows] == data["number"].tolist()  # negative numbers stay numbers
    assert not list(tmp_path.glob(".part-*"))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Return a config of a toy model whose results lie in a folder of their own."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")
    save_checkpoint(tmp_path / "toy.pth", seeded_model(6, 4), {})
    described = {"name": "toy", "checkpoint": str(tmp_path / "toy.pth"), "dataset": "none.h5"}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(described))
    write_meme(tmp_path / "db.meme", DATABASE)
    path = tmp_path / "config.yaml"
    path.write_text(
        yaml.safe_dump({"model": str(tmp_path / "model.yaml"), "motif_database": str(tmp_path / "db.meme")})
    )
    return path


def results(config, layers, channels, matches_of, method="neuronmotif"):
    """Write motif files and match tables as the steps do."""
    opened = settings.open_discovery(settings.load_settings(settings.DiscoverySettings, config), 1, method)
    for layer in layers:
        one = Discovery(opened.settings, layer, opened.checkpoint, opened.network, method)
        sample = Sample(np.zeros((1, 9), dtype=np.uint8), np.ones(1, dtype=np.float32), 1.0)
        parts = [Part("0-1", np.ones((4, 9)), 30, 2.0, 1.95), Part("0-2", np.ones((4, 9)), 30, 2.0, 1.0)]
        for neuron in range(1, channels + 1):
            files.write_motifs(one.motif_path(neuron), one.name(neuron), parts, sample, 9, one.motif_key)
            rows = [
                [f"{one.name(neuron)}_0-1_0-{5 + place}", name, 0, 1e-5, 1e-4, q, 5, "ACGUA", "ACGUA", "+"]
                for place, (name, q) in enumerate(matches_of(layer, neuron))
            ]
            files.write_matches(one.match_path(neuron), pd.DataFrame(rows, columns=files.COLUMNS), one.match_key)
    return opened


def test_names_of_any_kind_go_all_the_way(workplace):
    results(workplace, [2], 5, lambda layer, neuron: [(NAMES[neuron - 1], 1e-4)])
    summarize.main(["--config", str(workplace)])
    folder = settings.HERE / "analysis" / "results" / "toy" / "neuronmotif"
    book = openpyxl.load_workbook(folder / "motif_statistics.xlsx")
    assert book.sheetnames == [
        "best neuron per motif", "best motif per neuron", "all matches", "counts", "clusters", "about",
    ]  # fmt: skip
    assert {path.stem for path in folder.glob("*.csv")} == {name.replace(" ", "_") for name in book.sheetnames}
    assert [cell.value for cell in book["best neuron per motif"]["A"]][1:] == NAMES
    assert [cell.value for cell in book["best neuron per motif"]["E"]][1:] == [1, 2, 3, 4, 5]
    assert {cell.data_type for sheet in book for line in sheet for cell in line} <= {
        "s",
        "inlineStr",
        "n",
    }  # no formula
    per_neuron = list(csv.DictReader((folder / "best_motif_per_neuron.csv").open(newline="")))
    assert [one["target"] for one in per_neuron] == ["P1/x,y", '<b>"bold"</b>', "'=1+1", "'-2-SUM(A1)", "'@cmd"]
    assert [one["part"] for one in per_neuron] == ["0-1"] * 5
    assert [one["best_ratio"] for one in per_neuron] == ["0.975"] * 5
    assert [one["one_pattern_parts"] for one in per_neuron] == ["1"] * 5


def test_clusters_beside_the_database_are_used(workplace, tmp_path, caplog):
    results(workplace, [2], 1, lambda layer, neuron: [(A, 1e-4)])
    lines = ["motif\tcluster\tcluster_name", f"{A}\t1\tone", '"<b>""bold""</b>"\t1\tone', "=1+1\t2\t=two"]
    (tmp_path / "db_clusters.tsv").write_text("\n".join(lines) + "\n# settings: 0123\n")
    summarize.main(["--config", str(workplace), "--layers", "2"])
    assert "are in no cluster" in caplog.text  # two others of this database
    folder = settings.HERE / "analysis" / "results" / "toy" / "neuronmotif"
    found = list(csv.DictReader((folder / "clusters.csv").open(newline="")))
    assert [(one["cluster_name"], one["size"], one["motifs_found"]) for one in found] == [
        ("one", "2", "1"),
        ("'=two", "1", "0"),
    ]
    (tmp_path / "db_clusters.tsv").write_text("\n".join(lines[:2]))  # made before two motifs were added
    summarize.main(["--config", str(workplace), "--layers", "2"])
    assert "4 of 5 motifs of the database are in no cluster" in caplog.text
    (tmp_path / "db_clusters.tsv").write_text("motif\tgroup\n")
    with pytest.raises(SystemExit):
        summarize.main(["--config", str(workplace)])


def test_an_empty_table_of_matches_is_a_result(workplace):
    results(workplace, [2, 3], 2, lambda layer, neuron: [])
    summarize.main(["--config", str(workplace)])
    folder = settings.HERE / "analysis" / "results" / "toy" / "neuronmotif"
    book = openpyxl.load_workbook(folder / "motif_statistics.xlsx")
    assert book["all matches"].max_row == 1
    assert book["best motif per neuron"].max_row == 5
    assert "python -m generate_dataset.motif_database" in book["clusters"]["A2"].value


def test_a_stopped_run_leaves_the_workbook_that_was_there(workplace, monkeypatch):
    results(workplace, [2], 1, lambda layer, neuron: [(A, 1e-4)])
    summarize.main(["--config", str(workplace)])
    folder = settings.HERE / "analysis" / "results" / "toy" / "neuronmotif"
    before = {path: path.read_bytes() for path in folder.iterdir()}

    whole = workbook.Workbook.save

    def stopped(book, path):
        whole(book, path)
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(workbook.Workbook, "save", stopped)
    with pytest.raises(SystemExit) as status:
        summarize.main(["--config", str(workplace)])
    assert status.value.code == 130
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no results of neuronmotif for toy"),
        (["--method", "tf_modisco"], "bash motif_discovery/tf_modisco/script/main.sh CONFIG"),
        (["--method", "modisco"], "method: 'modisco' is not one of neuronmotif"),
        (["--layers", "9"], "layers: 9 is outside 1 to 7"),
        (["--clusters", "nowhere.tsv"], "nowhere.tsv: no such table"),
    ],
)
def test_bad_input_is_one_line_and_status_2(workplace, capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        summarize.main(["--config", str(workplace), *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error


def test_outdated_results_are_left_out(workplace, caplog):
    """Row 12: results of two settings are not mixed."""
    opened = results(workplace, [2], 3, lambda layer, neuron: [(A, 1e-4)])
    with pytest.raises(InputError, match="3 are of other settings"):
        summarize.run(opened.settings.model_copy(update={"clusters": 5}), "neuronmotif", None, None)
    path = Discovery(opened.settings, 2, opened.checkpoint, opened.network).match_path(2)
    path.write_text(path.read_text().rpartition("# settings")[0] + "# settings: other\n")
    folder = summarize.run(opened.settings, "neuronmotif", None, None)
    rows = list(csv.DictReader((folder / "best_motif_per_neuron.csv").open(newline="")))
    assert [one["neuron"] for one in rows] == ["1", "3"]
    assert "1 neurons have results of other settings" in caplog.text


def test_motifs_of_other_settings_beside_matches_of_these_are_left_out(workplace, caplog):
    """Row 12: a run with other settings that was stopped before its matches."""
    opened = results(workplace, [2], 3, lambda layer, neuron: [(A, 1e-4)])
    one = Discovery(opened.settings, 2, opened.checkpoint, opened.network)
    sample = Sample(np.zeros((1, 9), dtype=np.uint8), np.ones(1, dtype=np.float32), 1.0)
    files.write_motifs(one.motif_path(2), one.name(2), [Part("0", np.ones((4, 9)), 30, 2.0, 1.9)], sample, 9, "other")
    folder = summarize.run(opened.settings, "neuronmotif", None, None)
    rows = list(csv.DictReader((folder / "best_motif_per_neuron.csv").open(newline="")))
    assert [row["neuron"] for row in rows] == ["1", "3"]
    assert "1 neurons have results of other settings" in caplog.text


def test_a_sampler_that_some_layer_cannot_have_does_not_matter(workplace):
    config = yaml.safe_load(workplace.read_text()) | {"sampler": "boltzmann"}
    workplace.write_text(yaml.safe_dump(config))
    given = settings.load_settings(settings.DiscoverySettings, workplace)
    with pytest.raises(InputError, match="boltzmann, but conv1"):
        settings.open_discovery(given, 1)
    with pytest.raises(InputError, match="no results of neuronmotif"):
        summarize.run(given, "neuronmotif", None, None)


def test_all_layers_go_into_one_workbook(workplace):
    """Neurons that hold a motif are counted once, however often they match it."""
    drawn = np.random.default_rng(0).integers(5, size=(8, 9, 4))
    opened = results(
        workplace, range(1, 8), 8, lambda layer, neuron: [(NAMES[one], 1e-4) for one in drawn[layer, neuron]]
    )
    folder = summarize.run(opened.settings, "neuronmotif", None, None)
    rows = list(csv.DictReader((folder / "best_motif_per_neuron.csv").open(newline="")))
    assert len(rows) == 7 * 8
    rows = list(csv.DictReader((folder / "best_neuron_per_motif.csv").open(newline="")))
    found = {one["target"].removeprefix("'"): int(one["neurons"]) for one in rows}
    expected = {name: int((drawn[1:, 1:] == place).any(axis=2).sum()) for place, name in enumerate(NAMES)}
    assert found == expected
