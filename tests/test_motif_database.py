"""Merged motif databases and their clusters."""

import gzip
import logging

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.sparse import csr_array

from generate_dataset.motif_database import (
    COLUMNS,
    MotifDatabaseSettings,
    cluster_names,
    cluster_numbers,
    factors,
    linked,
    main,
    merge,
    run,
)
from utils.config import load_settings
from utils.motif import Motif, read_meme, write_meme
from utils.runtime import ROOT, InputError
from utils.sequence import iupac_ppm
from utils.tomtom import tomtom

CONFIG = ROOT / "configs" / "datasets" / "motif_databases.yaml"
PUM = [
    "CAUGUAAAUAGCUU",
    "CAUGUAAAUAGGUU",
    "CAUGUAUAUAGCUU",
]  # the same motif three times, on a background of random words


def sharp(name, word, alt="", weight=0.9):
    """Return a motif that is a word with a tenth of background."""
    return Motif(name, alt, weight * iupac_ppm(word) + (1 - weight) / 4)


def random_words(count, seed=0, width=14):
    rng = np.random.default_rng(seed)
    return [sharp(f"random{seed}_{i}", "".join(rng.choice(list("ACGU"), width))) for i in range(count)]


def database():
    """Return three Pumilio motifs, two of HuR and 60 random words."""
    pumilio = [sharp(f"pum{i}", word, f"PUM{i + 1}") for i, word in enumerate(PUM)]
    hur = [sharp(f"hur{i}", "UUAUUUAUUUAUUU", "ELAVL1") for i in range(2)]
    return [*random_words(30), *hur, *pumilio, *random_words(30, seed=1)]


# -- merging -----------------------------------------------------------------------------------------------------


def test_merging_drops_the_same_and_renames_the_different():
    first = [sharp("a", "UGUAAAUA"), sharp("b", "GGACU"), sharp("a_2", "CCCCC")]
    second = [sharp("b", "GGACU"), sharp("a", "AAUAAA"), sharp("c", "UGUAAAUA")]
    third = [sharp("a", "AAUAAA"), sharp("a", "AUUUA")]
    merged = merge([first, second, third])
    assert [motif.name for motif in merged.motifs] == ["a", "b", "a_2", "a_3", "c", "a_4"]
    assert merged.origin == [0, 0, 0, 1, 1, 2]
    assert merged.dropped == 2  # b of the second and a of the third
    assert merged.renamed == [("a", "a_3"), ("a", "a_4")]  # a_2 is taken
    np.testing.assert_array_equal(merged.motifs[3].ppm, second[1].ppm)


def test_rounding_in_a_file_is_no_difference(tmp_path):
    motifs = [sharp("a", "HNDVB", weight=0.7)]
    write_meme(tmp_path / "a.meme", motifs)
    assert merge([motifs, read_meme(tmp_path / "a.meme")]).dropped == 1


# -- links and clusters ------------------------------------------------------------------------------------------


def test_links_are_mutual_matches_by_the_definition():
    """method.md, summaries: motifs that match each other at q < 0.001; here without blocks and sparse matrices."""
    motifs = [*database(), *read_meme(ROOT / "generate_dataset" / "literature_motifs.meme")[:60]]
    found = tomtom(motifs, motifs, q_threshold=1.0)
    names = [motif.name for motif in motifs]
    q = found.pivot(index="Query_ID", columns="Target_ID", values="q-value").loc[names, names].to_numpy(copy=True)
    np.fill_diagonal(q, 1)
    for threshold in (0.001, 0.02):
        links = linked(motifs, threshold, quiet=True).toarray()
        np.testing.assert_array_equal(links, np.maximum(q, q.T) < threshold)
        assert links.any()
    assert (links != (np.minimum(q, q.T) < threshold)).any()  # it matters which of the two q-values counts


def test_blocks_do_not_change_the_links(monkeypatch):
    motifs = database()
    together = linked(motifs, 0.01, quiet=True).toarray()
    monkeypatch.setattr("generate_dataset.motif_database.COMPARISONS_AT_ONCE", 7 * len(motifs))
    np.testing.assert_array_equal(linked(motifs, 0.01, quiet=True).toarray(), together)


