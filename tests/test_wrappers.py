"""The wrappers, run as a person runs them: from their folders, in a copy of the repository whose path has spaces."""

import gzip
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from utils.runtime import ROOT

SCRIPTS = [
    *ROOT.glob("*.sh"),
    *ROOT.glob("*/*.sh"),
    *ROOT.glob("*/*script/*.sh"),
    *ROOT.glob("*/*/script/*.sh"),
    ROOT / ".ci" / "run",
]
FAST = ["population=60", "generations=3"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a copy of the repository, without environment, data and results."""
    target = tmp_path_factory.mktemp("a place") / "comb motif"
    left_out = shutil.ignore_patterns(
        ".venv", ".git", "data", "results", "__pycache__", ".pytest_cache", ".ruff_cache",
        "maxactivation_samples", "clustering", "tomtom_match_results", "motifs", "maxact_from_trainSet",
        "fragment_location",
    )  # fmt: skip
    shutil.copytree(ROOT, target, ignore=left_out)
    return target


def run(folder, *command, status=0):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    environment["OMP_NUM_THREADS"] = "1"  # other tests run beside
    done = subprocess.run(["bash", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


def test_the_seed_command_as_it_is_typed(copy):
    """Neurons 1 to 4 of conv2, from motif_discovery/single_thread_script."""
    folder = copy / "motif_discovery" / "single_thread_script"
    done = run(folder, "main.sh", "2", "2", "../configs/interpreting/hl_predictor_quick_start.yaml", *FAST)
    assert "index.html" in done.stderr
    pages = copy / "motif_discovery" / "clustering" / "hl_predictor" / "conv2-mechanic"
    assert {path.name for path in pages.glob("*.html")} == {
        "index.html",
        *(f"conv2_neuron{n}.html" for n in (1, 2, 3, 4)),
    }
    for neuron in (1, 2, 3, 4):
        with h5py.File(
            copy / "motif_discovery" / "maxactivation_samples" / "hl_predictor" / f"conv2_neuron{neuron}.h5"
        ) as file:
            assert file["sequence"].shape[1] == 9
            assert (np.diff(file["activation"][:]) <= 0).all()
        assert (copy / "motif_discovery" / "motifs" / "hl_predictor" / f"conv2_neuron{neuron}.meme").is_file()
        assert (
            copy / "motif_discovery" / "tomtom_match_results" / "hl_predictor" / "conv2" / f"conv2_neuron{neuron}.tsv"
        ).is_file()


def test_the_multi_process_command_as_it_is_typed(copy):
    """Neurons, processes, from layer, to layer, config; row 27 of the traps: no neuron twice, none left out."""
    folder = copy / "motif_discovery" / "multi_thread_script"
    done = run(folder, "main.sh", "5", "2", "1", "2", "../configs/interpreting/mrl_predictor.yaml", *FAST)
    assert "conv2: neurons: 5 of 5 (100 %)" in done.stderr
    assert "generations" not in done.stderr  # one bar that a person can read, none of the workers
    for layer in (1, 2):
        samples = (copy / "motif_discovery" / "maxactivation_samples" / "mrl_predictor").glob(f"conv{layer}_*.h5")
        assert {path.stem for path in samples} == {f"conv{layer}_neuron{n}" for n in range(1, 6)}
    assert not list(copy.rglob(".part-*"))


def test_a_config_is_found_from_the_caller_the_stage_and_the_root(copy, tmp_path):
    wrapper = copy / "motif_discovery" / "single_thread_script" / "main.sh"
    mine = tmp_path / "my own.yaml"
    mine.write_text("model: mrl_predictor\nind: 0-1\npopulation: 60\ngenerations: 2\n")
    run(tmp_path, wrapper, "1", "1", "my own.yaml")
    run(tmp_path, wrapper, "1", "1", mine)
    run(tmp_path, wrapper, "1", "1", "configs/interpreting/mrl_predictor.yaml", "ind=0-1", *FAST)
    done = run(tmp_path, wrapper, "1", "1", "nowhere.yaml", status=2)
    assert "error: nowhere.yaml: no such file" in done.stderr


def test_seqlets_and_their_statistics_as_they_are_typed(copy):
    """A method needs no sample beforehand; MODEL is the name of a config."""
    folder = copy / "motif_discovery" / "max_seqlet" / "script"
    config = "../configs/interpreting/hl_predictor_quick_start.yaml"
    run(folder, "main.sh", config, "--from", "2", "--to", "2", *FAST)
    results = copy / "motif_discovery" / "max_seqlet"
    assert len(list((results / "motifs" / "hl_predictor").glob("conv2_neuron*.h5"))) == 4
    assert (results / "clustering" / "hl_predictor" / "conv2-mechanic" / "index.html").is_file()
    collect = copy / "motif_discovery" / "analysis" / "script"
    run(collect, "run_collect_all_motifs.sh", "max_seqlet", "hl_predictor", *FAST)
    table = copy / "motif_discovery" / "analysis" / "results" / "hl_predictor" / "max_seqlet" / "counts.csv"
    assert table.read_text().splitlines()[1].startswith("conv2,4,")
    done = run(collect, "run_collect_all_motifs.sh", "tf_modisco", "hl_predictor", status=2)
    assert "error: motif_discovery/tf_modisco/tomtom_match_results/hl_predictor: no results" in done.stderr


def test_the_main_job_builds_the_report_of_what_it_has_run(tmp_path):
    """Settings go to both, options of the one not to the other."""
    for name, line in (("utils/environment", 'ROOT="$(dirname "${BASH_SOURCE[0]}")/.."; environment() { :; }'),
                       ("motif_discovery/single_thread_script/main", 'printf "ran"; printf " <%s>" "$@"; echo'),
                       ("report/build", 'printf "built"; printf " <%s>" "$@"; echo')):  # fmt: skip
        path = tmp_path / f"{name}.sh"
        path.parent.mkdir(parents=True)
        path.write_text(f"{line}\n", encoding="utf-8")
    shutil.copy(ROOT / "main.sh", tmp_path)
    done = run(tmp_path, "main.sh", "2", "3", "a b.yaml", "model=mine", "--neurons", "1-4", "seed=2 ", "--overwrite")
    assert done.stdout.splitlines() == [
        "ran <2> <3> <a b.yaml> <model=mine> <--neurons> <1-4> <seed=2 > <--overwrite>",
        "built <a b.yaml> <model=mine> <seed=2 >",
    ]
    assert run(tmp_path, "main.sh", "2", "3", "c.yaml").stdout.splitlines()[1] == "built <c.yaml>"


@pytest.mark.parametrize(
    ("wrapper", "arguments"),
    [
        ("main.sh", ["2", "2"]),
        ("motif_discovery/single_thread_script/main.sh", ["2"]),
        ("motif_discovery/multi_thread_script/main.sh", ["64", "4", "1", "7"]),
        ("motif_discovery/max_seqlet/script/main.sh", []),
        ("motif_discovery/tf_modisco/script/main.sh", []),
        ("motif_discovery/analysis/script/run_collect_all_motifs.sh", ["max_seqlet"]),
        ("half_life/run_training.sh", []),
        ("mrl/run_test.sh", ["../configs/training/mrl_predictor.yaml"]),
    ],
)
def test_too_few_arguments_say_how_it_is_used(copy, wrapper, arguments):
    done = run(copy, wrapper, *arguments, status=2)
    assert done.stderr.startswith("usage: bash ")


def test_a_wrong_value_goes_through_the_wrapper_as_one_line(copy):
    folder = copy / "motif_discovery" / "single_thread_script"
    done = run(folder, "main.sh", "2", "9", "../configs/interpreting/hl_predictor.yaml", status=2)
    assert done.stderr.strip().startswith("error: layer: conv9")
    done = run(folder, "main.sh", "3", "2", "../configs/interpreting/hl_predictor.yaml", status=2)
    assert "error: layers: 3 to 2" in done.stderr


def test_training_and_test_as_they_are_typed(copy, shared_data):
    settings = ["epochs=1", "model=mrl_tiny"]
    (copy / "configs" / "models" / "mrl_tiny.yaml").write_text(
        "name: mrl_tiny\ncheckpoint: model_weights/mrl_tiny-best.pth\ndataset: data/tiny.h5\n"
        "network: {num_layers: 1, in_channels: 4, padding: 2}\n"
    )
    table = copy / "data" / "tiny.csv"
    table.parent.mkdir(exist_ok=True)
    with gzip.open(shared_data / "mrl" / "egfp_unmod_1_top20k.csv.gz", "rt") as whole:
        table.write_text("".join(itertools.islice(whole, 2001)))
    build = "import sys; from generate_dataset.build import main; main(sys.argv[1:])"
    subprocess.run(
        [sys.executable, "-c", build, "--config", "configs/datasets/egfp_unmod_1_top20k.yaml",
         f"source={table.as_posix()}", "output=data/tiny.h5"],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, check=True, capture_output=True,
    )  # fmt: skip
    run(copy / "mrl", "run_training.sh", "../configs/training/mrl_predictor.yaml", *settings)
    done = run(
        copy / "mrl", "run_test.sh", "../configs/training/mrl_predictor.yaml",
        "../model_weights/mrl_tiny-best.pth", "model=mrl_tiny",
    )  # fmt: skip
    assert "mrl_tiny, test: r = " in done.stderr
    for name in ("log.csv", "test_metrics.json", "test_predictions.csv", "test_scatter.png"):
        assert (copy / "mrl" / "results" / "mrl_tiny" / name).stat().st_size > 0


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing():
    subprocess.run(["shellcheck", "-x", *map(str, SCRIPTS)], check=True)


def test_every_script_is_strict():
    for script in SCRIPTS:
        if script.parent.name != "utils":  # those are sourced
            assert "set -euo pipefail" in script.read_text(), script
