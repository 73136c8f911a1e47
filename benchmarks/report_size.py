"""Size and seconds of the report of a full six-layer model, in one run.

    python benchmarks/report_size.py [PARTS]

The model has 448 neurons with PARTS parts each (67: 30,000 in all), which are made up and written as the stages
write them, in a folder that is removed afterwards. Printed: seconds (and processor seconds) of the first build and of
a second one that finds nothing new; the size of the site, of its first page, of the grid of all neurons, and zipped;
and, where there is a Chromium, how long it takes to load the first page, the grid and the largest page of a neuron.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlparse

from report.build import pack, run
from tests.browser import chromium
from tests.report_case import Case

LAYERS, CHANNELS = 7, 64


def seconds(case: Case) -> str:
    """Build the report of a case and return the seconds it took."""
    wall, processor = time.perf_counter(), time.process_time()
    run(str(case.config), str(case.root / "site"), root=case.root)
    return f"{time.perf_counter() - wall:.0f} s ({time.process_time() - processor:.0f} s of the processor)"


def loading(pages: dict[str, Path]) -> str:
    """Return the seconds from asking for each page until it and its scripts are loaded, in a new Chromium each."""
    if shutil.which("chromium") is None:
        return "not opened: no chromium on PATH"
    said = []
    for name, page in pages.items():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, chromium(Path(folder)) as browser:
            browser.open(page)
            took = browser.run("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
            loaded = [Path(unquote(urlparse(one).path)) for one in browser.requests if one.startswith("file:")]
            said.append(f"{name} {took:.2f} s ({sum(path.stat().st_size for path in loaded) / 1e6:.2f} MB)")
    return f"loaded in Chromium: {', '.join(said)}"


def main() -> None:
    """Build it twice and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="?", type=int, default=67, help="of each neuron (default: %(default)s)")
    parts = parser.parse_args().parts
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
        neuron = max((site / "neurons").glob("*.html"), key=lambda path: path.stat().st_size)
        print(loading({"first page": site / "index.html", "grid": site / "neurons.html", "a neuron": neuron}))


if __name__ == "__main__":
    main()
