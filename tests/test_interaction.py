"""motif_interaction: from a scan to the table and the map, on a small model; what is missing, and what goes on."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import workflow.plan
from figures import biology_tables
from motif_interaction import files, fragments, interaction, statistics
from motif_interaction.mutagenesis import CONTROLS, PREDICTIONS, per_sequence
from motif_interaction.plots import map_cells, plot_map
from motif_interaction.statistics import COLUMNS, Measured, pair_statistics
from tests.toy import seeded_model
from utils import scan
from utils.activation import dense_activation
from utils.checkpoint import save_checkpoint
from utils.config import load_settings
from utils.data import Split, write_dataset
from utils.dense_scan import bases_of_codes
from utils.interpretation_settings import InteractionSettings, open_interpretation
from utils.prediction import predict
from utils.runtime import InputError
from workflow.settings import WorkflowSettings

LAYER = 3  # 18 nt
MEAN, SD = 5.0, 0.1  # of the labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a small model, its data set, configs and a scan."""
    folder = tmp_path_factory.mktemp("interaction")
    rng = np.random.default_rng(0)
    splits = {}
    for name, n in (("train", 60), ("valid", 12), ("test", 12)):
        length = rng.integers(60, 100, n).astype(np.int32)
        codes = (1 << rng.integers(0, 4, (n, 100))).astype(np.uint8)
        codes[np.arange(100) >= length[:, None]] = 0
        splits[name] = Split(
            codes, rng.normal(size=(n, 1)).astype(np.float32), length, [f"{name}{i}" for i in range(n)], 4
        )
    write_dataset(folder / "toy.h5", splits, {"tracks": ["A", "C", "G", "U"]})
    model = seeded_model(2, 4, readout="first", channels=8, seed=3)
    save_checkpoint(folder / "toy.pth", model, {"label_scaling": {"mean": [MEAN], "std": [SD]}})
    model_config = {"name": "toy", "checkpoint": str(folder / "toy.pth"), "dataset": str(folder / "toy.h5")}
    (folder / "toy.yaml").write_text(yaml.safe_dump(model_config))
    config = {"model": str(folder / "toy.yaml"), "labels": str(folder / "labels"), "motifs": str(folder / "motifs"),
              "fragment_threshold": 0.3, "n_draws": 3, "n_bootstrap": 200, "device": "cpu"}  # fmt: skip
    (folder / "interaction.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def stage(folder, monkeypatch):
    """Return a function that gives the model and messages; files of the stage go to the folder."""
    monkeypatch.setattr(files, "HERE", folder / "stage")
    monkeypatch.setattr(interaction, "HERE", folder / "stage")
    monkeypatch.setattr(scan, "SCANS", folder / "scans")

    def opened(*overrides):
        return open_interpretation(load_settings(InteractionSettings, folder / "interaction.yaml", overrides))

    return opened


def label(folder, neuron, text):
    path = folder / "labels" / "toy" / f"conv{LAYER}_neuron{neuron}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_no_scan_yet_and_the_scan_of_another_model(stage, folder, one_line):
    with pytest.raises(InputError) as raised:
        fragments.run(stage(), LAYER, [1], overwrite=True)
    assert "run_search_maxact.sh" in one_line(raised)
    scan.run_scan(stage(), [LAYER])
    original = (folder / "toy.pth").read_bytes()
    save_checkpoint(folder / "toy.pth", seeded_model(2, 4, readout="first", channels=8, seed=4), {})
    with pytest.raises(InputError) as raised:
        fragments.run(stage(), LAYER, [1], overwrite=True)
    assert "another checkpoint" in one_line(raised)
    (folder / "toy.pth").write_bytes(original)


@pytest.mark.parametrize("choice", ["best", "first"])
def test_fragments_are_the_windows_of_the_network(stage, choice):
    """Trap 13: the best, or the first, window above the threshold, against every window of the network."""
    work = stage(f"fragment_choice={choice}")
    scan.run_scan(work, [LAYER])
    fragments.run(work, LAYER, list(range(1, 9)))
    sequences = bases_of_codes(work.messages.codes)
    activation = dense_activation(work.checkpoint.model, torch.from_numpy(sequences), LAYER).numpy()
    for neuron in range(1, 9):
        found = files.read_fragments(work, LAYER, neuron)
        own = activation[:, neuron - 1]
        bound = 0.3 * own[:60].max()
        above = own > bound
        expected = {}
        if own[:60].max() > 0:
            expected = {
                row: int(own[row].argmax() if choice == "best" else above[row].argmax())
                for row in np.flatnonzero(above.any(axis=1))
            }
        assert found == expected
        text = files.fragment_path(work, LAYER, neuron).read_text()
        assert ("never fires" in text) == (own[:60].max() <= 0)


@pytest.fixture
def finished(stage, folder):
    """Return the model after a whole run over its neurons, with several kinds of label files."""
    work = stage()
    scan.run_scan(work, [LAYER])
    fragments.run(work, LAYER, list(range(1, 9)))
    firing = [neuron for neuron in range(1, 9) if len(files.read_fragments(work, LAYER, neuron)) > 30]
    for neuron in range(1, 9):
        label(folder, neuron, "combination1: {motifA: [WN], motifB: [UGUANAGGACGGAC]}")
    label(folder, firing[0], "combination1: {motifA: [WS], motifB: [GN]}\ncombination2: {motifA: [CA], motifB: [CA]}")
    label(folder, firing[1], "combination1: {motifA: [WX], motifB: [GN]}")
    interaction.run(work, LAYER, 0, 8)
    return work, firing


def test_the_workflow_measures_pairs_again_that_are_gone(finished, folder, monkeypatch):
    """Flags of mutagenesis hold while every pair is measured with these settings or noted as one that cannot be."""
    monkeypatch.setattr(workflow.plan, "DONE", folder / "done")
    work, firing = finished
    layer, path = f"{LAYER}-{LAYER}", folder / "done" / "toy" / "mutagenesis" / f"conv{LAYER}_neurons_1-8"

    def is_believed():
        settings = WorkflowSettings(
            interaction=str(folder / "interaction.yaml"), layers=layer, interaction_layers=layer, report=False
        )
        plan = workflow.plan.make_plan(settings)["shards"]["mutagenesis"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plan[f"mutagenesis/{path.name}"])
        workflow.plan.make_plan(settings)
        return path.is_file()

    assert is_believed()
    pair = folder / "stage" / "results" / "scramble_res" / "toy" / f"conv{LAYER}_neuron{firing[0]}" / "WS_GN"
    kept = (pair / "predictions.csv").read_text()
    (pair / "predictions.csv").write_text(kept.replace("# settings: ", "# settings: 0"))
    assert not is_believed()
    (pair / "predictions.csv").unlink()
    assert not is_believed()
    interaction.run(work, LAYER, firing[0] - 1, firing[0])
    assert is_believed()


def read(work):
    return files.read_table(files.stats_path(work, LAYER))


def test_a_run_writes_what_it_says(finished):
    work, firing = finished
    table = read(work)
    assert list(table.columns) == [*COLUMNS, "checkpoint", "dataset", *interaction.SETTINGS]
    told = work.settings.model_dump(include=set(interaction.SETTINGS))
    assert table[list(told)].drop_duplicates().to_dict("records") == [told]
    assert table[["checkpoint", "dataset"]].drop_duplicates().to_numpy().tolist() == [
        [work.checkpoint.sha256, work.dataset_sha256]
    ]
    rows = table[table["task"] == f"conv{LAYER}_neuron{firing[0]}"]
    assert rows["motif_a"].tolist() == ["WS", "CA"]
    assert (rows["n"] >= 6).all()
    assert rows["class"].notna().all()
    folder = files.HERE / "results" / "scramble_res" / "toy" / f"conv{LAYER}_neuron{firing[0]}" / "WS_GN"
    predictions = files.read_table(folder / "predictions.csv")
    assert predictions["sequence"].is_unique
    assert len(predictions) == rows["n"].iloc[0]
    whole = predict(work.checkpoint.model, work.messages)[predictions["sequence"], 0]
    np.testing.assert_allclose(predictions["original"], whole * SD + MEAN, atol=1e-6)  # in units of the label
    eps = predictions["original"] - predictions["scr_a"] - predictions["scr_b"] + predictions["scr_ab"]
    np.testing.assert_allclose(predictions["eps"], eps, atol=1e-6)
    assert rows["eps"].iloc[0] == pytest.approx(eps.mean(), abs=1e-6)
    lines = (folder / "fragments.txt").read_text().splitlines()
    assert len(lines) == len(predictions)
    assert lines[0].startswith("Seq")
    assert len(lines[0].split("\t")[-1]) == 18
    assert (folder / "boxplot.png").stat().st_size > 5000
    assert files.map_path(work, LAYER).stat().st_size > 5000


def test_the_table_to_keep_holds_what_was_tested(finished, stage, tmp_path, monkeypatch, caplog):
    work, _ = finished
    monkeypatch.setattr(biology_tables, "contribution_table", lambda work, layers: pd.DataFrame({"task": []}))
    biology_tables.run(work.settings, [LAYER], tmp_path)
    kept = pd.read_csv(tmp_path / f"interaction_toy_conv{LAYER}.csv")
    tested = read(work).query("n >= 6")
    assert kept["task"].tolist() == tested["task"].tolist()
    np.testing.assert_allclose(kept["eps"], tested["eps"], rtol=1e-3)
    same = ("device=auto", "batch_size=32", "threshold=0.6", "smallest_effect=0.3")
    assert {files.stats_key(stage(one), LAYER) for one in same} == {files.stats_key(work, LAYER)}
    biology_tables.run(stage("n_draws=4").settings, [LAYER], tmp_path / "other")
    assert not (tmp_path / "other" / f"interaction_toy_conv{LAYER}.csv").exists()
    assert "of other settings" in caplog.text


def test_the_other_neurons_go_on(finished):
    """Wrong labels, words that stand nowhere and neurons without fragments are rows that say so; missing is missing."""
    work, firing = finished
    table = read(work)
    assert set(table["task"]) == {f"conv{LAYER}_neuron{neuron}" for neuron in range(1, 9)}
    wrong = table[table["task"] == f"conv{LAYER}_neuron{firing[1]}"].iloc[0]
    assert "'X'" in wrong["note"]
    nowhere = table[table["task"] == f"conv{LAYER}_neuron{firing[2]}"].iloc[0]
    assert "holds both motifs" in nowhere["note"]
    for row in (wrong, nowhere):
        assert row[["p_eps", "q_eps", "eps", "class", "p_joint"]].isna().all()


def test_a_finished_pair_is_not_computed_again(finished, monkeypatch):
    """Trap 14: everything is written; only --overwrite or other settings compute it again."""
    work, firing = finished
    before = read(work)

    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(interaction, "measure", refuse)
    interaction.run(work, LAYER, 0, 8)
    pd.testing.assert_frame_equal(read(work), before)
    with pytest.raises(AssertionError, match="computed again"):
        interaction.run(work, LAYER, firing[0] - 1, firing[0], overwrite=True)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("original", "text"),
        ("eps", "inf"),
        ("spacing", ""),
        ("order", None),
        ("random_bases", None),
        ("scr_ab", None),
        ("control_scr_b", "<b>x</b>"),
        ("control_eps", "inf"),
        ("control_original", None),
    ],
)
def test_a_damaged_table_of_a_pair_is_one_line(tmp_path, one_line, column, value):
    path = tmp_path / "predictions.csv"
    columns = dict.fromkeys(interaction.MEASURED, 1.0) | {"id": "m#1", "order": "a_b", "random_bases": False}
    table = pd.DataFrame([columns | dict.fromkeys(interaction.OF_CONTROL, 1.0)] * 3)
    table.loc[1, list(interaction.OF_CONTROL)] = np.nan  # no control there
    wanted = interaction.MEASURED, ("id", "order"), interaction.OF_CONTROL
    files.write_table(path, table, "key")
    assert files.read_table(path, *wanted)["id"].tolist() == ["m#1"] * 3
    files.write_table(path, table.drop(columns=column) if value is None else table.assign(**{column: value}), "key")
    with pytest.raises(InputError, match=rf"predictions.csv: column '{column}'") as raised:
        files.read_table(path, *wanted)
    one_line(raised)


