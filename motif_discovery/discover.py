"""The four steps - sample, cluster, match, report - for all neurons of some layers, in one or several processes.

A worker takes a block of neurons through sampling and clustering; each neuron is in one block only. Matching and the
pages of a layer follow in the parent, many neurons in one call.
"""

import logging
import multiprocessing
import os
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache

import torch

from motif_discovery import cluster, match, report, sample
from motif_discovery.files import unfinished
from motif_discovery.settings import Discovery, DiscoverySettings, discovery_parser, layers_with_neurons, open_discovery
from utils.config import load_settings
from utils.progress import progress_bar
from utils.runtime import InputError, run_script, shown

logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _opened(settings: DiscoverySettings, layer: int) -> Discovery:
    """A worker opens the model once per layer, however many blocks it is given."""
    return open_discovery(settings, layer)


def _work(settings: DiscoverySettings, layer: int, block: list[int], overwrite: bool) -> int:
    """Sample and cluster a block of neurons in a worker; return how many there are."""
    discovery = _opened(settings, layer)
    sample.run(discovery, block, overwrite, quiet=True)
    cluster.run(discovery, block, overwrite, quiet=True)
    return len(block)


def _start_worker(processes: int) -> None:
    """Share the cores, and end when the parent does, however it ends."""
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def run_layer(discovery: Discovery, neurons: list[int], processes: int, overwrite: bool, pages: bool = True) -> None:
    """Interpret neurons of one layer (counted from 1); ``pages`` says whether the pages of the layer are made too."""
    label = f"conv{discovery.layer}: neurons"
    waiting = unfinished(neurons, discovery.motif_path, discovery.motif_key, overwrite)
    if processes == 1:
        with progress_bar(total=len(waiting), desc=label) as bar:
            for block in sample.blocks(discovery, waiting):
                sample.run(discovery, block, overwrite)
                cluster.run(discovery, block, overwrite)
                bar.update(len(block))
    elif waiting:
        run_workers(discovery, waiting, processes, overwrite, label)
    match.run(discovery, neurons, overwrite)
    if pages:
        report.run(discovery, neurons, overwrite)
        logger.info("open %s", shown(discovery.report_path()))


def run_workers(discovery: Discovery, waiting: list[int], processes: int, overwrite: bool, label: str) -> None:
    """Give disjoint blocks of neurons to worker processes, under one progress bar."""
    blocks = sample.blocks(discovery, waiting, processes)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([step.__name__ for step in (sample, cluster, match, report)])  # in memory once
    with ProcessPoolExecutor(processes, server, initializer=_start_worker, initargs=(processes,)) as pool:
        jobs = {pool.submit(_work, discovery.settings, discovery.layer, block, overwrite) for block in blocks}
        try:
            with progress_bar(total=len(waiting), desc=label) as bar:
                while jobs:
                    done, jobs = wait(jobs, return_when=FIRST_COMPLETED)
                    for job in done:
                        bar.update(job.result())
        except BrokenProcessPool:
            raise InputError(
                "a worker process died (out of memory?); run again with fewer processes: finished neurons are kept"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def run(
    settings: DiscoverySettings, first: int, last: int, neurons: str | None, processes: int, overwrite: bool,
    pages: bool = True,
) -> None:  # fmt: skip
    """Interpret the layers ``first`` to ``last``, both included; ``pages`` says whether their pages are made too."""
    if first > last:
        raise InputError(f"layers: {first} to {last} is no range; write the lower layer first")
    opened = open_discovery(settings, last)
    if first < 1:
        raise InputError(f"layer: conv{first} is not a layer of {opened.model_name}")
    for discovery, chosen in layers_with_neurons(opened, range(first, last + 1), neurons):
        run_layer(discovery, chosen, processes, overwrite, pages)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = discovery_parser(__doc__, layer=False)
    parser.add_argument("--from", dest="first", type=int, required=True, help="first layer, such as 2")
    parser.add_argument("--to", dest="last", type=int, required=True, help="last layer, included")
    parser.add_argument("--processes", type=int, default=1, help="worker processes (default: 1)")
    parser.add_argument(
        "--no-pages", action="store_true", help="leave the pages to a last run: others are at work on other neurons"
    )
    arguments = parser.parse_args(argv)

    def start() -> None:
        if arguments.processes < 1:
            raise InputError(f"processes: {arguments.processes} is not 1 or more")
        settings = load_settings(DiscoverySettings, arguments.config, arguments.overrides)
        layers = arguments.first, arguments.last
        run(settings, *layers, arguments.neurons, arguments.processes, arguments.overwrite, not arguments.no_pages)

    run_script(start)


if __name__ == "__main__":
    main()
