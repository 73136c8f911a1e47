"""Which sampler a layer gets: motif_discovery samples with it, and the report tells it of results that do not say."""

from utils.geometry import Geometry
from utils.model import Predictor

LONGEST_WORD = 10  # nt that a tap may see: 4^10 words, for 5 taps 20 MiB a neuron


def word_length(model: Predictor, layer: int) -> int:
    """Return how many nucleotides each tap of a layer's convolution sees."""
    return model.receptive_field(layer) - (model.kernel_size - 1) * model.stride(layer)


def reads_short_words(model: Geometry, layer: int) -> bool:
    """Return whether a layer is of the project's predictor, and its words few enough for tables (``boltzmann``).

    conv1 has none, its sequences are few.
    """
    if not isinstance(model, Predictor) or layer == 1:
        return False
    return 2 * model.stride(layer) <= word_length(model, layer) <= LONGEST_WORD


def sampler_of(chosen: str, model: Geometry, layer: int, exhaustive_limit: int) -> str:
    """Return the sampler of a layer: the config's, or for ``auto`` the most exact one that its sequences allow."""
    if chosen != "auto":
        return chosen
    if model.receptive_field(layer) <= exhaustive_limit:
        return "exhaustive"
    return "boltzmann" if reads_short_words(model, layer) else "gradient"
