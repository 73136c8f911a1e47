"""Changes of text files: any text, configs, tables, sequences, motifs. Each has a name and says whether it is wrong."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

Rewrite = Callable[[bytes], bytes]
Changes = Iterator[tuple[str, Rewrite, bool]]  # name, content before -> after, whether it must be refused
HUGE = 10**30
NAUGHTY = "<script>alert(1)</script>\x1b[31m"


def texts(found: dict[str, str], refused: bool) -> Changes:
    """Yield texts that stand instead of the good one."""
    for name, text in found.items():
        yield name, always(text.encode()), refused


def always(content: bytes) -> Rewrite:
    """Return what makes this content of any."""
    return lambda _: content


# -- changes of any file ----------------------------------------------------------------------------------------------


def bytes_changes(chance: random.Random) -> Iterator[tuple[str, Rewrite]]:
    """Yield changes of bytes, whatever they mean."""
    share, other = chance.uniform(0.1, 0.9), chance.uniform(0.9, 0.999)
    seeds = [chance.randrange(2**31) for _ in range(3)]
    yield "empty", lambda content: b""
    yield f"cut at {share:.2f}", lambda content: content[: int(share * len(content))]
    yield f"cut at {other:.3f}", lambda content: content[: int(other * len(content))]
    for seed in seeds[:2]:
        yield f"bytes flipped {seed}", lambda content, seed=seed: _flipped(content, seed)
    yield "random bytes", lambda content: random.Random(seeds[2]).randbytes(max(64, len(content)))
    yield "zeros", lambda content: bytes(len(content))


def _flipped(content: bytes, seed: int) -> bytes:
    chance, changed = random.Random(seed), bytearray(content)
    for _ in range(1 + len(content) // 2000):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def text_changes(chance: random.Random) -> Iterator[tuple[str, Rewrite]]:
    """Yield changes of a text: encodings, control characters, long lines."""
    place = chance.uniform(0.1, 0.9)

    def put(content: bytes, what: bytes) -> bytes:
        at = int(place * len(content))
        return content[:at] + what + content[at:]

    yield "UTF-16", lambda content: content.decode().encode("utf-16")
    yield "byte order mark", lambda content: b"\xef\xbb\xbf" + content
    yield "Latin-1", lambda content: put(content, b"\xe4\xfc")
    yield "NUL", lambda content: put(content, b"\0")
    yield "terminal codes", lambda content: put(content, b"\x1b[2J\x07")
    yield "quotation mark", lambda content: put(content, b'"')
    yield "long line", lambda content: put(content, b"A" * 3_000_000)
    yield "CRLF", lambda content: content.replace(b"\n", b"\r\n")


def path_changes() -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield what a path may be instead of a file."""

    def folder(path: Path) -> None:
        path.unlink()
        path.mkdir()

    def pipe(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    def circle(path: Path) -> None:
        path.unlink()
        path.symlink_to(path.name)

    yield "missing", lambda path: path.unlink()
    yield "a folder", folder
    yield "a pipe", pipe
    yield "a link to itself", circle
    yield "a device", lambda path: (path.unlink(), path.symlink_to("/dev/zero"))


# -- changes by kind --------------------------------------------------------------------------------------------------

VALUES = (
    None, [], {}, [1, [2]], {"a": {"b": 1}}, True, -1, 0, HUGE, -HUGE, 1.5, float("nan"), float("inf"), "", " ",
    "x" * 5000, "a\nb", "\x1b[31mred", "../../x", "/etc/passwd", "~nobody-of-this-name/x", "\0", NAUGHTY, "1e999",
)  # fmt: skip
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]\n" for n in range(1, 12)
)
YAML_TEXTS = {
    "code": "model: !!python/object/apply:os.system ['touch HACKED']\n",
    "a module": "model: !!python/module:os\n",
    "a bomb": BOMB + "model: *a11\n",
    "nested": "model: " + "[" * 20_000 + "\n",
    "a list": "- a\n- b\n",
    "a word": "word\n",
    "a key that is a number": "1: 2\n",
    "a key that is a list": "? [a, b]\n: c\n",
    "a tab": "model:\n\t- a\n",
    "an unknown anchor": "model: *nothing\n",
    "a date that is none": "model: 2024-99-99\n",
    "a number of 5000 digits": "seed: " + "9" * 5000 + "\n",
}


