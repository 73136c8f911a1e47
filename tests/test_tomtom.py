"""Tomtom against the tables of MEME Suite 5.5.8."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from utils.motif import Motif, consensus, read_meme
from utils.runtime import ROOT
from utils.sequence import decode, encode, iupac_ppm
from utils.tomtom import COLUMNS, P_FLOOR, reverse_complements, tomtom, with_pseudocount

DATABASES = {
    "rbp_human_transite": ["rbp_human_transite.meme"],
    "mirna_human": ["mirna_human.meme.gz"],
    "both": ["rbp_human_transite.meme", "mirna_human.meme.gz"],
}


def sharp(name, word, weight=0.9):
    """Return a motif that is a word with a tenth of background."""
    return Motif(name, "", weight * iupac_ppm(word) + (1 - weight) / 4)


def words(count, width=9, seed=0):
    """Return a database of random words."""
    rng = np.random.default_rng(seed)
    return [sharp(f"random{i}", "".join(rng.choice(list("ACGU"), width))) for i in range(count)]


@pytest.fixture(scope="module")
def ours(shared_data):
    """Return, per database, all comparisons of this project with MEME's beside them (NaN where MEME printed none)."""
    queries = read_meme(shared_data / "tomtom_reference" / "queries.meme")
    tables = {}
    for name, files in DATABASES.items():
        targets = read_meme([shared_data / "motif_databases" / file for file in files])
        table = tomtom(queries, targets, q_threshold=1.0, n_jobs=1)
        assert len(table) == len(queries) * len(targets)
        reference = pd.read_csv(shared_data / "tomtom_reference" / f"{name}.ed.tsv.gz", sep="\t", comment="#")
        reference = reference.dropna(subset=["Target_ID"])
        both = table.merge(reference, on=["Query_ID", "Target_ID"], how="left", suffixes=("", "_meme"))
        assert both["p-value_meme"].notna().sum() == len(reference)
        tables[name] = both
    return tables


def true_null_share(p):
    """Return MEME's estimate of the share of targets that are no match, from the p-values (m,) of a query."""
    cuts = np.arange(1, 101) * 0.005
    return min(1.0, min(float((p >= cut).sum()) / (len(p) * (1 - cut)) for cut in cuts))


@pytest.mark.parametrize("name", DATABASES)
def test_p_values_are_those_of_meme(ours, name):
    both = ours[name].dropna(subset=["p-value_meme"])
    difference = np.log10(both["p-value"]) - np.log10(both["p-value_meme"])
    assert difference.abs().median() <= 0.01
    called = difference[both["q-value_meme"] < 0.01]  # none in the table of microRNAs alone
    assert (called.abs().median() <= 0.02) or (name == "mirna_human" and called.empty)


@pytest.mark.parametrize("name", DATABASES)
def test_calls_are_those_of_meme(ours, name):
    both = ours[name]
    meme = both["q-value_meme"] < 0.01  # NaN: above the table's threshold, not called
    assert meme.sum() > 70 or name == "mirna_human"
    assert ((both["q-value"] < 0.01) == meme).mean() >= 0.995


def test_calls_with_the_estimated_share_of_true_nulls_are_those_of_meme(ours):
    """The only difference of the q-values is MEME's factor pi0: with it 99.5 % of MEME's own calls agree."""
    calls = disagreements = 0
    for both in ours.values():
        share = both.groupby("Query_ID")["p-value"].transform(lambda p: true_null_share(p.to_numpy()))
        meme = both["q-value_meme"] < 0.01
        calls += meme.sum()
        disagreements += ((both["q-value"] * share < 0.01) != meme).sum()
    assert calls > 300
    assert disagreements <= 0.005 * calls


@pytest.mark.parametrize("name", ["rbp_human_transite", "both"])
def test_places_are_those_of_meme(ours, name):
    called = ours[name][ours[name]["q-value_meme"] < 0.01]
    for column in ("Optimal_offset", "Overlap"):
        assert (called[column] == called[f"{column}_meme"]).mean() > 0.97, column
    assert (called["Orientation_meme"] == "+").all()


