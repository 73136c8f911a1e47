"""What every HTML page has: the document with our scripts and its security policy, and numbers as people write them."""

import base64
import functools
import hashlib
import json
import math
from html import escape
from pathlib import Path

SCRIPTS = Path(__file__).with_name("js")


@functools.cache
def asset(path: Path) -> str:
    """Return the text of a script or style sheet of ours, read once."""
    return path.read_text(encoding="utf-8")


def document(title: str, body: str, data: dict, style: Path, settings: str | None = None) -> str:
    """Return a whole page that needs no other file.

    The security policy allows exactly its own scripts and embedded pictures, and nothing from elsewhere.

    Args:
        title: plain text.
        body: HTML, escaped already.
        data: what the scripts read, JSON.
        style: style sheet.
        settings: a key that tells whether the page is current, kept in its head.
    """
    scripts = [asset(SCRIPTS / name) for name in ("logo.js", "table.js")]
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
        + " ".join(f"'sha256-{one}'" for one in hashes)
    )
    meta = f'<meta name="combmotif-settings" content="{escape(settings)}">\n' if settings is not None else ""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n{meta}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{asset(style)}</style>\n</head>\n<body>\n{body}\n"
        f'<script type="application/json" id="combmotif-data">{text}</script>\n'
        + "".join(f"<script>{script}</script>\n" for script in scripts)
        + "</body>\n</html>\n"
    )


def alphabet_of(alphabet: str) -> dict[str, str]:
    """Return what the scripts read of a network's alphabet: nothing for RNA."""
    return {"alphabet": alphabet} if alphabet == "DNA" else {}


def number(value: float) -> str:
    """Return a number to three digits; a dash where it is missing."""
    if math.isnan(value):
        return "–"
    fixed = value == 0 or 0.01 <= abs(value) < 1e4
    return (f"{value:.3f}" if fixed else f"{value:.3g}").replace("-", "−")


def probability(value: float) -> str:
    """Return a small probability, with a power of ten below 0.001; a dash where it is missing."""
    if math.isnan(value):
        return "–"
    if value >= 0.001:
        return f"{value:.2g}"
    if value < 1e-299:
        return "&lt; 10<sup>−299</sup>"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}×10<sup>−{int(exponent[1:])}</sup>"
