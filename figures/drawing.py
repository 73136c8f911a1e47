"""What the figures share: colours, plain text, sizes, and files that are the same bytes every time."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import matplotlib

from utils.runtime import atomic_path, shown

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

logger = logging.getLogger(__name__)

# Okabe and Ito's palette, told apart with any colour vision (jfly.uni-koeln.de/color)
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, PALE = "#999999", "#E6E6E6"
METHOD_LABELS = {
    "neuronmotif": "NeuronMotif",
    "max_seqlet": "max. seqlets",
    "max_seqlet_data": "max. seqlets (messages)",
    "tf_modisco": "TF-MoDISco",
}
METHOD_LOOKS = {  # colour and shape
    "neuronmotif": (ORANGE, "o"), "max_seqlet": (SKY, "s"), "max_seqlet_data": (GREEN, "D"),
    "tf_modisco": (PURPLE, "^"),
}  # fmt: skip
SMALLEST = 8  # pt, of all text
STYLE = {
    "font.size": 9, "axes.titlesize": 10, "axes.labelsize": 9, "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST, "legend.fontsize": SMALLEST, "legend.title_fontsize": SMALLEST,
    "figure.titlesize": 10, "text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False,
    "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "combmotif", "svg.fonttype": "path",
}  # fmt: skip


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in one style; names stay text, a ``$`` in them included."""
    with matplotlib.rc_context(STYLE):
        yield


def short(text: object, width: int = 36) -> str:
    """Return a text on one line, its middle cut out where it is longer than ``width`` letters."""
    line = " ".join(str(text).split())
    if len(line) <= width:
        return line
    tail = (width - 1) // 3
    return f"{line[: width - 1 - tail]}…{line[len(line) - tail :]}"


def fit(text: Text, inches: float) -> None:
    """Cut the middle out of a text that is wider than ``inches``."""
    whole = text.get_text()
    width, room = len(whole), inches * text.figure.dpi
    renderer = text.figure.canvas.get_renderer()
    while width > 4 and text.get_window_extent(renderer).width > room:
        width -= 1
        text.set_text(short(whole, width))


def p_text(p: float) -> str:
    """Return a p-value as people read it."""
    return "p < 1e-300" if p < 1e-300 else f"p = {p:.2g}"


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG beside it, without dates, and close it; return both paths."""
    paths = [path.with_name(f"{path.name}{suffix}") for suffix in (".png", ".svg")]
    for target in paths:
        with atomic_path(target) as temporary:
            figure.savefig(temporary, dpi=150, metadata={"Date": None} if target.suffix == ".svg" else None)
    plt.close(figure)
    logger.info("wrote %s and .svg", shown(paths[0]))
    return paths
