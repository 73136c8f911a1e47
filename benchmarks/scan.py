"""The exact scan against windows one by one and against a matrix product, in one run.

    python benchmarks/scan.py [windows rate data]

windows: conv5 on messages of 12,288 nt, against the network on each window, one by one and in batches; of the windows a
random part is evaluated and its time taken for all of them. rate: arithmetic of the scan's convolutions a second,
everything else it does included in the time, against a plain float32 matrix product; conv2 is looked up instead of
computed, so both what is computed and what the network asks for is given. data: wall seconds of conv5, all neurons, on
the yeast and human messages (data/yeast_cds_3utr.h5, data/human_3utr_pc1.h5), of reading and of scanning them.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from utils.activation import WindowNetwork
from utils.data import SPLITS, read_split
from utils.dense_scan import bases_of_codes, scan_messages
from utils.interpretation_settings import joined
from utils.model import Predictor
from utils.runtime import ROOT
from utils.sequence import N, one_hot

LAYER, LENGTH, MESSAGES, RUNS = 5, 12_288, 8, 5
BATCHES = {1: 256, 64: 4096, 512: 8192}  # windows in a batch, and how many are evaluated
DATA = ("yeast_cds_3utr", "human_3utr_pc1")


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def windows(network: WindowNetwork, bases: np.ndarray) -> None:
    """Print how much faster the scan is than the network on each window, in batches of several sizes."""
    model, field = network.model, network.model.receptive_field(LAYER)
    count = len(bases) * (LENGTH - field + 1)
    rng = np.random.default_rng(1)
    size = max(BATCHES.values())
    rows, starts = rng.integers(0, len(bases), size), rng.integers(0, LENGTH - field + 1, size)
    chosen = torch.from_numpy(bases[rows[:, None], starts[:, None] + np.arange(field)])
    for batch, part in BATCHES.items():

        def evaluated(batch: int = batch, part: int = part) -> None:
            with torch.no_grad():
                for some in chosen[:part].split(batch):
                    model.trunk(one_hot(some), LAYER)

        evaluated()
        ratios = []
        for _ in range(RUNS):
            one_by_one = seconds(evaluated) / part * count
            ratios.append(one_by_one / seconds(lambda: scan_messages(network, bases, [LAYER])))
        spread = f"{min(ratios):.0f} to {max(ratios):.0f}"
        print(
            f"windows: the scan of conv{LAYER} is {statistics.median(ratios):.0f} times as fast ({spread}) as the "
            f"network on each of {count:,} windows in batches of {batch} ({part:,} evaluated)"
        )


def rate(network: WindowNetwork, bases: np.ndarray) -> None:
    """Print the arithmetic throughput of the scan against that of a matrix product."""
    model = network.model
    one_layer = 2 * model.channels**2 * model.kernel_size * int((bases < N).sum())
    first, second = torch.randn(2048, 2048), torch.randn(2048, 2048)
    first @ second
    ratios, products, scans = [], [], []
    for _ in range(RUNS):
        products.append(5 * 2 * 2048**3 / seconds(lambda: [first @ second for _ in range(5)]) / 1e9)
        scans.append((LAYER - 2) * one_layer / seconds(lambda: scan_messages(network, bases, [LAYER])) / 1e9)
        ratios.append(scans[-1] / products[-1])
    ratio = statistics.median(ratios)
    print(
        f"rate: matrix product {statistics.median(products):.0f} GFLOP/s; scan of conv{LAYER}: computed convolutions "
        f"{statistics.median(scans):.0f} GFLOP/s, {ratio:.2f} of it ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"with conv2, which is looked up, {ratio * (LAYER - 1) / (LAYER - 2):.2f}; {torch.get_num_threads()} threads"
    )


def data(network: WindowNetwork) -> None:
    """Print the wall time of whole data sets."""
    for name in DATA:
        path = ROOT / "data" / f"{name}.h5"
        if not path.is_file():
            print(f"data: {path.name} is not there; make it with python -m generate_dataset.build")
            continue
        started = time.perf_counter()
        messages = joined({split: read_split(path, split) for split in SPLITS})
        reading = time.perf_counter() - started
        bases = bases_of_codes(messages.codes)
        scanning = seconds(lambda bases=bases: scan_messages(network, bases, [LAYER]))
        print(
            f"data: {name}, {len(messages):,} messages, {int((bases < N).sum()):,} known nt: all "
            f"{network.model.channels} neurons of conv{LAYER} in {scanning:.1f} s, after {reading:.1f} s of reading"
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="windows, rate, data (default: all)")
    parts = parser.parse_args().parts or ("windows", "rate", "data")
    if unknown := set(parts) - {"windows", "rate", "data"}:
        parser.error(f"'{unknown.pop()}' is not one of windows, rate, data")
    torch.manual_seed(0)
    network = WindowNetwork(Predictor(6, 6).eval())
    bases = np.random.default_rng(0).integers(0, 4, (MESSAGES, LENGTH)).astype(np.uint8)
    scan_messages(network, bases, [LAYER])
    for name in parts:
        if name == "windows":
            windows(network, bases)
        elif name == "rate":
            rate(network, bases)
        else:
            data(network)


if __name__ == "__main__":
    main()
