"""Tables over all neurons of a model: which neuron knows which database motif best. Pure functions on tables.

A match is a row of Tomtom's table with a q-value up to the threshold; a row above it is only the nearest target of a
segment. The table ``found`` that all functions take has a row per match or nearest target, with the columns ``FOUND``.
"""

import numpy as np
import pandas as pd

from motif_discovery.methods import layer_name
from utils.motif import Motif, iupac_consensus

FOUND = [
    "layer", "neuron", "part", "segment", "target", "alt", "p", "E", "q", "match", "offset", "overlap",
    "segment_consensus", "target_consensus",
]  # fmt: skip
MATCH = ["part", "segment", "segment_consensus", "p", "q", "q_all"]


def in_order(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows by q-value, then p-value, layer, neuron, segment and target: the first of several is the best."""
    return found.sort_values(["q", "p", "layer", "neuron", "segment", "target"], kind="stable", ignore_index=True)


def with_q_all(found: pd.DataFrame, tests: int) -> pd.DataFrame:
    """Return the rows with ``q_all``, corrected (Benjamini-Hochberg) over all segments and targets, not one segment's.

    The best of thousands of segments matches something by chance, which a segment's q-value does not know. As matches
    and nearest targets alone are in the table, it is an upper bound.

    Args:
        found: all neurons.
        tests: segments times targets.
    """
    order = np.argsort(found["p"].to_numpy(np.float64), kind="stable")
    q = found["p"].to_numpy(np.float64)[order] * max(tests, len(found)) / np.arange(1, len(found) + 1)
    q_all = np.empty(len(found))
    q_all[order] = np.minimum(np.minimum.accumulate(q[::-1])[::-1], 1)
    return found.assign(q_all=q_all)


def with_clusters(found: pd.DataFrame, clusters: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows with the number and name of the target's cluster; empty where it has none."""
    if clusters is None:
        return found.assign(cluster=pd.NA, cluster_name="")
    own = clusters.drop_duplicates("motif").set_index("motif")
    number = found["target"].map(own["cluster"]).astype("Int64")
    return found.assign(cluster=number, cluster_name=found["target"].map(own["cluster_name"]).fillna("").astype(str))


def all_matches(found: pd.DataFrame) -> pd.DataFrame:
    """Return the matches, by layer, neuron, segment and p-value."""
    matches = found[found["match"].astype(bool)].drop(columns="match")
    return matches.sort_values(["layer", "neuron", "segment", "p", "target"], kind="stable", ignore_index=True)


def best_per_motif(found: pd.DataFrame, database: list[Motif]) -> pd.DataFrame:
    """Return a row per database motif: its best match in any neuron and how many neurons match it.

    Motifs without a match stand at the end, in the order of the database, with empty cells.
    """
    matches = in_order(found[found["match"].astype(bool)])
    per_target = matches.drop_duplicates(["target", "layer", "neuron"]).groupby("target").size()
    best = matches.drop_duplicates("target").set_index("target")
    names = [motif.name for motif in database]
    rows = pd.DataFrame({"target": names, "alt": [motif.alt for motif in database]})
    rows["target_consensus"] = [iupac_consensus(motif.ppm) for motif in database]
    rows = rows.drop_duplicates("target").join(best[["layer", "neuron", *MATCH]], on="target")
    rows["neurons"] = rows["target"].map(per_target).fillna(0).astype(int)
    rows["order"] = np.arange(len(rows))
    rows = rows.sort_values(["q", "p", "order"], kind="stable", na_position="last", ignore_index=True)
    rows = rows.drop(columns="order")
    return rows.astype({"layer": "Int64", "neuron": "Int64"})


def best_per_neuron(neurons: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return a row per neuron with its best match and how many database motifs it matches.

    A neuron without a match has empty cells: nothing is taken over from another one.
    """
    matches = in_order(found[found["match"].astype(bool)])
    own = ["layer", "neuron"]
    best = matches.drop_duplicates(own)[[*own, "target", "alt", "target_consensus", *MATCH]]
    count = matches.drop_duplicates([*own, "target"]).groupby(own).size().rename("motifs").reset_index()
    rows = neurons.merge(best, on=own, how="left").merge(count, on=own, how="left")
    rows["motifs"] = rows["motifs"].fillna(0).astype(int)
    return rows.sort_values(own, kind="stable", ignore_index=True)


def counts(
    neurons: pd.DataFrame, found: pd.DataFrame, clusters: pd.DataFrame | None, q_threshold: float
) -> pd.DataFrame:
    """Return a row per layer and one for all of them: neurons, segments, matches, motifs and clusters found.

    ``database_motifs_q_all`` counts those that are matched over all segments and targets (``with_q_all``).
    """
    matches = with_clusters(found[found["match"].astype(bool)], clusters)
    rows = []
    for layer in [*sorted(neurons["layer"].unique().tolist()), "all"]:
        of = neurons if layer == "all" else neurons[neurons["layer"] == layer]
        own = matches if layer == "all" else matches[matches["layer"] == layer]
        rows.append(
            {
                "layer": layer if layer == "all" else layer_name(layer),
                "neurons": len(of),
                "neurons_that_fire": int((of["maximum"] > 0).sum()),
                "neurons_with_parts": int((of["parts"] > 0).sum()),
                "neurons_with_match": len(own.drop_duplicates(["layer", "neuron"])),
                "parts": int(of["parts"].sum()),
                "one_pattern_parts": int(of["one_pattern_parts"].sum()),
                "segments": int(of["segments"].sum()),
                "segments_with_match": own["segment"].nunique(),
                "matches": len(own),
                "database_motifs": own["target"].nunique(),
                "database_motifs_q_all": own.loc[own["q_all"] <= q_threshold, "target"].nunique(),
                "clusters": pd.NA if clusters is None else own["cluster"].dropna().nunique(),
            }
        )
    return pd.DataFrame(rows)


def cluster_rows(
    found: pd.DataFrame, clusters: pd.DataFrame | None, database: list[Motif], command: str = ""
) -> pd.DataFrame:
    """Return a row per cluster of the database's motifs, those that were found first, by their best match.

    Args:
        found: all neurons.
        clusters: columns motif, cluster, cluster_name; None where there are none, which the only row then says.
        database: its motifs; those of other databases in the same clusters are not counted.
        command: that makes clusters, for the note.
    """
    if clusters is None:
        return pd.DataFrame({"note": [f"The database has no clusters; they are made by: {command}"]})
    names = pd.DataFrame({"motif": [motif.name for motif in database]}).drop_duplicates()
    own = names.merge(clusters.drop_duplicates("motif"), on="motif", how="inner")
    rows = own.groupby("cluster").agg(cluster_name=("cluster_name", "first"), size=("motif", "size")).reset_index()
    matches = with_clusters(in_order(found[found["match"].astype(bool)]), clusters)
    grouped = matches.groupby("cluster")
    rows["motifs_found"] = rows["cluster"].map(grouped["target"].nunique()).fillna(0).astype(int)
    per_neuron = matches.drop_duplicates(["cluster", "layer", "neuron"]).groupby("cluster").size()
    rows["neurons"] = rows["cluster"].map(per_neuron).fillna(0).astype(int)
    best = matches.drop_duplicates("cluster").set_index("cluster")[["layer", "neuron", "target", *MATCH]]
    rows = rows.join(best, on="cluster")
    rows = rows.sort_values(["q", "p", "cluster"], kind="stable", na_position="last", ignore_index=True)
    return rows.astype({"layer": "Int64", "neuron": "Int64"})
