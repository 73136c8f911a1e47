"""Learn the dinucleotide model of a table's sequences; it is shown in the form that configs/simulated.yaml takes.

Run: python -m generate_dataset.learn_background ../shared/data/half_life/human_3utr_pc1.csv.gz --column utr3
"""

import argparse
import logging
from pathlib import Path

import numpy as np

from generate_dataset.messages import read_table
from generate_dataset.simulation import dinucleotide_model
from utils.runtime import InputError, run_script, shown
from utils.sequence import encode

logger = logging.getLogger(__name__)


def learn(path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each base (4,) and the probability (4, 4) of a base after another in a table's sequences.

    Sequences count by their length; an N, and the neighbours on its two sides, count as no pair.

    Raises:
        InputError: not a table, no such column, or a sequence with another letter than ACGTUN.
    """
    sequences = read_table(path, [column], [])[column]
    try:
        initial, transition = dinucleotide_model(encode("N".join(sequences))[None])
    except InputError as error:
        raise InputError(f"{shown(path)}: column '{column}': {error}") from None
    if not (transition > 0).all():
        raise InputError(f"{shown(path)}: column '{column}' does not hold all 16 pairs of bases; give more sequences")
    return initial, transition


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="table with a line of column names, plain or .gz")
    parser.add_argument("--column", required=True, help="the column of the sequences")
    arguments = parser.parse_args(argv)

    def run() -> None:
        initial, transition = learn(arguments.table, arguments.column)
        rows = ["[" + ", ".join(f"{p:.4f}" for p in row) + "]" for row in (initial, *transition)]
        logger.info("background:\n  initial: %s\n  transition:\n%s", rows[0], "\n".join(f"    - {r}" for r in rows[1:]))

    run_script(run)


if __name__ == "__main__":
    main()
