"""utils/edits.py and motif_interaction: words, scrambling and the mutagenesis of a pair."""

import itertools
import re

import numpy as np
import pytest
import torch

from motif_interaction.mutagenesis import (
    CONTROLS,
    PREDICTIONS,
    measure,
    per_sequence,
    place_keys,
    without_annotation,
)
from motif_interaction.scramble import control_places, scramble
from motif_interaction.words import Motif, Places, find_pairs, hashed, match, occurrences, read_word, uniform
from tests.toy import plain_prediction, random_messages, seeded_model
from utils.data import Split, pack_tracks
from utils.dense_scan import bases_of_codes
from utils.edits import predict_edits
from utils.runtime import InputError
from utils.sequence import IUPAC, decode, encode


def split_of(lengths, tracks=4, full=200, seed=0):
    """Return random messages as a split, and as one-hot."""
    X = random_messages(lengths, tracks, full, seed)
    n = len(lengths)
    codes = pack_tracks(X.numpy())
    return Split(codes, np.zeros((n, 1), np.float32), np.array(lengths, np.int32), list(map(str, range(n))), tracks), X


def texts(*sequences):
    """Return sequences as indices (n, longest), N behind the shorter ones."""
    width = max(map(len, sequences))
    return np.stack([encode(one.ljust(width, "N")) for one in sequences])


