"""The pages of motif discovery: one per neuron and an index per layer.

Pure functions from results to HTML text. A page holds everything it shows, loads nothing (its content security policy
forbids it), and takes every name that comes from a file as text.
"""

import math
from collections.abc import Iterable
from html import escape

import numpy as np

from motif_discovery.methods import (
    MESSAGE_SEQLETS,
    MODISCO,
    NEURONMOTIF,
    OUTPUT,
    SEQLETS,
    file_stem,
    layer_name,
    unit_of,
)
from motif_discovery.page_columns import neuron_columns, part_columns
from motif_discovery.page_data import Match, NeuronPage, NeuronSummary, PartRow
from motif_discovery.page_parts import ONE_PATTERN, PAGES_CSS, Column, chart, logo, mark, row, table
from utils.motif import information, iupac_consensus, to_ppm
from utils.page import alphabet_of, document, number, probability
from utils.sequence import spelled

SHOWN_MATCHES = 3  # the others open on demand

# Sorting by the buttons of the header, filtering by words and by a choice. Missing values stay last.


def neuron_page(page: NeuronPage) -> str:
    """Return the page of a neuron, a whole HTML document that needs no other file.

    Args:
        page: what it shows. Parts are put in the order of their maximal activation, the highest first.
    """
    parts = _ordered(page.parts)
    name = f"{layer_name(page.layer)} {unit_of(page.layer)} {page.neuron}"
    fires = page.maximum > 0
    listed = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in _facts(page).items())
    bars, what = "", "messages" if page.method == MESSAGE_SEQLETS else "sequences"
    if fires and page.layer != OUTPUT:
        bars = chart(page.bin_counts, page.bin_quota, page.maximum, page.bin_population, what)
    if parts and fires:
        rows = [_part_row(page, place, part) for place, part in enumerate(parts)]
        choices = {"one": "one pattern", "mixed": "mixed", "match": "with a database match"}
        hint = f"motif, protein, word or {'tree path' if page.method == NEURONMOTIF else 'part'}"
        content = table("Parts", part_columns(page.method), "Maximum", rows, choices, hint)
    else:
        content = f'<p class="note">{_why_empty(page)}</p>'
    body = (
        f"{_links(page)}<h1>{name} <small>{escape(page.model)}</small></h1>"
        f'<div class="top"><dl class="facts">{listed}</dl>{bars}</div><p>{escape(page.context)}</p>{content}'
    )
    logos = [logo(part.pfm, part.segments, 1, path=part.path) for part in parts] if fires else []
    data = {"model": page.model, "layer": page.layer, "neuron": page.neuron, "logos": logos}
    data |= alphabet_of(page.alphabet)
    return document(f"{name} - {page.model}", body, data, PAGES_CSS, page.settings)


def _facts(page: NeuronPage) -> dict[str, str]:
    """Return what stands at the top of a page."""
    output = page.layer == OUTPUT
    facts = {
        "Model": page.model,
        "Widest pattern" if output else "Receptive field": f"{page.receptive_field} nt",
        "Largest contribution" if output else "Maximal activation": (
            number(page.maximum) if page.maximum > 0 else "none above zero"
        ),
        **_source(page),
        "Parts": f"{len(page.parts):,}",
        "Databases": ", ".join(page.databases) or "none compared",
    }
    if page.databases:
        facts["Threshold of a match"] = f"q ≤ {page.q_threshold:g}"
    return facts


def _source(page: NeuronPage) -> dict[str, str]:
    """Return how many sequences the parts are made of, and of how many."""
    there = int(np.sum(page.bin_counts))
    if page.layer == OUTPUT:
        return {"Seqlets": f"{there:,}"}
    if page.method == MESSAGE_SEQLETS:
        return {"Messages": f"{page.sequences:,} of {there:,} that activate it, the strongest"}
    of_all = "" if page.used is None else f" of {there:,} sampled, the strongest"
    return {"Sequences": f"{page.sequences:,}{of_all}"}


def summarise(page: NeuronPage) -> NeuronSummary:
    """Return the index row of a neuron."""
    parts = page.parts if page.maximum > 0 else []
    pfm, start = None, 0
    shown = max(parts, key=lambda part: (bool(part.segments), part.consensus_activation), default=None)
    if shown and shown.segments:
        bits = information(to_ppm(shown.pfm))
        start, end = max(shown.segments, key=lambda segment: bits[segment[0] : segment[1]].sum())
        pfm = shown.pfm[:, start:end]
    best = min((match for part in parts for match in part.matches), key=lambda match: (match.q, match.p), default=None)
    return NeuronSummary(
        neuron=page.neuron, maximum=page.maximum, samples=page.sequences, parts=len(parts),
        best_ratio=shown.consensus_ratio if shown else math.nan, best_pfm=pfm, best_start=start, best_match=best,
        significant=best is not None and best.q <= page.q_threshold,
        one_pattern=any(part.consensus_ratio >= ONE_PATTERN for part in parts),
    )  # fmt: skip