def test_other_settings_count_as_not_finished(finished, stage):
    work, firing = finished
    pair = interaction.Layer(work, LAYER).pairs(firing[0])[0]
    assert interaction.Layer(work, LAYER).finished(firing[0], pair)
    for override in ("n_draws=4", "seed=2", "zero_annotation=true", "fragment_threshold=0.4"):
        assert interaction.Layer(stage(override), LAYER).finished(firing[0], pair) is None
    assert interaction.Layer(stage("q_threshold=0.01"), LAYER).finished(firing[0], pair)


def test_runs_over_parts_of_a_layer_give_the_whole_table(finished):
    """Trap 27: the finished pairs of other neurons are in the table, corrected together."""
    work, firing = finished
    whole = read(work)
    interaction.run(work, LAYER, firing[2] - 1, firing[2])
    part = read(work)
    kept = part[part["task"] == f"conv{LAYER}_neuron{firing[0]}"].reset_index(drop=True)
    expected = whole[whole["task"] == f"conv{LAYER}_neuron{firing[0]}"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[["motif_a", "n", "eps", "p_eps"]], expected[["motif_a", "n", "eps", "p_eps"]])
    pd.testing.assert_frame_equal(part, whole)  # with what is missing of the others


def test_a_run_that_is_stopped_leaves_no_pair_finished_with_files_of_other_settings(finished, stage, monkeypatch):
    work, firing = finished
    folder = files.HERE / "results" / "scramble_res" / "toy" / f"conv{LAYER}_neuron{firing[0]}" / "WS_GN"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(interaction, "write_table", stopped)
        with pytest.raises(KeyboardInterrupt):
            interaction.run(stage("max_sequences=6"), LAYER, firing[0] - 1, firing[0])
    assert (folder / "fragments.txt").read_bytes() != before["fragments.txt"]
    interaction.run(work, LAYER, firing[0] - 1, firing[0])
    assert (folder / "fragments.txt").read_bytes() == before["fragments.txt"]
    assert (folder / "predictions.csv").read_bytes() == before["predictions.csv"]


