"""Known facts asked of a model: where words are written, what they are compared with, and what is said of them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from figures import known_facts
from figures.known_facts import FACTS, allowed_starts, label_difference, other_words, verdict, word_effect
from utils.config import load_model_settings
from utils.data import Split
from utils.sequence import IUPAC, encode

WORD = encode("UGUA")


def messages(seed=0, n=40, full=60):
    """Return messages with a coding sequence of 12 nt from position 9 on, an N, and an empty end."""
    rng = np.random.default_rng(seed)
    length = rng.integers(40, full, n).astype(np.int32)
    codes = (1 << rng.integers(0, 4, (n, full))).astype(np.uint8)
    codes[:, [9, 12, 15, 18]] |= known_facts.CODON_START
    codes[:, 30] = 0
    codes[np.arange(full) >= length[:, None]] = 0
    return Split(codes, rng.normal(size=(n, 1)).astype(np.float32), length, [str(i) for i in range(n)], 5)


@pytest.mark.parametrize("frame", ["any", "in", "out"])
@pytest.mark.parametrize("region", ["message", "cds", "utr3"])
def test_a_word_stands_in_its_region_and_frame_on_known_bases(region, frame):
    split = messages()
    held = allowed_starts(split, np.arange(len(split)), 4, region, frame)
    for row in range(len(split)):
        for start in range(held.shape[1]):
            end, length = start + 4, split.length[row]
            inside = {"message": end <= length, "cds": start >= 9 and end <= 21, "utr3": start >= 21 and end <= length}
            in_frame = (start % 3 == 0 and 9 <= start < 21) if region == "cds" else (length - start) % 3 == 0
            right = inside[region] and not start <= 30 < end and frame in ("any", "in" if in_frame else "out")
            assert held[row, start] == right, (row, start)


def test_other_words_are_other_orders_or_random_words():
    rng = np.random.default_rng(0)
    words, kind = other_words("AUG", rng)
    assert sorted(words) == ["AGU", "GAU", "GUA", "UAG", "UGA"]
    assert kind == "orders of its letters"
    words, kind = other_words("UGUAAAUA", rng)
    assert len(set(words)) == 40
    assert all(sorted(word) == sorted("UGUAAAUA") for word in words)
    assert "UGUAAAUA" not in words
    words, kind = other_words("UUUUUUUU", rng)
    assert kind == "random words"
    assert {len(word) for word in words} == {8}
    assert "UUUUUUUU" not in words


def asked(monkeypatch, expected, height):
    """Return the effect of a word that a network with a known answer gives: ``height`` where it stands, else 0."""

    def predict_edits(model, split, row, start, width, bases):
        held = allowed_starts(split, row, 4, "utr3", "any")
        assert held[np.arange(len(row)), start].all()
        assert (width == 4).all()
        there = (bases == WORD).all(axis=2)
        return np.zeros((len(row), 1), np.float32), (height * there[..., None]).astype(np.float32)

    monkeypatch.setattr(known_facts, "predict_edits", predict_edits)
    work = SimpleNamespace(messages=messages(n=300), checkpoint=SimpleNamespace(model=None), dataset=FACTS)
    fact = {"fact": "x", "word": "UGUA", "region": "utr3", "frame": "any", "expected": expected}
    return fact | word_effect(work, fact, np.random.default_rng(0))


def test_the_effect_of_a_word_is_what_the_network_says(monkeypatch):
    row = asked(monkeypatch, "lower", -2.0)
    assert row["messages"] == known_facts.MESSAGES
    assert row["effect"] == row["effect_low"] == row["effect_high"] == -2
    assert row["stronger_than"] == 1
    assert row["p"] < 1e-20
    assert verdict(row | {"q": row["p"]}, None) == "comes out"
    assert asked(monkeypatch, "raise", -2.0)["stronger_than"] == 0


def test_what_is_said():
    row = {"expected": "lower", "effect": -1.0, "effect_low": -1.2, "effect_high": -0.8, "q": 0.01, "stronger_than": 1}
    assert verdict(row, None) == "comes out"
    assert verdict(row | {"stronger_than": 0.8}, None) == "weak"
    assert verdict(row | {"q": 0.2}, None) == "no effect"
    assert verdict(row | {"expected": "raise"}, None) == "opposite"
    assert verdict(row, {"effect_low": -2.2, "effect_high": -1.8}) == "comes out; weaker, as expected"
    assert verdict(row, {"effect_low": -1.3, "effect_high": -1.1}) == "comes out; not weaker"


def test_labels_of_messages_that_hold_a_word():
    split = messages(n=400)
    fact = {"fact": "x", "word": "UG", "region": "utr3", "frame": "any", "expected": "lower"}
    text = ["".join("ACGU"[int(c & 15).bit_length() - 1] if c & 15 else "N" for c in row) for row in split.codes]
    holds = np.array(["UG" in one[21:] for one in text])
    found = label_difference(split, fact)
    label = split.label[:, 0].astype(float)
    assert found["holding"] == holds.sum()
    assert 6 < holds.sum() < 394
    assert found["label_difference"] == pytest.approx(label[holds].mean() - label[~holds].mean())
    assert np.isnan(label_difference(split, fact | {"word": "UGUGUGUGUG"})["label_p"])


def test_the_table_of_facts_is_sound():
    table = pd.read_csv(FACTS, sep="\t", keep_default_na=False)
    assert not table.duplicated(["model", "fact"]).any()
    assert set(table["region"]) <= {"message", "cds", "utr3"}
    assert set(table["frame"]) <= {"any", "in", "out"}
    assert set(table["expected"]) == {"lower", "raise"}
    assert table["source"].str.contains("doi:").all()
    assert all(set(word) <= set(IUPAC) for word in table["word"])
    for model, facts in table.groupby("model"):
        load_model_settings(model)
        assert set(facts["weaker_than"]) - {""} <= set(facts["fact"])


def test_an_unknown_model_is_one_line(capsys):
    with pytest.raises(SystemExit) as raised:
        known_facts.main(["--models", "nobody"])
    assert raised.value.code != 0
    assert "--models: no facts for 'nobody'" in capsys.readouterr().err