def test_known_motifs_are_found_among_random_words():
    motifs = database()
    cluster = cluster_numbers(linked(motifs, 0.001, quiet=True))
    names = np.array([motif.alt for motif in motifs])
    assert set(cluster[np.char.startswith(names, "PUM")]) == {1}  # the largest
    assert set(cluster[names == "ELAVL1"]) == {2}
    assert np.bincount(cluster)[1:].tolist() == [3, 2, *[1] * (len(motifs) - 5)]


def test_clusters_are_connected_components_in_a_fixed_order():
    pairs = [(1, 4), (4, 6), (2, 3), (0, 7)]
    links = np.zeros((8, 8), dtype=bool)
    for a, b in pairs:
        links[a, b] = links[b, a] = True
    assert cluster_numbers(csr_array(links)).tolist() == [2, 1, 3, 3, 1, 4, 1, 2]
    assert cluster_numbers(csr_array(np.zeros((3, 3), dtype=bool))).tolist() == [1, 2, 3]


def test_the_order_of_the_database_does_not_change_the_clusters():
    motifs = database()
    order = np.random.default_rng(3).permutation(len(motifs))
    cluster = cluster_numbers(linked(motifs, 0.001, quiet=True))
    shuffled = cluster_numbers(linked([motifs[i] for i in order], 0.001, quiet=True))
    sets = [
        {frozenset(np.array(rows)[labels == number]) for number in set(labels.tolist())}
        for rows, labels in ((range(len(motifs)), cluster), (order, shuffled))
    ]
    assert sets[0] == sets[1]


# -- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "alt", "expected"),
    [
        ("M1", "PUM1/PUM2/Puf3", ["PUM1", "PUM2", "Puf3"]),
        ("M1", "ELAVL1_(HuR)", ["ELAVL1"]),
        ("M1", "poly(U)_element", ["poly(U) element"]),
        ("M1", "AU-rich_element/ZFP36", ["AU-rich element", "ZFP36"]),
        ("M1", "PABPC4/PABPC1L/ENSG00000250177", ["PABPC4", "PABPC1L"]),
        ("M1", "(PUM1)_(Homo_sapiens)_(RBD_1.00)", ["PUM1"]),
        ("M1", "", ["M1"]),
        ("hsa-miR-20a-5p", "MIMAT0000075", ["miR-20-5p"]),
        ("hsa-miR-548au-3p", "MIMAT0022292", ["miR-548-3p"]),
        ("hsa-let-7f-1-3p", "MIMAT0004486", ["let-7-3p"]),
        ("hsa-miR-1-3p", "MIMAT0000416", ["miR-1-3p"]),
        ("hsa-miR-4675", "MIMAT0019757", ["miR-4675"]),
        ("seed", "let-7-5p/miR-98-5p", ["let-7-5p", "miR-98-5p"]),
        ("seed", "miR-200b-3p/miR-200c-3p", ["miR-200-3p"]),
    ],
)
def test_factors(name, alt, expected):
    assert factors(sharp(name, "ACGU", alt)) == expected


def test_cluster_names_are_readable_and_unique():
    alts = ["PUM2/PUM1", "PUM1/FBF-1", "Puf3", "SRSF1", "SRSF1", "SRSF1", "QKI"]
    motifs = [sharp(f"m{i}", "ACGU", alt) for i, alt in enumerate(alts)]
    names = cluster_names(motifs, np.array([1, 1, 1, 2, 2, 3, 4]))
    assert names == ["PUM1/PUM2 (+2)", "SRSF1 [m3]", "SRSF1 [m5]", "QKI"]


# -- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    """Return a function that gives settings for two small databases, one of them compressed."""
    motifs = database()
    write_meme(tmp_path / "one.meme", motifs[:40])
    write_meme(tmp_path / "plain.meme", [*motifs[32:33], sharp("random0_5", "GCGCGCGCGC"), *random_words(2, seed=2)])
    (tmp_path / "two.meme.gz").write_bytes(gzip.compress((tmp_path / "plain.meme").read_bytes()))

    def make(**more):
        sources = [str(tmp_path / "one.meme"), str(tmp_path / "two.meme.gz")]
        return MotifDatabaseSettings(**{"name": "both", "sources": sources, "output": str(tmp_path / "out"), **more})

    return make


