"""Database motifs and their clusters: the neurons that hold each, and whether their contributions have one sign."""

import re
from collections.abc import Iterable, Sequence

from report.neurons import columns_text
from report.settings import Work
from utils.motif import Motif

SIGNS = ("positive", "negative")
IUPAC = "[ACGUTRYSWKMBDHVN]{3,}"  # three letters or more can be a query for a word


def agreement(contributions: Sequence[str]) -> tuple[int, int, str]:
    """Return how many contributions have the more frequent sign, how many have a sign at all, and that sign.

    Where both signs are equally frequent, it is ``mixed``; without any, an empty text.
    """
    counts = {sign: sum(one == sign for one in contributions) for sign in SIGNS}
    signed, most = sum(counts.values()), max(counts.values())
    if not signed:
        return 0, 0, ""
    return most, signed, "mixed" if counts["positive"] == counts["negative"] else max(counts, key=counts.__getitem__)


def searched_names(database: Iterable[Motif]) -> dict[str, list[str]]:
    """Return the pieces of the names of a database that could be taken for IUPAC words, in capitals.

    Returns:
        ``names``, which a search finds by name, and ``words``, which stand in names but are none: the motif's own word,
        as in PUM_UGUANAUA, told by its length, and bases alone, as in uAUG.
    """
    found: dict[str, set[str]] = {"names": set(), "words": set()}
    for motif in database:
        for piece in re.findall("[A-Z0-9]+", f"{motif.name} {motif.alt}".upper()):
            own = re.fullmatch(IUPAC, piece) and len(piece) == motif.ppm.shape[1]
            if re.search(IUPAC, piece):
                found["words" if own or re.fullmatch("[ACGU]+", piece) else "names"].add(piece)
    return {kind: sorted(pieces) for kind, pieces in found.items()}


def motif_rows(work: Work, neurons: Sequence[dict]) -> list[dict]:
    """Return a row per database motif that a neuron matches, and per cluster of several motifs.

    Args:
        work: the model.
        neurons: what the pages show of each neuron, with its ``matched`` motifs.
    """
    groups: dict[tuple[str, str], list[tuple[dict, dict]]] = {}
    for neuron in neurons:
        clusters: dict[str, dict] = {}
        for target, match in neuron["matched"].items():
            groups.setdefault(("motif", target), []).append((neuron, match))
            cluster = work.clusters.get(target, "")
            if cluster and (cluster not in clusters or match["q"] < clusters[cluster]["q"]):
                clusters[cluster] = match
        for cluster, match in clusters.items():
            groups.setdefault(("cluster", cluster), []).append((neuron, match))
    rows = [_row(work, kind, name, holders) for (kind, name), holders in groups.items()]
    return sorted(rows, key=lambda row: (-len(row["neurons"]), row["q"], row["name"]))


def _row(work: Work, kind: str, name: str, holders: list[tuple[dict, dict]]) -> dict:
    holders = sorted(holders, key=lambda holder: holder[1]["q"])
    best = holders[0][1]
    shown = work.database.get(best["target"])
    most, signed, sign = agreement([neuron["contribution"] for neuron, _ in holders])
    return {
        "kind": kind,
        "name": name,
        "alt": "" if kind == "cluster" else best["alt"],
        "cluster": name if kind == "cluster" else work.clusters.get(name, ""),
        "members": sorted({match["target"] for _, match in holders}) if kind == "cluster" else [],
        "columns": columns_text(shown.ppm) if shown is not None else "",
        "word": best["its"],
        "q": best["q"],
        "neurons": [{**neuron, "q": match["q"], "part": match["part"]} for neuron, match in holders],
        "most": most,
        "signed": signed,
        "sign": sign,
    }
