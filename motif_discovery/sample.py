"""Sample the sequences that fire each neuron -> maxactivation_samples/MODEL/convN_neuronM.h5."""

from collections.abc import Callable

from motif_discovery.bins import BINS
from motif_discovery.boltzmann import NEURONS_AT_ONCE, BoltzmannSampler
from motif_discovery.exhaustive import ExhaustiveSampler
from motif_discovery.files import Sample, unfinished, write_sample
from motif_discovery.genetic import GeneticSampler
from motif_discovery.gradient import GradientSampler
from motif_discovery.settings import Discovery, parse_step
from utils.progress import progress_bar
from utils.runtime import run_script

BLOCK_SAMPLES = 2**27  # bytes of stored sequences in a block of neurons


def blocks(discovery: Discovery, neurons: list[int], processes: int = 1) -> list[list[int]]:
    """Return the neurons in blocks that are sampled at once, as large as the settings and the memory allow.

    Processes share what is allowed, so that more of them need little more memory.
    """
    stored = BINS * discovery.quota * discovery.receptive_field
    at_once = len(neurons) if discovery.sampler == "exhaustive" else discovery.settings.neurons_at_once
    allowed = min(at_once, BLOCK_SAMPLES // stored) // processes
    least = NEURONS_AT_ONCE if discovery.sampler == "boltzmann" else 1  # whose tables are made together
    size = max(least, min(allowed, -(-len(neurons) // processes)))
    return [neurons[start : start + size] for start in range(0, len(neurons), size)]


def chosen_sampler(
    discovery: Discovery,
) -> ExhaustiveSampler | BoltzmannSampler | GradientSampler | GeneticSampler:
    """Return the sampler that the settings choose."""
    settings, network, layer = discovery.settings, discovery.network, discovery.layer
    if discovery.sampler == "exhaustive":
        return ExhaustiveSampler(network, layer, discovery.quota, settings.seed)
    if discovery.sampler == "boltzmann":
        return BoltzmannSampler(network, layer, discovery.quota, settings.seed)
    network.tabulate()
    if discovery.sampler == "genetic":
        parameters = settings.population, settings.generations, settings.patience, discovery.quota, settings.seed
        return GeneticSampler(network, layer, *parameters)
    return GradientSampler(network, layer, discovery.quota, settings.seed)


def samples(discovery: Discovery, block: list[int], progress: Callable[[int], None]) -> list[Sample]:
    """Return the samples of neurons (counted from 1); ``progress`` is told of each step."""
    found = chosen_sampler(discovery).sample([neuron - 1 for neuron in block], progress)
    return [one if isinstance(one, Sample) else Sample(*one.result(), one.maximum) for one in found]


def run(discovery: Discovery, neurons: list[int], overwrite: bool = False, quiet: bool = False) -> None:
    """Sample the neurons (counted from 1) that have no sample with these settings yet."""
    waiting = unfinished(neurons, discovery.sample_path, discovery.sample_key, overwrite)
    for block in blocks(discovery, waiting):
        label = f"conv{discovery.layer} neurons {block[0]}-{block[-1]}: sampling, step"
        with progress_bar(desc=label, disable=quiet, leave=False) as bar:
            sampled = samples(discovery, block, lambda _, bar=bar: bar.update())
        for neuron, sample in zip(block, sampled, strict=True):
            write_sample(discovery.sample_path(neuron), sample, discovery.sample_key, discovery.alphabet)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    run_script(lambda: run(*parse_step(__doc__, argv)))


if __name__ == "__main__":
    main()
