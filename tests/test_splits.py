"""Splits: at random, by groups, and no two messages that are nearly the same apart."""

import numpy as np
import pytest

from generate_dataset.build import READERS, split_messages
from generate_dataset.splits import draw_split, join_groups, near_identical
from utils.data import SPLITS

BITS = np.array([1, 2, 4, 8, 0], dtype=np.uint8)


def random_codes(n, length, seed=0):
    return BITS[np.random.default_rng(seed).integers(0, 4, (n, length))]


def padded(rows, length):
    return np.stack([np.pad(row, (0, length - len(row))) for row in rows])


def test_unrelated_messages_stand_for_themselves():
    codes = random_codes(300, 400)
    assert len(set(near_identical(codes))) == 300


def test_copies_with_a_few_substitutions_share_a_group():
    """95 % identity shares half of the words; 80 % shares 4 %."""
    codes = random_codes(4, 1000)
    rng = np.random.default_rng(1)
    for row, share in ((1, 0.05), (2, 0.2)):
        codes[row] = codes[0]
        places = rng.choice(1000, int(share * 1000), replace=False)
        codes[row, places] = np.roll(BITS[:4], 1)[np.log2(codes[row, places]).astype(int)]
    group = near_identical(codes)
    assert group[0] == group[1]
    assert len({group[0], group[2], group[3]}) == 3


def test_overlapping_fragments_share_a_group_and_chains_are_joined():
    """Tiles of one UTR: each overlaps the next by half, so all are one group."""
    utr = random_codes(1, 600)[0]
    tiles = np.stack([utr[start : start + 160] for start in range(0, 441, 80)])
    assert len(set(near_identical(tiles))) == 1
    little = np.stack([utr[:160], utr[140:300]])  # 20 nt in common
    assert len(set(near_identical(little))) == 2


def test_a_short_message_within_a_long_one_is_found_and_padding_is_not_a_word():
    """Row 8: padding and N are no bases; two messages of little but padding are not the same."""
    long = random_codes(1, 3000)[0]
    rows = [long, long[500:700], random_codes(1, 30, 5)[0], random_codes(1, 30, 6)[0]]
    group = near_identical(padded(rows, 3000))
    assert group[0] == group[1]
    assert len(set(group)) == 3


def test_a_run_of_one_base_does_not_join_messages():
    codes = random_codes(2, 200)
    codes[:, -60:] = BITS[0]
    assert len(set(near_identical(codes))) == 2


def test_equal_messages_without_any_word_share_a_group():
    codes = random_codes(3, 8)
    codes[1] = codes[0]
    group = near_identical(codes)
    assert group[0] == group[1] != group[2]


def test_a_sample_of_the_words_gives_the_same_groups(monkeypatch):
    codes = random_codes(60, 2000)
    codes[1::2] = codes[::2]
    codes[1::2, 1200:] = random_codes(30, 800, 7)
    every = near_identical(codes)
    monkeypatch.setattr("generate_dataset.splits.MOST_WORDS", 20_000)
    np.testing.assert_array_equal(near_identical(codes), every)
    assert len(set(every)) == 30


def variants(n, substitutions, length=160, seed=0):
    """Return n copies of one random message with so many substitutions each."""
    rng = np.random.default_rng(seed)
    X = np.tile(rng.integers(0, 4, length), (n, 1))
    for row in X:
        places = rng.choice(length, substitutions, replace=False)
        row[places] = (row[places] + rng.integers(1, 4, substitutions)) % 4
    return BITS[X]


@pytest.mark.parametrize("substitutions", [1, 2])
def test_more_variants_of_a_fragment_than_a_common_word_has_messages_share_a_group(substitutions):
    """300 mutants of one fragment: each of its words is in more than 200 messages, which had put them at random."""
    assert len(set(near_identical(variants(300, substitutions)))) == 1