def yaml_changes(content: bytes, chance: random.Random) -> Changes:
    """Yield changes of a config: texts that are no config, and other values of its keys."""
    yield from texts(YAML_TEXTS, True)
    values = yaml.safe_load(content)
    for key in chance.sample(list(values), min(14, len(values))):
        for value in chance.sample(VALUES, 2):
            changed = yaml.safe_dump(dict(values) | {key: value}).encode()
            yield f"{key} = {value!r:.30}", always(changed), False
    extra = yaml.safe_dump(dict(values) | {f"{next(iter(values))}s": 1}).encode()
    yield "an unknown key", always(extra), False


LABELS = {
    "one motif": {"a": ["UGUAA"]}, "three motifs": {"a": ["UGUA"], "b": ["UGUA"], "c": ["UGUA"]},
    "no word": {"a": [], "b": ["A"]}, "a number": {"a": 5, "b": ["GGA"]}, "only N": {"a": ["NN"], "b": ["A"]},
    "an unknown letter": {"a": ["UGX"], "b": ["GGA"]}, "too long": {"a": ["A" * 400], "b": ["GGA"]},
    "a path": {"a": ["../../x"], "b": ["GGA"]}, "empty words": {"a": [""], "b": ["GGA"]}, "null": None,
    "a list in a list": {"a": [["U"]], "b": ["GGA"]},
    "many words": {"a": [f"{n:06b}".replace("0", "A").replace("1", "U") for n in range(64)], "b": ["GGAC"]},
}  # fmt: skip


def label_changes() -> Changes:
    """Yield changes of a person's pairs."""
    yield from texts({name: yaml.safe_dump({"combination1": pair}) for name, pair in LABELS.items()}, False)


CELLS = (
    "", "nan", "inf", "-inf", "1e999", "1e39", "text", "-1", "0", '"', "=1+1", "\x1b[31m", NAUGHTY, "9" * 400, "-0",
)  # fmt: skip


def csv_changes(content: bytes, chance: random.Random, separator: str) -> Changes:
    """Yield changes of a table: cells, columns and rows."""
    rows = [line.split(separator) for line in content.decode().splitlines()]
    width, height = len(rows[0]), len(rows)

    def table(changed: list[list[str]]) -> Rewrite:
        return always(("\n".join(separator.join(row) for row in changed) + "\n").encode())

    for cell in CELLS:
        column, row = chance.randrange(width), chance.randrange(1, max(2, height - 1))
        changed = [list(line) for line in rows]
        changed[row % height][min(column, len(changed[row % height]) - 1)] = cell
        yield f"{rows[0][column][:20]} = {cell!r:.20}", table(changed), False
    for column in chance.sample(range(width), min(3, width)):
        name = rows[0][column][:20]
        yield f"without {name}", table([[*row[:column], *row[column + 1 :]] for row in rows]), False
        infinite = [rows[0], *([*row[:column], "inf", *row[column + 1 :]] for row in rows[1:])]
        yield f"{name} all inf", table(infinite), False
    yield "header only", table(rows[:1]), False
    yield "no header", table(rows[1:]), False
    yield "rows twice", table([*rows, *rows[1:]]), False
    yield "a longer row", table([*rows[:3], [*rows[3 % height], "1", "2"], *rows[4:]]), False
    yield "a shorter row", table([*rows[:2], rows[2 % height][:1], *rows[3:]]), False
    yield "columns twice", table([[*row, *row] for row in rows]), False
    yield "another separator", lambda content: content.replace(separator.encode(), b";"), False


def fasta_changes() -> Changes:
    """Yield changes of sequences."""
    yield "no header", lambda content: content.partition(b"\n")[2], False
    yield "proteins", lambda content: content.replace(b"A", b"E").replace(b"G", b"L"), True
    yield "records twice", lambda content: content + content, True
    yield "empty records", lambda content: b"\n".join(line for line in content.splitlines() if line[:1] == b">"), True
    yield "only headers of spaces", lambda content: b"> \n" * 50, True
    yield "gaps", lambda content: content.replace(b"A", b"-", 40), True
    yield "a huge header", lambda content: b">" + b"x" * 2_000_000 + b"\n" + content, False
    yield "old line ends", lambda content: content.replace(b"\n", b"\r"), False
    yield "lower case", lambda content: content.lower(), False


