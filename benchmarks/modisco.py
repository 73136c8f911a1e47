"""How long everything of ours around TF-MoDISco takes, against modisco-lite itself, in one run.

    python benchmarks/modisco.py [CONFIG] [LAYER] [NEURONS] [key=value ...]

Default: configs/interpreting/mrl_predictor.yaml, 3, 1-4. In a folder that is removed afterwards the neurons are sampled
(which all methods share and is not counted), modisco-lite is run once so that its kernels are compiled (not counted
either), and then TF-MoDISco of the neurons and of the model's output are timed from reading samples or messages to
matches, pages and statistics. *Package*: finding seqlets and patterns. *Ours*: all the rest. Seconds are the
processor's, so that other programs count little.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from motif_discovery import sample, summarize
from motif_discovery import settings as places
from motif_discovery.baseline import run as run_method
from motif_discovery.baseline import sampled
from motif_discovery.methods import MODISCO, MODISCO_OUTPUT
from motif_discovery.settings import DiscoverySettings, open_discovery
from motif_discovery.tf_modisco import output, parts
from motif_discovery.tf_modisco.discover import parts_of
from utils.config import load_settings, parse_range
from utils.runtime import run_script
from utils.tomtom import compile_kernel

spent = 0.0  # in the package


def timed(find: Callable) -> Callable:
    """Return a function that adds the seconds of each call to ``spent``."""

    def call(*given: object, **named: object) -> object:
        global spent
        started = time.process_time()
        found = find(*given, **named)
        spent += time.process_time() - started
        return found

    return call


def measure(label: str, work: Callable[[], object]) -> None:
    """Run something and print the seconds of the package and of everything else."""
    global spent
    spent, started = 0.0, time.process_time()
    work()
    ours = time.process_time() - started - spent
    print(f"{label}: package {spent:.1f} s, ours {ours:.1f} s, {ours / spent:.3f} of it", flush=True)


def run(config: str, layer: int, neurons: str, overrides: list[str]) -> None:
    """Measure the neurons, then the output."""
    settings = load_settings(DiscoverySettings, config, ["device=cpu", *overrides])
    parts.find_patterns, output.strip_patterns = timed(parts.find_patterns), timed(output.strip_patterns)

    def of_neurons(chosen: str) -> None:
        run_method(settings, MODISCO, (layer, layer), chosen, True, sampled, parts_of)
        summarize.run(settings, MODISCO, str(layer), None)

    def of_output() -> None:
        output.run(settings, True)
        summarize.run(settings, MODISCO_OUTPUT, None, None)

    with tempfile.TemporaryDirectory() as folder:
        places.HERE = Path(folder)
        opened = open_discovery(settings, layer)
        numbers = parse_range(neurons, opened.network.model.channels)
        started = time.process_time()
        sample.run(opened, numbers)
        print(f"sampling: {time.process_time() - started:.1f} s")
        compile_kernel()
        of_neurons(str(numbers[0]))  # compiles
        measure(f"{opened.model_name}, conv{layer}, {len(numbers)} neurons", lambda: of_neurons(neurons))
        measure(f"{opened.model_name}, output, {settings.modisco.messages} messages", of_output)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arguments", nargs="*", help="CONFIG LAYER NEURONS and key=value")
    arguments = parser.parse_args().arguments
    given = [one for one in arguments if "=" not in one]
    config, layer, neurons = (given + ["configs/interpreting/mrl_predictor.yaml", "3", "1-4"][len(given) :])[:3]
    run_script(lambda: run(config, int(layer), neurons, [one for one in arguments if "=" in one]))


if __name__ == "__main__":
    main()