def layer_index(
    model: str,
    layer: int,
    receptive_field: int,
    neurons: Iterable[NeuronSummary],
    alphabet: str = "RNA",
    method: str = NEURONMOTIF,
) -> str:
    """Return the index page of a layer, which leads to the pages of its neurons.

    Args:
        model: name of the model.
        layer: number of the convolution.
        receptive_field: nt.
        neurons: one summary per neuron; shown by number.
        alphabet: RNA, or DNA, whose words and logos have T.
        method: that made the parts.
    """
    neurons = sorted(neurons, key=lambda neuron: neuron.neuron)
    drawn = [neuron for neuron in neurons if neuron.best_pfm is not None]
    place = {neuron.neuron: number for number, neuron in enumerate(drawn)}
    columns = neuron_columns(method)
    rows = [_neuron_row(layer, neuron, place.get(neuron.neuron), alphabet, columns) for neuron in neurons]
    choices = {"one": "with a part that is one pattern", "match": "with a database match", "silent": "never fires"}
    firing = sum(neuron.maximum > 0 for neuron in neurons)
    said = (
        f"{len(neurons)} neurons with a receptive field of {receptive_field} nt; {firing} fire, "
        f"{len(neurons) - firing} never do."
    )
    if layer == OUTPUT:
        said = f"The model's output: {len(neurons)} target{'s' * (len(neurons) > 1)} of the prediction."
        choices.pop("silent")
    body = f"<h1>{layer_name(layer)} <small>{escape(model)}</small></h1><p>{said}</p>" + table(
        f"{columns[0].label}s", columns, columns[0].label, rows, choices, "motif, protein, word or number"
    )
    logos = [logo(one.best_pfm, [], one.best_start + 1, neuron=one.neuron) for one in drawn if one.best_pfm is not None]
    data = {"model": model, "layer": layer, "logos": logos, **alphabet_of(alphabet)}
    return document(f"{layer_name(layer)} - {model}", body, data, PAGES_CSS)


def _part_row(page: NeuronPage, place: int, part: PartRow) -> str:
    ratio, drawn = part.consensus_ratio, part.drawn_ratio
    whole = spelled(iupac_consensus(to_ppm(part.pfm)), page.alphabet)
    words = [(start, end, whole[start:end]) for start, end in part.segments]
    listed = "".join(f"<li>{start + 1}–{end} <code>{word}</code></li>" for start, end, word in words)
    spoken = ", ".join(f"{word} at {start + 1} to {end}" for start, end, word in words)
    label = f"Logo: {spoken or whole + ', no informative segment'}"
    logo = f'<div class="scroll"><canvas data-logo="{place}" role="img" aria-label="{label}"></canvas></div>' + (
        f'<ul class="words">{listed}</ul>' if listed else '<span class="none">no informative segment</span>'
    )
    found = any(match.q <= page.q_threshold for match in part.matches)
    cells = [
        (part.path, f"<code>{escape(part.path)}</code>"),
        (part.size, f"{part.size:,}" + (f"<br><small>{part.copies} places</small>" if part.copies > 1 else "")),
        (part.max_activation, number(part.max_activation)),
        (part.consensus_activation, number(part.consensus_activation)),
        (ratio, mark(ratio) + ("" if math.isnan(drawn) else f"<br><small>drawn {number(drawn)}</small>")),
        (None, logo),
        (min((match.q for match in part.matches), default=None), _matches(page, part)),
    ]
    return row(part_columns(page.method), cells, ["one" if ratio >= ONE_PATTERN else "mixed"] + ["match"] * found)


