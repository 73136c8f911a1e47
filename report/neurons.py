"""The facts of a neuron from the files of motif_discovery: its parts, their segments and matches, its best motif."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from report.cache import kept, state_of
from report.settings import UNREAD, Work
from utils import tomtom
from utils.activation import WindowNetwork
from utils.hdf5 import Damaged, stored_settings
from utils.motif import iupac_consensus, segments, to_ppm
from utils.neuron_motif import PART_COLUMNS, made_with, neuron_motif, read_parts
from utils.runtime import one_line, shown
from utils.sample_bins import BINS, bin_of
from utils.sequence import spelled

ONE_PATTERN = 0.95  # consensus ratio from which a part counts as one pattern
NEAREST = 1  # matches above the threshold that are named, as the nearest, where a part has none below it
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
FULL = len(DIGITS) ** 2 - 1  # the number that a probability of 1 is written as
LEVELS = DIGITS + DIGITS[10:].upper() + "!#$%()*+,-./:;=?@[]^_{|}~"  # of a letter in a logo; logo.js has them too
NOTHING = {
    "key": "",
    "maximum": 0.0,
    "samples": 0,
    "bins": [],
    "quota": 0,
    "population": None,
    "parts": [],
    "best": None,
    "outdated": False,
    "made": {},
    "differs": "",
    "listed": None,
    "told": True,
    "settings": "",
}
_DIGITS = np.frombuffer(DIGITS.encode(), dtype=np.uint8)
_LEVEL_OF = np.frombuffer(LEVELS.encode(), dtype=np.uint8)[
    np.rint(np.sqrt(np.arange(FULL + 1) / FULL) * (len(LEVELS) - 1)).astype(int)
]


def columns_text(ppm: np.ndarray) -> str:
    """Return probabilities (4, width) as text, two base-36 digits per letter and column: what is kept of a part."""
    high, low = np.divmod(np.rint(ppm.T * FULL).astype(int).ravel(), len(DIGITS))
    return _DIGITS[np.stack([high, low], axis=1)].tobytes().decode("ascii")


def _values(columns: str) -> np.ndarray:
    """Return the numbers int (width, 4) in what ``columns_text`` returned."""
    digits = np.searchsorted(_DIGITS, np.frombuffer(columns.encode("ascii"), dtype=np.uint8)).reshape(-1, 4, 2)
    return digits @ [len(DIGITS), 1]


def ppm_of(columns: str) -> np.ndarray:
    """Return probabilities float64 (4, width), to 1/1295, of what ``columns_text`` returned."""
    values = _values(columns).T.astype(np.float64)
    return values / values.sum(axis=0)


def logo_text(columns: str) -> str:
    """Return what logo.js reads of what ``columns_text`` returned, as short as it can be told apart by eye.

    First the most probable letter of every column, then three characters per column for the others in the order A, C,
    G, U: each stands for the square root of a probability, in steps of 1/86. The largest probability is what is left
    of 1, so no letter of a logo is off by more than 0.04 bits.
    """
    values = _values(columns)
    largest = values.argmax(axis=1)
    others = values[np.arange(4) != largest[:, None]]
    return "".join("ACGU"[one] for one in largest) + _LEVEL_OF[others].tobytes().decode("ascii")


def neuron_name(layer: int, neuron: int) -> str:
    """Return the name of a neuron, counted from 1: ``conv5_neuron2``."""
    return f"conv{layer}_neuron{neuron}"


def read_neuron(work: Work, network: WindowNetwork, layer: int, neuron: int, cache: Path) -> dict:
    """Return the facts of a neuron, from the cache where its files are what they were.

    ``state`` is ``missing``, ``damaged``, ``other`` (made with other weights), ``silent`` (never fires), ``empty`` (no
    part) or ``fine``; ``note`` says why there is no motif; ``outdated`` that the matches are of other motifs; ``made``
    is what the motifs were made with, as far as the file says, ``differs`` where that is not what the config has now,
    ``listed`` the q-value up to which matches are listed, ``told`` whether the file tells of which weights it is.
    """
    name, motifs, matches = neuron_name(layer, neuron), work.motifs(layer, neuron), work.matches(layer, neuron)
    if not motifs.is_file():
        return {**NOTHING, "state": "missing", "note": "no motif yet"}
    return kept(
        cache / f"{name}.json",
        lambda: _read(work, network, layer, neuron),
        files=state_of(motifs, matches),
        weights=work.checkpoint.sha256,
        settings=work.discovery.model_dump(exclude=UNREAD),
        names={key: motif.alt for key, motif in work.database.items()},
    )


def _read(work: Work, network: WindowNetwork, layer: int, neuron: int) -> dict:
    path = work.motifs(layer, neuron)
    field = work.checkpoint.model.receptive_field(layer)
    try:
        stored, made = read_parts(path), made_with(path)
        told = made.pop("checkpoint_sha256", None) is not None or len(stored["pfm"]) > 0
    except Damaged as error:
        return {**NOTHING, "state": "damaged", "note": f"{shown(path)}: damaged ({error}); cluster again"}
    ppms = to_ppm(stored["pfm"])
    of_parts = (stored["path"], ppms, *(stored[key] for key in PART_COLUMNS[2:]))
    activation, maximum, population = (stored[key] for key in ("sample_activation", "maximum", "population"))
    best = neuron_motif(path, network, layer, neuron, work.checkpoint.sha256)
    settings = stored_settings(path)
    if best.pfm is None and "other" in best.note:
        return {**NOTHING, "state": "other", "note": best.note, "settings": settings}
    fires = maximum > 0
    bins = np.bincount(bin_of(activation, maximum), minlength=BINS) if fires else np.zeros(BINS, dtype=int)
    matches = work.matches(layer, neuron)
    outdated = matches.is_file() and not tomtom.are_of(matches, settings)
    listed = tomtom.listed_up_to(matches) if matches.is_file() and not outdated else None
    threshold = work.discovery.q_threshold if listed is None else listed
    table = {} if outdated else read_matches(matches)
    name = neuron_name(layer, neuron)
    everything = np.concatenate(list(ppms), axis=1) if fires and len(ppms) else np.zeros((4, 0))
    words = spelled(iupac_consensus(everything), work.alphabet)  # of all parts at once
    columns = columns_text(everything)
    parts = [
        _part(
            work,
            name,
            threshold,
            table,
            *one,
            words[field * i : field * (i + 1)],
            columns[8 * field * i : 8 * field * (i + 1)],
        )
        for i, one in enumerate(zip(*of_parts, strict=True))
        if fires
    ]
    facts = {
        "state": "silent" if not fires else "fine" if parts else "empty",
        "note": best.note if fires else "never fires",
        "maximum": maximum,
        "samples": int(bins.sum()),
        "bins": bins.tolist(),
        "quota": made.get("quota", work.discovery_of(layer)["quota"]),
        "population": None if population is None else population.tolist(),
        "parts": sorted(parts, key=lambda part: -part["maximum"]),
        "outdated": outdated,
        "best": None,
        "made": made,
        "differs": differences(made, work.discovery_of(layer)),
        "listed": listed,
        "told": told,
        "settings": settings,
    }
    if fires and best.pfm is not None:
        facts["best"] = {
            "word": spelled(best.word, work.alphabet),
            "ratio": best.ratio if math.isfinite(best.ratio) else None,
            "start": best.start,
            "part": best.segment.rpartition("_")[0],
            "columns": columns_text(to_ppm(best.pfm)),
        }
    return facts


def differences(made: Mapping, now: Mapping) -> str:
    """Return which settings something was made with that are others now, such as ``seed 7, not 1``."""
    said = []
    for key, value in made.items():
        new = now[key]
        if value != new and not (isinstance(value, float) and math.isclose(value, new, rel_tol=1e-5)):
            old, new = (f"{one:g}" if isinstance(one, float) else one_line(one) for one in (value, new))
            said.append(f"{key} {old}, not {new}")
    return "; ".join(said)


def without_others(facts: dict[int, dict]) -> dict[int, dict]:
    """Return the facts of the neurons of a layer, those of dead neurons of other weights replaced.

    A file without parts that has no hash of its weights tells nothing of them. But what was made in one go has the same
    key, which counts the weights: with one file of other weights all of its key are.
    """
    others = {one["settings"]: one["note"] for one in facts.values() if one["state"] == "other" and one["settings"]}
    return {
        neuron: one
        if one["told"] or one["settings"] not in others
        else {**NOTHING, "state": "other", "note": others[one["settings"]], "key": one["key"]}
        for neuron, one in facts.items()
    }


def read_matches(path: Path) -> dict[str, list[dict]]:
    """Return the rows of Tomtom's table by segment, the smallest q-value first; nothing where it is not there.

    Raises:
        InputError: not such a table.
    """
    if not path.is_file():
        return {}
    found: dict[str, list[dict]] = {}
    for row in tomtom.read_matches(path).to_dict("records"):
        match = {
            "target": row["Target_ID"],
            "q": row["q-value"],
            "p": row["p-value"],
            "offset": row["Optimal_offset"],
            "own": row["Query_consensus"],
            "its": row["Target_consensus"],
            "strand": row["Orientation"],
        }
        found.setdefault(row["Query_ID"], []).append(match)
    return {name: sorted(rows, key=lambda row: (row["q"], row["p"])) for name, rows in found.items()}


def _part(
    work: Work, name: str, threshold: float, table: dict[str, list[dict]], path: str, ppm: np.ndarray, size: int,
    highest: float, of_consensus: float, drawn: float, copies: int, word: str, columns: str,
) -> dict:  # fmt: skip
    found, matches = [], []
    for start, end in segments(ppm):
        found.append([start, end, word[start:end]])
        for match in table.get(f"{name}_{path}_{start}-{end}", []):
            alt = work.database[match["target"]].alt if match["target"] in work.database else ""
            matches.append({**match, "alt": alt, "start": start, "end": end})
    matches.sort(key=lambda match: (match["q"], match["p"]))
    good = [match for match in matches if match["q"] <= threshold]
    ratio = float(of_consensus / highest) if highest > 0 else None
    return {
        "path": str(path),
        "size": int(size),
        "maximum": float(highest),
        "consensus": float(of_consensus),
        "ratio": ratio,
        "drawn": float(drawn) if math.isfinite(drawn) else None,
        "copies": int(copies),
        "segments": found,
        "matches": good or matches[:NEAREST],
        "matched": bool(good),
        "columns": columns,
    }


def matched_motifs(facts: dict) -> dict[str, dict]:
    """Return the database motifs that a neuron matches, each with its best match and the part that has it."""
    found: dict[str, dict] = {}
    for part in facts.get("parts", []):
        for match in part["matches"] if part["matched"] else []:
            if match["target"] not in found or match["q"] < found[match["target"]]["q"]:
                found[match["target"]] = {**match, "part": part["path"]}
    return dict(sorted(found.items(), key=lambda item: item[1]["q"]))
