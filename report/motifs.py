"""Database motifs and their clusters: the neurons that hold each, and whether their contributions have one sign."""

from collections.abc import Sequence

from report.neurons import columns_text
from report.settings import Work

SIGNS = ("positive", "negative")


def agreement(contributions: Sequence[str]) -> tuple[int, int, str]:
    """Return how many contributions have the more frequent sign, how many have a sign at all, and that sign.

    Where both signs are equally frequent, it is ``mixed``; without any, an empty text.
    """
    counts = {sign: sum(one == sign for one in contributions) for sign in SIGNS}
    signed, most = sum(counts.values()), max(counts.values())
    if not signed:
        return 0, 0, ""
    return most, signed, "mixed" if counts["positive"] == counts["negative"] else max(counts, key=counts.__getitem__)


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
