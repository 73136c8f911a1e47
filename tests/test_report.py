"""The report: what it shows of the results that exist, and what it says of those that do not."""

import io
import itertools
import json
import re
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import h5py
import numpy as np
import pandas as pd
import pytest

from motif_discovery import settings
from report.build import main, run
from report.cards import demixing_tree
from report.charts import CLASS_COLOURS, icicle, ticks
from report.firing import best_motifs, expected_regions, pieces, regions
from report.motifs import agreement, searched_names
from report.neurons import LEVELS, columns_text, logo_text, ppm_of
from report.overview import commands
from report.pair_charts import BOX_COLOURS, box
from report.settings import UNREAD, DiscoverySettings, open_work
from report.site import LIST, data, size
from report.table_help import TABLES
from report.tables import read_evaluation
from tests.report_case import BREAKOUT, HOSTILE, Case, complete_case
from utils.config import load_settings
from utils.motif import Motif, information, read_meme
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
        assert reader.tags.count("script") == 4
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
    for left in ("pairs/conv9_pair1.html", "motifs/conv9_best.meme"):
        (site / left).write_text("of an earlier build")
    (site / LIST).write_text((site / LIST).read_text() + "pairs/conv9_pair1.html\nmotifs/conv9_best.meme\n")
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


def test_what_the_report_has_not_written_stays(tmp_path, monkeypatch, one_line):
    """No build removes, packs or counts a person's file, and none begins among files of somebody else."""
    case = complete_case(tmp_path)
    outside = tmp_path / "clinical.csv"
    paper = tmp_path / "my paper"
    own = [paper / name for name in ("index.html", "tables/clinical.csv", "motifs/curated.meme")]
    for path in (outside, *own):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine", encoding="utf-8")
    monkeypatch.chdir(paper)
    for output in (".", "..", str(paper), "../my paper"):
        with pytest.raises(InputError, match="not empty and no report; give a new folder as --output") as raised:
            run(str(case.config), output, root=tmp_path)
        one_line(raised)
    assert {path.name for path in paper.rglob("*")} == {
        "index.html",
        "tables",
        "clinical.csv",
        "motifs",
        "curated.meme",
    }
    site = build(case)
    for path in own[1:]:
        shutil.copytree(path.parent, site / path.parent.name, dirs_exist_ok=True)
    (site / LIST).write_text((site / LIST).read_text() + f"../clinical.csv\n{outside}\npairs/gone.html\n")
    (site / "pairs/gone.html").write_text("of an earlier build")
    build(case, packed=True)
    assert all((site / path.relative_to(paper)).read_text(encoding="utf-8") == "mine" for path in own[1:])
    assert outside.read_text(encoding="utf-8") == "mine"
    assert not (site / "pairs/gone.html").exists()
    with zipfile.ZipFile(tmp_path / "site.zip") as file:
        names = {name.removeprefix("site/") for name in file.namelist()}
    assert {"index.html", "neurons/conv2_neuron1.html", "assets/report.js", "tables/neurons.csv"} < names
    assert not names & {"tables/clinical.csv", "motifs/curated.meme", LIST}
    (tmp_path / "site.zip").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="no packed report"):
        build(case, packed=True)


def test_a_report_of_an_earlier_version_or_a_stopped_build_is_gone_on_with(tmp_path):
    case = Case(tmp_path)
    site = build(case)
    (site / LIST).unlink()
    assert LIST in {path.name for path in build(case).iterdir()}
    for path in site.rglob("*.html"):
        path.unlink()
    (site / LIST).write_text("", encoding="utf-8")
    assert (build(case) / "index.html").is_file()


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


def test_the_command_of_what_is_missing_computes_it(tmp_path):
    """A config may choose neurons (``ind``); what is missing are others."""
    case = Case(tmp_path)
    assert commands(open_work(case.config), 2)["motifs"].endswith(f" 2 2 {case.config}")
    case.config.write_text(case.config.read_text(encoding="utf-8") + "ind: 0-2\n", encoding="utf-8")
    assert commands(open_work(case.config), 2)["motifs"].endswith(f" 2 2 {case.config} --neurons 1-4")


