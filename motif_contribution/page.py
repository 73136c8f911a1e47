"""The page of contributions: a row per neuron with its sign, effect and motif. Pure functions from tables to HTML text.

The page holds everything it shows and loads nothing (its content security policy forbids it); names are taken as text.
"""

import base64
import math
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from utils.interpretation_settings import InteractionSettings
from utils.neuron_motif import NeuronMotif
from utils.page import alphabet_of, document, number, probability

STYLE = Path(__file__).resolve().with_name("page.css")
CHOICES = ("positive", "negative", "neutral", "never fires", "too few", "no variation")

# label, explanation, order its button sorts in first (none: not sortable), kind of cell
COLUMNS = [
    ("Neuron", "Layer and number of the neuron, counted from 1.", "ascending", "name"),
    (
        "Contribution",
        "positive: the prediction is higher where the neuron is activated; negative: lower; neutral: not significant, "
        "or too small an effect; else why there is no test.",
        "ascending",
        "name",
    ),
    (
        "Effect",
        "Difference of the mean predictions in units of the pooled standard deviation, with 95 % interval.",
        "descending",
        "number",
    ),
    ("q", "Benjamini-Hochberg over all neurons of the table, from Welch's t-test.", "ascending", "number"),
    ("In the labels", "The same comparison of the measured labels.", "ascending", "name"),
    ("Effect in labels", "As above, of the measured labels.", "descending", "number"),
    ("q in labels", "As above, of the measured labels.", "ascending", "number"),
    ("Messages", "Messages that activate the neuron, and that do not.", "descending", "number"),
    ("Maximum", "Highest activation of the neuron in the training set.", "descending", "number"),
    (
        "Motif",
        "Of all segments that motif_discovery found, the one that best tells the windows by which messages activate "
        "the neuron from windows anywhere: shares of both that hold it. Where too few messages do, the segment that "
        "fires most, without shares. Letter heights in bits on a scale of 0 to 2, positions counted from 1 in the "
        "receptive field. Ratio: activation of the consensus of its part over the part's maximum; far below 0.95 the "
        "part is still a mixture.",
        "",
        "name",
    ),
]


def contribution_page(
    model: str,
    table: pd.DataFrame,
    first_target: str,
    motifs: list[NeuronMotif],
    plot: bytes,
    settings: InteractionSettings,
    context: str,
    rows: dict[str, int],
    alphabet: str = "RNA",
) -> str:
    """Return the page of a model, a whole HTML document that needs no other file.

    Args:
        model: its name.
        table: a row per neuron, as in MODEL_neuron_contribution.csv.
        first_target: the prediction that the columns without a prefix are of.
        motifs: one per row.
        plot: the volcano plot, PNG.
        settings: what activates a neuron, and what is called.
        context: what a window stands for.
        rows: messages of each split.
        alphabet: RNA, or DNA, whose logos have T.
    """
    label = first_target.replace("prediction", "label")
    drawn = [place for place, motif in enumerate(motifs) if motif.pfm is not None]
    canvas = {place: index for index, place in enumerate(drawn)}
    records = table.to_dict("records")
    lines = [_row(one, label, motifs[place], canvas.get(place)) for place, one in enumerate(records)]
    logos = [_logo(motifs[place]) for place in drawn]
    splits = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    layers = ", ".join(f"conv{layer}" for layer in sorted(set(table["layer"])))
    legend = " ".join(f"<b>{escape(title)}:</b> {escape(text)}" for title, text, _, _ in COLUMNS)
    heads = "".join(_head(*column) for column in COLUMNS)
    options = "".join(f'<option value="{one.replace(" ", "-")}">{one}</option>' for one in CHOICES)
    image = base64.b64encode(plot).decode()
    body = (
        f"<h1>Contribution of neurons <small>{escape(model)}: {layers}</small></h1>"
        f"<p>A message activates a neuron if one of its windows exceeds {settings.threshold:g} of the neuron's maximum "
        f"over the training set. Messages that do are compared with those that do not, over the whole data set "
        f"({splits}); a difference is called where q ≤ {settings.q_threshold:g} and the effect is at least "
        f"{settings.smallest_effect:g} standard deviations. A message without a window (too short, or N everywhere) is "
        f"in neither group. A contribution is an association over messages: what else differs between them, such as "
        f"length, takes part in it.</p><p>Windows: {escape(context)}.</p>"
        f'<figure><img src="data:image/png;base64,{image}" alt="Volcano plot: effect size against minus log10 q; '
        f'its numbers are in the table below"></figure>'
        f'<h2>Neurons</h2><p class="legend">{legend}</p><div class="controls">'
        f'<label>Filter <input type="search" id="search" placeholder="neuron or word"></label>'
        f'<label>Show <select id="choice"><option value="">all</option>{options}</select></label>'
        f'<output id="shown" aria-live="polite"></output></div>\n<div class="wide">'
        f'<table class="rows"><thead><tr>{heads}</tr></thead><tbody>\n' + "\n".join(lines) + "\n</tbody></table></div>"
    )
    return document(
        f"Contribution of neurons - {model}", body, {"model": model, "logos": logos, **alphabet_of(alphabet)}, STYLE
    )