@pytest.mark.parametrize("override", ["fragment_threshold=0.8", "fragment_choice=first"])
def test_a_missing_stage_leaves_the_table_as_it_is(finished, stage, one_line, override):
    """Trap 27: another threshold than that of the fragments made an empty table in place of the good one."""
    path = files.stats_path(finished[0], LAYER)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"made with other settings.*run_fragment_location.sh") as raised:
        interaction.run(stage(override), LAYER, 0, 8)
    one_line(raised)
    assert path.read_bytes() == before


def test_motifs_of_a_folder_that_is_not_there_leave_the_table_as_it_is(finished, stage, folder, one_line):
    path = files.stats_path(finished[0], LAYER)
    before = path.read_bytes()
    (folder / "no_labels").mkdir()
    work = stage("motifs=motif_discovery/motif", f"labels={folder / 'no_labels'}")
    with pytest.raises(InputError, match="correct key 'motifs'") as raised:
        interaction.run(work, LAYER, 0, 8)
    one_line(raised)
    assert path.read_bytes() == before


def test_a_shard_without_pairs_ends_well(stage, folder, caplog):
    """Labels of a few neurons: the table, of all of them, is for the last run to write."""
    (folder / "few_labels").mkdir(exist_ok=True)
    work = stage("motifs=motif_discovery/motif", f"labels={folder / 'few_labels'}", "motif_database=[]")
    interaction.run(work, LAYER, 0, 8, table=False)


