"""Show each neuron's motifs as a page -> clustering/MODEL/convN-mechanic/convN_neuronM.html and index.html."""

import numpy as np

from motif_discovery.bins import BINS, bin_of
from motif_discovery.files import part_segments, read_matches, read_motifs, stored_key, unfinished
from motif_discovery.methods import COMMANDS, MESSAGE_SEQLETS, MODISCO, MODISCO_OUTPUT, SEQLETS
from motif_discovery.page_data import Match, NeuronPage, PartRow
from motif_discovery.pages import layer_index, neuron_page, summarise
from motif_discovery.settings import Discovery, parse_step
from utils.runtime import InputError, fingerprint, one_at_a_time, run_script, shown, write_text

VERSION = 2  # of what the pages say


def assemble(discovery: Discovery, neuron: int, neurons: list[int], key: str) -> NeuronPage:
    """Return everything the page of a neuron shows.

    Args:
        discovery: the layer.
        neuron: counted from 1.
        neurons: all neurons of the layer that have a page.
        key: of the page.

    Raises:
        InputError: its motifs or matches are missing or outdated.
    """
    parts, activation, maximum, population = read_motifs(discovery.motif_path(neuron), COMMANDS[discovery.method])
    if stored_key(discovery.motif_path(neuron)) != discovery.motif_key:
        path = shown(discovery.motif_path(neuron))
        raise InputError(f"{path}: made with other settings; run {COMMANDS[discovery.method]} again")
    path = discovery.match_path(neuron)
    table = read_matches(path)
    if stored_key(path) != discovery.match_key:
        raise InputError(f"{shown(path)}: made with other settings; run motif_discovery.match again")
    alt = {motif.name: motif.alt for motif in discovery.database}
    of_query: dict[str, list[dict]] = {}
    for record in table.to_dict("records"):
        of_query.setdefault(record["Query_ID"], []).append(record)
    rows = []
    for part in parts:
        found = part_segments(discovery.name(neuron), part)
        matches = [
            Match(
                target=row["Target_ID"],
                alt=alt.get(row["Target_ID"], ""),
                p=row["p-value"],
                q=row["q-value"],
                start=start,
                end=end,
                query_consensus=row["Query_consensus"],
                target_consensus=row["Target_consensus"],
                offset=row["Optimal_offset"],
                overlap=row["Overlap"],
                strand=row["Orientation"],
            )
            for motif, (start, end) in found
            for row in of_query.get(motif.name, [])
        ]
        rows.append(
            PartRow(
                path=part.path,
                size=part.size,
                max_activation=part.max_activation,
                consensus_activation=part.consensus_activation,
                pfm=np.rint(10 * part.pfm).astype(int),  # weighted counts, to a tenth: a logo is of proportions
                segments=[place for _, place in found],
                matches=sorted(matches, key=lambda match: match.q),
                drawn_ratio=part.drawn_ratio,
                copies=part.copies,
            )
        )
    chosen = discovery.settings
    most = {SEQLETS: chosen.seqlets, MESSAGE_SEQLETS: chosen.seqlets, MODISCO: chosen.modisco.sequences}.get(
        discovery.method
    )
    counts = np.bincount(bin_of(activation, maximum), minlength=BINS) if maximum > 0 else np.zeros(BINS, dtype=int)
    return NeuronPage(
        model=discovery.model_name, layer=discovery.layer, neuron=neuron, neurons=neurons,
        receptive_field=discovery.receptive_field, maximum=maximum, bin_counts=counts,
        bin_quota=0 if discovery.method in (MESSAGE_SEQLETS, MODISCO_OUTPUT) else discovery.quota, parts=rows,
        databases=[path.name for path in discovery.database_paths], q_threshold=discovery.settings.q_threshold,
        context=discovery.context, settings=key, bin_population=population, alphabet=discovery.alphabet,
        method=discovery.method, used=None if most is None else min(most, len(activation)),
    )  # fmt: skip


def run(discovery: Discovery, neurons: list[int], overwrite: bool = False, quiet: bool = False) -> None:
    """Write the pages of the neurons (counted from 1) and the index of all neurons of the layer that have results.

    Of runs on other neurons of the layer the last one makes pages and an index that know of all.
    """
    del quiet  # pages take milliseconds
    index = discovery.report_path()
    with one_at_a_time(index.with_name(".lock"), f"pages of conv{discovery.layer} of {discovery.model_name}"):
        _run(discovery, neurons, overwrite)


def _run(discovery: Discovery, neurons: list[int], overwrite: bool) -> None:
    shown_neurons = [one for one in discovery.neurons if discovery.is_matched(one)]
    key = fingerprint(match=discovery.match_key, neurons=shown_neurons, version=VERSION)
    everyone = sorted({*shown_neurons, *neurons})
    waiting = unfinished(everyone, discovery.report_path, key, overwrite)
    summaries = []
    for neuron in everyone:
        page = assemble(discovery, neuron, shown_neurons, key)
        summaries.append(summarise(page))
        if neuron in waiting:
            write_text(discovery.report_path(neuron), neuron_page(page))
    facts = discovery.model_name, discovery.layer, discovery.receptive_field
    index = layer_index(*facts, summaries, discovery.alphabet, discovery.method)
    write_text(discovery.report_path(), index)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    run_script(lambda: run(*parse_step(__doc__, argv, methods=True)))


if __name__ == "__main__":
    main()
