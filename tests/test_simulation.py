"""Background, planting and the removal of chance instances."""

import numpy as np
import pytest

from generate_dataset.planted import Instances, PlantedPair, scan
from generate_dataset.simulation import (
    MARGIN,
    background,
    dinucleotide_model,
    draw_starts,
    place,
    plant,
    without_chance_hits,
)
from tests.test_planted import planted
from utils.runtime import InputError
from utils.sequence import N, encode

INITIAL = np.array([0.4, 0.1, 0.2, 0.3])
TRANSITION = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.05, 0.25], [0.25, 0.25, 0.25, 0.25], [0.6, 0.1, 0.1, 0.2]])
EVEN = np.full((4, 4), 0.25)


def planted_messages(motifs, pairs=(), n=2000, low=80, high=120, seed=0, transition=TRANSITION):
    """Return messages, their lengths and their instances, made as a simulation makes them."""
    rng = np.random.default_rng(seed)
    length = rng.integers(low, high + 1, n)
    sequences = background(length, high, INITIAL, transition, rng)
    instances = place(length, motifs, list(pairs), rng)
    sequences, fixed = plant(sequences, motifs, instances, rng)
    sequences = without_chance_hits(sequences, fixed, motifs, instances, INITIAL, transition, rng)
    return sequences, length, instances


# -- background ---------------------------------------------------------------------------------------------------


def test_the_background_has_the_dinucleotides_it_was_given():
    length = np.full(20_000, 60)
    sequences = background(length, 60, INITIAL, TRANSITION, np.random.default_rng(0))
    first = np.bincount(sequences[:, 0], minlength=4) / len(sequences)
    np.testing.assert_allclose(first, INITIAL, atol=0.012)
    np.testing.assert_allclose(dinucleotide_model(sequences)[1], TRANSITION, atol=0.005)


def test_messages_end_at_their_length():
    length = np.array([8, 20, 30])
    sequences = background(length, 32, INITIAL, TRANSITION, np.random.default_rng(0))
    assert sequences.shape == (3, 32)
    assert ((sequences == N) == (np.arange(32) >= length[:, None])).all()


def test_the_model_of_a_sequence_by_hand():
    """AACNAU: AA, AC and AU; N stands next to nothing."""
    initial, transition = dinucleotide_model(encode("AACNAUAA" * 3)[None])
    np.testing.assert_allclose(initial, np.array([5, 1, 0, 1]) / 7)
    # 3 x (AA, AC, AU, UA, AA), twice more AA where the copies join
    np.testing.assert_allclose(transition[0], np.array([8, 3, 0, 3]) / 14)
    np.testing.assert_allclose(transition[3], [1, 0, 0, 0])


# -- planting -----------------------------------------------------------------------------------------------------


def test_starts_follow_the_position_weights():
    room = np.full(60_000, 99)
    starts = draw_starts(room, (3, 2, 0, 1), np.random.default_rng(0))
    assert starts.min() == 0
    assert starts.max() == 99
    shares = np.histogram(starts, bins=[0, 25, 50, 75, 100])[0] / len(starts)
    np.testing.assert_allclose(shares, [0.5, 1 / 3, 0, 1 / 6], atol=0.01)
    assert (draw_starts(np.zeros(50, dtype=int), (1,), np.random.default_rng(0)) == 0).all()


def test_shares_of_messages_with_one_and_two_instances():
    length = np.full(20_000, 200)
    instances = place(
        length, [planted("a", "GGACU", shares=(0.2, 0.1)), planted("b", "ACUAAC")], [], np.random.default_rng(0)
    )
    count = np.bincount(instances.row[instances.motif == 0], minlength=len(length))
    np.testing.assert_allclose(np.bincount(count) / len(length), [0.7, 0.2, 0.1], atol=0.012)
    assert np.bincount(instances.row[instances.motif == 1]).max() == 1


@pytest.mark.parametrize("ordered", [True, False])
def test_pairs_keep_their_window_and_order(ordered):
    motifs = [planted("a", "GGACU", shares=(0.0,)), planted("b", "CUACCUCA", shares=(0.0,))]
    pair = PlantedPair(0, 1, (2, 6), ordered, 1.0, 0.5)
    instances = place(np.full(8000, 60), motifs, [pair], np.random.default_rng(0))
    start_a, start_b = instances.start[instances.motif == 0], instances.start[instances.motif == 1]
    assert len(start_a) == len(start_b) == pytest.approx(4000, rel=0.06)
    a_first = start_a < start_b
    gap = np.where(a_first, start_b - start_a - 5, start_a - start_b - 8)
    assert set(np.unique(gap)) == {2, 3, 4, 5, 6}
    np.testing.assert_allclose(np.bincount(gap)[2:] / len(gap), 0.2, atol=0.03)
    assert a_first.mean() == (1 if ordered else pytest.approx(0.5, abs=0.03))


