"""The report: what it shows of the results that exist, and what it says of those that do not."""

import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import h5py
import numpy as np
import pandas as pd
import pytest

from report.build import main, run
from report.cards import demixing_tree
from report.charts import CLASS_COLOURS, icicle, ticks
from report.firing import best_motifs, expected_regions, pieces, regions
from report.motifs import agreement
from report.neurons import LEVELS, columns_text, logo_text, ppm_of
from report.overview import commands
from report.pair_charts import BOX_COLOURS, box
from report.settings import open_work
from report.site import data, size
from report.table_help import TABLES
from report.tables import read_evaluation
from tests.report_case import BREAKOUT, HOSTILE, Case, complete_case
from utils.motif import information, read_meme
from utils.runtime import ROOT, InputError
from utils.sequence import encode, iupac_ppm

PAGES = ("index", "neurons", "motifs", "interactions", "files", "help")


class Reader(HTMLParser):
    """Collects tags, links and visible text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.text, self.scripts = [], [], "", 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("style", "srcdoc")]

    def handle_data(self, text):
        self.text += text


def build(case, **more):
    return run(str(case.config), str(case.root / "site"), root=case.root, **more).parent


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return complete_case(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def site(case):
    return build(case)


def pages_of(site):
    return sorted(site.rglob("*.html"))


# -- the pieces ---------------------------------------------------------------------------------------------------


def test_probabilities_come_back_from_their_text():
    ppm = np.random.default_rng(1).dirichlet(np.ones(4), 9).T
    np.testing.assert_allclose(ppm_of(columns_text(ppm)), ppm, atol=2e-3)
    assert columns_text(np.array([[1.0], [0.0], [0.0], [0.0]])) == "zz000000"


def test_the_text_of_a_logo_is_short_and_exact_enough():
    ppm = np.array([[0.01, 0.25, 0.0], [0.97, 0.25, 0.0], [0.01, 0.25, 1.0], [0.01, 0.25, 0.0]])
    assert logo_text(columns_text(ppm)) == "CAG" + "999" + "HHH" + "000"  # 0.1 and 0.5 of 86
    ppm = np.random.default_rng(1).dirichlet(np.full(4, 0.2), 500).T
    text = logo_text(columns_text(ppm))
    largest, others = text[:500], [LEVELS.index(one) / 86 for one in text[500:]]
    read = np.zeros((4, 500))
    for column, letter in enumerate(largest):
        rest = [base for base in range(4) if base != "ACGU".index(letter)]
        read[rest, column] = np.square(others[3 * column : 3 * column + 3])
        read["ACGU".index(letter), column] = 1 - read[:, column].sum()
    np.testing.assert_allclose(read * information(read), ppm * information(ppm), atol=0.04)


def test_regions_of_a_message():
    coding = np.array([[10, 40]] * 5 + [[-1, -1]])
    found = regions(np.array([9, 10, 39, 40, 99, 5]), coding)
    assert found.tolist() == [0, 1, 1, 2, 2, -1]


def test_expected_regions_are_those_of_all_windows():
    """Windows of 5 nt in a message of 20: their middles are 2 to 17."""
    middle = np.arange(2, 18)
    found = regions(middle, np.array([[6, 12]] * len(middle)))
    expected = [float((found == one).mean()) for one in range(3)]
    np.testing.assert_allclose(expected_regions(np.array([20]), np.array([[6, 12]]), 5), expected)


def test_the_best_place_is_that_of_the_word_and_its_letters_are_told_apart():
    motifs = [("0-1", iupac_ppm("GGACU")), ("2", iupac_ppm("UGUANAUA"))]
    bases = np.stack([encode("CCCUGUACAUACCC"), encode("CCCCGGACUCCCCC"), encode("NNNNNNNNNNNNNN")])
    first, second, third = best_motifs(bases, motifs)
    assert (first[0], first[1], second[0], second[1], third) == ("2", 3, "0-1", 4, None)
    assert pieces("CCCUGUACAUACCC", first) == [["out", "CCC"], ["same", "UGUACAUA"], ["out", "CCC"]]
    assert pieces("CCCUGUACUUACCC", first)[2] == ["other", "U"]


def test_agreement_of_signs():
    assert agreement(["positive", "negative", "negative", "neutral", ""]) == (2, 3, "negative")
    assert agreement(["positive", "negative"]) == (1, 2, "mixed")
    assert agreement(["neutral", ""]) == (0, 0, "")


def part(path, consensus=1.0):
    return {"path": path, "size": 10, "consensus": consensus, "ratio": 0.5}


def test_the_tree_of_parts():
    tree = demixing_tree([part("0-1-2"), part("0-1-3", 5.0), part("1-0", 2.0), part("2")])
    first, second, third = tree["children"]
    assert (first["path"], [one["path"] for one in first["children"]]) == ("0-1", ["0-1-3", "0-1-2"])
    assert (first["size"], first["count"], second["part"]["path"], third["part"]["path"]) == (20, 2, "1-0", "2")
    assert icicle([part("0-1-2"), part("0-1-3"), part(BREAKOUT)]).count("<a ") == 3


def test_ticks_are_round_and_inside():
    assert ticks(0.03, 1.1) == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-3, 3) == [-3, -2, -1, 0, 1, 2, 3]
    assert ticks(2, 2) == [2]


def test_a_box_has_its_quartiles_and_whiskers():
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 50])
    low, first, middle, third, high = box(values)
    assert (low, middle, high) == (1, 4.5, 7)
    assert (first, third) == tuple(np.percentile(values, (25, 75)))


def test_colours_are_told_apart_by_the_colour_blind():
    """Machado, Oliveira and Fernandes 2009 (IEEE Trans Vis Comput Graph 15:1291), severity 1; distances in CIELAB."""
    blind = {
        "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    }
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

    def seen(colour, how):
        rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        x, y, z = np.cbrt(to_xyz @ np.clip(np.array(how) @ linear, 1e-3, 1) / to_xyz.sum(axis=1))
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    logo = re.findall(r'"(#[0-9a-f]{6})"', (ROOT / "utils/js/logo.js").read_text().partition("COLOURS = ")[2])[:4]
    assert len(logo) == 4
    for palette in (logo, list(CLASS_COLOURS.values()), list(BOX_COLOURS), ["#005a91", "#a03f00"]):
        for name, how in blind.items():
            for one, other in itertools.combinations(palette, 2):
                assert np.linalg.norm(seen(one, how) - seen(other, how)) > 15, (name, one, other)


def test_colour_steps_and_json():
    assert [size(effect) for effect in (None, -0.05, 0.1, -0.3, 0.79, -2)] == [0, 0, 1, 2, 3, 4]
    assert "<" not in data({"a": BREAKOUT})


# -- the site -----------------------------------------------------------------------------------------------------


def test_every_page_is_there_and_every_link_leads_somewhere(site):
    pages = pages_of(site)
    assert len(pages) == len(PAGES) + 4 + 2  # the pair that was measured in no message has no page
    for page in pages:
        reader = Reader(page.read_text(encoding="utf-8"))
        for link in reader.links:
            file, _, anchor = unquote(link).partition("#")
            if link.startswith("data:"):
                continue
            target = (page.parent / file).resolve() if file else page
            assert target.is_file(), f"{page.name}: {link}"
            assert site in target.parents
            if anchor.startswith("part-"):
                assert f'id="{anchor}"' in target.read_text(encoding="utf-8"), link


def test_names_from_files_stay_text(site):
    shown = 0
    for page in pages_of(site):
        html = page.read_text(encoding="utf-8")
        reader = Reader(html)
        assert "img" not in reader.tags
        assert reader.tags.count("script") == 3
        assert "<img" not in html
        shown += HOSTILE in reader.text
    assert shown > 5


def test_a_neuron_shows_its_stages(site):
    text = Reader((site / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")).text
    for shown in ("receptive field 9 nt", "Samples per bin", "positive", "0.300", "5' UTR", "CDS", "Best fragments",
                  "UGUA, GGAC", "positive synergistic", "part 0", "Part", "MEME", "M0"):  # fmt: skip
        assert shown in text, shown
    silent = Reader((site / "neurons/conv2_neuron4.html").read_text(encoding="utf-8")).text
    assert "Never fires" in silent
    assert "No message activates this neuron" in silent


def test_the_model_page(site, case):
    text = Reader((site / "index.html").read_text(encoding="utf-8")).text
    for shown in ("9 nt", "0.700 (95 % interval 0.600 to 0.800)", case.weights, "4 of 4 neurons", "epochs", "Python",
                  "bash motif_discovery/single_thread_script/main.sh 1 1 "):  # fmt: skip
        assert shown in text, shown


def test_files_to_take_along(site, case):
    neurons = pd.read_csv(site / "tables/neurons.csv")
    assert neurons["name"].tolist() == [f"conv2_neuron{i}" for i in range(1, 5)]
    assert neurons["effect"].tolist()[:3] == [0.3, -0.9, 0.1]
    assert set(pd.read_csv(site / "tables/matches.csv")["motif"]) == {"M0", HOSTILE}  # not that above the threshold
    assert len(pd.read_csv(site / "tables/interactions.csv")) == 3
    assert [motif.name for motif in read_meme(site / "motifs/conv2_best.meme")] == [
        f"conv2_neuron{i}" for i in (1, 2, 3)
    ]
    lines = [line.split("\t") for line in (site / "fragments/conv2.bed").read_text(encoding="utf-8").splitlines()]
    assert [line[1:] for line in lines] == [["5", "14", "conv2_neuron1"], ["11", "20", "conv2_neuron1"]]
    assert lines[0][0].startswith("train0_<img")  # a name without blanks
    text = Reader((site / "files.html").read_text(encoding="utf-8")).text
    assert "4 neurons (4 of conv2)" in text
    assert "1 positive synergistic, 1 additive" in text


def test_a_measured_layer_without_pairs_is_not_called_missing(tmp_path):
    case = complete_case(tmp_path)
    path = tmp_path / "motif_interaction/results/stats/demo/conv2_motif_scramble_stats.csv"
    table = pd.read_csv(path, comment="#").iloc[:2]
    table[["motif_a", "motif_b", "class"]] = None
    table["task"], table["note"] = ["conv2_neuron1", "conv2_neuron2"], "no part has two segments"
    table.to_csv(path, index=False)
    site = build(case)
    text = {
        name: Reader((site / name).read_text(encoding="utf-8")).text for name in ("index.html", "interactions.html")
    }
    assert "2 of 4 neurons: 0 pairs" in text["index.html"]
    assert "bash motif_interaction/script/run_scr.sh 2 0 4 " in text["index.html"]  # for the other two
    assert "No neuron of conv2 that was measured has a pair" in text["interactions.html"]
    assert "run_scr.sh" not in text["interactions.html"]
    one, other = (
        Reader((site / f"neurons/conv2_neuron{number}.html").read_text(encoding="utf-8")).text for number in (1, 3)
    )
    assert "was measured: no part has two segments." in one
    assert ("run_scr.sh" in one, "run_scr.sh" in other) == (False, True)


def test_every_column_to_take_along_is_explained(site):
    for path in sorted((site / "tables").glob("*.csv")):
        known = TABLES[path.stem]
        for column in pd.read_csv(path, nrows=1).columns:
            family = [key for key in known if key.endswith("*") and column.startswith(key[:-1])]
            assert column in known or family, f"{path.name}: {column}"
        assert all(sentence.endswith(".") for sentence in known.values())
    text = Reader((site / "help.html").read_text(encoding="utf-8")).text
    assert all(sentence in text for known in TABLES.values() for sentence in known.values())


def test_clusters_stand_beside_their_motifs(tmp_path):
    case = complete_case(tmp_path)
    table = "motif\tcluster_name\n" + "".join(f"{name}\tfamily {HOSTILE}\n" for name in ("M0", HOSTILE, "M2"))
    (tmp_path / "known_clusters.tsv").write_text(table + "# settings: key\n", encoding="utf-8")
    rows = pd.read_csv(build(case) / "tables/motifs.csv")
    assert rows.groupby("kind")["motif"].unique().map(sorted).to_dict() == {
        "motif": [HOSTILE, "M0"],
        "cluster": [f"family {HOSTILE}"],
    }
    assert rows[rows["kind"] == "cluster"]["neuron"].tolist() == [f"conv2_neuron{i}" for i in (1, 2, 3)]


def test_clusters_are_found_in_data_where_they_are_of_the_same_motifs(tmp_path):
    case = Case(tmp_path)
    case.motifs(2, 1)
    (tmp_path / "data").mkdir()
    text = "The motifs of the database are in no clusters"
    command = f"configs/datasets/motif_databases.yaml name=known 'sources=[{tmp_path}"
    rows = {"a_clusters.tsv": ("M0", "M1", "other"), "b_clusters.tsv": ("M0", "M1", "M2", "M3")}
    page = build(case) / "motifs.html"
    assert text in page.read_text(encoding="utf-8")
    assert command in Reader(page.read_text(encoding="utf-8")).text
    for name, motifs in rows.items():
        lines = [f"{motif}\t{'family' if motif in ('M0', 'M2') else motif}\n" for motif in motifs]
        (tmp_path / "data" / name).write_text("motif\tcluster_name\n" + "".join(lines), encoding="utf-8")
        build(case)
        assert (text in page.read_text(encoding="utf-8")) == (name == "a_clusters.tsv")
    found = pd.read_csv(page.parent / "tables/motifs.csv")
    assert found[found["kind"] == "cluster"]["motif"].tolist() == ["family"]  # M1 and M3 are alone in theirs


def test_only_what_changed_is_written_again(tmp_path):
    case = complete_case(tmp_path)
    site = build(case)

    def times():
        return {str(path.relative_to(site)): path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}

    written = times()
    build(case)
    assert {name for name, time in times().items() if time != written[name]} <= {"index.html"}  # it says when
    (site / "fragments/conv2.bed").unlink()
    build(case)
    assert times().keys() == written.keys()
    written = times()
    case.motifs(2, 1, parts=2)
    for left in ("pairs/conv9_pair1.html", "motifs/conv2_neuron1.meme"):
        (site / left).write_text("of an earlier build")
    build(case)
    again = times()
    assert again.keys() == written.keys()
    changed = {name for name in again if again[name] != written[name]} - {"index.html"}
    assert "neurons/conv2_neuron1.html" in changed
    assert "tables/parts.csv" in changed
    assert not [
        name for name in changed if name.startswith(("pairs/", "fragments/", "assets/", "interactions", "help"))
    ]
    assert not {"neurons/conv2_neuron3.html", "neurons/conv2_neuron4.html", "tables/interactions.csv"} & changed


def test_a_new_stage_changes_its_own_pages(tmp_path):
    case = Case(tmp_path)
    for neuron in (1, 2):
        case.motifs(2, neuron)
    site = build(case)
    written = {page: page.read_text(encoding="utf-8") for page in pages_of(site)}
    assert "run_scr.sh 2 0 4 " in written[site / "neurons/conv2_neuron1.html"]
    case.interaction(2)
    build(case)
    now = {page: page.read_text(encoding="utf-8") for page in pages_of(site)}
    assert sorted(page.stem for page in now.keys() - written.keys()) == ["conv2_pair1", "conv2_pair2"]
    assert "UGUA, GGAC" in now[site / "neurons/conv2_neuron1.html"]
    for same in ("motifs.html", "help.html"):
        assert now[site / same] == written[site / same]


def test_nothing_was_run_yet(tmp_path):
    case = Case(tmp_path)
    site = build(case)
    assert [page.stem for page in pages_of(site)] == sorted(PAGES)
    for page, command in (("index", "bash motif_contribution/script/run_search_maxact.sh 2 2 "),
                          ("index", "run_test.sh"), ("neurons", "motif_discovery/single_thread_script/main.sh"),
                          ("interactions", "motif_interaction/script/run_scr.sh")):  # fmt: skip
        assert command in Reader((site / f"{page}.html").read_text(encoding="utf-8")).text
    case.dataset.unlink()
    build(case)
    assert "is not there" in (site / "index.html").read_text(encoding="utf-8")


def test_commands_of_a_model_without_configs_borrow_one(tmp_path):
    """Each command that a report names can be typed: its config is there, and names the model."""
    work = open_work("configs/models/mrl_predictor_noAUG.yaml")
    for stage, command in commands(work, 2).items():
        config, model = command.split()[-2:]
        assert (ROOT / config).is_file(), command
        assert (config, model) == (
            f"configs/{'interpreting' if stage == 'motifs' else 'interaction'}/mrl_predictor.yaml",
            "model=mrl_predictor_noAUG",
        )
    for command in commands(open_work("configs/models/mrl_predictor.yaml"), 2).values():
        assert command.split()[-1] in (
            "configs/interpreting/mrl_predictor.yaml",
            "configs/interaction/mrl_predictor.yaml",
        )
    case = Case(tmp_path)
    assert commands(open_work(case.config), 2)["pairs"].endswith(f".yaml model={tmp_path / 'model.yaml'}")
    stages = {stage: tmp_path / f"{stage}.yaml" for stage in ("interpreting", "interaction")}
    for stage, path in stages.items():
        path.write_text(f"model: {tmp_path / 'model.yaml'}\nmotif_database: {stage}.meme\n")
    for path in stages.values():  # the config of the other stage lies beside it
        work = open_work(path)
        assert work.configs == {stage: str(beside) for stage, beside in stages.items()}
        assert commands(work, 2)["scan"].endswith(f" 2 2 {stages['interaction']}")
        assert work.discovery.motif_database == "interpreting.meme"
    stages["interaction"].write_text("model: mrl_predictor\n")  # of another model
    assert open_work(stages["interpreting"]).configs["interaction"] == "configs/interaction/demo.yaml"


def test_results_of_other_weights_are_said_and_not_shown(tmp_path):
    case = complete_case(tmp_path)
    with h5py.File(tmp_path / "motif_contribution/maxact_from_trainSet/demo/conv2.h5", "a") as file:
        file.attrs["checkpoint_sha256"] = "other"
    with h5py.File(tmp_path / "motif_discovery/motifs/demo/conv2_neuron1.h5", "a") as file:
        file["consensus_activation"][:] = 99.0
    path = tmp_path / "motif_contribution/results/demo_neuron_contribution.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(case.weights, "other"), encoding="utf-8")
    site = build(case)
    index = Reader((site / "index.html").read_text(encoding="utf-8")).text
    assert index.count("of another checkpoint or data set") >= 2
    assert "1 of other weights or damaged" in index
    neuron = Reader((site / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")).text
    assert "Motif of other weights" in neuron
    assert "Best fragments" not in neuron


def test_matches_of_motifs_of_other_settings_are_said_and_not_shown(tmp_path):
    """Segments of both have the same names."""
    case = complete_case(tmp_path)
    path = tmp_path / "motif_discovery/tomtom_match_results/demo/conv2/conv2_neuron1.tsv"
    assert "# motifs: key\n" in path.read_text(encoding="utf-8")
    before = Reader((build(case) / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")).text
    path.write_text(path.read_text(encoding="utf-8").replace("# motifs: key", "# motifs: other"), encoding="utf-8")
    site = build(case)
    neuron = Reader((site / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")).text
    said = "matches are of motifs of other settings"
    assert said in neuron
    assert "Best match" not in neuron
    assert said not in before
    assert "Best match" in before
    assert said not in (site / "neurons/conv2_neuron3.html").read_text(encoding="utf-8")


def test_broken_files_are_one_line(tmp_path, one_line, capsys):
    case = complete_case(tmp_path)
    path = tmp_path / "motif_interaction/results/stats/demo/conv2_motif_scramble_stats.csv"
    path.write_text("task,motif_a\nconv2_neuron1,UGUA\n", encoding="utf-8")
    with pytest.raises(InputError) as raised:
        build(case)
    assert "column 'motif_b' is missing" in one_line(raised)
    (tmp_path / "odd.yaml").write_text("nothing: 1\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["--config", str(tmp_path / "odd.yaml")])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


STATS = "motif_interaction/results/stats/demo/conv2_motif_scramble_stats.csv"
THRESHOLDS = "motif_contribution/results/demo_neuron_contribution_thresholds.csv"


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [(STATS, "task", "inf"), (STATS, "task", "../x"), (STATS, "n", "many"), (STATS, "a_first", "x"),
     (STATS, "eps", "1e"), (THRESHOLDS, "threshold", "inf"), (THRESHOLDS, "effect_size", "text"),
     (THRESHOLDS, "target", "")],
)  # fmt: skip
def test_tables_with_cells_that_cannot_be_are_one_line(tmp_path, one_line, name, column, value):
    case = complete_case(tmp_path)
    table = pd.read_csv(tmp_path / name, comment="#", dtype=str, keep_default_na=False)
    table[column] = value
    table.to_csv(tmp_path / name, index=False)
    with pytest.raises(InputError, match=Path(name).name) as raised:
        build(case)
    one_line(raised)


@pytest.mark.parametrize(
    "text",
    ["[1]", "{", "[" * 100_000, '{"r": NaN, "r2": 1, "n": 3}', '{"r": "<b>", "r2": 1, "n": 3}', "3"],
    ids=range(6),
)
def test_figures_of_an_evaluation_that_are_none_are_one_line(tmp_path, one_line, text):
    case = complete_case(tmp_path)
    (tmp_path / "half_life/results/demo/test_metrics.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"test_metrics.json") as raised:
        build(case)
    one_line(raised)


@pytest.mark.parametrize("changed", [{"weights_sha256": ["0"]}, {"data_sha256": "0"}, {"weights_sha256": []}])
def test_figures_of_other_weights_or_data_are_left_out(tmp_path, caplog, changed):
    """Row 12: results of two dates are not mixed."""
    work = open_work(complete_case(tmp_path).config, tmp_path)
    path = tmp_path / "half_life/results/demo/test_metrics.json"
    assert read_evaluation(work)[0]["r"] == 0.7
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    assert read_evaluation(work) == ({}, [])
    assert "test_metrics.json: figures of " in caplog.text
    assert "evaluate again" in caplog.text


def test_the_wrapper_as_it_is_typed(tmp_path):
    case = Case(tmp_path)
    command = ["bash", "report/build.sh", str(tmp_path / "model.yaml"), "--output", str(tmp_path / "out"), "--zip"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").is_file()
    assert (tmp_path / "out.zip").stat().st_size < 100_000
    assert case.config.is_file()
    done = subprocess.run(
        ["bash", "report/build.sh"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.startswith("usage:")) == (2, True)


def test_a_full_model_stays_small(tmp_path):
    """448 neurons; `benchmarks/report_size.py` builds one with 30,000 parts."""
    case = Case(tmp_path, num_layers=6, channels=64)
    for layer in range(1, 8):
        for neuron in range(1, 65):
            case.motifs(layer, neuron, parts=2)
    case.contribution(list(range(1, 8)))
    site = build(case)
    first, grid = ((site / f"{name}.html").stat().st_size for name in ("index", "neurons"))
    everything = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    print(f"first page {first / 1e6:.2f} MB, grid of 448 neurons {grid / 1e6:.2f} MB, all {everything / 1e6:.1f} MB")
    assert first < 5e6
    assert grid < 5e6
    assert len(list((site / "neurons").glob("*.html"))) == 448


def test_shellcheck():
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck on PATH")
    subprocess.run(["shellcheck", "-x", "report/build.sh"], cwd=ROOT, check=True)


def test_a_scan_whose_maximum_no_message_reaches_has_no_fragments(tmp_path):
    """A damaged maximum: the page says that no message activates the neuron, and the report is made."""
    case = complete_case(tmp_path)
    with h5py.File(tmp_path / "motif_contribution" / "maxact_from_trainSet" / "demo" / "conv2.h5", "a") as file:
        file["neuron_maximum"][0] = 1e30
    site = build(case)
    assert (site / "neurons" / "conv2_neuron1.html").stat().st_size > 0
