"""Merge motif databases and put their motifs in clusters: MEME files -> data/NAME.meme, data/NAME_clusters.tsv.

Databases repeat themselves. Two motifs are linked when each finds the other by Tomtom at q < q_threshold; a cluster is
a connected component of the links. Tomtom's p- and q-values refer to the whole merged database: what is merged decides
too which motifs are linked.
"""

import itertools
import logging
import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pydantic
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from utils.config import OutputFolder, Settings, load_settings, root_files, settings_parser
from utils.motif import Motif, iupac_consensus, read_meme, write_meme
from utils.progress import progress_bar
from utils.runtime import InputError, file_sha256, fingerprint, root_path, run_script, shown, write_text
from utils.tomtom import tomtom

logger = logging.getLogger(__name__)

COLUMNS = ["motif", "alt", "source", "consensus", "cluster", "cluster_name", "cluster_size", "links"]
COMPARISONS_AT_ONCE = 2**18  # motif pairs of one call of Tomtom: bounds its memory
SAME = 1e-6  # probabilities closer than this are the same: MEME files hold six decimals
SHOWN_NAMES = 2
ACCESSION = re.compile(r"MI(MAT)?\d+|ENSG\d+")  # miRBase, Ensembl: no names for people
MICRO_RNA = re.compile(r"(?:[a-z]{3,4}-)?(miR|let|lin)-(\d+)[a-z]*(?:-\d+)?(-[35]p)?")


class MotifDatabaseSettings(Settings):
    """Settings of a merged motif database."""

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    sources: str | tuple[str, ...]
    q_threshold: float = pydantic.Field(0.001, gt=0, le=1)
    output: OutputFolder = "data"


@dataclass(frozen=True)
class Merged:
    """Several databases in one.

    Attributes:
        motifs: the motifs, each under a name of its own.
        origin: per motif the database, counted from 0, that it is from.
        dropped: how many motifs were there twice and are so once.
        renamed: the old and the new name of each motif that had to be renamed.
    """

    motifs: list[Motif]
    origin: list[int]
    dropped: int
    renamed: list[tuple[str, str]]


def merge(databases: list[list[Motif]]) -> Merged:
    """Join databases in order; no name stands twice.

    A motif whose name and matrix were there before is dropped. One with a name that was there before and another matrix
    gets the first number from 2 on that makes its name new: M001, M001_2, M001_3.
    """
    merged = Merged([], [], 0, [])
    taken = {motif.name for motifs in databases for motif in motifs}
    versions: dict[str, list[Motif]] = {}
    for number, motifs in enumerate(databases):
        for motif in motifs:
            earlier = versions.setdefault(motif.name, [])
            if any(_same_matrix(motif, other) for other in earlier):
                continue
            if earlier:
                name = next(new for suffix in itertools.count(2) if (new := f"{motif.name}_{suffix}") not in taken)
                taken.add(name)
                merged.renamed.append((motif.name, name))
            earlier.append(motif)
            merged.motifs.append(replace(motif, name=merged.renamed[-1][1]) if len(earlier) > 1 else motif)
            merged.origin.append(number)
    return replace(merged, dropped=sum(map(len, databases)) - len(merged.motifs))


def _same_matrix(motif: Motif, other: Motif) -> bool:
    return motif.ppm.shape == other.ppm.shape and bool(np.abs(motif.ppm - other.ppm).max() <= SAME)


