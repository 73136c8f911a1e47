"""TF-MoDISco on gradients of neurons -> motif_discovery/tf_modisco/{motifs,tomtom_match_results,clustering}/MODEL.

With ``--target output`` on gradients of the prediction at real messages -> motif_discovery/tf_modisco_output/...
"""

from motif_discovery.baseline import load_method, method_parser, run, sampled
from motif_discovery.demixing import Part
from motif_discovery.files import Sample
from motif_discovery.methods import MODISCO
from motif_discovery.settings import Discovery
from motif_discovery.tf_modisco import output
from motif_discovery.tf_modisco.parts import neuron_parts
from utils.runtime import InputError, run_script

TARGETS = ("neurons", "output")


def parts_of(discovery: Discovery, neuron: int, sample: Sample) -> list[Part]:
    """Return the patterns of a neuron (counted from 1) as parts."""
    settings = discovery.settings.modisco
    return neuron_parts(discovery.network, discovery.layer, neuron - 1, sample, settings, discovery.name(neuron))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = method_parser(__doc__)
    parser.add_argument("--target", default=TARGETS[0], help="neurons, or output: the prediction at real messages")
    arguments = parser.parse_args(argv)

    def start() -> None:
        layers = arguments.first, arguments.last
        if arguments.target not in TARGETS:
            raise InputError(f"--target: '{arguments.target}' is not one of {', '.join(TARGETS)}")
        if arguments.target == "output":
            for option, value in (("from", layers[0]), ("to", layers[1]), ("neurons", arguments.neurons)):
                if value is not None:
                    raise InputError(f"--{option}: the output has no layers or neurons; leave it out")
            output.run(load_method(arguments), arguments.overwrite)
        else:
            run(load_method(arguments), MODISCO, layers, arguments.neurons, arguments.overwrite, sampled, parts_of)

    run_script(start)


if __name__ == "__main__":
    main()
