"""Simulates a data set whose motif is known: data/own_network.fa and data/own_network.csv.

3,000 sequences of 80 to 120 nt; half of them hold UGUANAUA, the site of Pumilio proteins, somewhere. The label is 1
with it and 0 without, and noise. The same seed gives the same files.
"""

from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "data"
MOTIF = "UGUANAUA"


def main(seed: int = 1, sequences: int = 3000) -> None:
    """Write both files."""
    random = np.random.default_rng(seed)
    fasta, table = [], ["id,value"]
    for row in range(sequences):
        letters = random.choice(list("ACGU"), random.integers(80, 121))
        has_site = int(random.integers(2))
        if has_site:
            start = random.integers(len(letters) - len(MOTIF) + 1)
            letters[start : start + len(MOTIF)] = [random.choice(list("ACGU")) if one == "N" else one for one in MOTIF]
        fasta += [f">sequence{row}", "".join(letters)]
        table.append(f"sequence{row},{has_site + random.normal(0, 0.1):.4f}")
    DATA.mkdir(exist_ok=True)
    (DATA / "own_network.fa").write_text("\n".join(fasta) + "\n")
    (DATA / "own_network.csv").write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