def linked(motifs: list[Motif], q_threshold: float, quiet: bool = False) -> csr_array:
    """Return the links, bool (n, n), symmetric, without those of a motif to itself.

    Tomtom's q-value of A as a query for B is another than that of B for A. The larger of the two counts: a word of a
    few letters finds itself in many longer motifs that do not find it, and one-sided links chain unrelated motifs.
    """
    place = {motif.name: index for index, motif in enumerate(motifs)}
    at_once = max(1, COMPARISONS_AT_ONCE // len(motifs))
    queries, targets = [], []
    with progress_bar(total=len(motifs), desc="comparing motifs", unit="motif", disable=quiet) as bar:
        for start in range(0, len(motifs), at_once):
            block = motifs[start : start + at_once]
            found = tomtom(block, motifs, q_threshold)
            found = found[(found["q-value"] < q_threshold) & (found["Query_ID"] != found["Target_ID"])]
            queries.append(found["Query_ID"].map(place).to_numpy(np.int64))
            targets.append(found["Target_ID"].map(place).to_numpy(np.int64))
            bar.update(len(block))
    pairs = (np.concatenate(queries), np.concatenate(targets))
    finds = csr_array((np.ones(len(pairs[0]), dtype=bool), pairs), shape=(len(motifs), len(motifs)))
    return finds.multiply(finds.T).tocsr()


def cluster_numbers(links: csr_array) -> np.ndarray:
    """Return the cluster of each motif, int (n,), from 1 on: by size, of equal ones in the order of the database."""
    _, label = connected_components(links, directed=False)
    first, size = np.unique(label, return_index=True, return_counts=True)[1:]
    number = np.empty(len(size), dtype=np.int64)
    number[np.lexsort((first, -size))] = np.arange(1, len(size) + 1)
    return number[label]


def factors(motif: Motif) -> list[str]:
    """Return what a motif is of, as people say it: proteins, elements, microRNA families.

    From the second name, or from the first where the second is none or an accession number; several are joined by
    ``/``. Explanations in brackets at the end and accession numbers beside names are left away. A microRNA's family is
    its number and arm: hsa-miR-20a-5p, hsa-miR-20b-5p and miR-20-5p are miR-20-5p.
    """
    text = motif.name if not motif.alt or ACCESSION.fullmatch(motif.alt) else motif.alt
    in_front = re.match(r"\(([^()]+)\)", text)  # CISBP-RNA: (PUM1)_(Homo_sapiens)_(RBD_1.00)
    text = in_front[1] if in_front else re.sub(r"[_ ]\(.*\)$", "", text)
    words = [word.replace("_", " ").strip() for word in text.split("/")]
    words = [word for word in words if word and not ACCESSION.fullmatch(word)] or [motif.name]
    families = [MICRO_RNA.fullmatch(word) for word in words]
    names = [
        f"{family[1]}-{family[2]}{family[3] or ''}" if family else word
        for word, family in zip(words, families, strict=True)
    ]
    return list(dict.fromkeys(names))


def cluster_names(motifs: list[Motif], cluster: np.ndarray) -> list[str]:
    """Return a name per cluster, unique, the first that of cluster 1.

    The two factors that most motifs of the cluster are of (of equally frequent ones the first in the database) and how
    many others there are: ``PUM1/PUM2 (+2)``. Where this names several clusters, the first motif of each is added in
    square brackets.
    """
    members = [np.flatnonzero(cluster == number) for number in range(1, int(cluster.max()) + 1)]
    names = []
    for rows in members:
        found = Counter(name for row in rows for name in factors(motifs[row]))
        best = [name for name, _ in found.most_common(SHOWN_NAMES)]  # of equal counts the first counted
        names.append("/".join(best) + (f" (+{len(found) - len(best)})" if len(found) > len(best) else ""))
    often = Counter(names)
    return [
        f"{name} [{motifs[rows[0]].name}]" if often[name] > 1 else name
        for name, rows in zip(names, members, strict=True)
    ]


def cluster_table(motifs: list[Motif], sources: list[str], links: csr_array) -> pd.DataFrame:
    """Return the columns of ``NAME_clusters.tsv``, a row per motif, by cluster and then as in the database.

    ``links`` counts the other motifs that a motif is linked to: in a cluster of n that holds together, close to n - 1.
    """
    cluster = cluster_numbers(links)
    names = cluster_names(motifs, cluster)
    size = np.bincount(cluster)
    table = pd.DataFrame(
        {
            "motif": [motif.name for motif in motifs],
            "alt": [motif.alt for motif in motifs],
            "source": sources,
            "consensus": [iupac_consensus(motif.ppm) for motif in motifs],
            "cluster": cluster,
            "cluster_name": [names[number - 1] for number in cluster],
            "cluster_size": size[cluster],
            "links": links.astype(np.int64).sum(axis=1),
        },
        columns=COLUMNS,
    )
    return table.sort_values("cluster", kind="stable", ignore_index=True)


def run(settings: MotifDatabaseSettings, overwrite: bool = False) -> None:
    """Merge, compare, cluster and write, unless that is done already."""
    paths = root_files(settings.sources, "sources")
    names = [settings.sources] if isinstance(settings.sources, str) else list(settings.sources)
    if not paths:
        raise InputError("key 'sources': no file is named; give one MEME file or several")
    merged_path = root_path(settings.output) / f"{settings.name}.meme"
    table_path = root_path(settings.output) / f"{settings.name}_clusters.tsv"
    if any(path.resolve() == merged_path.resolve() for path in paths):
        raise InputError(f"key 'name': {shown(merged_path)} is one of the sources; give another name")

    def key() -> str:  # of everything that decides the table, the merged file as it lies there included
        hashes = [file_sha256(path) for path in [*paths, merged_path] if path.is_file()]
        return fingerprint(sources=names, hashes=hashes, q_threshold=settings.q_threshold)

    if not overwrite and table_path.is_file():
        last = table_path.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")[2]
        if last == f"# settings: {key()}":
            logger.info("%s: there already, with these sources and settings", shown(table_path))
            return
    merged = merge([read_meme(path) for path in paths])
    for old, new in merged.renamed:
        logger.warning(
            "%s: '%s' stands twice with different matrices; the later one is called '%s'", shown(merged_path), old, new
        )
    write_meme(merged_path, merged.motifs)
    logger.info(
        "%s: %d motifs; %d were there twice and are dropped", shown(merged_path), len(merged.motifs), merged.dropped
    )
    motifs = read_meme(merged_path)  # with the rounding that everyone who reads the file gets
    sources = [names[number] for number in merged.origin]
    table = cluster_table(motifs, sources, linked(motifs, settings.q_threshold))
    write_text(table_path, table.to_csv(sep="\t", index=False) + f"# settings: {key()}\n")
    clusters = table.drop_duplicates("cluster")
    alone = int((clusters["cluster_size"] == 1).sum())
    logger.info("%s: %d clusters, %d of them of one motif", shown(table_path), len(clusters), alone)
    for row in clusters[clusters["cluster_size"] > 1].head(5).itertuples():
        logger.info("  %d motifs: %s", row.cluster_size, row.cluster_name)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = settings_parser(__doc__, MotifDatabaseSettings)
    parser.add_argument("--overwrite", action="store_true", help="compute again what is finished")
    arguments = parser.parse_args(argv)
    run_script(
        lambda: run(load_settings(MotifDatabaseSettings, arguments.config, arguments.overrides), arguments.overwrite)
    )


if __name__ == "__main__":
    main()
