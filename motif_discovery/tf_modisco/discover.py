"""TF-MoDISco on gradients of neurons -> motif_discovery/tf_modisco/{motifs,tomtom_match_results,clustering}/MODEL."""

from motif_discovery.baseline import load_method, method_parser, run, sampled
from motif_discovery.demixing import Part
from motif_discovery.files import Sample
from motif_discovery.methods import MODISCO
from motif_discovery.settings import Discovery
from motif_discovery.tf_modisco.parts import neuron_parts
from utils.runtime import run_script


def parts_of(discovery: Discovery, neuron: int, sample: Sample) -> list[Part]:
    """Return the patterns of a neuron (counted from 1) as parts."""
    settings = discovery.settings.modisco
    return neuron_parts(discovery.network, discovery.layer, neuron - 1, sample, settings, discovery.name(neuron))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = method_parser(__doc__).parse_args(argv)

    def start() -> None:
        layers = arguments.first, arguments.last
        run(load_method(arguments), MODISCO, layers, arguments.neurons, arguments.overwrite, sampled, parts_of)

    run_script(start)


if __name__ == "__main__":
    main()