def _head(title: str, explanation: str, first: str, kind: str) -> str:
    about = f'<th scope="col" class="{kind}" title="{escape(explanation)}"'
    if not first:
        return f"{about}>{escape(title)}</th>"
    sort = first if title == "Neuron" else "none"
    return (
        f'{about} aria-sort="{sort}" data-kind="{kind}" data-first="{first}">'
        f'<button type="button">{escape(title)}</button></th>'
    )


def _row(one: dict, label: str, motif: NeuronMotif, canvas: int | None) -> str:
    cells = [
        (one["task"], f"<code>{escape(one['task'])}</code>"),
        (one["contribution"], _said(one["contribution"])),
        (one["effect_size"], _effect(one, "")),
        (one["q_value"], probability(one["q_value"])),
        (one[f"{label}_contribution"], _said(one[f"{label}_contribution"])),
        (one[f"{label}_effect_size"], _effect(one, f"{label}_")),
        (one[f"{label}_q_value"], probability(one[f"{label}_q_value"])),
        (one["n_activating"], f"{one['n_activating']:,}<span>of {one['n_activating'] + one['n_inactive']:,}</span>"),
        (one["neuron_maximum"], number(one["neuron_maximum"]) if np.isfinite(one["neuron_maximum"]) else "–"),
        (None, _motif(motif, canvas)),
    ]
    tags = []
    for (_, _, first, kind), (value, content) in zip(COLUMNS, cells, strict=True):
        missing = value is None or value != value or value in (math.inf, -math.inf)
        key = f' data-v="{escape("" if missing else str(value))}"' if first else ""
        tags.append(f'<td class="{kind}{" find" if kind == "name" else ""}"{key}>{content}</td>')
    return f'<tr data-kinds="{one["contribution"].replace(" ", "-")}">{"".join(tags)}</tr>'


def _said(contribution: str) -> str:
    kind = contribution if contribution in ("positive", "negative") else "none"
    return f'<span class="{kind}">{escape(contribution)}</span>'


def _effect(one: dict, prefix: str) -> str:
    effect, low, high = (one[f"{prefix}effect_{key}"] for key in ("size", "low", "high"))
    return "–" if math.isnan(effect) else f"{number(effect)}<span>{number(low)} to {number(high)}</span>"


def _motif(motif: NeuronMotif, canvas: int | None) -> str:
    if canvas is None:
        return f'<span class="none">{escape(motif.note)}</span>'
    return (
        f'<div class="scroll"><canvas data-logo="{canvas}" data-bits-height="44" role="img" '
        f'aria-label="Logo of {escape(motif.word)}"></canvas></div><code>{escape(motif.word)}</code> '
        f'<span class="none">{_held(motif)}ratio {number(motif.ratio)}</span>'
    )


def _held(motif: NeuronMotif) -> str:
    if math.isnan(motif.share):
        return ""
    return f"in {motif.share:.0%} of the windows that activate, {motif.elsewhere:.0%} of others; "


def _logo(motif: NeuronMotif) -> dict:
    """Return what logo.js draws; counts to a tenth, since the counts are weighted and a logo is of proportions."""
    return {"pfm": np.rint(10 * motif.pfm).astype(int).tolist(), "segments": [], "first": motif.start + 1}