# -- partial recomputation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readout", ["first", "last"])
@pytest.mark.parametrize(
    ("padding", "layers", "full", "tracks"),
    [(0, 6, 1500, 6), (0, 3, 200, 4), (2, 3, 50, 4), (2, 5, 700, 6), (0, 1, 31, 4)],
)
def test_edits_equal_whole_predictions(readout, padding, layers, full, tracks):
    """To 1e-5, at both ends of short, long and full messages, for both readouts, paddings and extra tracks."""
    model = seeded_model(layers, tracks, padding, readout=readout)
    model.rnn.gru.bias_ih_l0[64:128] += 3  # the update gate: the GRU remembers an edit to the end
    lengths = [full // 3 + 8, full, full - 3]
    split, X = split_of(lengths, tracks, full)
    rng = np.random.default_rng(0)
    edits = [
        (row, start, width)
        for row, length in enumerate(lengths)
        for width in (1, 4, 11)
        for start in (0, 1, length - width - 1, length - width, int(rng.integers(length - width)))
    ]
    row, start, width = np.array(edits).T
    bases = rng.integers(0, 4, (len(row), 2, 11)).astype(np.uint8)
    intact, edited = predict_edits(model, split, row, start, width, bases)
    for number, (message, begin, size) in enumerate(edits):
        whole = X[message].repeat(3, 1, 1)
        for draw in (0, 1):
            new = torch.from_numpy(bases[number, draw, :size]).long()
            whole[draw + 1, :4, begin : begin + size] = torch.eye(4)[new].T
        expected = plain_prediction(model.state_dict(), whole, padding, readout).numpy()
        np.testing.assert_allclose(intact[number], expected[0], atol=1e-5)
        np.testing.assert_allclose(edited[number], expected[1:], atol=1e-5)
    assert np.abs(edited - intact[:, None]).mean() > 1e-4


def test_edits_do_not_depend_on_what_is_computed_beside_them():
    model = seeded_model(3, 4, readout="first")
    split, _ = split_of([90, 120, 200, 60])
    rng = np.random.default_rng(1)
    row, start, width = rng.integers(0, 4, 40), rng.integers(0, 50, 40), rng.integers(1, 9, 40)
    bases = rng.integers(0, 4, (40, 3, 9)).astype(np.uint8)
    _, together = predict_edits(model, split, row, start, width, bases)
    _, alone = predict_edits(model, split, row[7:8], start[7:8], width[7:8], bases[7:8])
    np.testing.assert_allclose(together[7], alone[0], atol=1e-6)


# -- words ----------------------------------------------------------------------------------------------------------


def test_overlapping_words_are_all_found():
    """Trap 17: UUUUUU stands five times in ten U."""
    found = occurrences(texts("AUUUUUUUUUUA"), ["UUUUUU"])
    assert found[:, 1].tolist() == [1, 2, 3, 4, 5]


def test_iupac_letters_are_matched_and_n_bases_are_not():
    """Trap 17: every IUPAC letter, against regular expressions; trap 8: N and padding match nothing."""
    rng = np.random.default_rng(0)
    sequences = rng.integers(0, 5, (20, 60)).astype(np.uint8)
    for letter in sorted(set(IUPAC)):
        word = f"{letter}NU"
        pattern = re.compile(f"(?=[{IUPAC[letter]}][ACGU]U)")
        for row, hits in zip(sequences, match(sequences, word), strict=True):
            assert [one.start() for one in pattern.finditer(decode(row))] == np.flatnonzero(hits).tolist()


def test_a_short_word_inside_a_long_one_of_the_same_motif_counts_once():
    found = occurrences(texts("CCUGUANAUACC".replace("N", "C"), "CUGUACCCCCCC"), ["UGUA", "UGUANAUA"])
    assert found.tolist() == [[0, 2, 10], [1, 1, 5]]


def test_each_unordered_pair_is_there_once():
    """Trap 16: pairs of the same motif once, also where two motifs share words; overlaps are left out."""
    sequence = texts("GGACAGGACAAGGAC")
    row, start = np.array([7]), np.array([100])
    for a, b in ((("GGAC",), ("GGAC",)), (("GGAC",), ("GGAC", "AAAAA"))):
        found = find_pairs(sequence, row, start, Motif(a), Motif(b))
        assert sorted(map(tuple, found.start)) == [(100, 105), (100, 111), (105, 111)]
        assert set(found.row) == {7}
    found = find_pairs(texts("UUUUUUU"), row, start, Motif(("UUU",)), Motif(("UUU",)))
    assert sorted(map(tuple, found.start - 100)) == [(0, 3), (0, 4), (1, 4)]
    assert set(found.spacing) == {0, 1}


def test_of_many_places_and_messages_some_are_drawn():
    sequences = np.repeat(texts("UUUUUUUUUUUUUUUUUU"), 30, axis=0)
    found = find_pairs(
        sequences, np.arange(30), np.zeros(30, int), Motif(("UUU",)), Motif(("UU",)), max_sequences=10, max_places=3
    )
    rows, count = np.unique(found.row, return_counts=True)
    assert len(rows) == 10
    assert set(count) == {3}


def test_words_are_read_as_rna(one_line):
    assert read_word("tgtana", "x") == "UGUANA"
    for bad in ("UGXA", "", "NNN", 7, None):
        with pytest.raises(InputError) as raised:
            read_word(bad, "file.yaml: combination1: motifA")
        assert "file.yaml" in one_line(raised)


# -- scrambling -----------------------------------------------------------------------------------------------------


def pairs_in(sequences, a, b):
    return find_pairs(sequences, np.arange(len(sequences)), np.zeros(len(sequences), int), a, b)


def put_in(text, place, bases):
    return text[: place[0]] + bases + text[place[1] :]


def test_scrambles_break_the_motif_create_none_and_keep_its_bases():
    """Trap 15: in a, in b and in n nothing of A or B stands where it was scrambled."""
    rng = np.random.default_rng(3)
    texts_ = []
    for _ in range(25):
        gap = "".join(rng.choice(list("ACGU"), rng.integers(0, 5)))
        ends = ["".join(rng.choice(list("ACGU"), 6)) for _ in range(2)]
        texts_.append(ends[0] + "UGUACA" + gap + "GGAC" + ends[1])
    sequences = texts(*texts_)
    a, b = Motif(("UGUANA",)), Motif(("GGAC",))
    places = pairs_in(sequences, a, b)
    drawn = scramble(sequences[places.row], places, a, b, 20, place_keys(places, 1))
    assert drawn.broken.all()
    assert not drawn.random.any()
    for number in range(len(places)):
        text = decode(sequences[places.row[number]])
        sites = [(int(s), int(e)) for s, e in zip(places.start[number], places.end[number], strict=True)]
        for draw in range(20):
            new = [decode(drawn.bases[number, draw, m, : e - s]) for m, (s, e) in enumerate(sites)]
            for (s, e), bases in zip(sites, new, strict=True):
                assert sorted(bases) == sorted(text[s:e])
            one, other = put_in(text, sites[0], new[0]), put_in(text, sites[1], new[1])
            for edited, changed in ((one, [0]), (other, [1]), (put_in(one, sites[1], new[1]), [0, 1])):
                for word in ("UGUA[ACGU]A", "GGAC"):
                    for hit in re.finditer(f"(?={word})", edited):
                        width = 6 if word.startswith("UGUA") else 4
                        for m in changed:
                            assert hit.start() >= sites[m][1] or hit.start() + width <= sites[m][0]
    assert len({drawn.bases[0, draw, 0].tobytes() for draw in range(20)}) > 5


def test_a_motif_that_no_shuffle_breaks_gets_random_bases():
    sequences = texts("ACGUUUUUUUUUACGGGACAGC")
    a, b = Motif(("UUUUUU",)), Motif(("GGAC",))
    places = pairs_in(sequences, a, b)
    drawn = scramble(sequences[places.row], places, a, b, 5, place_keys(places, 1))
    assert drawn.broken.all()
    assert drawn.random.all()
    for bases in drawn.bases[:, :, 1].reshape(-1, drawn.bases.shape[3]):  # B is shuffled still
        assert sorted(decode(bases[:4])) == sorted("GGAC")


def test_what_cannot_be_broken_is_missing():
    a, b = Motif(("S",)), Motif(("W",))  # every base is one of them
    sequences = texts("GGGAAACCC")
    places = pairs_in(sequences, a, b)
    assert not scramble(sequences[places.row], places, a, b, 2, place_keys(places, 1)).broken.any()


def test_draws_belong_to_the_place():
    """The same seed gives the same draws, whatever is computed beside a place and in what order."""
    split, _ = split_of([200] * 12, seed=5)
    sequences = bases_of_codes(split.codes)
    a, b = Motif(("UGN",)), Motif(("ACN",))
    places = pairs_in(sequences, a, b)
    keys = place_keys(places, 4)
    drawn = scramble(sequences[places.row], places, a, b, 6, keys)
    some = np.random.default_rng(0).permutation(len(places))[:9]
    again = scramble(sequences[places.row[some]], places[some], a, b, 6, keys[some])
    assert (again.bases == drawn.bases[some]).all()
    assert (place_keys(places, 5) != keys).all()


def test_uniform_numbers_are_uniform():
    numbers = uniform(hashed(np.zeros(500, dtype=np.int64), np.arange(500)), 40)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    histogram = np.histogram(numbers, bins=20, range=(0, 1))[0]
    assert np.abs(histogram - 1000).max() < 130  # 4 standard deviations
    assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.15


def test_controls_keep_clear_of_the_motifs_and_their_layout():
    split, _ = split_of([200] * 20, seed=6)
    sequences = bases_of_codes(split.codes)
    a, b = Motif(("UGN",)), Motif(("ACN",))
    places = pairs_in(sequences, a, b)
    blocked = np.zeros((len(places), 200), dtype=bool)
    for number, (low, high) in enumerate(zip(places.low, places.high, strict=True)):
        blocked[number, low:high] = True
    control, room = control_places(blocked, places, place_keys(places, 1))
    assert (control.spacing == places.spacing[room]).all()
    assert (control.end - control.start == (places.end - places.start)[room]).all()
    assert ((control.high <= places.low[room]) | (control.low >= places.high[room])).all()
    blocked[:] = True
    assert len(control_places(blocked, places, place_keys(places, 1))[1]) == 0


# -- the mutagenesis of a pair --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured():
    model = seeded_model(3, 6, readout="first")
    split, _ = split_of([150, 180, 200, 120, 90, 160], 6, seed=2)
    a, b = Motif(("UGNA",)), Motif(("ACNU",))
    places = pairs_in(bases_of_codes(split.codes), a, b)
    return model, split, a, b, places, measure(model, split, places, a, b, 4, 1)


def test_mutagenesis_equals_whole_predictions_of_its_draws(measured):
    """Trap 15: n takes the draws of a and b."""
    model, split, a, b, places, table = measured
    drawn = scramble(bases_of_codes(split.codes[places.row]), places, a, b, 4, place_keys(places, 1, a.words, b.words))
    for number in range(0, len(places), 3):
        X = split.batch(places.row[[number]])[0].repeat(4, 1, 1)
        sums = np.zeros(4)
        for draw in range(4):
            V = X.clone()
            for motif, variants in ((0, (1, 3)), (1, (2, 3))):
                s, e = places.start[number, motif], places.end[number, motif]
                new = torch.from_numpy(drawn.bases[number, draw, motif, : e - s]).long()
                for variant in variants:
                    V[variant, :4, s:e] = torch.eye(4)[new].T
            sums += plain_prediction(model.state_dict(), V, 0, "first")[:, 0].numpy()
        np.testing.assert_allclose(table.loc[number, PREDICTIONS].to_numpy(float), sums / 4, atol=1e-5)


def test_mutagenesis_of_a_place_does_not_depend_on_the_others(measured):
    model, split, a, b, places, table = measured
    again = measure(model, split, places[np.array([3, 1])], a, b, 4, 1)
    columns = PREDICTIONS + CONTROLS
    np.testing.assert_allclose(again[columns], table.loc[[3, 1], columns], atol=1e-5)


def test_one_value_per_sequence(measured):
    """Trap 16: however many occurrences a message holds."""
    _, _, _, _, places, table = measured
    assert len(places) > len(np.unique(places.row))
    found = per_sequence(table)
    assert found["sequence"].is_unique
    assert found["places"].sum() == len(places)
    row = found.iloc[0]
    own = table[table["sequence"] == row["sequence"]]
    assert row["scr_ab"] == pytest.approx(own["scr_ab"].mean())
    assert row["spacing"] == own["spacing"].min()
    expected = own["original"].mean() - own["scr_a"].mean() - own["scr_b"].mean() + own["scr_ab"].mean()
    assert row["eps"] == pytest.approx(expected)


def test_an_additive_function_has_no_epistasis():
    """Trap 15: with the draws of a and b in n, a sum over positions gives eps = 0 for every single draw."""
    split, _ = split_of([100, 120], seed=3)
    bases = bases_of_codes(split.codes)
    a, b = Motif(("UGN",)), Motif(("ACN",))
    places = pairs_in(bases, a, b)
    drawn = scramble(bases[places.row], places, a, b, 3, place_keys(places, 1))
    weight = np.append(np.random.default_rng(0).normal(size=(200, 4)), np.zeros((200, 1)), axis=1)
    for number in range(len(places)):
        for draw in range(3):
            totals = []
            for with_a, with_b in itertools.product((0, 1), repeat=2):
                own = bases[places.row[number]].copy()
                for motif, done in ((0, with_a), (1, with_b)):
                    if done:
                        s, e = places.start[number, motif], places.end[number, motif]
                        own[s:e] = drawn.bases[number, draw, motif, : e - s]
                totals.append(weight[np.arange(200), own].sum())
            assert totals[0] - totals[1] - totals[2] + totals[3] == pytest.approx(0, abs=1e-9)


def test_annotation_is_cleared_when_asked_for():
    split, _ = split_of([60, 80], 6)
    assert (split.codes > 15).any()
    cleared = without_annotation(split)
    assert (cleared.codes == (split.codes & 15)).all()
    assert cleared.tracks == 6


def test_places_are_half_open():
    places = Places(np.array([0]), np.array([[10, 4]]), np.array([[14, 9]]))
    assert (places.low[0], places.high[0], places.spacing[0]) == (4, 14, 1)