def test_what_is_typed_after_a_config_wins_over_it(tmp_path, one_line):
    """The report is of the model and settings that its stages were run with."""
    case = Case(tmp_path)
    described = (tmp_path / "model.yaml").read_text(encoding="utf-8").replace("name: demo", "name: other")
    (tmp_path / "other.yaml").write_text(described, encoding="utf-8")
    typed = f"model={tmp_path / 'other.yaml'}", "seed=5", "clusters=3"
    work = open_work(case.config, overrides=typed)
    assert (work.name, work.discovery.seed, work.given["interpreting"]["clusters"]) == ("other", 5, 3)
    assert commands(work, 2)["motifs"].endswith(" ".join([" 2 2", str(case.config), *typed]))
    assert commands(work, 2)["scan"].endswith(f" {typed[0]}")
    page = run(str(case.config), str(tmp_path / "site"), root=tmp_path, overrides=typed)
    assert "<h1>other " in page.read_text(encoding="utf-8")
    near = "unknown key 'sampelr'; the nearest known one is 'sampler'"
    for wrong, said in (("sampelr=x", near), ("seed", "key=value"), ("seed=x", "key 'seed'")):
        with pytest.raises(InputError, match=said) as raised:
            open_work(case.config, overrides=[wrong])
        one_line(raised)
    with pytest.raises(InputError, match="is no config of a stage") as raised:
        open_work(tmp_path / "model.yaml", overrides=typed)
    one_line(raised)
    assert DiscoverySettings.model_fields.keys() == settings.DiscoverySettings.model_fields.keys()
    known = settings.DiscoverySettings(model="m").model_dump(exclude=UNREAD)
    assert DiscoverySettings(model="m").model_dump(exclude=UNREAD) == known


