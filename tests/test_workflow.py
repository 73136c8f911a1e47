"""The workflow on a toy project, in copies of the tree whose paths have spaces: the same files as from the commands."""

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

import workflow.plan
from benchmarks.scale import Costs, makespan, shard_times
from benchmarks.toy_project import write_project
from benchmarks.workflow_faults import ALREADY, SETTINGS, results, undated
from motif_discovery import settings as places
from motif_discovery.summarize import workbook_path
from tests.toy import seeded_model
from utils.checkpoint import save_checkpoint
from utils.runtime import ROOT, InputError
from workflow.settings import WorkflowSettings, blocks_of_neurons, layer_range, shard_size, shards_of_rows

needs_snakemake = pytest.mark.skipif(
    not importlib.util.find_spec("snakemake"),
    reason="snakemake is not installed (pip install -r workflow/requirements.txt)",
)
DATASET = ["--config", "configs/datasets/toy.yaml"]
PARTS, PAIRS = ["--config", "configs/interpreting/toy.yaml"], ["--config", "configs/interaction/toy.yaml"]
LAYERS, LAYER, NEURONS = ["--from", "2", "--to", "3"], ["--layer", "3"], ["--neurons", "1-4"]
COMMANDS = [
    ("motif_discovery.discover", [*PARTS, *LAYERS, *NEURONS]),
    ("motif_contribution.scan", [*PAIRS, *LAYERS]),
    ("motif_contribution.contribution", [*PAIRS, *LAYERS]),
    ("motif_interaction.fragments", [*PAIRS, *LAYER, *NEURONS]),
    ("motif_interaction.interaction", [*PAIRS, *LAYER, "--first", "0", "--last", "4"]),
    ("motif_discovery.summarize", [*PARTS, "--layers", "2-3"]),
    ("report.build", PARTS),
]  # of one machine, as the wrappers call them


def python(tree, *command, status=0, stdin="", executable=sys.executable):
    """Run Python in a copy of the tree and return what it has said."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "3000"}
    command = [executable, *map(str, command)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False, input=stdin)
    assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def stages(tree, commands):
    """Run commands of the stages one after the other in one process."""
    code = (
        "import importlib, json, sys\n"
        "for module, arguments in json.loads(sys.argv[1]):\n    importlib.import_module(module).main(arguments)\n"
    )
    python(tree, "-c", code, json.dumps(commands))


def require_same(there, wanted):
    assert there.keys() == wanted.keys()
    assert [name for name in wanted if undated(name, there[name]) != undated(name, wanted[name])] == []


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a function that makes a copy of the tree with a toy model, its data set and configs."""
    place = tmp_path_factory.mktemp("a place")
    first = place / "first tree"
    left_out = shutil.ignore_patterns(
        ".*", "data", "results", "__pycache__", "model_weights", "screenshots", "maxactivation_samples", "clustering",
        "tomtom_match_results", "motifs", "maxact_from_trainSet", "fragment_location", "biology", "comparison", "done",
        "logs",
    )  # fmt: skip
    shutil.copytree(ROOT, first, ignore=left_out)
    write_project(first, messages=60, length=120, num_layers=2, neurons=3)
    scan = first / "utils" / "scan.py"
    text = scan.read_text(encoding="utf-8")
    assert "BLOCK_NUCLEOTIDES = 2**20" in text
    scan.write_text(text.replace("BLOCK_NUCLEOTIDES = 2**20", "BLOCK_NUCLEOTIDES = 2**12"))  # several blocks
    (first / "model_weights").mkdir()
    save_checkpoint(first / "model_weights" / "toy-best.pth", seeded_model(2, 4, channels=16, seed=5), {})
    (first / "mine.yaml").write_text(yaml.safe_dump(SETTINGS))
    stages(first, [("generate_dataset.build", DATASET)])

    def copied(name):
        shutil.copytree(first, place / name)
        return place / name

    return copied


