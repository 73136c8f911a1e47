"""Files and names made to run code, to write elsewhere or to pass for something else: nothing of it happens."""

import os
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from generate_dataset.build import main as build_dataset
from half_life.train import main as train
from motif_discovery.files import read_matches, write_matches
from motif_interaction.files import read_table, write_table
from motif_interaction.pairs import read_labels, read_match_names
from motif_interaction.plots import plot_map, plot_pair
from utils.evaluation import scatter_plot
from utils.motif import Motif, read_meme, write_meme
from utils.runtime import ROOT, InputError
from utils.sequence import iupac_ppm
from utils.tomtom import COLUMNS

NAMES = [
    "</script><script>alert(1)</script>", "$\\frac{", "$(touch_HACKED)", "../../../x", "#1\"quoted'", "=1+1",
    "a\u202eb",
]  # fmt: skip


def refused(main, argv, capsys):
    """Run a command that must be refused; return its error line."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in argv])
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("output", ["../x.h5", "{home}/.bashrc", "{home}/x.h5", "utils/runtime.py", "tests/../../x.h5"])
def test_a_data_set_config_cannot_overwrite_what_lies_elsewhere(tmp_path, capsys, output, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rows.csv").write_text("seq,stability_jurkat\n" + "ACGUACGUAC,1\n" * 40)
    output = output.format(home="~")
    config = tmp_path / "set.yaml"
    config.write_text(yaml.safe_dump({"source": str(tmp_path / "rows.csv"), "reader": "mpra", "output": output}))
    before = (ROOT / "utils" / "runtime.py").read_bytes()
    assert "'output'" in refused(build_dataset, ["--config", config], capsys)
    assert (ROOT / "utils" / "runtime.py").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "set.yaml"]
    assert not (ROOT.parent / "x.h5").exists()


@pytest.mark.parametrize(
    ("where", "checkpoint"),
    [("training", "../../x.pth"), ("training", "~/x.pth"), ("training", "x/..-best.pth"),
     ("training", "utils/model.py"), ("model", "../../x.pth"), ("model", "~/x.pth"), ("model", "utils/model.py")],
)  # fmt: skip
def test_a_training_config_cannot_write_weights_elsewhere(tmp_path, capsys, where, checkpoint):
    weights = checkpoint if where == "model" else "model_weights/x.pth"
    model = {"name": "toy", "checkpoint": weights, "dataset": "none.h5"}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(model))
    settings = {"model": str(tmp_path / "model.yaml")} | ({"checkpoint": checkpoint} if where == "training" else {})
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(settings))
    assert "checkpoint" in refused(train, ["--config", tmp_path / "train.yaml"], capsys)


def test_a_name_is_data_in_every_table(tmp_path):
    """Names of motifs and messages come from files of others: a # ends no row, a quotation mark joins no cells."""
    names = [name.replace(" ", "_") for name in NAMES]
    write_meme(tmp_path / "a.meme", [Motif(name, "second name", iupac_ppm("ACGU")) for name in names])
    assert [motif.name for motif in read_meme(tmp_path / "a.meme")] == names
    rows = [[f"q{n}", name, 0, 1e-5, 1e-4, 1e-3, 4, "ACGU", "ACGU", "+"] for n, name in enumerate(names)]
    write_matches(tmp_path / "a.tsv", pd.DataFrame(rows, columns=COLUMNS), "key")
    assert read_matches(tmp_path / "a.tsv")["Target_ID"].tolist() == names
    assert read_match_names(tmp_path / "a.tsv", 0.01) == {f"q{n}": name for n, name in enumerate(names)}
    write_table(tmp_path / "a.csv", pd.DataFrame({"id": NAMES, "value": range(len(NAMES))}), "key")
    assert read_table(tmp_path / "a.csv").to_dict("list") == {"id": NAMES, "value": list(range(len(NAMES)))}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_in_every_figure(tmp_path, name):
    """A dollar sign began a formula: a name with one of its own ended the command with a traceback."""
    with warnings.catch_warnings(action="ignore"):  # a letter that the font has not
        values = np.arange(4.0)
        scatter_plot(tmp_path / "scatter.png", values, values, name, name)
        columns = ("original", "scr_a", "scr_b", "scr_ab", "eps", "control_eps")
        plot_pair(tmp_path / "pair.png", pd.DataFrame(dict.fromkeys(columns, values)), name, name, name)
        pair = {"name_a": name, "name_b": "b", "motif_a": "A", "motif_b": "C"}
        call = {"class": "positive_additive", "q_eps": 0.1, "survives": "yes"}
        plot_map(tmp_path / "map.png", pd.DataFrame([pair | call]), name)
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_words_of_a_label_file_are_words(tmp_path, one_line):
    """They name a folder."""
    path = tmp_path / "conv1_neuron1.yaml"
    for word in ("../../x", "A/C", "", "..", "A" * 300, NAMES[0]):
        path.write_text(yaml.safe_dump({"c": {"a": [word], "b": ["ACG"]}}))
        with pytest.raises(InputError) as raised:
            read_labels(path, 100)
        one_line(raised)
    path.write_text(yaml.safe_dump({"c": {"a": [f"A{n:010b}".replace("0", "C").replace("1", "G") for n in range(64)],
                                          "b": ["ACG"]}}))  # fmt: skip
    with pytest.raises(InputError, match="letters together") as raised:
        read_labels(path, 100)
    one_line(raised)


@pytest.mark.parametrize(
    "wrapper", ["motif_discovery/single_thread_script/main.sh", "motif_contribution/script/run_contribution.sh"]
)
@pytest.mark.parametrize("config", ["$(touch HACKED)", "`touch HACKED`", "; touch HACKED", "-c touch HACKED", "a\nb"])
def test_the_name_of_a_config_is_no_command(tmp_path, wrapper, config):
    command = ["bash", str(ROOT / wrapper), "1", "1", config]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "no such file" in done.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_in_the_project_can_run_what_a_file_says():
    """No pickles, no unsafe YAML, no shell: the words for them stand in no module."""
    forbidden = ("yaml.load(", "yaml.unsafe", "yaml.full_load", "pickle.load", "read_pickle", "allow_pickle=True",
                 "weights_only=False", "shell=True", "os.system", "os.popen", "joblib.load")  # fmt: skip
    folders = ("utils", "generate_dataset", "half_life", "mrl", "motif_discovery", "motif_contribution",
               "motif_interaction", "report", "figures")  # fmt: skip
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            found = [word for word in forbidden if word in text]
            assert not found, f"{Path(os.path.relpath(path, ROOT))}: {found}"