def test_nothing_overlaps_and_all_is_inside():
    motifs = [
        planted(name, word, shares=(0.5, 0.2)) for name, word in (("a", "GGACU"), ("b", "CUACCUCA"), ("c", "ACUAAY"))
    ]
    pairs = [PlantedPair(0, 1, (0, 3), False, 1.0, 0.3)]
    length = np.random.default_rng(1).integers(90, 130, 3000)
    instances = place(length, motifs, pairs, np.random.default_rng(0))
    width = np.array([5, 8, 6])[instances.motif]
    assert (instances.start >= 0).all()
    assert (instances.start + width <= length[instances.row]).all()
    same = instances.row[1:] == instances.row[:-1]
    gap = (instances.start[1:] - instances.start[:-1] - width[:-1])[same]
    kinds = np.stack([instances.motif[1:][same], instances.motif[:-1][same]])
    assert gap.min() == 0
    assert (gap[kinds.max(axis=0) == 2] >= MARGIN).all()  # c is in no pair


def test_no_room_is_an_error_that_says_what_to_change(one_line):
    motifs = [planted(name, word, shares=(1.0,)) for name, word in (("a", "GGACU"), ("b", "CUACCUCA"))]
    with pytest.raises(InputError, match=r"no room for b.*min_length") as raised:
        place(np.full(200, 14), motifs, [], np.random.default_rng(0))
    one_line(raised)


# -- chance instances ---------------------------------------------------------------------------------------------


def test_planted_instances_are_all_instances():
    """Short words arise about once a message by chance, and where planted ones meet the background."""
    motifs = [planted("a", "UAUUUAUU", shares=(0.5,)), planted("b", "GGACU", shares=(0.4, 0.2)), planted("c", "UUUUUU")]
    pairs = [PlantedPair(0, 1, (0, 4), False, 1.0, 0.3)]
    rng = np.random.default_rng(3)
    before = scan(background(np.full(2000, 100), 100, INITIAL, TRANSITION, rng), motifs)
    assert len(before) > 100
    sequences, length, instances = planted_messages(motifs, pairs)
    assert scan(sequences, motifs) == instances
    assert ((sequences == N) == (np.arange(120) >= length[:, None])).all()


def test_cleaning_changes_free_bases_of_hits_only_and_keeps_the_background():
    motifs = [planted("a", "UACAU", shares=(0.3,)), planted("b", "GGACU", shares=(0.0,))]
    rng = np.random.default_rng(0)
    length = np.full(4000, 100)
    raw = background(length, 100, INITIAL, TRANSITION, rng)
    instances = place(length, motifs, [], rng)
    sequences, fixed = plant(raw, motifs, instances, rng)
    clean = without_chance_hits(sequences, fixed, motifs, instances, INITIAL, TRANSITION, rng)
    assert (clean[fixed] == sequences[fixed]).all()
    hit_rows = np.bincount(scan(sequences, motifs).row, minlength=4000) > np.bincount(instances.row, minlength=4000)
    assert (clean != sequences)[~hit_rows].sum() == 0
    assert (clean != sequences).mean() < 0.01
    free = np.where(fixed, N, clean)
    np.testing.assert_allclose(dinucleotide_model(free)[1], TRANSITION, atol=0.015)


def test_a_motif_that_two_planted_ones_make_is_an_error(one_line):
    """GGAC then UUCA at spacing 0 hold ACUUC, and there is no free base to change."""
    motifs = [
        planted("a", "GGAC", shares=(0.0,)),
        planted("b", "UUCA", shares=(0.0,)),
        planted("c", "ACUUC", shares=(0.0,)),
    ]
    with pytest.raises(InputError, match=r"motif c arises across.*spacing") as raised:
        planted_messages(motifs, [PlantedPair(0, 1, (0, 0), True, 1.0, 0.5)], n=50)
    one_line(raised)


def test_a_motif_that_cannot_be_kept_out_is_an_error(one_line):
    """Whatever stands behind the planted UUU, it is an instance of one of four motifs."""
    motifs = [planted(letter, "UUU" + letter, shares=(0.0,)) for letter in "ACGU"]
    sequences = np.stack([encode("ACGUUUAGCAGC")] * 3)
    fixed = np.tile(np.isin(np.arange(12), [3, 4, 5]), (3, 1))
    nothing = Instances(*np.zeros((3, 0), dtype=np.int64))
    with pytest.raises(InputError, match=r"keeps arising by chance in 3 messages.*threshold") as raised:
        without_chance_hits(sequences, fixed, motifs, nothing, INITIAL, EVEN, np.random.default_rng(0))
    one_line(raised)


def test_a_base_is_drawn_again_by_both_its_neighbours():
    """The A of CAG becomes x with probability p(x after C) p(G after x), of the other three bases; by hand."""
    sequences = np.stack([encode("CAG")] * 30_000)
    fixed = np.tile([True, False, True], (len(sequences), 1))
    nothing = Instances(*np.zeros((3, 0), dtype=np.int64))
    rng = np.random.default_rng(0)
    clean = without_chance_hits(sequences, fixed, [planted("a", "A")], nothing, INITIAL, TRANSITION, rng)
    wanted = np.array([0, 0.3 * 0.05, 0.05 * 0.25, 0.25 * 0.1])
    np.testing.assert_allclose(np.bincount(clean[:, 1], minlength=4) / len(clean), wanted / wanted.sum(), atol=0.01)