@pytest.mark.parametrize("key", ["labels", "motif_database"])
def test_paths_of_the_config_are_looked_at_before_anything_is_done(stage, one_line, key):
    with pytest.raises(InputError, match=f"key '{key}': nothing_of_the_kind") as raised:
        interaction.run(stage(f"{key}=nothing_of_the_kind"), LAYER, 0, 8)
    one_line(raised)


def test_wrong_ranges_are_one_line(stage, one_line):
    for first, last in ((0, 9), (3, 3), (-1, 2)):
        with pytest.raises(InputError) as raised:
            interaction.run(stage(), LAYER, first, last)
        assert "half-open" in one_line(raised)


def test_damaged_fragments_are_one_line(finished, one_line):
    work, _ = finished
    path = files.fragment_path(work, LAYER, 1)
    good = path.read_text()
    for text, wanted in (("Seq1_0: x\n", "other settings"), ("", "other settings")):
        path.write_text(text)
        with pytest.raises(InputError) as raised:
            files.read_fragments(work, LAYER, 1)
        assert wanted in one_line(raised)
    path.write_text(f"Seq9999_0: 3\n# settings: {files.fragment_key(work, LAYER)}\n")
    with pytest.raises(InputError) as raised:
        files.read_fragments(work, LAYER, 1)
    assert "Seq9999_0" in one_line(raised)
    path.write_text(good)


