"""Writing the site: templates that escape, our scripts and style, and pages that are written only when changed."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import jinja2
from markupsafe import Markup

from report.cache import write_changed
from report.help import HELP, labels, sentences
from report.neurons import ONE_PATTERN
from utils.page import SCRIPTS, alphabet_of, number, probability
from utils.runtime import InputError, fingerprint, shown, write_text

HERE = Path(__file__).resolve().parent
TEMPLATES, STATIC = HERE / "templates", HERE / "static"
ASSETS = (SCRIPTS / "logo.js", STATIC / "report.js", STATIC / "report.css")
MENU = (
    ("index", "Model"), ("neurons", "Neurons"), ("motifs", "Motifs"), ("interactions", "Interactions"),
    ("files", "Take along"), ("help", "Help"),
)  # fmt: skip
LIST = ".combmotif-report"  # names the files of a report, a line each; its folder is a report's
UNTESTED = {"never fires": "no message makes it fire", "too few": "too few messages for a test",
            "no variation": "the predictions do not vary"}  # fmt: skip
HEAD = 1000  # characters of a page in which its key stands


def num(value: float | None) -> str:
    """Return a number to three digits; a dash where it is missing."""
    return "–" if value is None or isinstance(value, jinja2.Undefined) else number(float(value))


def prob(value: float | None) -> Markup:
    """Return a probability; a dash where it is missing."""
    missing = value is None or isinstance(value, jinja2.Undefined)
    return Markup("–" if missing else probability(float(value)))


def whole(value: float | None) -> str:
    """Return a whole number; a dash where it is missing."""
    return "–" if value is None or isinstance(value, jinja2.Undefined) else f"{round(float(value)):,}"


def plain(value: object) -> str:
    """Return a value as scripts sort it; an empty text where it is missing."""
    missing = value is None or isinstance(value, jinja2.Undefined)
    return "" if missing else f"{value:.6g}" if isinstance(value, float) else str(value)


def sign(contribution: str | None) -> str:
    """Return ``positive`` or ``negative``, else an empty text."""
    return contribution if contribution in ("positive", "negative") else ""


def size(effect: float | None) -> int:
    """Return the step of colour of an effect, 0 to 4: below 0.1, 0.2, 0.5, 0.8, and above."""
    return sum(abs(effect or 0.0) >= bound for bound in (0.1, 0.2, 0.5, 0.8))


def title_of(name: str) -> str:
    """Return ``conv5 neuron 2`` for ``conv5_neuron2``."""
    return name.replace("_neuron", " neuron ")


def alignments(matches: Sequence[dict]) -> str:
    """Return the consensus of each segment above that of its database motif, aligned by Tomtom's offset."""
    lines = []
    for match in matches:
        lines.append(f"{match['target']}{' ' if match['alt'] else ''}{match['alt']}, q {match['q']:.2g}")
        lines.append(f"part     {' ' * max(match['offset'], 0)}{match['own']}")
        lines.append(f"database {' ' * max(-match['offset'], 0)}{match['its']}\n")
    return "\n".join(lines).rstrip("\n")


