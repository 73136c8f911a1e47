"""Table of motifs and motif combinations, name and logo: panel C of an overview of what a model knows.

Run: python -m figures.logo_table --config configs/figures.yaml

Reads the matches and motifs of motif_discovery, for ``combinations: pairs`` the tables of motif_interaction as well,
and writes, below the key ``output``, ``logo_table_MODEL_METHOD.png``, ``.svg`` and ``.csv`` (a row per motif shown).
Letters are as high as the column's information; two motifs stand at their distance, a longer one is cut short.
"""

import difflib
import logging

import logomaker
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.combinations import Row, best_motifs, part_combinations, tested_pairs
from figures.drawing import BLUE, GREEN, GREY, METHOD_LABELS, ORANGE, VERMILION, fit, save, short, style
from figures.results import Found, read_found, read_pairs
from figures.settings import FigureSettings, file_name
from motif_discovery.files import read_motifs
from motif_discovery.settings import Discovery
from motif_discovery.summarize import read_clusters
from motif_discovery.workbook import write_csv
from utils.config import load_settings, settings_parser
from utils.motif import information, iupac_consensus, to_ppm
from utils.runtime import InputError, root_path, run_script

logger = logging.getLogger(__name__)
BASES = {"A": GREEN, "C": BLUE, "G": ORANGE, "U": VERMILION}
LONGEST_GAP = 14  # columns drawn between two motifs
NT, LINE, NAMES = 0.15, 0.62, 3.7  # inches of a column of a logo, of a row, of the names


def chosen_clusters(settings: FigureSettings, clusters: pd.DataFrame) -> list[int]:
    """Return the clusters that the config names, by name or number.

    Raises:
        InputError: one is not there.
    """
    by_name = dict(zip(clusters["cluster_name"].tolist(), clusters["cluster"].tolist(), strict=True))
    by_number = {str(number): number for number in by_name.values()}
    found = []
    for text in settings.logo_table.clusters:
        number = by_name.get(text, by_number.get(text))
        if number is None:
            near = difflib.get_close_matches(text, list(by_name), n=1, cutoff=0.0)
            raise InputError(
                f"key 'logo_table.clusters': '{text}' is no cluster of {settings.clusters}; the nearest is '{near[0]}'"
            )
        found.append(number)
    return list(dict.fromkeys(found))


def part_reader(found: Found):
    """Return what gives the probabilities (4, RF) of a part; each file is read once."""
    one, parts = found.discovery, {}

    def ppm_of(layer: int, neuron: int, path: str) -> np.ndarray:
        if (layer, neuron) not in parts:
            of_layer = Discovery(one.settings, layer, one.checkpoint, one.network, one.method)
            read, *_ = read_motifs(of_layer.motif_path(neuron))
            parts[layer, neuron] = {part.path: to_ppm(part.pfm) for part in read}
        return parts[layer, neuron][path]

    return ppm_of


def logo_matrix(row: Row) -> tuple[np.ndarray, float]:
    """Return the heights in bits (4, columns) of the letters of a row, and where the middle of its gap is."""
    first = row.logos[0].ppm
    heights, middle = first * information(first), np.nan
    for logo in row.logos[1:]:
        gap = int(np.clip(row.gap, 0, LONGEST_GAP))
        middle = heights.shape[1] + gap / 2 - 0.5
        heights = np.concatenate([heights, np.zeros((4, gap)), logo.ppm * information(logo.ppm)], axis=1)
    return heights, middle


def draw_logo(axes: Axes, row: Row, columns: int) -> None:
    """Draw the logos of a row on axes that are ``columns`` wide."""
    heights, middle = logo_matrix(row)
    data = pd.DataFrame(heights.T, columns=list(BASES))
    logomaker.Logo(data, ax=axes, color_scheme=BASES, baseline_width=0)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(0, 2))
    axes.axis("off")
    start = 0
    for logo in row.logos:
        axes.plot([start - 0.35, start + logo.ppm.shape[1] - 0.65], [0, 0], color="black", linewidth=0.8, clip_on=False)
        start = heights.shape[1] - row.logos[-1].ppm.shape[1]
    if row.gap > LONGEST_GAP:  # drawn shorter than it is: said
        half = LONGEST_GAP / 2 - 0.2
        axes.plot([middle - half, middle + half], [0, 0], color=GREY, linewidth=1, linestyle=":", clip_on=False)
        axes.text(middle, 0.25, f"{row.gap} nt", ha="center", va="bottom", fontsize=8)


