"""Statistics of a method's motifs of a model -> analysis/results/MODEL/METHOD/motif_statistics.xlsx and CSV files.

Best neuron per database motif, best motif per neuron, all matches, counts per layer, and clusters of the database.
"""

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from motif_discovery import settings as places
from motif_discovery.files import read_matches
from motif_discovery.methods import COMMANDS, METHODS, MODISCO_OUTPUT, NEURONMOTIF, OUTPUT, layer_name
from motif_discovery.page_parts import ONE_PATTERN
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from motif_discovery.summary import (
    FOUND,
    all_matches,
    best_per_motif,
    best_per_neuron,
    cluster_rows,
    counts,
    with_q_all,
)
from motif_discovery.summary import with_clusters as clustered
from motif_discovery.workbook import write_csv, write_workbook
from utils.clusters import cluster_command
from utils.config import load_settings, parse_range, settings_parser
from utils.hdf5 import Damaged
from utils.neuron_motif import read_parts
from utils.runtime import ROOT, InputError, root_path, run_script, shown

logger = logging.getLogger(__name__)
NEURONS = ["layer", "neuron", "maximum", "parts", "one_pattern_parts", "best_ratio", "segments"]
RENAMED = {
    "Query_ID": "segment", "Target_ID": "target", "p-value": "p", "E-value": "E", "q-value": "q",
    "Optimal_offset": "offset", "Overlap": "overlap", "Query_consensus": "segment_consensus",
    "Target_consensus": "target_consensus",
}  # fmt: skip


@dataclass(frozen=True)
class Collected:
    """The results of a method.

    Attributes:
        neurons: a row per neuron that has results, columns ``NEURONS``.
        found: a row per match or nearest target, columns ``summary.FOUND``.
        outdated: neurons whose results were made with other settings, weights or databases.
    """

    neurons: pd.DataFrame
    found: pd.DataFrame
    outdated: int


def neuron_facts(path: Path) -> dict[str, float]:
    """Return maximum, number of parts, of those that are one pattern, and the ratio of the strongest, of a motif file.

    Raises:
        InputError: missing or damaged.
    """
    try:
        found = read_parts(path, ("max_activation", "consensus_activation", "maximum"))
    except Damaged as error:
        raise InputError(f"{shown(path)}: no motifs, or damaged ({error}); make them with --overwrite") from None
    highest, of_consensus = found["max_activation"], found["consensus_activation"]
    ratio = np.divide(of_consensus, highest, out=np.full(len(highest), np.nan), where=highest > 0)
    best = float(ratio[of_consensus.argmax()]) if len(ratio) else np.nan
    one = int((ratio >= ONE_PATTERN).sum())
    return {"maximum": found["maximum"], "parts": len(ratio), "one_pattern_parts": one, "best_ratio": best}


def collect(opened: Discovery, layers: list[int]) -> Collected:
    """Read the matches of all neurons of some layers; nothing is taken over from one neuron to another."""
    threshold, alt = opened.settings.q_threshold, {motif.name: motif.alt for motif in opened.database}
    rows, tables, outdated = [], [], 0
    for layer in layers:
        discovery = Discovery(opened.settings, layer, opened.checkpoint, opened.network, opened.method)
        for neuron in discovery.neurons:
            path = discovery.match_path(neuron)
            if not path.is_file():
                continue
            if not discovery.is_matched(neuron):
                outdated += 1
                continue
            table = read_matches(path).rename(columns=RENAMED)
            facts = neuron_facts(discovery.motif_path(neuron))
            rows.append({"layer": layer, "neuron": neuron, **facts, "segments": table["segment"].nunique()})
            own = f"{discovery.name(neuron)}_"
            part = [name.removeprefix(own).rpartition("_")[0] for name in table["segment"]]
            tables.append(table.assign(layer=layer, neuron=neuron, part=part))
    filled = [table for table in tables if len(table)]
    found = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=FOUND)
    found["alt"] = [alt.get(name, "") for name in found["target"]]
    found["match"] = found["q"] <= threshold
    return Collected(pd.DataFrame(rows, columns=NEURONS), found[FOUND], outdated)


def read_clusters(path: Path) -> pd.DataFrame:
    """Read motif, cluster and cluster_name of ``NAME_clusters.tsv`` (of generate_dataset.motif_database).

    Raises:
        InputError: missing, or not such a table.
    """
    again = "make it with python -m generate_dataset.motif_database"
    if not path.is_file():
        raise InputError(f"{shown(path)}: no such table of clusters; {again}")
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = csv.reader(handle, delimiter="\t")
            lines = [row for row in rows if row and not row[0].startswith("# settings: ")]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{shown(path)}: not a readable table ({error}); {again}") from None
    header = lines[0] if lines else []
    columns = ["motif", "cluster", "cluster_name"]
    if not set(columns) <= set(header) or any(len(row) != len(header) for row in lines):
        raise InputError(f"{shown(path)}: not a table of clusters (columns {', '.join(columns)}); {again}")
    table = pd.DataFrame(lines[1:], columns=header)[columns]
    if not table["cluster"].str.fullmatch(r"\d{1,9}").all():
        raise InputError(f"{shown(path)}: column 'cluster' holds something other than numbers; {again}")
    return table.astype({"cluster": int})


