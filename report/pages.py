"""The pages of a report: what each template is given."""

from collections.abc import Sequence
from datetime import UTC, datetime

from report import overview
from report.cache import state_of
from report.cards import demixing_tree, listed_parts
from report.charts import forest, histogram, icicle, region_bars, scatter
from report.downloads import REFERENCES
from report.firing import HISTOGRAM
from report.gather import Findings
from report.methods import methods, q_thresholds
from report.neurons import logo_text
from report.pair_charts import kind_of, pair_charts, pair_map
from report.settings import Work
from report.site import Site, sign
from report.tables import in_order, read_predictions
from utils.clusters import cluster_command
from utils.page import number
from utils.progress import progress_bar
from utils.runtime import fingerprint

STEPS = ("< 0.1", "0.1", "0.2", "0.5", "0.8")  # of the colour of an effect, as report.site.size has them
MESSAGE_COLUMNS = (  # key of the help, of the list, of the table of predictions, and kind
    ("of_pair", "id", "id", "name"), ("intact", "intact", "original", "number"),
    ("scrambled_a", "a", "scr_a", "number"), ("scrambled_b", "b", "scr_b", "number"),
    ("scrambled_both", "both", "scr_ab", "number"),
    ("own_eps", "eps", "eps", "size"), ("own_control", "control", "control_eps", "size"),
    ("own_spacing", "spacing", "spacing", "number"),
)  # fmt: skip
DECIDED = {
    "single effects": "a single effect is not significant, or their signs differ", "q": "eps is not significant",
    "control": "eps is not beyond that of random stretches", "all": "it passed every rule",
    "smallest_eps": "eps is too small a share of the single effects",
}  # fmt: skip


def logo_of(columns: str, first: int = 1, segments: Sequence[Sequence[int]] = ()) -> dict:
    """Return what logo.js draws."""
    return {"columns": logo_text(columns), "first": first, "segments": [list(one[:2]) for one in segments]}


def model_page(site: Site, work: Work, found: Findings) -> None:
    """Write the page of the model."""
    metrics, built = found.metrics, datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    said = f"Predicted against measured: {len(found.points)} test messages, r {number(metrics['r'])}" if metrics else ""
    site.page(
        "index.html", "model.html", "", "index",
        network=found.network, dataset=found.dataset, metrics=metrics, scatter=scatter(found.points, said),
        status=found.status, notes=found.notes, training=overview.training_facts(work), configs=work.configs,
        given=work.given, built=built, versions=overview.versions(), hashes=overview.hashes(work),
        evaluation_command=overview.evaluation_command(work, found.dataset.get("label", "")),
    )  # fmt: skip


def neurons_page(site: Site, work: Work, found: Findings) -> None:
    """Write the grid of all neurons."""
    logos = []
    for card in found.cards:
        card["logo"] = len(logos) if card["columns"] else None
        if card["columns"]:
            logos.append(logo_of(card["columns"], card["first"]))
    missing = [one["layer"] for one in found.status if not one["started"]]
    site.page(
        "neurons.html", "neurons.html", "", "neurons", cards=found.cards, logos=logos, steps=STEPS,
        layers=sorted({card["layer"] for card in found.cards}), first_command=overview.commands(work, 2)["motifs"],
        missing=[{"layer": layer, "command": overview.commands(work, layer)["motifs"]} for layer in missing],
    )  # fmt: skip


def motifs_page(site: Site, work: Work, found: Findings) -> None:
    """Write the table of database motifs."""
    logos = []
    for row in found.motifs:
        row["logo"] = len(logos) if row["columns"] else None
        if row["columns"]:
            logos.append(logo_of(row["columns"]))
        row["text"] = " ".join([row["name"], row["alt"], row["cluster"], *row["members"]]).lower()
    site.page(
        "motifs.html", "motifs.html", "", "motifs", rows=found.motifs, logos=logos, clustered=bool(work.clusters),
        cluster_command=cluster_command(work.databases) if work.databases else "",
        q_threshold=q_thresholds(work, found.cards), first_command=overview.commands(work, 2)["motifs"],
    )  # fmt: skip


def interactions_page(site: Site, work: Work, found: Findings) -> None:
    """Write the maps and the table of all pairs."""
    layers = sorted({pair["layer"] for pair in found.pairs})
    started = [one["layer"] for one in found.status if one["started"] and not work.pairs(one["layer"]).is_file()]
    without = [one for one in work.layers if work.pairs(one).is_file() and one not in layers]
    called = sum(kind_of(pair["class"]) in ("synergistic", "antagonistic") for pair in found.pairs)
    site.page(
        "interactions.html", "interactions.html", "", "interactions", pairs=in_order(found.pairs),
        tested=sum(bool(pair["class"]) for pair in found.pairs), called=called,
        classes=sorted({pair["class"] for pair in found.pairs}),
        maps=[
            {"layer": one, "map": pair_map([pair for pair in found.pairs if pair["layer"] == one])} for one in layers
        ],
        missing=[{"layer": layer, "command": overview.commands(work, layer)["pairs"]} for layer in started],
        without=without,
        first_command=overview.commands(work, max(work.layers) - 1)["pairs"],
    )  # fmt: skip


