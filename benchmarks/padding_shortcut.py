"""The shortcut over padding against the full length, in one run: python benchmarks/padding_shortcut.py.

Messages of random length (mean a third of 12,288 nt, as human ones) in batches of like length; prints the ratio of
times, median of five paired runs, and the largest difference of the predictions.
"""

import argparse
import statistics
import time

import torch

from utils.model import Predictor
from utils.sequence import one_hot

FULL, BATCH, RUNS = 12_288, 16, 5


def main() -> None:
    """Command line."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.manual_seed(0)
    lengths = (torch.rand(64) ** 2 * FULL).long().clamp(min=200).sort().values
    X = torch.zeros(len(lengths), 6, FULL)
    for row, length in enumerate(lengths.tolist()):
        X[row, :4, :length] = one_hot(torch.randint(4, (length,)))
    for readout in ("last", "first"):
        model = Predictor(6, 6, readout=readout).eval()

        def seconds(full: bool, model: Predictor = model) -> tuple[float, torch.Tensor]:
            started = time.perf_counter()
            with torch.no_grad():
                parts = [model(part, FULL if full else None) for part in X.split(BATCH)]
            return time.perf_counter() - started, torch.cat(parts)

        seconds(False)
        ratios, difference = [], 0.0
        for _ in range(RUNS):
            (plain, expected), (short, found) = seconds(True), seconds(False)
            ratios.append(plain / short)
            difference = max(difference, float((expected - found).abs().max()))
        mean, spread = lengths.float().mean(), f"{min(ratios):.1f} to {max(ratios):.1f}"
        print(
            f"readout {readout}: {statistics.median(ratios):.1f} times as fast "
            f"({spread}), largest difference {difference:.1e}; mean length {mean:.0f} of {FULL} nt"
        )


if __name__ == "__main__":
    main()