@pytest.fixture(scope="module")
def expected(project):
    """Return the files that the commands of one machine write."""
    tree = project("one machine")
    stages(tree, COMMANDS)
    return results(tree)


def snakemake(tree, *arguments, **more):
    return python(tree, "-m", "snakemake", "--configfile", "mine.yaml", *arguments, **more)


def environment_without_spaces(folder):
    """Return the interpreter by a path without spaces: Snakemake writes it into the scripts of jobs without quotes."""
    (folder / "environment").symlink_to(sys.prefix)
    return str(folder / "environment" / "bin" / Path(sys.executable).name)


@needs_snakemake
def test_a_second_workflow_in_the_same_folder_is_refused(project):
    """Its plan takes flags away whose results the first one is putting together."""
    tree = project("two workflows")
    (tree / "workflow" / "done").mkdir(exist_ok=True)
    with (tree / "workflow" / "done" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = snakemake(tree, "--profile", "workflow/profiles/local", "-n", status=2)
    assert [line for line in said.splitlines() if line.startswith("error:")] == [f"{ALREADY}; wait until it has ended"]
    assert "Traceback" not in said
    snakemake(tree, "--profile", "workflow/profiles/local", "-n")


@needs_snakemake
def test_local_cores_give_the_same_files_as_the_commands(project, expected):
    """Row 27: disjoint shards at the same time, nothing lost; then nothing is left to do."""
    tree = project("local cores")
    said = snakemake(tree, "--profile", "workflow/profiles/local", "--cores", "2")
    assert "16 of 16 steps (100%) done" in said, said
    done = tree / "workflow" / "done" / "toy"
    assert len(list((done / "scan_rows").iterdir())) == 2
    require_same(results(tree), expected)
    assert any(name.endswith("conv3_motif_scramble_stats.csv") for name in expected)
    assert not [path for path in tree.rglob(".part-*") if "__pycache__" not in path.parts]
    assert "Nothing to be done" in snakemake(tree, "--cores", "2", "-n")
    before = {path.relative_to(done).as_posix() for path in done.glob("*/*")}
    (tree / "motif_discovery" / "tomtom_match_results" / "toy" / "conv3" / "conv3_neuron3.tsv").unlink()
    config = tree / "configs" / "interaction" / "toy.yaml"
    config.write_text(config.read_text().replace("n_draws: 4", "n_draws: 5"))
    said = python(tree, "-m", "workflow.plan", "workflow/done/again.json", stdin=json.dumps(SETTINGS))
    assert "discovery/conv3_neurons_3-4: its results are of other settings or gone; it runs again" in said
    gone = before - {path.relative_to(done).as_posix() for path in done.glob("*/*")}
    assert gone == {
        "discovery/conv3_neurons_3-4", "mutagenesis/conv3_neurons_1-2", "report/all",
        "mutagenesis/conv3_neurons_3-4", "pairs/conv3_neurons_1-4",
    }  # fmt: skip


@needs_snakemake
def test_killed_jobs_of_a_cluster_are_run_again_alone(project, expected, tmp_path):
    """Jobs are separate processes that a submit command starts; one of discovery and one of the scan are killed."""
    tree, cluster = project("a cluster"), tmp_path / "its jobs"
    cluster.mkdir()
    logs = tree / "workflow" / "logs" / "toy"
    kill = {"discovery:layer=3,first=3": "discovery_conv3_neurons_3-4.log", "scan_rows:first=0": "scan_rows_0-*.log"}
    first = next(iter(blocks(tree)))
    kill["scan_rows:first=0"] = f"scan_rows_0-{first}.log"
    (cluster / "kill.json").write_text(json.dumps({word: str(logs / name) for word, name in kill.items()}))
    script = f'"{sys.executable}" "{Path(__file__).with_name("toy_cluster.py")}" "{cluster}"'
    flags = "workflow/done/toy"
    snakemake(
        tree, "--executor", "cluster-generic", "--cluster-generic-submit-cmd", f"{script} submit",
        "--cluster-generic-status-cmd", f"{script} status", "--jobs", "2", "--retries", "2",
        "--seconds-between-status-checks", "1", "--latency-wait", "20",
        f"{flags}/discovery/conv3_neurons_1-2", f"{flags}/discovery/conv3_neurons_3-4", f"{flags}/scan/conv2-3",
        executable=environment_without_spaces(tmp_path),
    )  # fmt: skip
    jobs = [(job / "target", job / "status") for job in sorted(cluster.glob("job*"))]
    ended = [(target.read_text(), int(end.read_text())) for target, end in jobs]
    killed = [target for target, end in ended if end == -9]
    assert sorted(target.partition(",last")[0] for target in killed) == sorted(kill)
    assert all(end in (0, -9) for _, end in ended)
    times = Counter(target for target, _ in ended)
    assert {target: count for target, count in times.items() if count > 1} == dict.fromkeys(killed, 2)
    there = results(tree)
    names = [name for name in expected if "/conv3_" in name and name.endswith((".meme", ".tsv", "_neuron3.h5"))]
    names = [name for name in names if name.startswith("motif_discovery/")] + [f"{SCANS}/conv{n}.h5" for n in (2, 3)]
    assert len(names) > 8
    require_same({name: there.get(name) for name in names}, {name: expected[name] for name in names})
    assert not [path for path in tree.rglob(".part-*") if "__pycache__" not in path.parts]


SCANS = "motif_contribution/maxact_from_trainSet/toy"


def blocks(tree):
    """Return where the blocks of the scan of a copy end."""
    code = (
        "from pathlib import Path\nfrom utils.interpretation_settings import read_messages\nfrom utils import scan\n"
        "length = read_messages(Path('data/toy.h5'), True)[1].length\n"
        "print(*[rows.stop for rows in scan.blocks_of_rows(length, scan.BLOCK_NUCLEOTIDES)])\n"
    )
    return [int(text) for text in python(tree, "-c", code).split()]


@needs_snakemake
def test_an_unknown_key_is_one_line_before_anything_is_computed(project):
    said = snakemake(project("errors"), "--cores", "1", "-n", "--config", "neuron=3", status=2)
    line = "error: workflow/config.yaml or --config: unknown key 'neuron'; the nearest known one is 'neurons'"
    assert said.splitlines()[-1].startswith(line)
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"layers": "2-9"}, "key 'layers': 2-9 is no range within 1-7, the layers of the model"),
        ({"layers": "3-2"}, "key 'layers': 3-2 is no range within 1-7, the layers of the model"),
        ({"interaction_layers": "1-1"}, "key 'interaction_layers': 1-1 is not within 2-3"),
        ({"neurons": "1-99"}, "neurons: 1-99 is outside 1 to 64"),
        ({"interpreting": "nowhere"}, "nowhere: no such config file"),
        ({"interpreting": ""}, "keys 'interpreting' and 'interaction' are both empty"),
        ({"interpreting": "mrl_predictor", "layers": "2-5"}, "key 'layers': 2-5 is no range within 1-4"),
    ],
)
def test_a_wrong_value_is_one_line(monkeypatch, tmp_path, one_line, given, line):
    monkeypatch.setattr(workflow.plan, "DONE", tmp_path)
    settings = WorkflowSettings(
        **{"interpreting": "hl_predictor_quick_start", "layers": "2-3", "report": False} | given
    )
    with pytest.raises(InputError) as raised:
        workflow.plan.make_plan(settings)
    assert one_line(raised).startswith(line)