def neuron_pages(site: Site, work: Work, found: Findings) -> None:
    """Write the page of every neuron that changed."""
    of_neuron: dict[str, list[dict]] = {}
    for pair in found.pairs:
        of_neuron.setdefault(pair["task"], []).append(pair)
    names = [card["name"] for card in found.cards]
    for place, card in enumerate(progress_bar(found.cards, desc="pages of neurons", disable=None)):
        name, layer = card["name"], card["layer"]
        context = {
            "card": {**card, "logo": None},
            "facts": found.facts[name],
            "firing": found.firing.get(name),
            "scan_note": found.scan_notes.get(layer, ""),
            "thresholds": found.thresholds.get(name, []),
            "pair_note": found.pair_notes.get(name, ""),
            "pairs": of_neuron.get(name, []),
            "measured": name in of_neuron or name in found.pair_notes,
            "before": names[place - 1] if place else "",
            "after": names[place + 1] if place + 1 < len(names) else "",
            "threshold": found.called["threshold"],
            "config": work.configs["interpreting"],
            "commands": overview.commands(work, layer),
        }
        key = fingerprint(look=site.look, **context | {"facts": found.facts[name]["key"]})
        if not site.is_current(f"neurons/{name}.html", key):
            _neuron_page(site, work, context, key)


def _neuron_page(site: Site, work: Work, context: dict, key: str) -> None:
    card, facts, firing = context["card"], context["facts"], context["firing"]
    parts = listed_parts(facts)
    best = [logo_of(card["columns"], card["first"])] if card["columns"] else [None]
    logos = best + [logo_of(part["columns"], 1, part["segments"]) | _quality(part) for part in parts]
    card["logo"] = 0 if card["columns"] else None
    site.page(
        f"neurons/{card['name']}.html", "neuron.html", key, "neurons",
        **context | {
            "logos": logos,
            "field": work.checkpoint.model.receptive_field(card["layer"]),
            "bins": _bins(facts),
            "demixed": sum(part["size"] for part in parts),
            "effects": _effects(card, context["thresholds"]),
            "positions": _positions(firing),
            "region_chart": region_bars(firing["regions"]) if firing and firing["regions"] else "",
            "icicle": icicle(parts) if len(parts) > 1 else "",
            "tree": demixing_tree(parts),
        },
    )  # fmt: skip


def _quality(part: dict) -> dict:
    """Return what the script writes of a part as MEME: its branches, its sequences, and how good it is."""
    ratio, drawn = ("nan" if part[key] is None else f"{part[key]:.3g}" for key in ("ratio", "drawn"))
    said = f"activation={part['maximum']:.4g};consensus_ratio={ratio};drawn_ratio={drawn};copies={part['copies']}"
    return {"path": part["path"], "sites": part["size"], "quality": said}


def _bins(facts: dict) -> str:
    """Return the chart of samples per activation bin."""
    if not facts.get("samples"):
        return ""
    bins, top, population = facts["bins"], facts["maximum"], facts["population"]
    of_all = [f" of {count:,} that exist" for count in population] if population else [""] * len(bins)
    titles = [
        f"activation {number(top * i / len(bins))} to {number(top * (i + 1) / len(bins))}: "
        f"{count:,} sequences{of_all[i]}"
        for i, count in enumerate(bins)
    ]
    said = f"Sequences per activation bin: {', '.join(map(str, bins))}; quota {facts['quota']}"
    return histogram(bins, titles, ("0", number(top)), "activation", said, facts["quota"])


def _effects(card: dict, thresholds: Sequence[dict]) -> str:
    """Return the chart of a neuron's effects: at each threshold, and in the labels at that of the config."""
    rows = [
        {"label": f"at {row['threshold']:g}", "value": row["effect_size"], "low": row["effect_low"],
         "high": row["effect_high"], "kind": sign(card["contribution"])}
        for row in thresholds if str(row["target"]) in ("prediction", "prediction_1")
    ]  # fmt: skip
    if not rows and card["effect"] is not None:
        rows = [{"label": "prediction", "value": card["effect"], "low": card["low"], "high": card["high"],
                 "kind": sign(card["contribution"])}]  # fmt: skip
    if card["label_effect"] is not None:
        rows.append({"label": "measured labels", "value": card["label_effect"], "low": card["label_low"],
                     "high": card["label_high"], "kind": sign(card["label"])})  # fmt: skip
    return forest(rows, f"Contribution of {card['name']} with 95 % intervals")


def _positions(firing: dict | None) -> str:
    """Return the histogram of positions in messages."""
    if not firing or not firing["histogram"]:
        return ""
    counts, step = firing["histogram"], 100 // HISTOGRAM
    titles = [f"{step * i} to {step * (i + 1)} % of the length: {count:,} messages" for i, count in enumerate(counts)]
    said = f"Position of the best window in 20 bins from 5' to 3': {', '.join(map(str, counts))}"
    return histogram(counts, titles, ("5' end", "3' end"), "position in the message", said)


def pair_pages(site: Site, work: Work, found: Findings) -> None:
    """Write the page of every pair that changed."""
    for pair in progress_bar(found.pairs, desc="pages of pairs", disable=None):
        if not pair["page"]:
            continue
        name = f"pairs/{pair['page']}"
        files = state_of(work.predictions(str(pair["task"]), str(pair["motif_a"]), str(pair["motif_b"])))
        key = fingerprint(look=site.look, pair=pair, files=files)
        if site.is_current(name, key):
            continue
        rows = read_predictions(work, pair)
        site.page(
            name, "pair.html", key, "interactions", pair=pair, rows=rows, charts=pair_charts(pair, rows),
            columns=MESSAGE_COLUMNS, decided=DECIDED.get(pair.get("decided_by"), ""),
        )  # fmt: skip


def files_page(site: Site, work: Work, found: Findings, groups: Sequence[tuple]) -> None:
    """Write the page of files to take along, with the methods section."""
    held = sum(row["kind"] == "motif" for row in found.motifs)
    text = methods(work, found, held)
    site.page("files.html", "files.html", "", "files", groups=groups, methods=text, references=REFERENCES)
