"""Scan the data set for each neuron's maximal activation -> ../motif_contribution/maxact_from_trainSet/MODEL/convN.h5.

The same scan as that of motif_contribution: one that is finished there is not computed again.
"""

from utils.scan import scan_command


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    scan_command(__doc__, argv)


if __name__ == "__main__":
    main()