def test_a_workbook_that_is_gone_is_made_again(monkeypatch, tmp_path):
    monkeypatch.setattr(workflow.plan, "DONE", tmp_path / "done")
    monkeypatch.setattr(places, "HERE", tmp_path)
    settings = WorkflowSettings(interpreting="hl_predictor_quick_start", layers="2-2", report=False)
    flag, key = "statistics/all", workflow.plan.make_plan(settings)["shards"]["statistics"]["statistics/all"]
    path = tmp_path / "done" / "hl_predictor" / flag
    path.parent.mkdir(parents=True)
    path.write_text(key)
    workflow.plan.make_plan(settings)
    assert not path.exists()
    workbook = workbook_path("hl_predictor")
    workbook.parent.mkdir(parents=True)
    workbook.touch()
    path.write_text(key)
    workflow.plan.make_plan(settings)
    assert path.exists()


# -- shards --


def test_blocks_of_neurons_hold_every_neuron_once():
    """Row 27."""
    assert blocks_of_neurons(list(range(1, 65)), 24) == [(1, 24), (25, 48), (49, 64)]
    assert blocks_of_neurons([1, 2, 5, 6, 7], 2) == [(1, 2), (5, 6), (7, 7)]


def test_shards_of_rows_are_whole_blocks():
    rows = [slice(0, 3), slice(3, 4), slice(4, 9), slice(9, 10)]
    assert shards_of_rows(rows, 4) == [(0, 4), (4, 9), (9, 10)]
    assert shards_of_rows(rows, 1) == [(0, 3), (3, 4), (4, 9), (9, 10)]


