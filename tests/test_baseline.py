"""k-mer counts and the ridge regression on them."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from utils import baseline
from utils.baseline import kmer_counts, kmer_ridge
from utils.data import Split
from utils.prediction import metrics

BITS = np.array([1, 2, 4, 8, 0], dtype=np.uint8)


def make_split(n, seed, length=80, codons=False):
    """Return messages whose label is the number of GGA, with noise; the last 10 positions are padding."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 4, (n, length))
    base[:, -10:] = 4
    base[:, 20] = 4  # an N
    codes = BITS[base]
    if codons:
        codes[:, 0:-10:3] |= 1 << 4
    text = ["".join("ACGUN"[b] for b in row) for row in base]
    label = np.array([sum(t.startswith("GGA", i) for i in range(length)) for t in text]) + 0.3 * rng.normal(size=n)
    return Split(codes, label[:, None].astype(np.float32), np.full(n, 70), [f"{seed}_{i}" for i in range(n)], 6)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_counts_are_those_of_a_plain_loop(k):
    """Row 8: words with padding or N count nowhere, not as A."""
    split = make_split(7, 0)
    index = {0: None, 1: 0, 2: 1, 4: 2, 8: 3}
    expected = np.zeros((7, 4**k))
    for row, codes in enumerate(split.codes):
        for start in range(len(codes) - k + 1):
            word = [index[int(c)] for c in codes[start : start + k]]
            if None not in word:
                expected[row, int("".join(map(str, word)), 4)] += 1
    np.testing.assert_array_equal(kmer_counts(split.codes, k), expected)
    assert expected.sum(axis=1) == pytest.approx(70 - k + 1 - k)


def test_codons_are_counted_in_frame():
    split = make_split(5, 1, codons=True)
    counts = kmer_counts(split.codes, 3, codons=True)
    # 24 starts at 0, 3, .., 69; the last runs into the padding, and the one at 18 holds the N
    assert (counts.sum(axis=1) == 22).all()


def test_short_messages_have_no_words():
    assert not kmer_counts(np.ones((3, 2), dtype=np.uint8), 4).any()


def test_the_ridge_finds_a_word_and_does_not_see_the_test_labels():
    train, valid, test = (make_split(n, seed) for n, seed in ((600, 0), (100, 1), (200, 2)))
    found = kmer_ridge(train, valid, test, words=(2, 3))
    assert found["features"] == "3-mers"
    assert found["r"] > 0.7
    assert [one["features"] for one in found["all"]] == ["2-mers", "3-mers"]
    assert found["r"] == pytest.approx(metrics(test.label[:, 0], found["y_hat"])["r"])
    shuffled = Split(test.codes, test.label[::-1].copy(), test.length, test.id, test.tracks)
    np.testing.assert_array_equal(kmer_ridge(train, valid, shuffled, words=(2, 3))["y_hat"], found["y_hat"])


def test_predictions_are_those_of_a_plain_ridge():
    """With the penalty that was chosen, one of eleven."""
    train, valid, test = (make_split(n, seed) for n, seed in ((300, 0), (50, 1), (60, 2)))
    found = kmer_ridge(train, valid, test, words=(2,))["y_hat"]
    X, X_test = (np.c_[np.log1p(kmer_counts(s.codes, 2)), np.full(len(s), np.log1p(69))] for s in (train, test))
    mean, std = X.mean(axis=0), X.std(axis=0)
    std[-1] = 1
    plain = [
        Ridge(alpha).fit((X - mean) / std, train.label[:, 0]).predict((X_test - mean) / std)
        for alpha in np.logspace(0, 5, 11)
    ]
    assert min(np.abs(found - one).max() for one in plain) < 1e-3


def test_words_are_counted_once(monkeypatch):
    """With and without codons the words are the same."""
    counted = []
    monkeypatch.setattr(
        baseline, "kmer_counts", lambda *a, **k: counted.append((id(a[0]), a[1], k)) or kmer_counts(*a, **k)
    )
    splits = [make_split(30, seed, codons=True) for seed in range(3)]
    assert {one["features"] for one in kmer_ridge(*splits, words=(1, 2))["all"]} == {
        "1-mers", "1-mers and codons", "2-mers", "2-mers and codons",
    }  # fmt: skip
    assert len([k for _, k, codons in counted if not codons]) == 6


def test_codons_are_features_where_they_are_known():
    splits = [make_split(n, seed, codons=True) for n, seed in ((100, 0), (30, 1), (30, 2))]
    assert [one["features"] for one in kmer_ridge(*splits, words=(2,))["all"]] == ["2-mers", "2-mers and codons"]
