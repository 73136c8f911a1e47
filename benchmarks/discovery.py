"""Time and memory of motif discovery, whole commands: python benchmarks/discovery.py [quick conv5 conv7].

quick: conv2 of hl_predictor, neurons 1 to 4; conv5 and conv7: one neuron of hl_predictor_yeast, all four steps. Prints
wall seconds, peak memory of the largest process, filled bins and the maximum reached. Existing results of these neurons
are computed again.
"""

import argparse
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np

from motif_discovery.bins import BINS, bin_of, bin_quota
from motif_discovery.settings import DiscoverySettings
from utils.config import load_settings

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs" / "interpreting"
RUNS = {
    "quick": (2, "1-4", CONFIGS / "hl_predictor_quick_start.yaml"),
    "conv5": (5, "12", CONFIGS / "hl_predictor_yeast.yaml"),
    "conv7": (7, "36", CONFIGS / "hl_predictor_yeast.yaml"),
}


def filled_bins(model: str, layer: int, neuron: int, limit: int) -> tuple[float, int, int]:
    """Return the maximum, the number of full bins and the number of sequences of a stored sample."""
    path = ROOT / "motif_discovery" / "maxactivation_samples" / model / f"conv{layer}_neuron{neuron}.h5"
    with h5py.File(path) as file:
        activation, field = file["activation"][:], file["sequence"].shape[1]
    if not len(activation):
        return 0.0, 0, 0
    counts = np.bincount(bin_of(activation, activation.max()), minlength=BINS)
    return float(activation.max()), int((counts >= bin_quota(field, limit)).sum()), len(activation)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(RUNS)} (default: all)")
    names = parser.parse_args().names or list(RUNS)
    if unknown := [name for name in names if name not in RUNS]:
        parser.error(f"{unknown[0]} is not one of {', '.join(RUNS)}")
    for name in names:
        layer, neurons, config = RUNS[name]
        limit = load_settings(DiscoverySettings, config).bin_limit
        command = [sys.executable, "-m", "motif_discovery.discover", "--from", str(layer), "--to", str(layer)]
        command += ["--config", str(config), "--neurons", neurons, "--overwrite"]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        model = re.search(r"^model: (\S+)", config.read_text(), re.MULTILINE)[1]
        print(f"{name}: {seconds:.1f} s, largest process so far {peak:.0f} MiB")
        first, _, last = neurons.partition("-")
        for neuron in range(int(first), int(last or first) + 1):
            maximum, full, size = filled_bins(model, layer, neuron, limit)
            print(f"  conv{layer} neuron {neuron}: maximum {maximum:.3f}, {full} of {BINS} bins full, {size} sequences")


if __name__ == "__main__":
    main()
