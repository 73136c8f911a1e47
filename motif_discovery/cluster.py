"""Demix each neuron's sample into motifs -> motifs/MODEL/convN_neuronM.h5 (parts) and .meme (segments)."""

from motif_discovery.adaptive import demix_adaptively
from motif_discovery.demixing import Part, demix
from motif_discovery.files import Sample, read_sample, stored_key, unfinished, write_motifs
from motif_discovery.settings import Discovery, parse_step
from utils.progress import progress_bar
from utils.runtime import InputError, run_script, shown


def demixed(discovery: Discovery, neuron: int, sample: Sample) -> list[Part]:
    """Return the parts of the sample of a neuron (counted from 1), by the way that the settings choose."""
    settings = discovery.settings
    given = discovery.network, discovery.layer, neuron - 1, sample.sequence, sample.activation
    chosen = settings.model_dump(include={"fit_samples", "weight_power", "seed"}) | {"clusters": discovery.clusters}
    if settings.demixing == "fixed":
        return demix(*given, **chosen)
    return demix_adaptively(*given, most=settings.demixing_samples, **chosen)


def run(discovery: Discovery, neurons: list[int], overwrite: bool = False, quiet: bool = False) -> None:
    """Demix the neurons (counted from 1) that have no motifs with these settings yet."""
    waiting = unfinished(neurons, discovery.motif_path, discovery.motif_key, overwrite)
    for neuron in progress_bar(waiting, desc=f"conv{discovery.layer}: demixing", disable=quiet, leave=False):
        path = discovery.sample_path(neuron)
        sample = read_sample(path)
        if stored_key(path) != discovery.sample_key:
            raise InputError(f"{shown(path)}: made with other settings or weights; run motif_discovery.sample again")
        parts = demixed(discovery, neuron, sample)
        last = discovery.receptive_field, discovery.motif_key, discovery.alphabet, discovery.made_with
        write_motifs(discovery.motif_path(neuron), discovery.name(neuron), parts, sample, *last)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    run_script(lambda: run(*parse_step(__doc__, argv)))


if __name__ == "__main__":
    main()