def test_consensus_words_are_those_of_meme(ours, shared_data):
    """Letter by letter, but for columns where two bases are equally probable."""
    motifs = read_meme(shared_data / "tomtom_reference" / "queries.meme")
    motifs += read_meme(shared_data / "motif_databases" / "rbp_human_transite.meme")
    ppm_of = {motif.name: motif.ppm for motif in motifs}
    called = ours["rbp_human_transite"].query("`q-value_meme` < 0.01")
    for kind in ("Query", "Target"):
        for _, row in called.iterrows():
            ppm = ppm_of[row[f"{kind}_ID"]]
            own, other = encode(row[f"{kind}_consensus"]), encode(row[f"{kind}_consensus_meme"])
            columns = np.arange(ppm.shape[1])
            np.testing.assert_allclose(ppm[own, columns], ppm[other, columns], atol=1e-6)


def test_e_values_and_q_values(ours):
    """Row 10: E = p x targets; q by Benjamini-Hochberg over the targets of a query."""
    both = ours["rbp_human_transite"]
    np.testing.assert_allclose(both["E-value"], both["p-value"] * 174)
    for _, part in both.groupby("Query_ID"):
        np.testing.assert_allclose(part["q-value"], false_discovery_control(part["p-value"]))
        order = np.argsort(part["p-value"].to_numpy())  # by hand, too
        ranked = part["p-value"].to_numpy()[order] * len(part) / np.arange(1, len(part) + 1)
        by_hand = np.minimum.accumulate(ranked[::-1])[::-1]
        np.testing.assert_allclose(part["q-value"].to_numpy()[order], np.minimum(by_hand, 1))


def test_no_match_to_the_reverse_complement(shared_data):
    """Row 10: with both strands a motif matches its own reverse complement at p = 1e-6."""
    targets = read_meme(shared_data / "motif_databases" / "rbp_human_transite.meme")
    chosen = [motif for motif in targets if motif.ppm.shape[1] >= 7][::12]
    turned = [Motif(f"rc_{motif.name}", "", motif.ppm[::-1, ::-1].copy(), motif.nsites) for motif in chosen]
    table = tomtom(chosen + turned, targets, q_threshold=1.0, n_jobs=1).set_index(["Query_ID", "Target_ID"])
    palindromes = 0
    for motif in chosen:
        assert table.loc[(motif.name, motif.name), "q-value"] < 0.01  # the right way round it is found
        if np.abs(motif.ppm - motif.ppm[::-1, ::-1]).max() < 0.5:
            palindromes += 1
            continue
        assert table.loc[(f"rc_{motif.name}", motif.name), "p-value"] > 1e-4
    assert palindromes < len(chosen) / 2


def test_a_reverse_complement_among_words():
    """Row 10, in closed form: UGUAAAUAG is in the database, CUAUUUACA is asked for."""
    database = [sharp("PUM", "UGUAAAUAG"), *words(60)]
    found = tomtom([sharp("same", "UGUAAAUAG"), sharp("turned", "CUAUUUACA")], database, n_jobs=1)
    assert found.loc[found["Query_ID"] == "same", "Target_ID"].iloc[0] == "PUM"
    assert not (found["Query_ID"] == "turned").any()


def test_columns_are_tomtoms_and_p_values_finite():
    """Row 11: columns by name; p floored, so that log10 is finite."""
    long = "UGUAAAUAGCUUAGGCAUCG" * 3
    found = tomtom([sharp("a", long, 1.0)], [sharp("b", long, 1.0), *words(60, 40)], n_jobs=1)
    assert list(found.columns) == COLUMNS
    assert (found["p-value"] >= P_FLOOR).all()
    assert np.isfinite(np.log10(found["p-value"].to_numpy())).all()
    best = found.iloc[0]
    assert (best["Target_ID"], best["Optimal_offset"], best["Overlap"]) == ("b", 0, 60)
    assert best["p-value"] < 1e-15
    assert best["E-value"] == pytest.approx(best["p-value"] * 61)


def test_offset_and_overlap_of_a_shifted_word():
    """The target starts three positions into the query: offset -3, as Tomtom counts it."""
    database = [sharp("short", "UGUAAAUAG"), *words(60)]
    best = tomtom([sharp("long", "CCAUGUAAAUAGAC")], database, n_jobs=1).iloc[0]
    assert (best["Target_ID"], best["Optimal_offset"], best["Overlap"]) == ("short", -3, 9)
    assert (best["Query_consensus"], best["Target_consensus"]) == ("CCAUGUAAAUAGAC", "UGUAAAUAG")


