"""Seconds of the statistics of a full six-layer model: 448 neurons, workbook and CSV, in one run.

    python benchmarks/summaries.py [PARTS] [RUNS]

The results are made up and written as the steps write them, for the network and the database of ``hl_predictor``, in a
folder that is removed afterwards: PARTS parts a neuron (40: 17,920 in all) with up to two segments, of which each has
up to three matches. Printed: rows of the tables, and the median of RUNS (3) runs of ``motif_discovery.summarize``, in
seconds and in seconds of the processor, beginning with the files and ending with them.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from motif_discovery import settings as places
from motif_discovery import summarize
from motif_discovery.demixing import Part
from motif_discovery.files import Sample, write_matches, write_motifs
from motif_discovery.methods import NEURONMOTIF
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from utils.config import load_settings
from utils.runtime import ROOT
from utils.tomtom import COLUMNS

CONFIG = "configs/interpreting/hl_predictor.yaml"


def write_results(opened: Discovery, parts: int) -> None:
    """Write motifs and matches of all neurons of all layers."""
    random = np.random.default_rng(1)
    targets = [motif.name for motif in opened.database]
    for layer in range(1, opened.network.model.layers + 1):
        one = Discovery(opened.settings, layer, opened.checkpoint, opened.network)
        field = one.receptive_field
        sample = Sample(np.zeros((0, field), dtype=np.uint8), np.linspace(0.1, 2, 200).astype(np.float32), 2.0)
        flat = np.full((4, field), 25.0)  # no segment of its own: the matches name them
        for neuron in one.neurons:
            paths = [f"{number // 16 % 4}-{number // 4 % 4}-{number % 4}-{number}" for number in range(parts)]
            made = [Part(path, flat, 100, 2.0, float(random.uniform(0.5, 2))) for path in paths]
            write_motifs(one.motif_path(neuron), one.name(neuron), made, sample, field, one.motif_key)
            rows = []
            for path in paths:
                for start in range(int(random.integers(3))):
                    for place, target in enumerate(random.choice(targets, random.integers(1, 4), replace=False)):
                        q = 10.0 ** -random.uniform(1, 6) if place == 0 else 10.0 ** -random.uniform(2, 6)
                        name = f"{one.name(neuron)}_{path}_{start}-{start + 5}"
                        rows.append([name, target, 0, q / 9, q * 30, q, 5, "UGUAA", "UGUAN", "+"])
            write_matches(one.match_path(neuron), pd.DataFrame(rows, columns=COLUMNS), one.match_key)


def main() -> None:
    """Make the results, summarise them, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="?", type=int, default=40, help="of each neuron (default: %(default)s)")
    parser.add_argument("runs", nargs="?", type=int, default=3, help="that are timed (default: %(default)s)")
    arguments = parser.parse_args()
    parts, runs = arguments.parts, arguments.runs
    settings = load_settings(DiscoverySettings, CONFIG, ["device=cpu"])
    clusters = str(ROOT / "data" / "literature_clusters.tsv")
    with tempfile.TemporaryDirectory() as folder:
        places.HERE = Path(folder)
        opened = open_discovery(settings, 1)
        write_results(opened, parts)
        taken = []
        for _ in range(runs):
            started = time.perf_counter(), time.process_time()
            where = summarize.run(settings, NEURONMOTIF, None, clusters)
            taken.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        rows = {path.stem: len(pd.read_csv(path)) for path in sorted(where.glob("*.csv"))}
        size = (where / "motif_statistics.xlsx").stat().st_size / 1e6
        print(f"{rows['best_motif_per_neuron']} neurons, {parts} parts each; rows: {rows}")
        wall, processor = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"summaries: {wall:.1f} s ({processor:.1f} s of the processor), workbook {size:.1f} MB")


if __name__ == "__main__":
    main()