def gtf_changes() -> Changes:
    """Yield changes of an annotation."""
    for old, new in ((b"+", b"?"), (b"chr1", b"chrX"), (b"\t.\t+", b"\t+"), (b"exon", b"region"), (b'"', b"'"),
                     (b"transcript_id", b"transcript"), (b"\t1\t30", b"\t30\t1"), (b"\t1\t30", b"\t0\t30"),
                     (b"\t41\t90", b"\t20\t90"), (b"\t90", b"\t99999999999"), (b"\t90", b"\tten"), (b"\t0\t", b"\t7\t"),
                     (b'"g1"', b'"../../x"'), (b"; ", b" ")):  # fmt: skip
        name = f"{old.decode()!r} -> {new.decode()!r}"
        yield name, lambda content, old=old, new=new: content.replace(old, new), False


MATRIX = "letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0\n"
HEAD = "MEME version 4\n\nALPHABET= ACGU\n\nMOTIF a b\n"
MEME_TEXTS = {
    "proteins": HEAD.replace("ACGU", "ACDEFGHIKLMNPQRSTVWY") + MATRIX,
    "not a number": HEAD + MATRIX + "nan nan nan nan\n0.25 0.25 0.25 0.25\n",
    "infinite": HEAD + MATRIX + "inf 0 0 0\n0.25 0.25 0.25 0.25\n",
    "negative": HEAD + MATRIX + "-1 1 1 0\n0.25 0.25 0.25 0.25\n",
    "no sum of 1": HEAD + MATRIX + "1 1 1 1\n0.25 0.25 0.25 0.25\n",
    "too few rows": HEAD + MATRIX + "0.25 0.25 0.25 0.25\n",
    "five columns": HEAD + MATRIX + "0.2 0.2 0.2 0.2 0.2\n" * 2,
    "infinite nsites": HEAD + MATRIX.replace("20", "inf") + "0.25 0.25 0.25 0.25\n" * 2,
    "huge nsites": HEAD + MATRIX.replace("20", "1e300") + "0.25 0.25 0.25 0.25\n" * 2,
    "negative nsites": HEAD + MATRIX.replace("20", "-5") + "0.25 0.25 0.25 0.25\n" * 2,
    "huge width": HEAD + MATRIX.replace("w= 2", "w= 99999999999") + "0.25 0.25 0.25 0.25\n" * 2,
    "no name": HEAD.replace("MOTIF a b", "MOTIF") + MATRIX + "0.25 0.25 0.25 0.25\n" * 2,
    "a name twice": (HEAD + MATRIX + "0.25 0.25 0.25 0.25\n" * 2 + "\n") * 2,
    "no motif": "MEME version 4\n\nALPHABET= ACGU\n",
}
MEME_ODD = {
    "a motif of 3,000 columns": HEAD + MATRIX.replace("w= 2", "w= 3000") + "0.7 0.1 0.1 0.1\n" * 3000,
    "a motif of one column": HEAD + MATRIX.replace("w= 2", "w= 1") + "0.7 0.1 0.1 0.1\n",
    "names to run": HEAD.replace("a b", f"{NAUGHTY} ../../../x'\"$(id)`id`") + MATRIX + "0.7 0.1 0.1 0.1\n" * 2,
    "a name of 100 kB": HEAD.replace("a b", "n" * 100_000) + MATRIX + "0.7 0.1 0.1 0.1\n" * 2,
    "a name with # and quotes": HEAD.replace("a b", "#a\"b'c,d=e") + MATRIX + "0.7 0.1 0.1 0.1\n" * 2,
}

JSON = {"not JSON": "{", "a list": "[1]", "nested": "[" * 100_000, "not a number": '{"r": NaN, "n": "x"}',
        "null": "null", "text": '{"r": "<script>", "n": [], "r_interval": 3}', "numbers": '{"r": 1e999}'}  # fmt: skip