def test_sizes_of_shards_by_layer():
    settings = WorkflowSettings(layers="1-7", neurons_per_shard=6, neurons_per_shard_of_layer={"5": 2})
    assert [shard_size(settings, layer) for layer in (4, 5)] == [6, 2]
    assert layer_range("2-3", "layers", 3) == range(2, 4)


def test_a_schedule_gives_the_longest_shard_to_the_worker_that_is_free_first():
    nothing = Costs(start=0, shard={}, neuron={}, plan=0, job=0, submit=0)
    assert makespan(nothing, [3, 2, 2, 1], workers=2) == 4
    assert makespan(nothing, [3, 2, 2, 1], workers=100) == 3
    assert makespan(Costs(0, {}, {}, plan=10, job=0, submit=1), [3, 2, 2, 1], workers=2) == 10 + 1 + 3 + 2
    costs = Costs(start=3, shard={1: 1, 2: 0}, neuron={1: 2, 2: 5}, plan=0, job=0.5, submit=0)
    assert shard_times(costs, {1: 4, 2: 2}, channels=6) == [13.5, 13.5, 13.5, 12.5, 8.5]


@pytest.mark.skipif(not shutil.which("flock"), reason="flock (util-linux) is not installed")
def test_a_shard_has_a_device_of_its_own(tmp_path):
    """Three commands and two devices: no device has two at a time, and the third one waits."""
    (tmp_path / "workflow").mkdir()
    script = shutil.copy(ROOT / "workflow" / "on_device.sh", tmp_path / "workflow")
    code = (  # a device is held until both were in use, however late a command begins
        "import os, time\nfrom pathlib import Path\ndevice = os.environ['CUDA_VISIBLE_DEVICES']\n"
        "os.mkdir(device)  # fails where another one is there\nPath(f'used {device}').touch()\nend = time.time() + 60\n"
        "while not (Path('used 4').exists() and Path('used 7').exists()) and time.time() < end: time.sleep(0.02)\n"
        "time.sleep(0.1)\nos.rmdir(device)\nprint(device)\n"
    )
    command = ["bash", script, "4,7", sys.executable, "-c", code]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    devices = [one.communicate()[0].strip() for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    assert set(devices) == {"4", "7"}
    said = subprocess.run(
        ["bash", script, "none", "printenv", "CUDA_VISIBLE_DEVICES"], capture_output=True, check=False
    )
    assert said.stdout.decode().strip() == os.environ.get("CUDA_VISIBLE_DEVICES", "")


def test_every_key_of_the_config_is_known_and_explained():
    text = (ROOT / "workflow" / "config.yaml").read_text(encoding="utf-8")
    assert list(yaml.safe_load(text)) == list(WorkflowSettings.model_fields)
    assert all("#" in line for line in text.splitlines())
    WorkflowSettings.model_validate(yaml.safe_load(text))
