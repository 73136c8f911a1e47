"""Build the report of a model from whatever results exist -> report/MODEL/index.html.

Reads the files of every stage: weights, data set, evaluation, motifs and matches, scans, contributions, fragments and
interactions. The config may be any of the model's: configs/models, configs/interpreting or configs/interaction; the
settings of the other stages are those of their configs of the model's name. What was read is kept in report/.cache, and
pages are written only where something changed, so that building again after a stage has run takes seconds.
"""

import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

from report.downloads import write_fragments, write_motifs, write_tables
from report.firing import Messages
from report.gather import Findings, gather
from report.motifs import searched_names
from report.pages import (
    files_page,
    interactions_page,
    model_page,
    motifs_page,
    neuron_pages,
    neurons_page,
    pair_pages,
)
from report.settings import DiscoverySettings, Work, open_work
from report.site import Site, listed, require_folder
from report.table_help import TABLES
from utils.config import settings_parser
from utils.interpretation_settings import InteractionSettings
from utils.runtime import ROOT, InputError, atomic_path, home_path, one_at_a_time, run_script, shown

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent


def write_downloads(
    work: Work, messages: Messages, found: Findings, folder: Path, cache: Path
) -> list[tuple[str, str, list]]:
    """Write the files to take along. Returns groups of them: title, a sentence, and name and description of each."""
    tables = write_tables(
        folder,
        found.cards,
        found.facts,
        found.motifs,
        found.pairs,
        list(found.contributions.values()),
        found.thresholds,
    )
    motifs = write_motifs(folder, found.cards, work.alphabet)
    fragments = [write_fragments(work, messages, folder, cache, layer) for layer in work.layers]
    return [
        ("Tables", "CSV; what is missing is an empty cell. The page Help says what each column means.", tables),
        ("Motifs", "MEME format; the segments of all parts of a neuron are saved from its page.", motifs),
        ("Fragments", "BED: message, start and end counted from 0, neuron.", [one for one in fragments if one]),
    ]


def build(work: Work, folder: Path, cache: Path, overwrite: bool = False) -> Site:
    """Build the report of a model.

    Args:
        work: the model.
        folder: of the site.
        cache: folder of what was read before.
        overwrite: read and write everything again.

    Raises:
        InputError: a file cannot be read.
    """
    if overwrite:
        for path in cache.glob("conv*.json"):
            path.unlink()
    messages, site = Messages(work), Site(folder, work.name, overwrite, work.alphabet)
    found = gather(work, messages, cache)
    site.begin()
    site.assets(searched_names(work.database.values()))
    groups = write_downloads(work, messages, found, folder, cache)
    site.files |= {folder / name for _, _, files in groups for name, _ in files}
    neurons_page(site, work, found)
    motifs_page(site, work, found)
    interactions_page(site, work, found)
    neuron_pages(site, work, found)
    pair_pages(site, work, found)
    files_page(site, work, found, groups)
    site.page("help.html", "help.html", "", "help", tables=TABLES)
    model_page(site, work, found)
    site.finish()
    return site


def packed_path(folder: Path) -> Path:
    """Return where a site is packed: into one file beside it.

    Raises:
        InputError: there is a file of this name that holds no report of this folder's name.
    """
    target = folder.with_name(f"{folder.name}.zip")
    if target.exists():
        try:
            with zipfile.ZipFile(target) as file:
                file.getinfo(f"{folder.name}/assets/report.js")
        except (OSError, KeyError, zipfile.BadZipFile):
            raise InputError(
                f"{shown(target)}: no packed report; move it, or give another folder as --output"
            ) from None
    return target


def pack(folder: Path) -> Path:
    """Pack the files of a site into one beside it, to be given away. Returns its path."""
    target = packed_path(folder)
    with (
        atomic_path(target) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
    ):
        for path in listed(folder):
            file.write(path, Path(folder.name) / path.relative_to(folder))
    return target


def run(
    config: str, output: str | None = None, overwrite: bool = False, packed: bool = False, root: Path = ROOT,
    overrides: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Build the report of the model of a config, with ``key=value`` overrides. Returns its first page.

    Raises:
        InputError: the config, the checkpoint or a result cannot be read, or what lies in the folder is no report.
    """
    work = open_work(config, root, overrides)
    folder = home_path(output).resolve() if output else HERE / work.name
    require_folder(folder)
    if packed:
        packed_path(folder)
    cache = HERE / ".cache" / work.name if not output else folder.with_name(f".{folder.name}-cache")
    with one_at_a_time(folder.with_name(f".lock-{folder.name}"), f"report of {work.name}"):
        site = build(work, folder, cache, overwrite)
    size = sum(path.stat().st_size for path in listed(folder))
    logger.info("%d pages written, %d in all, %.1f MB", site.written, len(site.pages), size / 1e6)
    if packed:
        target = pack(folder)
        logger.info("wrote %s, %.1f MB", shown(target), target.stat().st_size / 1e6)
    logger.info("open %s", shown(folder / "index.html"))
    return folder / "index.html"


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = settings_parser(__doc__, DiscoverySettings, InteractionSettings)
    parser.add_argument("--output", metavar="FOLDER", help="where the site goes instead of report/MODEL")
    parser.add_argument("--overwrite", action="store_true", help="read and write everything again")
    parser.add_argument("--zip", action="store_true", help="pack the site into report/MODEL.zip too")
    arguments = parser.parse_args(argv)
    chosen = arguments.output, arguments.overwrite, arguments.zip
    run_script(lambda: run(arguments.config, *chosen, overrides=arguments.overrides))


if __name__ == "__main__":
    main()
