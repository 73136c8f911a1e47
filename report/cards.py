"""What the pages show of a neuron: its facts of all stages together, and its parts as a tree."""

from collections.abc import Sequence

from report.neurons import ONE_PATTERN, matched_motifs, neuron_name

NOTES = {
    "missing": "No motif yet",
    "damaged": "Damaged motif file",
    "other": "Motif of other weights",
    "silent": "Never fires: it has no motif",
    "empty": "No part is large enough to be a motif",
}


def card_of(layer: int, neuron: int, facts: dict, contribution: dict | None, pairs: int) -> dict:
    """Return what lists show of a neuron, and the head of its page.

    Args:
        layer: counted from 1.
        neuron: counted from 1.
        facts: from ``report.neurons.read_neuron``.
        contribution: its row of the table of contributions; None where it has none.
        pairs: interactions of the neuron.
    """
    name, state, parts = neuron_name(layer, neuron), facts["state"], facts.get("parts", [])
    row = contribution or {}
    best = fired_motif(facts, row.get("segment")) or facts.get("best")
    matched = matched_motifs(facts)
    matches = [match for part in parts for match in part["matches"]]
    match = min(matches, key=lambda one: (one["q"], one["p"]), default=None)
    ratio = best["ratio"] if best else None
    words = sorted({word for part in parts for _, _, word in part["segments"]})
    label = next(
        (key.removesuffix("contribution") for key in row if key.startswith("label") and "contribution" in key), ""
    )
    kinds = [kind for kind, holds in (
        ("match", bool(matched)), ("one", ratio is not None and ratio >= ONE_PATTERN), ("pairs", pairs > 0),
        ("silent", state == "silent"),
    ) if holds]  # fmt: skip
    names = {word for one in matched.values() for word in (one["target"], one["alt"])}
    return {
        "name": name, "layer": layer, "neuron": neuron, "state": state, "logo": None, "kinds": kinds,
        "note": NOTES.get(state, facts.get("note", "")), "columns": best["columns"] if best else "",
        "first": best["start"] + 1 if best else 1, "word": best["word"] if best else "", "ratio": ratio,
        "match": match, "matched": matched, "maximum": facts.get("maximum") if facts.get("maximum", 0) > 0 else None,
        "samples": facts.get("samples", 0), "parts": len(parts), "words": " ".join(words),
        "text": " ".join([name, name.replace("_neuron", " neuron "), *sorted(names)]).lower(), "pairs": pairs,
        "contribution": row.get("contribution") or "", "effect": row.get("effect_size"), "low": row.get("effect_low"),
        "high": row.get("effect_high"), "q": row.get("q_value"),
        "label": row.get(f"{label}contribution") or "" if label else "", "label_effect": row.get(f"{label}effect_size"),
        "label_low": row.get(f"{label}effect_low"), "label_high": row.get(f"{label}effect_high"),
        "label_q": row.get(f"{label}q_value"), "made": facts["made"], "differs": facts["differs"],
        "listed": facts["listed"],
    }  # fmt: skip


def fired_motif(facts: dict, segment: str | None) -> dict | None:
    """Return the motif that messages hold where they activate the neuron, as ``facts["best"]``; None if not known.

    Args:
        facts: of the neuron.
        segment: ``PATH_START-END``, from the table of contributions.
    """
    path, _, place = (segment or "").rpartition("_")
    for part in facts.get("parts", []):
        for start, end, word in part["segments"]:
            if part["path"] == path and place == f"{start}-{end}":
                columns = part["columns"][8 * start : 8 * end]
                return {"word": word, "ratio": part["ratio"], "start": start, "part": path, "columns": columns}
    return None


def listed_parts(facts: dict) -> list[dict]:
    """Return the parts of a neuron with what their list and their search need; ``logo`` is the place of the logo."""
    found = []
    for place, part in enumerate(facts.get("parts", []), 1):
        names = [text for match in part["matches"] if part["matched"] for text in (match["target"], match["alt"])]
        one = part["ratio"] is not None and part["ratio"] >= ONE_PATTERN
        found.append(
            {
                **part,
                "logo": place,
                "text": " ".join([f"part {part['path']}", *names]).lower(),
                "kinds": " ".join(["one" if one else "mixed"] + ["match"] * part["matched"]),
            }
        )
    return found


def demixing_tree(parts: Sequence[dict]) -> dict:
    """Return the parts as nested branches: ``path``, ``size``, ``count``, and ``children`` or at the end a ``part``.

    A branch with a single branch in it is shown as that one. Children come by the highest consensus activation in them.
    """
    root = _branch("")
    for part in parts:
        node, branches = root, part["path"].split("-")
        for depth in range(len(branches) + 1):
            node["size"] += part["size"]
            node["count"] += 1
            node["best"] = max(node["best"], part["consensus"])
            if depth < len(branches):
                path = "-".join(branches[: depth + 1])
                node = node["children"].setdefault(branches[depth], _branch(path))
        node["part"] = part
    return _sorted(root)


def _branch(path: str) -> dict:
    return {"path": path, "size": 0, "count": 0, "best": float("-inf"), "children": {}, "part": None}


def _sorted(node: dict) -> dict:
    children = [_sorted(child) for child in node["children"].values()]
    if len(children) == 1 and node["path"] and not node["part"]:
        return children[0]
    return {**node, "children": sorted(children, key=lambda child: -child["best"])}
