"""TF-MoDISco: attributions, one strand, short windows, and patterns as parts of a receptive field."""

import contextlib

import matplotlib
import numpy as np
import pytest
import torch

from motif_discovery.demixing import smallest_part
from motif_discovery.files import Sample
from motif_discovery.methods import ModiscoSettings
from motif_discovery.tf_modisco import parts, patterns
from tests.toy import plain_map, seeded_model, word_model
from utils.activation import WindowNetwork
from utils.motif import consensus, to_ppm
from utils.sequence import N, decode, encode, one_hot

FEW = ModiscoSettings(min_metacluster_size=40, n_leiden_runs=2)
WORD = "UGUAAGCACC"
TURNED = "GGUGCUUACA"  # its reverse complement


def planted(words, n=70, length=40, sign=1, seed=0):
    """Return sequences (n per word), one-hot and hypothetical attributions: 0.75 at a word's base, -0.25 else."""
    random = np.random.default_rng(seed)
    sequence = random.integers(4, size=(n * len(words), length)).astype(np.uint8)
    hypothetical = random.normal(0, 0.02, (len(sequence), 4, length))
    place = random.integers(0, length - len(words[0]) + 1, len(sequence))
    for row, start in enumerate(place):
        word = encode(words[row // n])
        sequence[row, start : start + len(word)] = word
        hypothetical[row, :, start : start + len(word)] += sign * (one_hot(word).numpy() - 0.25)
    return sequence, one_hot(sequence).numpy(), hypothetical - hypothetical.mean(axis=1, keepdims=True)


def text_of(sequence, pattern):
    return decode(consensus(to_ppm(parts.placed(parts.seqlet_bases(sequence, pattern), 0, pattern.width))))


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_attributions_are_first_order_effects_against_an_even_mixture(layer):
    """Row 26: all four bases have one, and they add up to zero at each position."""
    model = seeded_model(2, 4, seed=3)
    network, field = WindowNetwork(model), model.receptive_field(layer)
    sequence = np.random.default_rng(1).integers(4, size=(3, field)).astype(np.uint8)
    found = parts.hypothetical_attributions(network, layer, 7, sequence)
    assert np.allclose(found.sum(axis=1), 0, atol=1e-5)
    state = {key: value.double() for key, value in model.state_dict().items() if value.is_floating_point()}
    X = one_hot(sequence).double()
    for position in (0, field // 2, field - 1):
        for base in range(4):
            change = torch.zeros_like(X)
            change[:, :, position] = -0.25
            change[:, base, position] += 1
            step = 1e-6
            up, down = (plain_map(state, X + sign * step * change, layer)[:, 7, 0] for sign in (1, -1))
            assert np.allclose(found[:, base, position], ((up - down) / (2 * step)).numpy(), atol=1e-4)


def test_a_motif_and_its_reverse_complement_stay_two_patterns():
    """Row 10 for TF-MoDISco: RNA has one strand."""
    sequence, X, hypothetical = planted([WORD, TURNED])
    found = patterns.find_patterns(X, hypothetical, FEW)
    words = {}
    for one in found:
        of_word = np.bincount(one.example // 70, minlength=2)
        assert of_word.max() == of_word.sum()  # no pattern holds seqlets of both
        words.setdefault(int(of_word.argmax()), text_of(sequence, one))
    assert WORD in words[0]
    assert TURNED in words[1]
    assert all(one.sign == 1 for one in found)


def test_the_package_by_itself_would_turn_them(monkeypatch):
    """What the test above guards against: without ``single_strand`` the two become one, and that is noticed."""
    _, X, hypothetical = planted([WORD, TURNED])
    monkeypatch.setattr(patterns, "single_strand", contextlib.nullcontext)
    with pytest.raises(RuntimeError, match="turned a seqlet"):
        patterns.find_patterns(X, hypothetical, FEW)


def test_single_strand_leaves_the_package_as_it_was():
    from modiscolite import gapped_kmer, util

    before = util.get_2d_data_from_patterns, gapped_kmer._seqlet_to_gkmers

    def stopped():
        with patterns.single_strand():
            assert util.get_2d_data_from_patterns is not before[0]
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stopped()
    assert matplotlib.get_backend().lower() == "agg"  # not the package's
    assert before == (util.get_2d_data_from_patterns, gapped_kmer._seqlet_to_gkmers)


def test_negative_patterns_are_kept_apart():
    """Row 26: what lowers the prediction is found and called so."""
    raising, lowering = planted([WORD]), planted(["CCAUGGAGUU"], sign=-1, seed=1)
    sequence, X, hypothetical = (np.concatenate(pair) for pair in zip(raising, lowering, strict=True))
    found = patterns.find_patterns(X, hypothetical, FEW)
    signs = {one.sign: text_of(sequence, one) for one in found[::-1]}
    assert WORD in signs[1]
    assert "CCAUGGAGUU" in signs[-1]
    assert all((one.example < 70).all() == (one.sign == 1) for one in found)


def test_seqlets_lie_where_the_words_were_planted():
    sequence, X, hypothetical = planted([WORD], seed=4)
    for one in patterns.find_patterns(X, hypothetical, FEW):
        at = text_of(sequence, one).index(WORD)
        for example, start in zip(one.example, one.start, strict=True):
            assert decode(sequence[example])[start + at : start + at + len(WORD)] == WORD


def neuron_sample(network, layer, neuron, field, n=1024, seed=0):
    random = np.random.default_rng(seed)
    sequence = np.unique(random.integers(4, size=(n, field)).astype(np.uint8), axis=0)
    activation = network.activation(torch.from_numpy(sequence), layer, torch.full((len(sequence),), neuron)).numpy()
    order = np.argsort(-activation, kind="stable")
    order = order[activation[order] > 0]
    return Sample(sequence[order], activation[order], float(activation[order[0]]))


def test_a_word_of_five_comes_back_in_the_frame_of_its_window():
    """conv1 sees 5 nt; its gradient is the word itself. Of 4^5 sequences 106 have 3 matches or more."""
    network = WindowNetwork(word_model(["UGUAC"]))
    sample = neuron_sample(network, 1, 0, 5, n=6000)
    found = parts.neuron_parts(
        network, 1, 0, sample, ModiscoSettings(sequences=106, min_metacluster_size=50, n_leiden_runs=2)
    )
    raising = [part for part in found if part.path.startswith("pos-")]
    assert raising
    assert all(part.pfm.shape == (4, 5) for part in found)
    assert all(np.allclose(part.pfm.sum(axis=0), part.size) for part in found)
    assert max(part.consensus_activation for part in raising) == sample.maximum == 5
    assert decode(consensus(sum(part.pfm for part in raising))) == "UGUAC"
    assert [part.path for part in raising] == [f"pos-{number}" for number in range(len(raising))]


def test_a_window_of_nine_is_handled():
    network = WindowNetwork(seeded_model(2, 4, seed=2))
    neuron = 3
    sample = neuron_sample(network, 2, neuron, 9, n=8000)
    found = parts.neuron_parts(network, 2, neuron, sample, ModiscoSettings(sequences=120, n_leiden_runs=2))
    assert all(part.pfm.shape == (4, 9) and part.size >= 20 for part in found)


@pytest.mark.parametrize("length", [5, 9, 18, 36, 72, 288])
def test_sizes_fit_every_receptive_field(length):
    size = patterns.sizes(ModiscoSettings(), length)
    assert 1 <= size.flank <= size.window <= length
    assert size.trim <= size.window + 4 * size.flank  # what a pattern is cut to is no longer than it
    assert size.flank <= size.near < size.window
    assert size.wide > size.near


def test_degenerate_input_gives_no_pattern_and_a_warning(caplog):
    same = np.tile(encode("UGUACGGACUGUACGGACUGUACG"), (200, 1))
    X = one_hot(same).numpy()
    one_sign = np.where(X > 0, 0.75, -0.25)
    assert patterns.find_patterns(X, one_sign, FEW, "conv3_neuron9") == []
    assert "conv3_neuron9" in caplog.text
    assert "one sign" in caplog.text
    caplog.clear()
    mixed = one_sign * np.where(np.arange(24) < 12, 1, -1)  # the same seqlets everywhere: no correlation is defined
    assert patterns.find_patterns(X, mixed, FEW, "conv3_neuron8") == []
    assert patterns.find_patterns(X[:10], one_sign[:10], FEW) == []


def test_a_neuron_that_never_fires_has_no_pattern():
    network = WindowNetwork(word_model(["UGUAC"]))
    empty = Sample(np.zeros((0, 5), dtype=np.uint8), np.zeros(0, dtype=np.float32), 0.0)
    assert parts.neuron_parts(network, 1, 0, empty, FEW) == []


def test_a_column_that_few_seqlets_reach_looks_uncertain():
    """Row 6: counts of a handful of sequences are no motif."""
    bases = np.full((100, 3), N, dtype=np.uint8)
    bases[:, 1] = 2
    bases[:4, 2] = 3
    pfm = parts.placed(bases, 1, 6)
    assert np.array_equal(pfm[:, [0, 1, 4, 5]], np.full((4, 4), 25.0))
    assert np.array_equal(pfm[:, 2], [0, 0, 100, 0])
    assert np.array_equal(pfm[:, 3], [24, 24, 24, 28])
    assert np.array_equal(parts.placed(bases, -2, 6)[:, 0], [24, 24, 24, 28])  # what lies outside is cut
    assert (parts.placed(bases, 6, 6) == 25).all()


def test_the_consensus_is_written_into_the_strongest_window():
    sequence = np.array([[0, 0, 1, 2, 0, 0], [3, 3, 3, 1, 2, 3]], dtype=np.uint8)
    pattern = patterns.Pattern(1, np.array([0, 0, 1]), np.array([2, 2, 3]), 2)
    window = parts.consensus_window(sequence, np.array([1.0, 2.0]), pattern)
    assert window.tolist() == [3, 3, 3, 1, 2, 3]
    pattern = patterns.Pattern(
        1, np.array([0, 0, 1]), np.array([1, 1, 4]), 3
    )  # one column beyond the end of the second
    window = parts.consensus_window(sequence, np.array([1.0, 2.0]), pattern)
    assert window.tolist() == [3, 3, 3, 1, 0, 1]
    assert smallest_part(6) == 5