# -- the table and the map --------------------------------------------------------------------------------------------


def pair(name, o, a, b, n, control=0.0, rng=None):
    """Return a measured pair whose predictions vary by message."""
    rng = rng or np.random.default_rng(len(name))
    rest = rng.normal(0, 0.5, 40)
    table = pd.DataFrame({"sequence": np.arange(40), "start_a": 1, "start_b": 9, "spacing": 4, "order": "a_b"})
    table["random_bases"] = False
    for column, value in zip(PREDICTIONS, (o, a, b, n), strict=True):
        table[column] = rest + value + rng.normal(0, 0.02, 40)
    for column in CONTROLS:
        table[column] = rest + rng.normal(control, 0.02, 40)
    facts = {
        "task": "conv5_neuron1",
        "motif_a": f"{name}A",
        "motif_b": f"{name}B",
        "name_a": "",
        "name_b": "",
        "source": "",
    }
    return Measured(facts, per_sequence(table))


SETTINGS = InteractionSettings(model="toy", n_bootstrap=200)


def test_classes_of_known_pairs():
    """Trap 28, through the whole table."""
    table, _ = pair_statistics(
        [
            pair("ps", 1.5, 0.5, 0.5, 0), pair("pa", 0.6, 0.5, 0.5, 0), pair("add", 1.0, 0.5, 0.5, 0),
            pair("ns", -1.5, -0.5, -0.5, 0), pair("na", -0.6, -0.5, -0.5, 0), pair("none", 0.1, 0.5, -0.5, 0),
        ],
        SETTINGS,
    )  # fmt: skip
    assert table["class"].tolist() == [
        "positive_synergistic", "positive_antagonistic", "additive", "negative_synergistic", "negative_antagonistic",
        "none",
    ]  # fmt: skip
    assert table["survives"].tolist() == ["yes", "yes", "", "yes", "yes", ""]
    assert (table["p_a_alone"] > 0).tolist() == [True, True, True, False, False, False]
    assert (table["q_eps"] >= table["p_eps"]).all()
    assert table.loc[0, "eps_low"] < 0.5 < table.loc[0, "eps_high"]