def test_the_files(settings, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run(settings())
    merged = read_meme(tmp_path / "out" / "both.meme")
    assert "'random0_5' stands twice with different matrices; the later one is called 'random0_5_2'" in caplog.text
    assert "43 motifs; 1 were there twice" in caplog.text
    table = pd.read_csv(tmp_path / "out" / "both_clusters.tsv", sep="\t", comment="#", keep_default_na=False)
    assert list(table.columns) == COLUMNS
    assert sorted(table["motif"]) == sorted(motif.name for motif in merged)
    assert table["cluster"].is_monotonic_increasing
    assert table["cluster_name"].nunique() == table["cluster"].nunique()
    assert (table.groupby("cluster")["motif"].transform("size") == table["cluster_size"]).all()
    first = table[table["cluster"] == 1]
    assert first["motif"].tolist() == ["pum0", "pum1", "pum2"]
    assert set(first["cluster_name"]) == {"PUM1/PUM2 (+1)"}
    assert first["consensus"].tolist() == PUM
    source = table.set_index("motif")["source"]
    assert source["random0_5"].endswith("one.meme")
    assert source["random0_5_2"].endswith("two.meme.gz")
    assert source["pum0"].endswith("one.meme")


def test_a_finished_result_is_computed_again_only_when_something_changed(settings, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "out" / "both_clusters.tsv"

    def computed(changed, **more):
        before = path.read_text()
        caplog.clear()
        run(changed, **more)
        again = "there already" not in caplog.text
        assert again == ("clusters, " in caplog.text)
        return again, path.read_text() == before

    run(settings())
    assert computed(settings()) == (False, True)
    assert computed(settings(), overwrite=True) == (True, True)
    assert computed(settings(q_threshold=0.01))[0]
    assert computed(settings())[0]
    (tmp_path / "out" / "both.meme").write_text("damaged")
    assert computed(settings()) == (True, True)
    write_meme(tmp_path / "one.meme", database()[:39])
    assert computed(settings())[0]
    path.write_text(path.read_text()[:-30])
    assert computed(settings())[0]


def test_a_source_is_not_overwritten(settings, tmp_path, one_line):
    before = (tmp_path / "one.meme").read_text()
    with pytest.raises(InputError, match="one of the sources") as raised:
        run(settings(name="one", output=str(tmp_path)))
    one_line(raised)
    assert (tmp_path / "one.meme").read_text() == before
    with pytest.raises(InputError, match="no such file"):
        run(settings(sources=str(tmp_path / "nowhere.meme")))
    with pytest.raises(InputError, match="sources"):
        run(settings(sources=[]))


def test_the_config_as_it_stands(tmp_path, caplog):
    """The embedded database, from the command line; every key of the schema is in the file."""
    assert set(yaml.safe_load(CONFIG.read_text())) == set(MotifDatabaseSettings.model_fields)
    settings = load_settings(MotifDatabaseSettings, CONFIG)
    main(["--config", str(CONFIG), f"output={tmp_path}"])
    table = pd.read_csv(tmp_path / f"{settings.name}_clusters.tsv", sep="\t", comment="#", keep_default_na=False)
    assert len(table) == len(read_meme(ROOT / settings.sources))
    together = table.groupby("cluster")["motif"].apply(set).tolist()
    assert any({"PUM2_UGUANAUA", "Puf3_CNUGUANAUA"} <= motifs for motifs in together)


def test_measured_rna_binding_proteins_cluster_by_protein(shared_data):
    """Motifs of one protein, measured several times, come together; motifs of different families do not."""
    motifs = read_meme(shared_data / "motif_databases" / "rbp_human_transite.meme")
    cluster = cluster_numbers(linked(motifs, 0.001, quiet=True))
    of = {motif.name: number for motif, number in zip(motifs, cluster, strict=True)}
    assert of["M227_0.6"] == of["M228_0.6"]  # PTBP1
    assert of["662_1717938"] == of["663_1717938"]  # SNRPA
    assert np.bincount(cluster).max() < len(motifs) / 10  # no chain through everything
