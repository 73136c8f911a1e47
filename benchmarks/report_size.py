"""Size and seconds of the report of a full six-layer model, in one run.

    python benchmarks/report_size.py [PARTS]

The model has 448 neurons with PARTS parts each (67: 30,000 in all), which are made up and written as the stages
write them, in a folder that is removed afterwards. Printed: seconds (and processor seconds) of the first build and of
a second one that finds nothing new; the size of the site, of its first page, of the grid of all neurons, and zipped.
"""

import sys
import tempfile
import time
from pathlib import Path

from report.build import pack, run
from tests.report_case import Case

LAYERS, CHANNELS = 7, 64


def seconds(case: Case) -> str:
    """Build the report of a case and return the seconds it took."""
    wall, processor = time.perf_counter(), time.process_time()
    run(str(case.config), str(case.root / "site"), root=case.root)
    return f"{time.perf_counter() - wall:.0f} s ({time.process_time() - processor:.0f} s of the processor)"


def main() -> None:
    """Build it twice and print what was measured."""
    parts = int(sys.argv[1]) if len(sys.argv) > 1 else 67
    with tempfile.TemporaryDirectory() as folder:
        case = Case(Path(folder), num_layers=LAYERS - 1, channels=CHANNELS, messages=1000)
        for layer in range(1, LAYERS + 1):
            for neuron in range(1, CHANNELS + 1):
                case.motifs(layer, neuron, parts)
            case.scan(layer)
        case.contribution(list(range(1, LAYERS + 1)))
        print(f"{LAYERS * CHANNELS} neurons, {LAYERS * CHANNELS * parts:,} parts")
        print(f"first build {seconds(case)}; again {seconds(case)}")
        site = case.root / "site"
        sizes = {name: (site / f"{name}.html").stat().st_size / 1e6 for name in ("index", "neurons")}
        everything = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
        print(f"site {everything:.0f} MB, first page {sizes['index']:.2f} MB, grid {sizes['neurons']:.1f} MB")
        print(f"zipped {pack(site).stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
