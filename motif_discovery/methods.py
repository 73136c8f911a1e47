"""The methods of motif discovery: NeuronMotif and the baselines that it is compared with.

All of them write the same files. NeuronMotif's lie in ``motif_discovery/`` itself, those of another method in
``motif_discovery/METHOD/``; the samples are the same for all. One method asks for the model's output instead of its
neurons: there the layer is ``OUTPUT``, and a target of the output takes the place of a neuron.
"""

import pydantic

from utils.config import Settings
from utils.runtime import InputError

NEURONMOTIF, SEQLETS, MESSAGE_SEQLETS, MODISCO = "neuronmotif", "max_seqlet", "max_seqlet_data", "tf_modisco"
MODISCO_OUTPUT = "tf_modisco_output"
OUTPUT = 0  # the layer of the output in keys and tables
METHODS = {  # what the pages say
    NEURONMOTIF: "",
    SEQLETS: "Maximum-activation seqlets: the sampled sequences with the highest activation, stacked.",
    MESSAGE_SEQLETS: (
        "Maximum-activation seqlets of the data set: the best window of each of the messages with the highest "
        "activation, stacked."
    ),
    MODISCO: (
        "TF-MoDISco (modisco-lite) on gradients of the strongest sampled sequences, one strand. What the parts pos-0, "
        "pos-1, ... show raises the activation; what neg-0, neg-1, ... show lowers it."
    ),
    MODISCO_OUTPUT: (
        "TF-MoDISco (modisco-lite) on gradients of the prediction at real messages, averaged on the way from an even "
        "mixture of the bases to the message, one strand. What the parts pos-0, "
        "pos-1, ... show raises the prediction; what neg-0, neg-1, ... show lowers it. Codon and splice tracks stay as "
        "they are; only the four bases are attributed, and no seqlet lies on N or padding."
    ),
}
NEURON_METHODS = tuple(method for method in METHODS if method != MODISCO_OUTPUT)
VERSIONS = dict.fromkeys((SEQLETS, MESSAGE_SEQLETS, MODISCO, MODISCO_OUTPUT), 1)  # raised where one comes to find more
COMMANDS = {  # that make the motifs of a method
    NEURONMOTIF: "python -m motif_discovery.cluster",
    SEQLETS: "bash motif_discovery/max_seqlet/script/main.sh CONFIG",
    MESSAGE_SEQLETS: "bash motif_discovery/max_seqlet/script/main.sh CONFIG --messages",
    MODISCO: "bash motif_discovery/tf_modisco/script/main.sh CONFIG",
    MODISCO_OUTPUT: "bash motif_discovery/tf_modisco/script/main.sh CONFIG --target output",
}


class ModiscoSettings(Settings):
    """TF-MoDISco. The first three are ours; the others have modisco-lite's names and, unless said, its defaults."""

    sequences: int = pydantic.Field(2000, ge=1, description="of a sample, the strongest")
    messages: int = pydantic.Field(2000, ge=1, description="for --target output; of more, a random choice")
    path_steps: int = pydantic.Field(
        5, ge=1, description="for --target output: gradients averaged from even bases to the message; 1: at the message"
    )
    sliding_window_size: int = pydantic.Field(21, ge=3, description="of a seqlet; at most the receptive field")
    flank_size: int = pydantic.Field(5, ge=1, description="either side of it; at most half of it (its default: 10)")
    trim_to_window_size: int = pydantic.Field(30, ge=3, description="of a pattern; at most the receptive field")
    min_metacluster_size: int = pydantic.Field(100, ge=1, description="seqlets of one sign that are clustered at all")
    final_min_cluster_size: int = pydantic.Field(20, ge=5, description="seqlets of a pattern")
    target_seqlet_fdr: float = pydantic.Field(0.2, gt=0, lt=1)
    max_passing_windows_frac: float = pydantic.Field(0.2, ge=0.03, le=1, description="of the windows, the strongest")
    max_seqlets_per_metacluster: int = pydantic.Field(
        2000, ge=1, description="for --target output: of one sign, the strongest (its default: 20000)"
    )
    n_leiden_runs: int = pydantic.Field(10, ge=1, description="its default: 50")


def layer_name(layer: int) -> str:
    """Return ``conv5`` for 5, and ``output`` for the model's output."""
    return "output" if layer == OUTPUT else f"conv{layer}"


def unit_of(layer: int) -> str:
    """Return what a layer consists of: neurons, or targets of the output."""
    return "target" if layer == OUTPUT else "neuron"


def file_stem(layer: int, number: int) -> str:
    """Return the name of the files of a neuron or target, counted from 1: ``conv5_neuron2``, ``output_target1``."""
    return f"{layer_name(layer)}_{unit_of(layer)}{number}"


def require_method(method: str) -> str:
    """Return the method.

    Raises:
        InputError: there is none of this name.
    """
    if method not in METHODS:
        raise InputError(f"method: '{method}' is not one of {', '.join(METHODS)}")
    return method