def data(value: object) -> Markup:
    """Return JSON that may stand in a script element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def setting(value: object) -> str:
    """Return a setting as the config file has it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {setting(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def pair_text(pair: dict) -> str:
    """Return what a search finds a pair by."""
    keys = ("label_a", "label_b", "motif_a", "motif_b", "task", "class")
    return " ".join(str(pair[key]) for key in keys).lower()


def pair_words(pair: dict) -> str:
    """Return the words of a pair."""
    return f"{pair['motif_a']} {pair['motif_b']}".replace("+", " ")


FILTERS = (num, prob, whole, plain, sign, size, title_of, alignments, data, setting, pair_text, pair_words)


class Site:
    """A site that is being written.

    Args:
        folder: where it lies.
        model: name of the model.
        overwrite: write every page again.
        alphabet: RNA, or DNA, whose logos have T.
    """

    def __init__(self, folder: Path, model: str, overwrite: bool = False, alphabet: str = "RNA") -> None:
        self.spelling = alphabet_of(alphabet)
        self.folder, self.model, self.overwrite = folder, model, overwrite
        self.pages: set[Path] = set()
        self.files: set[Path] = set()  # all others: to take along, scripts and style
        self.written = 0

    @cached_property
    def environment(self) -> jinja2.Environment:
        """The templates; everything they show is escaped."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )  # fmt: skip
        environment.filters |= {one.__name__: one for one in FILTERS}
        environment.globals |= {"help": HELP, "labels": labels(), "sentences": sentences(), "menu": MENU}
        environment.globals |= {
            "model": self.model,
            "one_pattern": ONE_PATTERN,
            "why": UNTESTED,
            "spelling": self.spelling,
        }
        return environment

    @cached_property
    def look(self) -> str:
        """Key of the templates and of the code that fills them: when they change, every page is written again."""
        paths = sorted([*TEMPLATES.glob("*.html"), *HERE.glob("*.py"), SCRIPTS.parent / "page.py"])
        return fingerprint(texts=[path.read_text(encoding="utf-8") for path in paths])

    def is_current(self, name: str, key: str) -> bool:
        """Return whether a page lies there with a key, and count it as a page of the site."""
        path = self.folder / name
        self.pages.add(path)
        if self.overwrite or not path.is_file():
            return False
        with path.open(encoding="utf-8", errors="replace") as file:
            return f'name="combmotif-settings" content="{key}"' in file.read(HEAD)

    def page(self, name: str, template: str, key: str, here: str = "", **context: object) -> None:
        """Write a page from a template."""
        up = "../" * name.count("/")
        text = self.environment.get_template(template).render(
            up=up, here=here, key=key, **({"logos": []} | context)
        )  # fmt: skip
        self.pages.add(self.folder / name)
        self.written += write_changed(self.folder / name, text)

    def assets(self, names: dict[str, list[str]]) -> None:
        """Write scripts and style, and the names of the database (``report.motifs.searched_names``) for the search."""
        self.files.add(self.folder / "assets" / "names.js")
        write_changed(self.folder / "assets" / "names.js", f"combmotif.database = {json.dumps(names)};\n")
        for path in ASSETS:
            self.files.add(self.folder / "assets" / path.name)
            write_changed(self.folder / "assets" / path.name, path.read_text(encoding="utf-8"))

    def begin(self) -> None:
        """Mark the folder as a report's, so that a build that was stopped can be begun again."""
        if not (self.folder / LIST).is_file():
            write_text(self.folder / LIST, "")

    def finish(self) -> None:
        """Remove what an earlier build has written and this one has not, and keep the list of what this one has."""
        files = self.pages | self.files
        for path in listed(self.folder):
            if path not in files and path.resolve().is_relative_to(self.folder.resolve()):
                path.unlink()
        names = sorted(path.relative_to(self.folder).as_posix() for path in files)
        write_changed(self.folder / LIST, "".join(f"{name}\n" for name in names))


def listed(folder: Path) -> list[Path]:
    """Return the files that a report has written into its folder and that are there."""
    names = (folder / LIST).read_text(encoding="utf-8", errors="replace").splitlines()
    return [path for path in (folder / name for name in names) if path.is_file()]


def is_report(folder: Path) -> bool:
    """Return whether a folder is that of a report; one without a list of its files is of an earlier version."""
    if (folder / LIST).is_file():
        return True
    try:
        return "<footer>CombMotif report of " in (folder / "index.html").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def require_folder(folder: Path) -> None:
    """Check that a site may be written into a folder: it is not there, is empty, or is a report's.

    Raises:
        InputError: it is none of these.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{shown(folder)}: is a file; give another folder as --output")
    if folder.is_dir() and any(folder.iterdir()) and not is_report(folder):
        raise InputError(f"{shown(folder)}: not empty and no report; give a new folder as --output")
