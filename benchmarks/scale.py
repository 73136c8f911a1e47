"""How well the workflow would use 1 to 1,000 workers: measured times of shards and overheads, put into a schedule.

    python benchmarks/scale.py [--config configs/interpreting/hl_predictor_yeast.yaml] [--few 1] [--many 4] [key=value]

Measured, in processor seconds of one thread (what a core of one's own takes; other work here does not count):

- start: of a shard that has nothing to do: interpreter, libraries, model, keys;
- each layer: shards of ``--few`` and of ``--many`` neurons drawn at random, which gives what a shard takes beside its
  start, and what each of its neurons adds;
- Snakemake: making the plan; what a job takes beside its command (each job of a cluster starts Snakemake once more);
  what each job takes of the scheduler, which submits one after the other (200 jobs without work).

Then all neurons of all layers, as many as the model has, are cut into shards and given to workers, longest first. The
makespan is from the start of the workflow until its last shard has ended; efficiency is the time of one process for
everything (one start) over workers x makespan. The size of shards is the one with the best efficiency.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tree_copy import HERE, LEFT_OUT
from utils.checkpoint import load_checkpoint, only_checkpoint
from utils.config import load_model_settings, load_settings

WORKERS = (1, 10, 100, 1000)
EMPTY_JOBS = 200
CHECKS = 10.0  # seconds between two looks of Snakemake at the jobs of a cluster, as in workflow/profiles
EMPTY = """rule all:
    input: expand("empty/{{n}}", n=range({jobs}))
rule empty:
    output: "empty/{{n}}"
    shell: "touch {{output}}"
"""
SUBMIT = """import json, pathlib, sys
line = next(one for one in open(sys.argv[1]) if one.startswith("# properties = "))
for name in json.loads(line.partition(" = ")[2])["output"]:
    pathlib.Path(name).parent.mkdir(exist_ok=True)
    pathlib.Path(name).touch()
print("done")
"""


@dataclass(frozen=True)
class Costs:
    """Processor seconds.

    Attributes:
        start: of a shard.
        shard: of a shard of a layer, beside its start and its neurons.
        neuron: of each neuron of a layer.
        plan: of starting the workflow.
        job: of a job of a cluster, beside its command.
        submit: of the scheduler, for each job.
    """

    start: float
    shard: dict[int, float]
    neuron: dict[int, float]
    plan: float
    job: float
    submit: float


def processor_seconds(tree: Path, *command: str) -> float:
    """Run a command in a copy of the tree and return the processor seconds of it and its children."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "3000"}
    process = subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: {said[-2000:]}")
    return used.ru_utime + used.ru_stime


def measure_shards(tree: Path, config: str, settings: list[str], layers: range, channels: int, few: int, many: int):
    """Return start, and for each layer the seconds of a shard and of a neuron."""
    draw = random.Random(1)
    shard, neuron = {}, {}
    for layer in layers:
        drawn = draw.sample(range(1, channels + 1), few + many)
        seconds = []
        for neurons in (drawn[:few], drawn[few:]):
            chosen = ",".join(map(str, neurons))
            command = [sys.executable, "-m", "motif_discovery.discover", "--config", config, "--from", str(layer)]
            command += ["--to", str(layer), "--neurons", chosen, "--no-pages", "device=cpu", *settings]
            seconds.append(processor_seconds(tree, *command))
        nothing = statistics.median(processor_seconds(tree, *command) for _ in range(3))
        neuron[layer] = max((seconds[1] - seconds[0]) / (many - few), (seconds[1] - nothing) / many / 2)
        shard[layer] = max(seconds[1] - nothing - many * neuron[layer], 0.0)
        print(
            f"conv{layer}: start {nothing:.2f} s, shards of {few} and {many} neurons {seconds[0]:.1f} and "
            f"{seconds[1]:.1f} s: {shard[layer]:.2f} s a shard, {neuron[layer]:.2f} s a neuron", flush=True,
        )  # fmt: skip
    return nothing, shard, neuron


def measure_snakemake(tree: Path, config: str) -> tuple[float, float, float]:
    """Return the seconds of a plan, of a job beside its command, and of the scheduler for each job."""
    given = {"interpreting": config, "interaction": "", "layers": "1-7", "interaction_layers": "", "report": False}
    mine = tree / "mine.yaml"
    mine.write_text(json.dumps(given))
    workflow = [sys.executable, "-m", "snakemake", "--configfile", str(mine)]
    plan = processor_seconds(tree, *workflow, "--cores", "1", "-n", "--quiet", "all")
    flag = next(iter(json.loads(next((tree / "workflow" / "done").glob("plan-*.json")).read_text())["shards"]["pages"]))
    # what a job of a cluster does beside its command: Snakemake starts, reads Snakefile and plan, and finds its target
    target = f"workflow/done/{load_name(tree, config)}/{flag}"
    alone = ["--cores", "1", target, "--mode", "remote", "--allowed-rules", "pages", "--nolock", "--force", "-n"]
    job = statistics.median(processor_seconds(tree, *workflow, *alone) for _ in range(3))
    (tree / "submit.py").write_text(SUBMIT)
    seconds = []
    for jobs in (1, EMPTY_JOBS + 1):
        (tree / "empty.smk").write_text(EMPTY.format(jobs=jobs))
        shutil.rmtree(tree / "empty", ignore_errors=True)
        command = [sys.executable, "-m", "snakemake", "--snakefile", "empty.smk", "--executor", "cluster-generic"]
        command += ["--cluster-generic-submit-cmd", f"{sys.executable} submit.py", "--jobs", str(EMPTY_JOBS)]
        command += ["--cluster-generic-status-cmd", "echo success #", "--max-jobs-per-timespan", "1000/1s"]
        seconds.append(processor_seconds(tree, *command, "--seconds-between-status-checks", "1", "--quiet", "all"))
    return plan, job, (seconds[1] - seconds[0]) / EMPTY_JOBS


