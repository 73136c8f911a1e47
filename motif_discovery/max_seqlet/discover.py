"""Maximum-activation seqlets -> motif_discovery/max_seqlet/{motifs,tomtom_match_results,clustering}/MODEL.

With ``--messages`` windows of real messages, from the scan of motif_contribution -> motif_discovery/max_seqlet_data/...
"""

from collections.abc import Callable

from motif_discovery.baseline import load_method, method_parser, run, sampled
from motif_discovery.demixing import Part
from motif_discovery.files import Sample
from motif_discovery.max_seqlet.seqlets import best_windows, stacked
from motif_discovery.methods import MESSAGE_SEQLETS, SEQLETS
from motif_discovery.settings import Discovery, DiscoverySettings
from utils.interpretation_settings import InteractionSettings, Interpretation, open_interpretation
from utils.runtime import run_script
from utils.scan import read_scan


def messages_of(settings: DiscoverySettings) -> Callable[[Discovery], Callable[[int], Sample]]:
    """Return what gives, for a layer, what gives the best windows of real messages; the messages are read once."""
    opened: list[Interpretation] = []

    def source(discovery: Discovery) -> Callable[[int], Sample]:
        if not opened:
            opened.append(open_interpretation(InteractionSettings(model=settings.model, device=settings.device)))
        scan = read_scan(opened[0], discovery.layer)
        codes = opened[0].messages.codes
        return lambda neuron: best_windows(scan, codes, neuron - 1, settings.seqlets)

    return source


def parts_of(discovery: Discovery, neuron: int, sample: Sample) -> list[Part]:
    """Return the part of a neuron (counted from 1)."""
    return stacked(discovery.network, discovery.layer, neuron - 1, sample, discovery.settings.seqlets)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = method_parser(__doc__)
    parser.add_argument("--messages", action="store_true", help="windows of real messages instead of the sample")
    arguments = parser.parse_args(argv)

    def start() -> None:
        settings = load_method(arguments)
        method, source = (MESSAGE_SEQLETS, messages_of(settings)) if arguments.messages else (SEQLETS, sampled)
        layers = arguments.first, arguments.last
        run(settings, method, layers, arguments.neurons, arguments.overwrite, source, parts_of)

    run_script(start)


if __name__ == "__main__":
    main()