def test_rows_are_by_query_and_then_by_p():
    database = words(60)
    queries = [database[5], database[2], database[40]]
    found = tomtom(queries, database, q_threshold=0.5, n_jobs=1)
    assert list(dict.fromkeys(found["Query_ID"])) == [query.name for query in queries]
    for _, part in found.groupby("Query_ID"):
        assert part["p-value"].is_monotonic_increasing
    assert (found["q-value"] <= 0.5).all()


def test_queries_do_not_influence_each_other():
    """Row 12: no state across neurons; one query at a time gives the same rows."""
    database = words(60)
    queries = [*words(3, 12, seed=1), database[7], database[30]]
    together = tomtom(queries, database, q_threshold=1.0, n_jobs=1)
    alone = pd.concat([tomtom([query], database, q_threshold=1.0, n_jobs=1) for query in queries], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone)


def test_nothing_to_compare_is_an_empty_table():
    for queries, targets in (([], words(2)), (words(2), [])):
        found = tomtom(queries, targets)
        assert list(found.columns) == COLUMNS
        assert found.empty


def test_pseudocount_is_memes():
    """(n p + 0.1 x 0.25) / (n + 0.1)."""
    motif = Motif("a", "", iupac_ppm("AN"), 20)
    np.testing.assert_allclose(with_pseudocount(motif)[:, 0], np.array([20.025, 0.025, 0.025, 0.025]) / 20.1)
    np.testing.assert_allclose(with_pseudocount(motif)[:, 1], 0.25)


def test_a_perfect_short_match_has_no_impossible_p_value():
    """Row 11: four sure columns occur by chance once in 4^4 places, so p cannot be 0 (memelite alone says so)."""
    query = Motif("query", "", iupac_ppm("CUAA"), 41)
    targets = read_meme(ROOT / "generate_dataset" / "literature_motifs.meme")
    table = tomtom([query], targets, q_threshold=1.0)
    assert table["p-value"].min() > 4.0**-4
    assert table["Target_ID"].iloc[0] in ("PAS_ACUAAA", "QKI_ACUAAY")
    by_length = tomtom([Motif(word, "", iupac_ppm(word), 41) for word in ("CUAA", "ACUAA", "ACUAAC")], targets, 1.0)
    best = by_length.groupby("Query_ID", sort=False)["p-value"].min()
    assert best.is_monotonic_decreasing


def test_both_strands_of_dna():
    """Trap 10 the other way round: for DNA a target that is the reverse complement is found, on the strand -.

    As good as on one strand against the turned target, but for the second attempt: 1 - (1 - p)^2.
    """
    random = np.random.default_rng(3)
    ppms = [random.dirichlet([0.3] * 4, size=11).T for _ in range(60)]
    targets = [Motif(f"m{place}", "", ppm) for place, ppm in enumerate(ppms)]
    query = Motif("query", "", reverse_complements(ppms[:1])[0][:, 2:])
    single = tomtom([query], [Motif("m0", "", query.ppm), *targets[1:]], keep_best=True).iloc[0]
    one, both = (tomtom([query], targets, 0.01, keep_best=True, both_strands=both) for both in (False, True))
    assert (one["Orientation"] == "+").all()
    assert not ((one["Target_ID"] == "m0") & (one["q-value"] < 0.01)).any()
    found = both.iloc[0]
    assert (found["Target_ID"], found["Orientation"]) == ("m0", "-")
    assert found["p-value"] < 30 * single["p-value"]
    turned = decode(consensus(reverse_complements(ppms[:1])[0]))
    assert found["Target_consensus"] == turned
    assert found["Optimal_offset"] == 2  # column of the turned target at which the query begins
    assert turned[2:] == found["Query_consensus"]
    forward = tomtom([Motif("query", "", ppms[0])], targets, both_strands=True).iloc[0]
    assert (forward["Target_ID"], forward["Orientation"]) == ("m0", "+")
    p = tomtom([query], targets, 1.0, both_strands=True)["p-value"].to_numpy()
    assert 0.3 < np.median(p) < 0.8  # of chance targets: neither too small nor too large
