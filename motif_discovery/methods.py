"""The methods of motif discovery: NeuronMotif and the baselines that it is compared with.

All of them write the same files. NeuronMotif's lie in ``motif_discovery/`` itself, those of another method in
``motif_discovery/METHOD/``; the samples are the same for all.
"""

import pydantic

from utils.config import Settings
from utils.runtime import InputError

NEURONMOTIF, SEQLETS, MESSAGE_SEQLETS, MODISCO = "neuronmotif", "max_seqlet", "max_seqlet_data", "tf_modisco"
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
}
VERSIONS = {SEQLETS: 1, MESSAGE_SEQLETS: 1, MODISCO: 1}  # to be raised where a method comes to find other motifs
COMMANDS = {  # that make the motifs of a method
    NEURONMOTIF: "python -m motif_discovery.cluster",
    SEQLETS: "bash motif_discovery/max_seqlet/script/main.sh CONFIG",
    MESSAGE_SEQLETS: "bash motif_discovery/max_seqlet/script/main.sh CONFIG --messages",
    MODISCO: "bash motif_discovery/tf_modisco/script/main.sh CONFIG",
}


class ModiscoSettings(Settings):
    """TF-MoDISco. Names and defaults are modisco-lite's, but for ``sequences`` and where a description says so."""

    sequences: int = pydantic.Field(2000, ge=1, description="of a sample, the strongest")
    sliding_window_size: int = pydantic.Field(21, ge=3, description="of a seqlet; at most the receptive field")
    flank_size: int = pydantic.Field(5, ge=1, description="either side of it; at most half of it (its default: 10)")
    trim_to_window_size: int = pydantic.Field(30, ge=3, description="of a pattern; at most the receptive field")
    min_metacluster_size: int = pydantic.Field(100, ge=1, description="seqlets of one sign that are clustered at all")
    final_min_cluster_size: int = pydantic.Field(20, ge=5, description="seqlets of a pattern")
    target_seqlet_fdr: float = pydantic.Field(0.2, gt=0, lt=1)
    max_passing_windows_frac: float = pydantic.Field(0.2, ge=0.03, le=1, description="of the windows, the strongest")
    n_leiden_runs: int = pydantic.Field(10, ge=1, description="its default: 50")


def require_method(method: str) -> str:
    """Return the method.

    Raises:
        InputError: there is none of this name.
    """
    if method not in METHODS:
        raise InputError(f"method: '{method}' is not one of {', '.join(METHODS)}")
    return method
