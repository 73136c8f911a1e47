"""Peak memory of the stages on a data set ten times as large: 130,000 messages of up to 12,288 nt.

    python benchmarks/size.py [--messages 130000] [--power 20] [--layers 2] [--steps scan_rows,scan,contribution]

In a copy of the tree a data set of random messages and a network of six layers with random weights are written. Each
step runs as its own process; printed are its most resident memory (the system's count) and its seconds. Lengths are
200 + 12,088 u^power nt, u uniform: with the power 20 most messages are short, so that the run ends within an hour;
memory, which goes with the number of messages, the longest of them and a batch of the longest, is that of any lengths
(2 gives the mean of human messages, a third of the longest). scan_rows scans the first half of the messages, scan the
rest. Mutagenesis measures the pairs of two neurons of conv2, discovery eight neurons of conv7.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

from benchmarks.tree_copy import HERE, LEFT_OUT
from utils.checkpoint import save_checkpoint
from utils.data import unpack_tracks
from utils.model import Predictor

LENGTH, BLOCK = 12_288, 2048
NAME = "large"
SPLITS = {"train": 0.8, "valid": 0.1, "test": 0.1}
PAIR = {"combination1": {"motifA": ["UGU"], "motifB": ["GGA"]}}


def write_messages(path: Path, messages: int, tracks: int, power: float) -> int:
    """Write a data set block by block; returns its nucleotides."""
    random, total = np.random.default_rng(1), 0
    with h5py.File(path, "w") as file:
        for name, share in SPLITS.items():
            rows = round(messages * share)
            length = (200 + (LENGTH - 200) * random.random(rows) ** power).astype(np.int32)
            stored = file.create_dataset(
                f"{name}_sequence", (rows, tracks, LENGTH), "u1", chunks=(14, tracks, LENGTH), compression="gzip",
                compression_opts=1,
            )  # fmt: skip
            for start in range(0, rows, BLOCK):
                here = length[start : start + BLOCK]
                codes = (1 << random.integers(0, 4, (len(here), LENGTH), dtype=np.uint8)).astype(np.uint8)
                codes[np.arange(LENGTH) >= here[:, None]] = 0
                stored[start : start + BLOCK] = unpack_tracks(codes, tracks)
            file[f"{name}_label"] = random.normal(size=rows).astype(np.float32)
            file[f"{name}_length"] = length
            file.create_dataset(f"{name}_id", data=[f"{name}{row}" for row in range(rows)], dtype=h5py.string_dtype())
            total += int(length.sum())
    return total


def write_yaml(path: Path, content: dict) -> None:
    """Write a config."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def run(tree: Path, what: str, module: str, *arguments: str) -> None:
    """Run a stage in the copy and print its memory and time."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "3000"}
    started = time.monotonic()
    with (tree / "log").open("w+") as log:
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=tree, env=environment, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        log.seek(0)
        said = log.read()
    if status:
        raise SystemExit(f"{what}: {said[-2000:]}")
    seconds = time.monotonic() - started
    print(f"{what}: {used.ru_maxrss / 2**20:.2f} GiB, {seconds:.0f} s", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=130_000, help="150 or more (default: %(default)s)")
    parser.add_argument("--power", type=float, default=20, help="of the lengths (default: %(default)s)")
    parser.add_argument("--layers", type=int, default=2, help="highest that is scanned (default: %(default)s)")
    parser.add_argument("--steps", default="scan_rows,scan,contribution,fragments,mutagenesis,discovery")
    arguments = parser.parse_args()
    steps = arguments.steps.split(",")
    with tempfile.TemporaryDirectory(prefix="combmotif-") as place:
        tree = Path(place) / "tree"
        shutil.copytree(HERE, tree, ignore=LEFT_OUT)
        for folder in ("data", "model_weights"):
            (tree / folder).mkdir()
        nucleotides = write_messages(tree / "data" / f"{NAME}.h5", arguments.messages, 6, arguments.power)
        size = (tree / "data" / f"{NAME}.h5").stat().st_size
        print(f"{arguments.messages:,} messages, {nucleotides:,} nt, file of {size / 2**30:.2f} GiB", flush=True)
        torch.manual_seed(0)
        save_checkpoint(tree / "model_weights" / f"{NAME}-best.pth", Predictor(6, 6, readout="first").eval(), {})
        write_yaml(
            tree / "configs" / "models" / f"{NAME}.yaml",
            {"name": NAME, "checkpoint": f"model_weights/{NAME}-best.pth", "dataset": f"data/{NAME}.h5"},
        )
        write_yaml(tree / "configs" / "interaction" / f"{NAME}.yaml", {"model": NAME, "device": "cpu"})
        write_yaml(tree / "configs" / "interpreting" / f"{NAME}.yaml", {"model": NAME, "device": "cpu"})
        for neuron in (1, 2):
            labels = tree / "motif_interaction" / "motif_combination_labels" / NAME
            write_yaml(labels / f"conv2_neuron{neuron}.yaml", PAIR)
        config = ["--config", f"configs/interaction/{NAME}.yaml"]
        layers, layer = ["--from", "2", "--to", str(arguments.layers)], ["--layer", "2"]
        half = arguments.messages // 2
        commands = {
            "scan_rows": ("motif_contribution.scan", *config, *layers, "--rows", f"0-{half}"),
            "scan": ("motif_contribution.scan", *config, *layers),
            "contribution": ("motif_contribution.contribution", *config, *layers),
            "fragments": ("motif_interaction.fragments", *config, *layer),
            "mutagenesis": ("motif_interaction.interaction", *config, *layer, "--first", "0", "--last", "2"),
            "discovery": ("motif_discovery.discover", "--config", f"configs/interpreting/{NAME}.yaml", "--from", "7",
                          "--to", "7", "--neurons", "1-8"),
        }  # fmt: skip
        for step in steps:
            run(tree, step, *commands[step])


if __name__ == "__main__":
    main()
