"""Train a mean-ribosome-load predictor.

configs/training/NAME.yaml and data/NAME.h5 -> model_weights/NAME-best.pth and results/NAME/log.csv.
"""

from pathlib import Path

from utils.predictor_commands import train_command


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    train_command(__doc__, Path(__file__).parent / "results", argv)


if __name__ == "__main__":
    main()
