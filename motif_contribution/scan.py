"""Scan the data set for each neuron's maximal activation -> maxact_from_trainSet/MODEL/convN.h5."""

from utils.scan import scan_command


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    scan_command(__doc__, argv)


if __name__ == "__main__":
    main()
