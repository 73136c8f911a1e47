"""Files to take along: tables as CSV, motifs as MEME, fragments as BED, and the text of a methods section."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from report.cache import kept, state_of, write_changed
from report.firing import Messages
from report.neurons import ppm_of
from report.settings import Work
from utils.motif import Motif, meme_text

FRAGMENT = re.compile(r"^Seq(\d+)_\S*:\s*(\d+)\s*$", re.MULTILINE)
ABOVE = re.compile(r"^# .*window above ([\d.]{1,9}) x ", re.MULTILINE)  # what motif_interaction.fragments writes
NEURON_COLUMNS = (
    "name", "layer", "neuron", "state", "word", "ratio", "maximum", "samples", "parts", "contribution", "effect", "low",
    "high", "q", "label", "label_effect", "label_low", "label_high", "label_q",
)  # fmt: skip
REFERENCES = (
    "Agarwal V, Kelley DR. The genetic and biochemical determinants of mRNA degradation rates in mammals. Genome Biol "
    "2022; 23:245.",
    "Wei Z et al. NeuronMotif: deciphering cis-regulatory codes by layer-wise demixing of deep neural networks. PNAS "
    "2023; 120:e2216698120.",
    "Gupta S et al. Quantifying similarity between motifs. Genome Biol 2007; 8:R24.",
    "Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B 1995; 57:289-300.",
    "Welch BL. The generalization of Student's problem when several different population variances are involved. "
    "Biometrika 1947; 34:28-35.",
    "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bull 1945; 1:80-83.",
)


def write_csv(path: Path, rows: Sequence[dict]) -> bool:
    """Write a table, what is missing as an empty cell; returns whether there was anything to write."""
    if not rows:
        return False
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    columns = list(rows[0])
    writer.writerow(columns)
    for row in rows:
        values = [row.get(column) for column in columns]
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])
    write_changed(path, file.getvalue())
    return True


def write_tables(
    folder: Path, cards: Sequence[dict], facts: dict[str, dict], motifs: Sequence[dict], pairs: Sequence[dict],
    contributions: Sequence[dict], thresholds: dict[str, list[dict]],
) -> list[tuple[str, str]]:  # fmt: skip
    """Write every table of the report. Returns name and description of each."""
    neurons = [
        {key: card[key] for key in NEURON_COLUMNS}
        | {"match": card["match"]["target"] if card["match"] else None}
        | {"match_q": card["match"]["q"] if card["match"] else None}
        for card in cards
    ]
    parts, matches = [], []
    for name, one in facts.items():
        for part in one.get("parts", []):
            words = ";".join(f"{start + 1}-{end}:{word}" for start, end, word in part["segments"])
            kept = {key: part[key] for key in ("path", "size", "copies", "maximum", "consensus", "ratio", "drawn")}
            parts.append({"neuron": name, **kept, "segments": words})
            for match in part["matches"] if part["matched"] else []:
                row = {"neuron": name, "part": part["path"], "first": match["start"] + 1, "last": match["end"]}
                known = {"motif": match["target"], "name": match["alt"], "p": match["p"], "q": match["q"]}
                matches.append(row | known)
    held = [
        {"kind": row["kind"], "motif": row["name"], "name": row["alt"], "cluster": row["cluster"],
         "neuron": one["name"], "part": one["part"], "q": one["q"], "contribution": one["contribution"],
         "effect": one["effect"]}
        for row in motifs for one in row["neurons"]
    ]  # fmt: skip
    hidden = ("page", "label_a", "label_b")
    tables = (
        ("neurons", "a row per neuron: best word, quality, match, contribution", neurons),
        ("parts", "a row per part of every neuron", parts),
        ("matches", "database matches of all parts at the threshold", matches),
        ("motifs", "a row per database motif or cluster and neuron", held),
        ("contribution", "the table of motif_contribution", contributions),
        ("thresholds", "effects at thresholds from 0.1 to 0.9, in predictions and labels",
         [{"neuron": name, **row} for name, rows in thresholds.items() for row in rows]),
        ("interactions", "the table of motif_interaction, all layers",
         [{key: value for key, value in pair.items() if key not in hidden} for pair in pairs]),
    )  # fmt: skip
    return [
        (f"tables/{name}.csv", f"{said}; {len(rows):,} rows")
        for name, said, rows in tables
        if write_csv(folder / "tables" / f"{name}.csv", rows)
    ]


def write_motifs(folder: Path, cards: Sequence[dict], alphabet: str = "RNA") -> list[tuple[str, str]]:
    """Write the segment shown of each neuron, by layer, as MEME; those of all parts are made on its page."""
    found = []
    for layer in sorted({card["layer"] for card in cards}):
        own = [card for card in cards if card["layer"] == layer and card["columns"]]
        motifs = [Motif(card["name"], card["word"], ppm_of(card["columns"])) for card in own]
        if motifs:
            write_changed(folder / "motifs" / f"conv{layer}_best.meme", meme_text(motifs, alphabet))
            found.append((f"motifs/conv{layer}_best.meme", f"the segment shown of {len(motifs)} neurons"))
    return found


def write_fragments(work: Work, messages: Messages, folder: Path, cache: Path, layer: int) -> tuple[str, str] | None:
    """Write the fragments of all neurons of a layer as BED: message, start, end, neuron. None without fragments.

    They are read again only when one of the stage's files has changed.
    """
    paths = {neuron: work.fragments(layer, neuron) for neuron in range(1, work.channels_of(layer) + 1)}
    if not any(path.is_file() for path in paths.values()):
        return None
    name, field = f"fragments/conv{layer}.bed", work.checkpoint.model.receptive_field(layer)

    def write() -> dict:
        texts = {neuron: path.read_text(encoding="utf-8") for neuron, path in paths.items() if path.is_file()}
        found = [
            (int(row), int(start), neuron) for neuron, text in texts.items() for row, start in FRAGMENT.findall(text)
        ]
        ids = [re.sub(r"\s+", "_", one) for one in messages.id] if work.dataset.is_file() else []
        lines = [
            f"{ids[row] if row < len(ids) else f'row{row}'}\t{start}\t{start + field}\tconv{layer}_neuron{neuron}\n"
            for row, start, neuron in sorted(found)
        ]
        write_changed(folder / name, "".join(lines))
        return {"count": len(lines), "above": sorted({one for text in texts.values() for one in ABOVE.findall(text)})}

    known = cache / f"conv{layer}_fragments.json"
    if not (folder / name).is_file():
        known.unlink(missing_ok=True)
    facts = kept(known, write, files=state_of(work.dataset, *paths.values()))
    above = " or ".join(facts["above"]) or f"{work.interaction.fragment_threshold:g}"
    return name, f"{facts['count']:,} fragments above {above} of the maximum"