def _neuron_row(layer: int, one: NeuronSummary, place: int | None, alphabet: str, columns: list[Column]) -> str:
    fires = one.maximum > 0
    logo = '<span class="none">no informative segment</span>' if one.parts else '<span class="none">no part</span>'
    if not fires:
        logo = "never fires"
    if place is not None and one.best_pfm is not None:
        word = spelled(iupac_consensus(to_ppm(one.best_pfm)), alphabet)
        logo = (
            f'<div class="scroll"><canvas data-logo="{place}" data-bits-height="44" role="img" '
            f'aria-label="Logo of {word}"></canvas></div><ul class="words"><li><code>{word}</code></li></ul>'
        )
    match = '<span class="none">none</span>'
    if one.best_match is not None:
        match = f'<ul class="matches">{_match(one.best_match, one.significant)}</ul>'
    cells = [
        (one.neuron, f'<a href="{file_stem(layer, one.neuron)}.html">{unit_of(layer)} {one.neuron}</a>'),
        (one.samples, f"{one.samples:,}"),
        (one.parts, f"{one.parts:,}"),
        (one.maximum if fires else math.nan, number(one.maximum) if fires else "–"),
        (one.best_ratio, mark(one.best_ratio)),
        (None, logo),
        (one.best_match.q if one.best_match else None, match),
    ]
    kinds = ["one"] * one.one_pattern + ["match"] * one.significant + ["silent"] * (not fires)
    return row(columns, cells, kinds)


def _matches(page: NeuronPage, part: PartRow) -> str:
    """Return the best matches of a part, and all of them aligned behind a switch."""
    if not part.matches:
        return f'<span class="none">{"none" if page.databases else "not compared"}</span>'
    lines = [_match(match, match.q <= page.q_threshold) for match in part.matches]
    aligned = [
        line.replace("</li>", f"<pre>{escape(_alignment(match))}</pre></li>")
        for line, match in zip(lines, part.matches, strict=True)
    ]
    label = "aligned" if len(lines) <= SHOWN_MATCHES else f"all {len(lines)}, aligned"
    return (
        f'<ul class="matches">{"".join(lines[:SHOWN_MATCHES])}</ul>'
        f'<details><summary>{label}</summary><ul class="matches">{"".join(aligned)}</ul></details>'
    )


def _match(match: Match, significant: bool) -> str:
    alt = f" <i>{escape(match.alt)}</i>" if match.alt else ""
    alt += ' <i class="nearest">other strand</i>' if match.strand == "-" else ""
    nearest = "" if significant else '<i class="nearest">nearest:</i> '
    return (
        f'<li><span>{nearest}{escape(match.target)}{alt}</span><span class="value">'
        f"<span>q {probability(match.q)}</span><span>{match.start + 1}–{match.end}</span></span></li>"
    )


def _alignment(match: Match) -> str:
    """Return the two consensus words one above the other; ``offset`` is the target's column where the query starts."""
    query = " " * max(match.offset, 0) + match.query_consensus
    target = " " * max(-match.offset, 0) + match.target_consensus
    return f"part     {query}\ndatabase {target}"


def _links(page: NeuronPage) -> str:
    """Return the links to the index and to the neurons before and after."""
    before = max((one for one in page.neurons if one < page.neuron), default=None)
    after = min((one for one in page.neurons if one > page.neuron), default=None)
    unit = unit_of(page.layer)
    links = [f'<a href="index.html">all {unit}s of {layer_name(page.layer)}</a>']
    for rel, sign, one in (("prev", "previous", before), ("next", "next", after)):
        if one is None:
            links.append(f"<span>no {sign} {unit}</span>")
        else:
            links.append(f'<a rel="{rel}" href="{file_stem(page.layer, one)}.html">{sign}: {unit} {one}</a>')
    return f'<nav aria-label="Neurons">{"".join(links)}</nav>'


def _why_empty(page: NeuronPage) -> str:
    samples, fires = int(np.sum(page.bin_counts)), page.maximum > 0
    if page.layer == OUTPUT:
        return f"The {samples:,} seqlets of the messages form no pattern, so there is no motif to show."
    if not fires and page.method == MESSAGE_SEQLETS:
        return "No message activates this neuron, so there is no motif to show."
    if not fires and page.bin_population is not None:
        return "This neuron never fires: of all sequences none gives it an activation above zero. It has no motif."
    if not fires:
        return "This neuron never fires: no sequence tried gives it an activation above zero. It has no motif."
    if not samples:
        return "No sequences were sampled for this neuron, so there is no motif to show."
    if page.method == MESSAGE_SEQLETS:
        return f"The {samples:,} messages that activate this neuron are too few to be a motif."
    if page.method == SEQLETS:
        return f"The {page.sequences:,} strongest sequences are too few to be a motif."
    if page.method == MODISCO:
        return (
            f"The seqlets of the {page.sequences:,} strongest sequences form no pattern, so there is no motif to show."
        )
    return f"The {samples:,} sampled sequences fall into parts that are all too small to be a motif."


def _ordered(parts: list[PartRow]) -> list[PartRow]:
    return sorted(parts, key=lambda part: -part.max_activation)
