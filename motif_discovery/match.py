"""Compare each neuron's motifs with the databases by Tomtom -> tomtom_match_results/MODEL/convN/convN_neuronM.tsv.

Listed are all matches up to ``q_threshold``, and for a motif without one its nearest target with the q-value it has.
"""

from motif_discovery.files import part_segments, read_motifs, stored_key, unfinished, write_matches
from motif_discovery.methods import COMMANDS, layer_name
from motif_discovery.settings import Discovery, parse_step
from utils.motif import Motif
from utils.progress import progress_bar
from utils.runtime import InputError, run_script, shown
from utils.sequence import spelled
from utils.tomtom import tomtom

COMPARISONS_AT_ONCE = 2**21  # query-target pairs of one call: bounds its memory


def run(discovery: Discovery, neurons: list[int], overwrite: bool = False, quiet: bool = False) -> None:
    """Match the neurons (counted from 1) that have no matches with these settings yet, many neurons in one call."""
    waiting = unfinished(neurons, discovery.match_path, discovery.match_key, overwrite)
    queries: dict[int, list[Motif]] = {}
    label = f"{layer_name(discovery.layer)}: matching"
    with progress_bar(total=len(waiting), desc=label, disable=quiet, leave=False) as bar:
        for place, neuron in enumerate(waiting):
            path = discovery.motif_path(neuron)
            parts, *_ = read_motifs(path, COMMANDS[discovery.method])
            if stored_key(path) != discovery.motif_key:
                raise InputError(f"{shown(path)}: made with other settings; run {COMMANDS[discovery.method]} again")
            queries[neuron] = [motif for part in parts for motif, _ in part_segments(discovery.name(neuron), part)]
            pairs = sum(map(len, queries.values())) * len(discovery.database)
            if pairs < COMPARISONS_AT_ONCE and place + 1 < len(waiting):
                continue
            everything = [motif for motifs in queries.values() for motif in motifs]
            chosen = discovery.settings.q_threshold, True, -1, discovery.both_strands
            matches = tomtom(everything, discovery.database, *chosen)
            for column in ("Query_consensus", "Target_consensus"):
                matches[column] = [spelled(word, discovery.alphabet) for word in matches[column]]
            for done, motifs in queries.items():
                own = matches[matches["Query_ID"].isin([motif.name for motif in motifs])]
                keys = discovery.match_key, discovery.motif_key
                write_matches(discovery.match_path(done), own, *keys, discovery.settings.q_threshold)
            bar.update(len(queries))
            queries = {}


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    run_script(lambda: run(*parse_step(__doc__, argv, methods=True)))


if __name__ == "__main__":
    main()