def table_figure(sections: dict[str, list[Row]], title: str, letter: str = "C") -> Figure:
    """Return the table: for each section its name, then a line per row with name, origin and logo."""
    rows = [row for section in sections.values() for row in section]
    columns = max([logo_matrix(row)[0].shape[1] for row in rows], default=1)
    columns = max(columns, 16)
    lines = len(rows) * LINE + len(sections) * 0.36
    width, height = NAMES + columns * NT + 0.35, lines + 0.85
    figure = plt.figure(figsize=(width, height))

    def write(x: float, y: float, text: str, room: float = NAMES, **kind: object) -> None:
        fit(figure.text(x / width, 1 - y / height, " ".join(text.split()), va="center", **kind), room - x - 0.1)

    def rule(y: float, colour: str, line_width: float) -> None:
        place = [1 - y / height] * 2
        figure.add_artist(plt.Line2D([0.1 / width, 1 - 0.1 / width], place, color=colour, linewidth=line_width))

    write(0.1, 0.2, letter, fontsize=14, fontweight="bold")
    write(0.45, 0.2, title, width, fontsize=10)
    write(0.15, 0.58, "name", fontsize=9, fontweight="bold")
    write(NAMES, 0.58, "logo (0 to 2 bits)", width, fontsize=9, fontweight="bold")
    rule(0.72, "black", 1.0)
    y = 0.72
    for name, section in sections.items():
        write(
            0.15,
            y + 0.2,
            name if section else f"{name} (none found)",
            width,
            fontsize=9,
            style="italic",
            color="#444444",
        )
        y += 0.36
        for row in section:
            texts = [("+ " if place else "") + logo.name for place, logo in enumerate(row.logos)]
            step = LINE / (len(texts) + 1.6)
            for number, text in enumerate(texts):
                write(0.15, y + (number + 0.9) * step, text, fontsize=9)
            write(0.15, y + (len(texts) + 0.85) * step, row.note, fontsize=8, color="#444444")
            axes = figure.add_axes((NAMES / width, 1 - (y + LINE - 0.08) / height, columns * NT / width, 0.48 / height))
            draw_logo(axes, row, columns)
            y += LINE
            rule(y, "#CCCCCC", 0.6)
    return figure


def row_table(sections: dict[str, list[Row]]) -> pd.DataFrame:
    """Return a row per motif shown: section, row, name, source, consensus, q-value, distance to the next one."""
    return pd.DataFrame(
        [
            {
                "section": section, "row": number, "name": logo.name, "source": logo.source, "q": logo.q,
                "consensus": iupac_consensus(logo.ppm), "gap": row.gap if len(row.logos) > 1 and not place else np.nan,
                "note": row.note,
            }
            for section, rows in sections.items()
            for number, row in enumerate(rows, start=1)
            for place, logo in enumerate(row.logos)
        ],
        columns=["section", "row", "name", "source", "q", "consensus", "gap", "note"],
    )  # fmt: skip


def run(settings: FigureSettings) -> None:
    """Write the table of one model and method.

    Raises:
        InputError: the model, method or a cluster is none of the config's, or there are no results.
    """
    of = settings.logo_table
    model, method = of.model or next(iter(settings.models)), of.method or settings.methods[0]
    for key, value, known in (("model", model, settings.models), ("method", method, settings.methods)):
        if value not in known:
            raise InputError(f"key 'logo_table.{key}': '{value}' is not one of {key}s: {', '.join(known)}")
    clusters = read_clusters(root_path(settings.clusters))
    chosen = chosen_clusters(settings, clusters)
    found = read_found(settings, model, method, clusters)
    ppm_of = part_reader(found)
    sections = {"motifs": best_motifs(found.matches, chosen, of.rows, ppm_of)}
    lost = [number for number in chosen if number not in set(found.matches["cluster"])]
    names = clusters.drop_duplicates("cluster").set_index("cluster")["cluster_name"]
    for number in lost:
        logger.warning("%s: %s found no motif of the cluster '%s'", found.discovery.model_name, method, names[number])
    if of.combinations == "parts":
        sections["combinations: two segments of one part"] = part_combinations(
            found.matches, of.combination_rows, ppm_of
        )
    elif of.combinations == "pairs":
        sections["combinations: tested pairs"] = tested_pairs(
            read_pairs(settings, model, found.discovery.model_name), of.combination_rows
        )
    name = found.discovery.model_name
    path = settings.folder / f"logo_table_{file_name(name)}_{method}"
    write_csv(path.with_name(f"{path.name}.csv"), row_table(sections))
    with style():
        save(table_figure(sections, f"{short(name, 30)}, {METHOD_LABELS[method]}, {found.layers}"), path)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, FigureSettings).parse_args(argv)
    run_script(lambda: run(load_settings(FigureSettings, arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