def test_results_of_other_weights_are_said_and_not_shown(tmp_path):
    case = complete_case(tmp_path)
    with h5py.File(tmp_path / "motif_contribution/maxact_from_trainSet/demo/conv2.h5", "a") as file:
        file.attrs["checkpoint_sha256"] = "other"
    with h5py.File(tmp_path / "motif_discovery/motifs/demo/conv2_neuron1.h5", "a") as file:
        file["consensus_activation"][:] = 99.0
    path = tmp_path / "motif_contribution/results/demo_neuron_contribution.csv"
    pairs = tmp_path / "motif_interaction/results/stats/demo/conv2_motif_scramble_stats.csv"
    for table in (path, pairs):
        table.write_text(table.read_text(encoding="utf-8").replace(case.weights, "other"), encoding="utf-8")
    site = build(case)
    index = Reader((site / "index.html").read_text(encoding="utf-8")).text
    assert index.count("of another checkpoint or data set") >= 3
    assert not list(site.glob("pairs/*.html"))
    assert "1 of other weights or damaged" in index
    neuron = Reader((site / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")).text
    assert "Motif of other weights" in neuron
    assert "Best fragments" not in neuron


def test_dead_neurons_of_other_weights_are_not_called_dead(tmp_path):
    """A file without parts has the hash of its weights; an older one is as the files that were made with it."""
    case = complete_case(tmp_path)
    one, dead = (tmp_path / f"motif_discovery/motifs/demo/conv2_neuron{neuron}.h5" for neuron in (1, 4))

    def shown():
        return Reader((build(case) / "neurons/conv2_neuron4.html").read_text(encoding="utf-8")).text

    assert "Never fires" in shown()
    with h5py.File(dead, "a") as file:
        file.attrs["checkpoint_sha256"] = "other"
    text = shown()
    assert "Motif of other weights" in text
    assert "Never fires" not in text
    with h5py.File(dead, "a") as file:
        del file.attrs["checkpoint_sha256"]
    assert "Never fires" in shown()
    with h5py.File(one, "a") as file:
        file["consensus_activation"][:] = 99.0
    assert "Motif of other weights" in shown()
    with h5py.File(dead, "a") as file:
        file.attrs["settings"] = "another"
    assert "Never fires" in shown()


def methods_of(site):
    text = (site / "files.html").read_text(encoding="utf-8")
    return " ".join(Reader(text[text.index('<div id="methods">') :]).text.split())


def test_the_settings_told_are_those_of_the_results(tmp_path):
    """The config may have others by now: that is said, with the command that computes anew."""
    case = Case(tmp_path)
    genetic = {"sampler": "genetic", "seed": 7, "quota": 100, "demixing": "fixed", "clusters": "4", "weight_power": 0.0}
    for neuron in (1, 2):
        case.motifs(2, neuron, **genetic)
    site = build(case)
    text = methods_of(site)
    for said in ("at most 100 sequences a bin; seed 7", "Sequences were found by a genetic algorithm", "in every layer",
                 "(k = 4; sequences weighted by activation to the power 0)",
                 f"2 of the neurons are of other settings than {case.config} has"):  # fmt: skip
        assert said in text, said
    differs = (
        "sampler genetic, not exhaustive; quota 100, not 200; seed 7, not 1; demixing fixed, not adaptive; "
        "weight_power 0, not 6"
    )
    for page in ("index.html", "neurons/conv2_neuron1.html"):
        shown = Reader((site / page).read_text(encoding="utf-8")).text
        assert differs in shown, page
        assert "bash motif_discovery/single_thread_script/main.sh 2 2 " in shown
    assert "quota 100" in (site / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")
    case.motifs(2, 1)  # an older file, which does not say: as the config has it
    case.motifs(1, 1, **genetic | {"sampler": "exhaustive", "demixing": HOSTILE})
    text = methods_of(build(case))
    assert "genetic algorithm in 1 neuron of conv2" in text
    assert "seed 7 in conv1, 1 neuron of conv2; seed 1 in 1 neuron of conv2" in text
    assert "of at most 10,000 sequences of a neuron" in text
    case.config.write_text(f"model: {tmp_path / 'model.yaml'}\nsampler: often\n", encoding="utf-8")
    with pytest.raises(InputError, match="key 'sampler'"):
        build(case)


@pytest.mark.parametrize("name", ["hl_predictor", "mrl_predictor", "hl_predictor_mpra"])
def test_the_settings_of_a_layer_are_those_that_it_is_made_with(name):
    """What a report compares with is what motif_discovery would write."""
    path = f"configs/interpreting/{name}.yaml"
    work, chosen = open_work(path), load_settings(settings.DiscoverySettings, path)
    for layer in work.layers:
        made = settings.open_discovery(chosen, layer).made_with
        assert made.pop("checkpoint_sha256") == work.checkpoint.sha256
        assert made.items() <= work.discovery_of(layer).items()


def test_the_page_says_how_many_sequences_the_parts_hold(tmp_path):
    """Adaptive demixing reads a part of the sample, and small branches are dropped."""
    case = Case(tmp_path)
    case.motifs(2, 1, parts=1)  # of 100 of 200 sequences
    text = Reader((build(case) / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")).text
    assert "1, of 100 of the 200 sampled sequences" in text


def test_the_thresholds_told_are_those_of_the_tables(tmp_path):
    case = complete_case(tmp_path)
    folder = tmp_path / "motif_contribution/results"
    for path, chosen in (
        (folder / "demo_neuron_contribution.csv", {"threshold": 0.5, "q_threshold": 0.2, "smallest_effect": 0.4}),
        (tmp_path / STATS, {"n_draws": 5, "seed": 3, "q_threshold": 0.2, "smallest_eps": 0.1}),
    ):
        text = path.read_text(encoding="utf-8").rpartition("# settings")[0] or path.read_text(encoding="utf-8")
        pd.read_csv(io.StringIO(text)).assign(**chosen).to_csv(path, index=False)
    tsv = tmp_path / "motif_discovery/tomtom_match_results/demo/conv2/conv2_neuron1.tsv"
    tsv.write_text(
        tsv.read_text(encoding="utf-8").replace("# motifs", "# q_threshold: 0.6\n# motifs"), encoding="utf-8"
    )
    located = tmp_path / "motif_interaction/fragment_location/demo/conv2_neuron1_fragment_location.yaml"
    note = "# best window above 0.8 x 1.5 of each message"
    located.write_text(located.read_text(encoding="utf-8").replace("# note", note), encoding="utf-8")
    site = build(case)
    assert "2 fragments above 0.8 of the maximum" in (site / "files.html").read_text(encoding="utf-8")
    text = methods_of(site)
    for said in ("windows exceeds 0.5 of", "(q ≤ 0.2, effects of 0.4 standard deviations or more)",
                 "(5 draws, seed 3)", "(q ≤ 0.2, at least 0.1 of", "[4] q ≤ 0.01 or 0.6:"):  # fmt: skip
        assert said in text, said
    index = Reader((site / "index.html").read_text(encoding="utf-8")).text
    assert "threshold 0.5, not 0.7; q_threshold 0.2, not 0.05; smallest_effect 0.4, not 0.2" in index
    assert "n_draws 5, not 20; seed 3, not 1; q_threshold 0.2, not 0.05; smallest_eps 0.1, not 0.3" in index
    neuron = Reader((site / "neurons/conv2_neuron1.html").read_text(encoding="utf-8")).text
    assert "a window above 0.5 of the neuron's maximum" in neuron
    assert "M2" in set(pd.read_csv(site / "tables/matches.csv").query("neuron == 'conv2_neuron1'")["motif"])


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
def test_figures_of_other_weights_or_data_are_left_out(tmp_path, changed):
    """Row 12: results of two dates are not mixed."""
    work = open_work(complete_case(tmp_path).config, tmp_path)
    path = tmp_path / "half_life/results/demo/test_metrics.json"
    assert read_evaluation(work)[0]["r"] == 0.7
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    metrics, points, note = read_evaluation(work)
    assert (metrics, points) == ({}, [])
    assert "test_metrics.json: figures of " in note
    assert "left out, evaluate again" in note


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


def test_what_a_search_takes_for_a_name_though_its_letters_are_iupac():
    named = (("PUM_UGUANAUA", "PUM2"), ("M12", "MATR3/Hu_proteins"), ("start_context", "uAUG in the 5'UTR"))
    found = searched_names([Motif(name, alt, iupac_ppm("UGUANAUA")) for name, alt in named])
    assert found == {"names": ["MATR3", "START", "UTR"], "words": ["UAUG", "UGUANAUA"]}
