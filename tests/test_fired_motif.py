"""Scores of motifs in sequences, and the motif by which messages fire a neuron, against slow versions."""

from types import SimpleNamespace

import numpy as np
import pytest

from motif_contribution.fired_motif import fired_motifs, shares, windows_anywhere
from report.cards import fired_motif
from utils.interpretation_settings import InteractionSettings
from utils.motif_places import best_places
from utils.neuron_motif import NeuronMotif
from utils.scan import summarise
from utils.sequence import encode, iupac_ppm


def test_best_places_equal_a_plain_search(monkeypatch):
    rng = np.random.default_rng(3)
    bases = rng.integers(0, 5, (40, 23)).astype(np.uint8)
    motifs = [rng.dirichlet([0.3] * 4, width).T for width in (4, 7, 4, 23, 24)]
    monkeypatch.setattr("utils.motif_places.VALUES", 5000)  # several batches
    score, start = best_places(bases, motifs)
    assert (score[:, 4] == -np.inf).all()
    assert (start[:, 4] == -1).all()
    for number, ppm in enumerate(motifs[:4]):
        width = ppm.shape[1]
        for row, sequence in enumerate(bases):
            odds = [
                sum(np.log2(max(ppm[base, column], 0.01) / 0.25 if base < 4 else 0.04)
                    for column, base in enumerate(sequence[place : place + width]))
                for place in range(23 - width + 1)
            ]  # fmt: skip
            assert score[row, number] == pytest.approx(max(odds), abs=1e-4)
            assert odds[start[row, number]] == pytest.approx(max(odds), abs=1e-4)


def test_of_equal_scores_the_first_place_counts():
    score, start = best_places(encode("AGGACUAAGGACU")[None], [iupac_ppm("GGACU")])
    assert (score[0, 0], start[0, 0]) == (10, 1)


def test_shares_equal_a_search_over_all_thresholds():
    rng = np.random.default_rng(0)
    fired, anywhere = rng.integers(0, 9, (70, 5)) + 2.0, rng.integers(0, 9, (90, 5)) + 0.0  # many equal scores
    held, elsewhere = shares(fired, anywhere)
    for motif in range(5):
        slow = [
            ((fired[:, motif] >= cut).mean(), (anywhere[:, motif] >= cut).mean())
            for cut in np.unique(np.concatenate([fired[:, motif], anywhere[:, motif]]))
        ]
        assert held[motif] - elsewhere[motif] == pytest.approx(max(one - other for one, other in slow))
        assert any(np.allclose((held[motif], elsewhere[motif]), one) for one in slow)


def work_of(texts, threshold=0.7):
    codes = np.stack([1 << encode(text) for text in texts]).astype(np.uint8)
    messages = SimpleNamespace(codes=codes, length=np.full(len(texts), codes.shape[1], dtype=np.int32))
    return SimpleNamespace(messages=messages, settings=InteractionSettings(model="toy", threshold=threshold))


def motif_of(word):
    return NeuronMotif(20 * iupac_ppm(word), 0, word, 1.0, segment=f"0_0-{len(word)}")


@pytest.fixture
def fires_at_two():
    """Random messages, 30 of which hold ACUAAC at 20: by it they activate a neuron whose first motif is another."""
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list("ACGU"), 60)) for _ in range(100)]
    texts[:30] = [text[:20] + "ACUAAC" + text[26:] for text in texts[:30]]
    maximum = np.where(np.arange(100) < 30, 1.0, 0.1).astype(np.float32)[:, None]
    start = np.where(np.arange(100) < 30, 15, 3).astype(np.int32)[:, None]
    scan = summarise(3, 18, np.repeat(maximum, 3, axis=1), np.repeat(start, 3, axis=1), 100)
    scan.maximum[:, 1] = np.where(np.arange(100) < 3, 1.0, 0.0)  # three messages activate it
    return work_of(texts), scan


def test_the_motif_is_the_one_that_messages_hold(fires_at_two):
    work, scan = fires_at_two
    both = [motif_of("UGUANAUA"), motif_of("ACUAAC"), motif_of("GGACU")]
    nothing = [NeuronMotif(note="no informative segment")]
    found = fired_motifs(work, scan, [both, both, nothing])
    assert [one.word for one in found] == ["ACUAAC", "UGUANAUA", ""]
    assert found[0].share == 1
    assert found[0].elsewhere < 0.15  # 30 of 100 messages hold the word in 13 of their 43 windows: 9 %
    assert np.isnan(found[1].share)  # too few messages: the strongest one
    assert found == fired_motifs(work, scan, [both, both, nothing])


def test_windows_anywhere_are_of_known_bases_and_long_messages(fires_at_two):
    work, _ = fires_at_two
    work.messages.codes[0::2, 10:50] = 0  # N
    work.messages.length[1] = 17
    found = windows_anywhere(work, 18)
    assert found.shape[1] == 18
    assert 500 < len(found) < 1500
    assert found.max() == 3
    assert len(windows_anywhere(work, 61)) == 0


def test_the_report_shows_the_motif_of_the_table():
    parts = [
        {"path": "0-1", "segments": [[2, 7, "GGACU"], [9, 13, "UUUU"]], "columns": "x" * 72 + "y" * 32, "ratio": 0.9}
    ]
    found = fired_motif({"parts": parts}, "0-1_9-13")
    assert found == {"word": "UUUU", "ratio": 0.9, "start": 9, "part": "0-1", "columns": "y" * 32}
    assert fired_motif({"parts": parts}, "0-1_9-14") is None
    assert fired_motif({"parts": parts}, None) is None
    assert fired_motif({}, "0-1_9-13") is None
