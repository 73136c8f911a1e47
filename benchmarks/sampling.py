"""Our sampler against the published one, or against the genetic one with published demixing, on the same neurons.

    python benchmarks/sampling.py [--layer 5] [--neurons 5,12,29] [--against published|genetic] [--seeds 1-3] [...]

Ours is the one that motif_discovery takes (the config's ``sampler``), in blocks of neurons as there, each neuron's time
an equal share of its block's; so is the genetic one. Seconds are of the processor. The published one, neuron by neuron,
is the reconstruction in benchmarks/published_sampler.py with the config's population, generations, patience and seed,
which our genetic sampler shares. Prints tables for a README: time, maximum and full bins (20 equal bins of
(0, highest stored activation], closed at the top, recomputed from what is stored), how far the sequences of the upper
quarter differ, in bins of each one's own maximum and, at the same levels, of the lower of the two, and sequences per
bin up to the quota, in the first and in bins of the larger of the two maxima. Against genetic also what the parts are
worth, ours by adaptive and the other's by fixed demixing: their number, seconds, consensus ratio, and database motifs
and clusters matched; and how long it would take to evaluate what is stored, each by itself. With --ceiling the
maxima are also compared with the highest that many more climbers find. Set OMP_NUM_THREADS=1 for steady ratios.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.published_sampler import sample_published
from benchmarks.sampling_tables import ROUNDING, Run, bin_table, main_table, summary, worth_table
from motif_discovery.cluster import demixed
from motif_discovery.gradient import GradientSampler
from motif_discovery.sample import blocks, chosen_sampler, samples
from motif_discovery.settings import Discovery, DiscoverySettings, open_discovery
from utils.activation import WindowNetwork
from utils.config import load_settings, parse_layer, parse_range
from utils.runtime import InputError, run_script


@contextmanager
def counted_windows(network: WindowNetwork) -> Iterator[list[int]]:
    """Give a list that grows by the windows of each call, inside the block."""
    counts: list[int] = []
    plain = {name: getattr(network, name) for name in ("activation", "gradient")}

    def counted(name: str) -> Callable:
        def call(indices: torch.Tensor, *rest: object) -> object:
            counts.append(len(indices))
            return plain[name](indices, *rest)

        return call

    for name in plain:
        setattr(network, name, counted(name))
    try:
        yield counts
    finally:
        for name in plain:
            delattr(network, name)


@contextmanager
def timed_climbing() -> Iterator[list[float]]:
    """Give a list that grows by the processor seconds of each climb of a gradient sampler, inside the block."""
    seconds: list[float] = []
    plain = GradientSampler._climb

    def timed(*arguments: object) -> None:
        started = time.process_time()
        plain(*arguments)
        seconds.append(time.process_time() - started)

    GradientSampler._climb = timed
    try:
        yield seconds
    finally:
        GradientSampler._climb = plain


def one_by_one(runs: list[tuple[int, Run, Run]], discovery: Discovery) -> str:
    """Return what a sampler would take that evaluates what it stores once, each by itself, and nothing else."""
    rng = np.random.default_rng(0)
    field, layer, n = discovery.receptive_field, discovery.layer, 2**14
    windows = torch.from_numpy(rng.integers(4, size=(n, field), dtype=np.uint8))
    owner = torch.from_numpy(rng.integers(discovery.network.model.channels_of(layer), size=n))
    a, b = torch.rand(n, 320), torch.rand(320, 64)

    def seconds(work: Callable[[], object]) -> float:
        work()
        started = time.process_time()
        for _ in range(5):
            work()
        return (time.process_time() - started) / 5

    rate = 2 * a.numel() * b.shape[1] / seconds(lambda: a @ b)
    price = seconds(lambda: discovery.network.activation(windows, layer, owner)) / n
    stored = float(np.median([len(ours.activation) for _, ours, _ in runs]))
    least = stored * price
    own, other = (np.median([run.windows for run in column]) for column in list(zip(*runs, strict=True))[1:])
    spent = [np.median([run.seconds for run in column]) for column in list(zip(*runs, strict=True))[1:]]
    climbing = np.median([ours.climbing for _, ours, _ in runs])
    return (
        f"windows evaluated a neuron, median: ours {own:,.0f}, the other {other:,.0f}; a window takes "
        f"{1e6 * price:.1f} us, a plain matrix product runs at {rate / 1e9:.0f} GFLOP/s; to evaluate the "
        f"{stored:,.0f} that ours stores once, each by itself, would take {least:.2f} s, {spent[1] / least:.1f} times "
        f"as fast as the other; ours takes {spent[0]:.2f} s, {climbing:.2f} s of them for climbing"
    )


def run_ours(discovery: Discovery, block: list[int], bar: tqdm) -> list[Run]:
    """Run one of our samplers for neurons counted from 1; ``bar`` counts its generations or steps."""
    started = time.process_time()
    with counted_windows(discovery.network) as windows, timed_climbing() as climbing:
        sampled = samples(discovery, block, lambda _: bar.update())
    spent = (time.process_time() - started) / len(block)
    runs = []
    for neuron, found in zip(block, sampled, strict=True):
        started = time.process_time()
        parts = demixed(discovery, neuron, found)
        demixing = time.process_time() - started
        runs.append(
            Run(
                discovery.settings.seed,
                found.activation,
                found.maximum,
                spent,
                bar.n,
                sequence=found.sequence,
                demixing=demixing,
                parts=tuple(parts),
                windows=sum(windows) / len(block),
                climbing=sum(climbing) / len(block),
            )
        )
    return runs


def run_published(discovery: Discovery, neuron: int, seconds: float | None, bar: tqdm) -> Run:
    """Run the published sampler for a neuron counted from 1, for ``seconds`` at most; ``bar`` counts generations."""
    settings = discovery.settings
    started = time.process_time()
    found = sample_published(
        discovery.network.model, discovery.layer, neuron - 1, settings.seed, settings.population,
        settings.generations, settings.patience, seconds, lambda _: bar.update(),
    )  # fmt: skip
    X, activation = found.result()
    spent = time.process_time() - started
    empty = int((X.sum(axis=1) != 1).any(axis=1).sum()) if len(X) else 0
    bases = X.argmax(axis=1).astype(np.uint8)
    return Run(settings.seed, activation, max(0.0, found.maximum), spent, found.generations, found.stop, empty, bases)


def compare(
    discovery: Discovery, neurons: list[int], against: str, seconds: float | None
) -> list[tuple[int, Run, Run]]:
    """Return for each neuron our run and the other one."""
    other_way = {"sampler": "genetic", "demixing": "fixed", "weight_power": 0}
    genetic = replace(discovery, settings=discovery.settings.model_copy(update=other_way))

    def counted(name: str, neuron: int) -> tqdm:
        label = f"conv{discovery.layer} from neuron {neuron}, {name}: generations or steps"
        return tqdm(desc=label, leave=False, mininterval=0.5)

    runs = []
    discovery.network.tabulate()
    for block in blocks(discovery, neurons):
        with counted("ours", block[0]) as bar:
            ours = run_ours(discovery, block, bar)
        if against == "genetic":
            with counted(against, block[0]) as bar:
                others = run_ours(genetic, block, bar)
        else:
            others = []
            for neuron in block:
                with counted(against, neuron) as bar:
                    others.append(run_published(discovery, neuron, seconds, bar))
        runs += zip(block, ours, others, strict=True)
    return runs


def ceiling(runs: list[tuple[int, Run, Run]], discovery: Discovery, times: int) -> str:
    """Return what is the highest that so many times the climbers find, beside what both samplers found."""
    sampler = chosen_sampler(discovery)
    sampler.climbers *= times
    firing = [(neuron, ours, other) for neuron, ours, other in runs if max(ours.maximum, other.maximum) > 0]
    started = time.process_time()
    found = [
        one.maximum
        for block in blocks(discovery, [neuron for neuron, *_ in firing])
        for one in sampler.sample([neuron - 1 for neuron in block])
    ]
    spent = (time.process_time() - started) / len(firing)
    highest = np.maximum(found, [max(ours.maximum, other.maximum) for _, ours, other in firing])
    above = [highest / [max(row[column].maximum, ROUNDING) for row in firing] for column in (1, 2)]
    return (
        f"the highest that is known, {times} times as many climbers included ({spent:.1f} s a neuron): in the median "
        f"{np.median(above[0]):.3f} times what ours found (at most {above[0].max():.3f}), {np.median(above[1]):.3f} "
        f"times the other's (at most {above[1].max():.3f}); more than 5 % above the other in {np.sum(above[1] > 1.05)} "
        f"of {len(firing)}"
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/interpreting/hl_predictor_yeast.yaml", help="YAML config")
    parser.add_argument("--layer", default="5", help="such as conv5")
    parser.add_argument("--neurons", default="5,12,29", help="such as 1-4 or 1,3,7; counted from 1")
    parser.add_argument("--against", choices=("published", "genetic"), default="published", help="the other sampler")
    parser.add_argument("--ceiling", type=int, metavar="TIMES", help="also climb with so many times the climbers")
    parser.add_argument("--seeds", help="of the samplers, such as 1-3 (default: the config's)")
    parser.add_argument("--neuron-seconds", type=float, help="cut the published sampler off after so many, per neuron")
    arguments = parser.parse_args(argv)

    def run() -> None:
        layer = parse_layer(arguments.layer)
        if arguments.neuron_seconds is not None and arguments.neuron_seconds <= 0:
            raise InputError("--neuron-seconds: give a number above 0")
        discovery = open_discovery(load_settings(DiscoverySettings, arguments.config), layer)
        if arguments.ceiling is not None and (arguments.ceiling < 1 or discovery.sampler != "gradient"):
            raise InputError("--ceiling: give 1 or more, for a layer whose sampler is gradient")
        neurons = parse_range(arguments.neurons, discovery.network.model.channels_of(discovery.layer))
        seeds = parse_range(arguments.seeds, 9999) if arguments.seeds else [discovery.settings.seed]
        if arguments.ceiling and len(seeds) > 1:
            raise InputError("--ceiling: give one seed")
        runs = []
        for seed in seeds:
            seeded = replace(discovery, settings=discovery.settings.model_copy(update={"seed": seed}))
            runs += compare(seeded, neurons, arguments.against, arguments.neuron_seconds)
        quota = discovery.quota
        print("\n".join(main_table(runs, discovery.model_name, arguments.against, layer, quota)))
        print(f"\n{summary(runs, quota)}", flush=True)
        if arguments.ceiling:
            print(ceiling(runs, discovery, arguments.ceiling), flush=True)
        if arguments.against == "genetic":
            print(one_by_one(runs, discovery))
            print("\n" + "\n".join(worth_table(runs, discovery)))
            return
        for common, what in ((False, "each sampler's own highest"), (True, "the larger maximum")):
            print(f"\npublished / ours, up to {quota}, in 20 equal bins of (0, {what}]; * ours holds fewer\n")
            print("\n".join(bin_table(runs, layer, quota, common)))
        empty = {neuron: published.empty for neuron, _, published in runs if published.empty}
        print(f"\nstored by the published sampler with a column that holds no base, per neuron: {empty or 'none'}")

    run_script(run)


if __name__ == "__main__":
    main()