def test_a_pair_that_acts_together_only_is_named():
    """Its class is none, as one single effect is not significant; the note says what there is."""
    pairs = [pair("and", 1.0, 0.0, 0.0, 0), pair("or", 1.0, 0.5, 0.0, 0), pair("ps", 1.5, 0.5, 0.5, 0)]
    table, _ = pair_statistics([*pairs, pair("none", 0.1, 0.5, -0.5, 0), pair("noise", 0, 0, 0, 0)], SETTINGS)
    assert table["class"].tolist() == ["none", "none", "positive_synergistic", "none", "none"]
    assert [note == statistics.ONLY_TOGETHER for note in table["note"]] == [True, True, False, False, False]


def test_a_pair_without_messages_and_one_with_too_few():
    """Traps 18 and 19: no p-value, no class, and a note."""
    few = pair("few", 1.5, 0.5, 0.5, 0)
    few = Measured(few.facts, few.table.head(5))
    empty = Measured(few.facts, pd.DataFrame(), "nothing there")
    table, scale = pair_statistics([few, empty], SETTINGS)
    assert not scale.fitted
    assert table["class"].tolist() == ["", ""]
    assert table[["p_eps", "q_eps", "p_joint"]].isna().all(axis=None)
    assert "6 are needed" in table.loc[0, "note"]
    assert table.loc[1, "note"] == "nothing there"
    assert table.loc[0, "n"] == 5


def test_all_equal_predictions_are_no_interaction():
    flat = pair("flat", 0, 0, 0, 0)
    flat.table[PREDICTIONS + CONTROLS] = 0.25
    flat.table[["eps", "control_eps"]] = 0.0
    table, _ = pair_statistics([flat], SETTINGS)
    assert table.loc[0, ["p_eps", "p_joint", "class"]].tolist() == [1, 1, "none"]
    assert "equal" in table.loc[0, "note"]


def test_a_saturating_output_is_told_from_antagonism():
    """Additive motifs behind tanh are called, and do not survive; true antagonism does."""
    rng = np.random.default_rng(0)
    pairs = []
    for eps in (0, 0, -0.6):
        one = pair("x", 0.9, 0.45, 0.45, 0, rng=rng)
        level = rng.normal(0.5, 0.4, len(one.table))
        for column, value in zip(PREDICTIONS, (1.4 + eps, 0.7, 0.7, 0.0), strict=True):
            one.table[column] = np.tanh(level + value)
        pairs.append(one)
    table, scale = pair_statistics(pairs, SETTINGS)
    assert scale.fitted
    assert set(table["class"]) == {"positive_antagonistic"}
    assert table["survives"].tolist() == ["no", "no", "yes"]
    assert table["class_transformed"].tolist() == ["additive", "additive", "positive_antagonistic"]


def rows(*values):
    names = ("name_a", "name_b", "motif_a", "motif_b", "class", "q_eps", "survives")
    return pd.DataFrame([dict(zip(names, value, strict=True)) for value in values])


def test_the_smallest_q_wins_in_the_map(tmp_path):
    """Trap 21: not the last row, and in either order of the motifs."""
    table = rows(
        ("PUM2", "ARE", "UGUA", "AUUUA", "negative_synergistic", 0.001, "yes"),
        ("ARE", "PUM2", "UAUUU", "UGUANA", "additive", 0.3, ""),
        ("PUM2", "", "UGUA", "GGAC", "positive_antagonistic", 0.01, "no"),
        ("PUM2", "", "UGUAA", "GGAC", "", np.nan, ""),
    )
    cells = map_cells(table)
    assert cells[["one", "other", "class"]].to_numpy().tolist() == [
        ["ARE", "PUM2", "negative_synergistic"],
        ["GGAC", "PUM2", "positive_antagonistic"],
    ]
    plot_map(tmp_path / "map.png", table, "toy")
    plot_map(tmp_path / "none.png", table.iloc[3:], "toy")
    assert (tmp_path / "none.png").stat().st_size > 1000


def test_statistics_of_no_pairs():
    table, _ = pair_statistics([], SETTINGS)
    assert list(table.columns) == statistics.COLUMNS
    assert table.empty
