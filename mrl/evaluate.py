"""Evaluate a mean-ribosome-load predictor.

A checkpoint and data/NAME.h5 -> results/NAME/: test_metrics.json, test_predictions.csv, test_scatter.png.
"""

from pathlib import Path

from utils.predictor_commands import evaluate_command


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    evaluate_command(__doc__, Path(__file__).parent / "results", argv)


if __name__ == "__main__":
    main()