def clusters_of(discovery: Discovery, chosen: str | None) -> tuple[Path | None, pd.DataFrame | None]:
    """Return the table of clusters and where it is from; nothing where there is none.

    That of the command line; else ``NAME_clusters.tsv`` beside a database ``NAME.meme``; else the first in ``data/``
    that holds exactly the database's motifs.
    """
    if chosen:
        path = Path(chosen) if Path(chosen).is_file() else root_path(chosen)
        return path, read_clusters(path)
    names = {motif.name for motif in discovery.database}
    paths = discovery.database_paths
    beside = [one.with_name(f"{one.name.partition('.meme')[0]}_clusters.tsv") for one in paths if len(paths) == 1]
    for path in [*beside, *sorted((ROOT / "data").glob("*_clusters.tsv"))]:
        if path.is_file():
            table = read_clusters(path)
            clustered = set(table["motif"])
            if path in beside and names - clustered:
                logger.warning(
                    "%s: %d of %d motifs of the database are in no cluster, so too few clusters are counted; run %s",
                    shown(path), len(names - clustered), len(names), cluster_command(paths),
                )  # fmt: skip
            if path in beside or clustered == names:
                return path, table
    return None, None


def about(opened: Discovery, layers: list[int], collected: Collected, clusters: Path | None) -> pd.DataFrame:
    """Return the facts that the other sheets rest on, two columns."""
    facts = {
        "model": opened.model_name,
        "method": opened.method,
        "what it is": METHODS[opened.method] or "NeuronMotif: layer-wise demixing of samples of all activations.",
        "layers": ", ".join(map(layer_name, layers)) + (" (0 in tables)" if OUTPUT in layers else ""),
        "neurons with results": len(collected.neurons),
        "neurons left out, made with other settings": collected.outdated,
        "databases": ", ".join(shown(path) for path in opened.database_paths),
        "database motifs": len(opened.database),
        "threshold of a match": f"q <= {opened.settings.q_threshold:g}, Benjamini-Hochberg over a segment's targets",
        "q_all": "corrected over all segments and targets of these layers, an upper bound: the best of many segments "
        "matches something by chance, which q does not know",
        "clusters": shown(clusters) if clusters else "none",
        "one pattern": f"a part whose consensus ratio is {ONE_PATTERN} or more",
        "weights": opened.checkpoint.sha256,
    }
    return pd.DataFrame({"fact": list(facts), "value": [str(value) for value in facts.values()]})


def workbook_path(model: str, method: str = NEURONMOTIF) -> Path:
    """Return the workbook of a model and a method."""
    return places.HERE / "analysis" / "results" / model / method / "motif_statistics.xlsx"


def run(settings: DiscoverySettings, method: str, layers: str | None, chosen_clusters: str | None) -> Path:
    """Write workbook and CSV files; return their folder.

    Raises:
        InputError: the method has no results for the model.
    """
    opened = open_discovery(settings, 1, method, sampling=False)
    highest = opened.network.model.layers
    numbers = parse_range(layers, highest, "layers") if layers else list(range(1, highest + 1))
    if method == MODISCO_OUTPUT:
        if layers:
            raise InputError(f"layers: {method} is of the model's output, which has none; leave --layers out")
        numbers = [OUTPUT]
    cluster_path, clusters = clusters_of(opened, chosen_clusters)
    collected = collect(opened, numbers)
    make = COMMANDS[method]
    if method == NEURONMOTIF:
        make = f"bash motif_discovery/single_thread_script/main.sh {numbers[0]} {numbers[-1]} CONFIG"
    if not len(collected.neurons):
        why = f"{collected.outdated} are of other settings, weights or databases" if collected.outdated else "none"
        folder = opened.folder / "tomtom_match_results" / opened.model_name
        raise InputError(f"{shown(folder)}: no results of {method} for {opened.model_name} ({why}); run {make}")
    if collected.outdated:
        logger.warning(
            "%d neurons have results of other settings, weights or databases and are left out; run %s",
            collected.outdated, make,
        )  # fmt: skip
    neurons = collected.neurons
    found = with_q_all(collected.found, int(neurons["segments"].sum()) * len(opened.database))
    tables = {
        "best neuron per motif": best_per_motif(found, opened.database),
        "best motif per neuron": best_per_neuron(neurons, found),
        "all matches": all_matches(clustered(found, clusters)),
        "counts": counts(neurons, found, clusters, settings.q_threshold),
        "clusters": cluster_rows(found, clusters, opened.database, cluster_command(opened.database_paths)),
        "about": about(opened, numbers, collected, cluster_path),
    }
    workbook = workbook_path(opened.model_name, method)
    folder = workbook.parent
    write_workbook(workbook, tables)
    for name, table in tables.items():
        write_csv(folder / f"{name.replace(' ', '_')}.csv", table)
    logger.info("wrote %s", shown(workbook))
    return folder


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = settings_parser(__doc__, DiscoverySettings)
    parser.add_argument("--method", default=NEURONMOTIF, help=f"one of {', '.join(METHODS)} (default: %(default)s)")
    parser.add_argument("--layers", help="such as 1-7 or 2,5 (default: all)")
    parser.add_argument("--clusters", help="NAME_clusters.tsv of generate_dataset.motif_database (default: found)")
    arguments = parser.parse_args(argv)

    def start() -> None:
        settings = load_settings(DiscoverySettings, arguments.config, arguments.overrides)
        run(settings, arguments.method, arguments.layers, arguments.clusters)

    run_script(start)


if __name__ == "__main__":
    main()
