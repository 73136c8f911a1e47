"""motif_interaction/fragments.py: which messages activate a neuron, and the file of fragments."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from motif_interaction import files
from motif_interaction.fragments import activating, first_starts, locate
from tests.toy import word_model
from utils.scan import summarise
from utils.sequence import encode


def scan_of(maximum, n_train):
    """Return a scan of one neuron with these maxima of messages."""
    maximum = np.array(maximum, dtype=np.float32)[:, None]
    start = np.where(np.isfinite(maximum), 0, -1).astype(np.int32)
    return summarise(1, 5, maximum, start, n_train)


def test_messages_above_a_share_of_the_training_maximum():
    """The maximum is that of the training set; messages of all splits count, one without a window never does."""
    scan = scan_of([10, 9.1, 8.9, -np.inf, 20, 9.0], 4)
    assert activating(scan, 1, 0.9).tolist() == [0, 1, 4]


def test_a_neuron_that_never_fires_has_no_fragments():
    """Trap 5: a share of a maximum that is not above 0 is no threshold."""
    for highest in (-1.0, 0.0, -np.inf):
        assert len(activating(scan_of([highest, highest - 0.5], 2), 1, 0.9)) == 0


def test_the_first_window_of_a_word():
    """A conv1 neuron that counts the matches of UGUAC: its first window with all five."""
    model = word_model(["UGUAC", "GGACU"])
    sequence = encode("AAGGACUCCUGUACAAUGUACGGACU")[None]
    starts = first_starts(model, sequence, 1, np.array([0, 1]), np.array([4.5, 4.5]), torch.device("cpu"))
    assert starts.tolist() == [9, 2]


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_the_first_window_does_not_depend_on_the_scale_of_a_neuron(scale):
    """Of a network of one's own activations may be small; a window at 0.8 of the maximum is not above 0.9 of it."""
    model = word_model(["UGUAC"])
    with torch.no_grad():
        model.conv1.weight *= scale
    sequence = encode("AAUGUAAAAAAAUGUACAAA")
    messages = SimpleNamespace(codes=(1 << sequence)[None].astype(np.uint8), length=np.array([len(sequence)]))
    settings = SimpleNamespace(fragment_threshold=0.9, fragment_choice="first")
    work = SimpleNamespace(settings=settings, checkpoint=SimpleNamespace(model=model), messages=messages)
    scan = summarise(1, 5, np.array([[5 * scale]], dtype=np.float32), np.array([[12]], dtype=np.int32), 1)
    assert locate(work, scan, [1]) == {1: {0: 12}}


def test_the_file_is_the_seeds(tmp_path):
    path = tmp_path / "conv5_neuron2_fragment_location.yaml"
    files.write_fragments(path, {9510: 86, 9519: 702}, "best window", "abc")
    assert path.read_text().splitlines() == ["# best window", "Seq9510_0: 86", "Seq9519_0: 702", "# settings: abc"]
    assert files.stored_key(path) == "abc"
    assert files.stored_key(tmp_path / "none.yaml") == ""
