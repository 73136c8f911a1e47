"""Pictures of each kind of page of a report, at desktop and at phone width -> report/screenshots/*.png.

The report must have been built. Chromium (Debian's ``chromium``) takes the pictures.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from utils.runtime import InputError, atomic_path, run_script, shown

HERE = Path(__file__).resolve().parent
SIZES = {"desktop": (1300, 1500), "phone": (390, 1500)}
STATE = {"neurons": "#sort=effect+descending+size"}  # of a list
COLOURS = 255  # of a picture, so that it stays small
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --virtual-time-budget=4000"
)


def pages(site: Path) -> dict[str, Path]:
    """Return a page of each kind: of the neurons and the pairs the one that shows most.

    Raises:
        InputError: no report lies there.
    """
    if not (site / "index.html").is_file():
        raise InputError(f"{shown(site)}: no report; run bash report/build.sh CONFIG first")
    found = {name: site / f"{name}.html" for name in ("index", "neurons", "motifs", "interactions", "files", "help")}
    for kind in ("neurons", "pairs"):
        several = sorted((site / kind).glob("*.html"), key=lambda path: (path.stat().st_size, path.name))
        if several:
            found[kind[:-1]] = several[-1]
    return found


def picture(program: str, page: Path, state: str, target: Path, width: int, height: int) -> None:
    """Write the picture of a page; ``state`` is what its address ends with.

    Raises:
        InputError: Chromium does not run.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        raw = Path(folder) / "raw.png"
        command = [program, *OPTIONS.split(), f"--user-data-dir={folder}/profile", f"--window-size={width},{height}"]
        command += [f"--screenshot={raw}", page.as_uri() + state]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if not raw.is_file():
            raise InputError(f"{program}: took no picture of {shown(page)} ({done.stderr.strip()[-100:]})")
        with Image.open(raw) as image, atomic_path(target) as temporary:
            image.convert("RGB").quantize(COLOURS).save(temporary, format="PNG", optimize=True)


def run(site: Path, output: Path = HERE / "screenshots") -> None:
    """Write the pictures of a report.

    Raises:
        InputError: no report, or no Chromium.
    """
    program = shutil.which("chromium")
    if program is None:
        raise InputError("chromium: not on PATH; install it (Debian: apt-get install chromium)")
    for name, page in pages(site).items():
        for size, (width, height) in SIZES.items():
            picture(program, page.resolve(), STATE.get(name, ""), output / f"{name}_{size}.png", width, height)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", metavar="FOLDER", help="a report, such as report/hl_predictor_yeast")
    arguments = parser.parse_args(argv)
    run_script(lambda: run(Path(arguments.site)))


if __name__ == "__main__":
    main()