def load_name(tree: Path, config: str) -> str:
    """Return the name of the model of a config."""
    from motif_discovery.settings import DiscoverySettings

    return load_model_settings(load_settings(DiscoverySettings, tree / config).model).name


def shard_times(costs: Costs, sizes: dict[int, int], channels: int) -> list[float]:
    """Return the seconds of every shard with its job, longest first."""
    found = []
    for layer, size in sizes.items():
        full, rest = divmod(channels, size)
        for neurons in [size] * full + [rest] * (rest > 0):
            found.append(costs.job + costs.start + costs.shard[layer] + neurons * costs.neuron[layer])
    return sorted(found, reverse=True)


def makespan(costs: Costs, times: list[float], workers: int) -> float:
    """Return when the last shard ends: each goes to the worker that is free first, not before it is submitted."""
    free = [costs.plan] * min(workers, len(times))
    for number, seconds in enumerate(times):
        worker = min(range(len(free)), key=free.__getitem__)
        free[worker] = max(free[worker], costs.plan + (number + 1) * costs.submit) + seconds
    return max(free)


def best_sizes(costs: Costs, workers: int, channels: int) -> tuple[dict[int, int], float]:
    """Return the sizes of shards by layer with the shortest makespan, and that makespan.

    Tried are shards of equal time, in steps of a tenth.
    """
    longest = costs.job + costs.start + max(costs.shard[one] + channels * each for one, each in costs.neuron.items())
    best, seconds = {}, 2 * costs.start + costs.job
    found = float("inf")
    while seconds < 1.1 * longest:
        sizes = {}
        for layer, each in costs.neuron.items():
            left = seconds - costs.job - costs.start - costs.shard[layer]
            sizes[layer] = min(max(round(left / each), 1), channels)
        time_taken = makespan(costs, shard_times(costs, sizes, channels), workers)
        if time_taken < found:
            best, found = sizes, time_taken
        seconds *= 1.02
    return best, found


def report(costs: Costs, channels: int) -> None:
    """Print makespan, efficiency, shard sizes and what limits them, for every number of workers."""
    work = costs.start + sum(costs.shard[one] + channels * each for one, each in costs.neuron.items())
    print(f"{channels * len(costs.neuron)} neurons in one process: {work:.0f} s")
    for workers in WORKERS:
        sizes, seconds = best_sizes(costs, workers, channels)
        times = shard_times(costs, sizes, channels)
        ideal = work / workers
        parts = {
            "plan": costs.plan, "jobs' own Snakemake": costs.job * len(times) / workers,
            "starts": costs.start * len(times) / workers, "submitting": costs.submit * min(len(times), workers),
        }  # fmt: skip
        busy = sum(times) / min(workers, len(times)) / (seconds - costs.plan)
        most = ", ".join(f"{what} {cost:.1f} s" for what, cost in sorted(parts.items(), key=lambda one: -one[1]))
        print(f"{workers:5d} workers: {seconds:7.1f} s (ideal {ideal:.1f}), efficiency {ideal / seconds:.0%}")
        print(f"{'':14s} {len(times)} shards, neurons_per_shard_of_layer: {sizes}")
        print(f"{'':14s} after the plan workers with a shard are busy {busy:.0%}; each spends on {most}")
        bare = Costs(costs.start, costs.shard, costs.neuron, 0.0, 0.0, 0.0)
        sizes, seconds = best_sizes(bare, workers, channels)
        print(f"{'':14s} without Snakemake, as a list of commands: {seconds:.1f} s, {ideal / seconds:.0%}")
    for times_as_many in (2**step for step in range(8)):
        more = channels * times_as_many
        work = costs.start + sum(costs.shard[one] + more * each for one, each in costs.neuron.items())
        efficiency = work / 100 / best_sizes(costs, 100, more)[1]
        if efficiency >= 0.9:
            print(f"90 % at 100 workers is reached with {times_as_many} times these neurons ({efficiency:.0%})")
            break


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/interpreting/hl_predictor_yeast.yaml")
    parser.add_argument("--few", type=int, default=1, help="neurons of a small shard (default: %(default)s)")
    parser.add_argument("--many", type=int, default=4, help="neurons of a larger one (default: %(default)s)")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="of the config, such as bin_limit=0")
    arguments = parser.parse_args()
    from motif_discovery.settings import DiscoverySettings

    model = load_model_settings(load_settings(DiscoverySettings, HERE / arguments.config).model)
    network, checkpoint = load_checkpoint(model).model, only_checkpoint(model)
    layers = range(1, network.num_layers + 2)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="combmotif-") as place:
        tree = Path(place) / "tree"
        shutil.copytree(HERE, tree, ignore=LEFT_OUT)
        target = tree / checkpoint.relative_to(HERE)
        target.parent.mkdir(parents=True)
        shutil.copy(checkpoint, target)
        plan, job, submit = measure_snakemake(tree, arguments.config)
        each = f"{job:.2f} s a job beside its command, {1000 * submit:.0f} ms a job of the scheduler"
        print(f"Snakemake: {plan:.1f} s for the plan, {each}", flush=True)
        few, many = arguments.few, arguments.many
        measured = measure_shards(tree, arguments.config, arguments.settings, layers, network.channels, few, many)
        report(Costs(*measured, plan, job, submit), network.channels)
    print(f"measured within {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