@pytest.mark.parametrize("constant", [100, 400])
def test_a_constant_part_neither_joins_nor_hides(constant):
    """A reporter library of inserts and a variant of each: pairs stay together, different inserts stand apart."""
    inserts = random_codes(150, 160, 1)
    changed = inserts.copy()
    for place in (40, 80, 120):
        changed[:, place] = np.roll(BITS[:4], 1)[np.log2(inserts[:, place]).astype(int)]
    parts = np.tile(random_codes(1, constant, 2), (300, 1)), np.concatenate([inserts, changed])
    group = near_identical(np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(group[:150], group[150:])
    assert len(set(group)) == 150


def test_the_groups_of_a_large_family_do_not_depend_on_the_blocks(monkeypatch):
    """Two families beside single messages, compared in small blocks, each member with a few others only."""
    monkeypatch.setattr("generate_dataset.splits.COMMON", 20)
    families = [variants(60, 2, seed=seed) for seed in (1, 2)]
    codes = np.concatenate([*families, random_codes(40, 160, 3)])[np.random.default_rng(4).permutation(160)]
    group = near_identical(codes)
    assert sorted(np.bincount(group)) == [1] * 40 + [60, 60]
    monkeypatch.setattr("generate_dataset.splits.BLOCK", 500)
    np.testing.assert_array_equal(near_identical(codes), group)


@pytest.mark.parametrize("length", [20, 25, 33, 46])
def test_short_messages_with_a_base_that_differs_share_a_group(length):
    """Under 34 nt there are no 20 words to share."""
    codes = random_codes(3, length)
    codes[1] = codes[0]
    codes[1, 0] = np.roll(BITS[:4], 1)[int(np.log2(codes[0, 0]))]
    group = near_identical(codes)
    assert group[0] == group[1] != group[2]
    codes[:2, 6:] = BITS[0]  # little but a run of A
    codes[0, :6], codes[1, :6] = BITS[[1, 2, 3, 1, 2, 3]], BITS[[3, 1, 1, 2, 3, 2]]
    assert len(set(near_identical(codes))) == 3


def test_groups_and_genes_are_joined():
    group = join_groups(np.array([0, 1, 1, 2, 3]), ["a", "a", "b", "c", "d"])
    assert group[0] == group[1] == group[2]
    assert len(set(group)) == 3


def test_groups_never_straddle_splits():
    """Row 24: a sequence in the training set is not tested on."""
    group = np.random.default_rng(0).integers(0, 400, 2000)
    split = draw_split(group, 0.1, 0.2, seed=3)
    places = {}
    for number, name in zip(group, split, strict=True):
        places.setdefault(number, set()).add(name)
    assert all(len(names) == 1 for names in places.values())
    assert [(split == name).sum() for name in SPLITS] == pytest.approx([1400, 200, 400], abs=12)


def test_a_large_group_is_for_training():
    group = np.concatenate([np.zeros(500, dtype=int), np.arange(1, 1501)])
    for seed in range(5):
        split = draw_split(group, 0.1, 0.1, seed)
        assert (split[:500] == "train").all()
        assert [(split == name).sum() for name in SPLITS] == [1600, 200, 200]


def test_the_split_follows_the_seed():
    group = np.arange(1000)
    split = draw_split(group, 0.1, 0.2, seed=3)
    assert np.array_equal(split, draw_split(group, 0.1, 0.2, seed=3))
    assert not np.array_equal(split, draw_split(group, 0.1, 0.2, seed=4))
    assert (split[:100] == "test").sum() < 50  # at random, not in order


@pytest.mark.parametrize("reader", ["yeast", "mpra"])
def test_measured_messages_of_a_split_have_no_near_copy_in_another(shared_data, reader):
    """The reporter fragments are tiles: split by rows, 95 % of the test rows would overlap a training row."""
    file = {"yeast": "yeast_cds_3utr", "mpra": "jurkat_3utr_mpra"}[reader]
    schema, read = READERS[reader]
    source = str(shared_data / "half_life" / f"{file}.csv.gz")
    settings = schema(source=source, reader=reader, output="a.h5", max_length=512)
    messages = read(settings)
    group = dict(zip(messages.id, near_identical(messages.codes), strict=True))
    splits = split_messages(messages, settings)
    groups = {name: {group[row] for row in split.id} for name, split in splits.items()}
    assert not groups["train"] & (groups["test"] | groups["valid"])
    assert not groups["test"] & groups["valid"]
    assert sum(len(split) for split in splits.values()) == len(messages.id)
