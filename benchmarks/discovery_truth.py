"""Motif discovery on messages whose truth is known: are the planted motifs and pairs among the motifs of the neurons?

Run: python benchmarks/discovery_truth.py [--seeds 1-3] [--layer 5] [--ways configured,published] [--train] [...]

For each simulated set and its model (see interaction_truth.py, which makes them) the neurons of a layer are interpreted
in two ways: as configured (gradient sampler, adaptive demixing), and as published (genetic sampler, fixed demixing). A
planted motif is found if a segment of some neuron matches it (Tomtom, q < 0.01; ``key=value`` are settings of the
discovery). A planted pair is found if a part of some neuron holds matches with both motifs, in the planted order, as
far apart as planted, give or take 1 nt. Thousands of parts give chance many tries, so beside both stands what the same
rule finds that is not there: decoys, and pairs of planted motifs of one sign that were never planted together, with the
spacing and order of each planted pair. What says more is in how many of the parts that hold both motifs they have the
distance, against the same of those controls. All is judged twice: among the set's planted motifs and decoys, as few as
they are, and among these and all literature motifs, which makes q-values stricter. Judged are motifs and pairs
that the model uses: inserted in random backgrounds, a motif moves the prediction by at least 0.1 standard deviations of
the labels, and both motifs of a pair do. Acting pairs are those that the model knows to be pairs: together, as far
apart as planted, their motifs move its prediction by at least as much beyond the sum of what each does alone. (A pair
that was planted as additive is none; the network has no reason to want its motifs at that distance.)
"""

import argparse
import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from benchmarks.interaction_truth import prepare, share
from figures.known_facts import instances
from generate_dataset.simulation import background
from generate_dataset.simulation_settings import SimulationSettings, probabilities
from generate_dataset.truth import read_truth
from motif_discovery import cluster, sample
from motif_discovery.files import part_segments, read_motifs
from motif_discovery.settings import DiscoverySettings, open_discovery
from utils.checkpoint import load_checkpoint
from utils.config import load_settings, parse_range
from utils.model import Predictor
from utils.motif import Motif, read_meme
from utils.runtime import ROOT, InputError, run_script, write_text
from utils.sequence import one_hot
from utils.tomtom import tomtom

WAYS = {"configured": {}, "published": {"sampler": "genetic", "demixing": "fixed", "weight_power": 0}}
LITERATURE = ROOT / "generate_dataset" / "literature_motifs.meme"
BACKGROUNDS = 300
USED = 0.1  # least effect of an inserted motif, or of two beyond their sum, standard deviations of the label
Q = 0.01
SLACK = 1  # nt by which the distance of two motifs may differ from the planted ones


@dataclass(frozen=True)
class Found:
    """A match of a part's segment: which part, which motif, and where that lies in the window."""

    part: str
    target: str
    start: int
    end: int


class Backgrounds:
    """Random messages, and what a model predicts when words are put into them.

    Args:
        model: of the simulated set.
        settings: of the simulation, which decide the backgrounds.
        seed: of the set.
    """

    def __init__(self, model: Predictor, settings: SimulationSettings, seed: int) -> None:
        self.model, self.random = model, np.random.default_rng([seed, 11])
        self.length = (settings.min_length + settings.max_length) // 2
        lengths = np.full(BACKGROUNDS, self.length)
        self.messages = background(lengths, settings.max_length, *probabilities(settings.background), self.random)

    @torch.no_grad()
    def predicted(self, *placed: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Return the predictions (n,) with words, bases (n, width), from starts (n,) on."""
        messages, rows = self.messages.copy(), np.arange(BACKGROUNDS)[:, None]
        for bases, start in placed:
            messages[rows, start[:, None] + np.arange(bases.shape[1])] = bases
        return self.model(one_hot(messages), self.length)[:, 0].numpy()

    def effect(self, word: str) -> float:
        """Return how much a motif moves the prediction, on average."""
        one = instances([word] * BACKGROUNDS, self.random)
        start = self.random.integers(5, self.length - one.shape[1] - 5, BACKGROUNDS)
        return float((self.predicted((one, start)) - self.predicted()).mean())

    def interplay(self, words: tuple[str, str], pair: dict) -> float:
        """Return how much two motifs at their spacing move the prediction beyond the sum of what each does alone."""
        a, b = (instances([word] * BACKGROUNDS, self.random) for word in words)
        low, high = pair["spacing"]
        gap = self.random.integers(low, high + 1, BACKGROUNDS)
        a_first = (self.random.random(BACKGROUNDS) < 0.5) | (pair["order"] == "a_b")
        room = self.length - a.shape[1] - b.shape[1] - high
        start = self.random.integers(5, room - 5, BACKGROUNDS)
        at_a = start + np.where(a_first, 0, b.shape[1] + gap)
        at_b = start + np.where(a_first, a.shape[1] + gap, 0)
        alone = self.predicted((a, at_a)) + self.predicted((b, at_b)) - self.predicted()
        return float((self.predicted((a, at_a), (b, at_b)) - alone).mean())


def segments_of(discovery, neurons: list[int]) -> tuple[list[Motif], dict[str, tuple[str, int]], int]:
    """Return the segments of the neurons, part and first column of each by its name, and how many parts there are."""
    segments, where, parts_seen = [], {}, 0
    for neuron in neurons:
        parts, *_ = read_motifs(discovery.motif_path(neuron))
        parts_seen += len(parts)
        for part in parts:
            for motif, (start, _) in part_segments(discovery.name(neuron), part):
                where[motif.name] = (f"{neuron}:{part.path}", start)
                segments.append(motif)
    return segments, where, parts_seen


def matches_of(segments: list[Motif], where: dict[str, tuple[str, int]], database: Sequence[Motif]) -> list[Found]:
    """Return the matches of segments with a database."""
    width = {motif.name: motif.ppm.shape[1] for motif in database}
    found = []
    for row in tomtom(segments, list(database), Q).itertuples():
        part, start = where[row.Query_ID]
        first = start - row.Optimal_offset
        found.append(Found(part, row.Target_ID, first, first + width[row.Target_ID]))
    return found


def parts_with(found: list[Found], pair: dict) -> tuple[int, int]:
    """Return how many parts hold both motifs of a pair, and how many of these in its order and at its distance."""
    low, high = pair["spacing"]
    of_part: dict[str, tuple[list[Found], list[Found]]] = {}
    for one in found:
        if one.target in (pair["a"], pair["b"]):
            of_part.setdefault(one.part, ([], []))[one.target == pair["b"]].append(one)
    both = [(a, b) for a, b in of_part.values() if a and b]
    apart = 0
    for own_a, own_b in both:
        gaps = [b.start - a.end for a in own_a for b in own_b]
        if pair["order"] == "either":
            gaps += [a.start - b.end for a in own_a for b in own_b]
        apart += any(low - SLACK <= gap <= high + SLACK for gap in gaps)
    return len(both), apart


def never_planted(truth: dict, used: set[str]) -> list[dict]:
    """Return controls of the pairs: motifs of one sign that stand in no pair together, as far apart as each pair."""
    effect = {name: one["effect"] for name, one in truth["motifs"].items()}
    known = {frozenset((pair["a"], pair["b"])) for pair in truth["pairs"]}
    controls = []
    for pair in truth["pairs"]:
        for a, b in itertools.combinations(sorted(used), 2):
            if frozenset((a, b)) not in known and effect[a] * effect[b] > 0 and effect[a] * effect[pair["a"]] > 0:
                orders = [(a, b), (b, a)] if pair["order"] == "a_b" else [(a, b)]
                controls += [{**pair, "a": one, "b": other} for one, other in orders]
    return controls


def judge(seed: int, layer: int, neurons: list[int], ways: list[str], overrides: list[str], train: bool) -> list[dict]:
    """Return a row per way of interpreting one model."""
    simulation, model, truth_path = prepare(seed, [], train)
    truth, rows = read_truth(truth_path), []
    folder = truth_path.parent
    config = folder / f"{model.name}.yaml"
    if seed == 1:
        given = {"model": model.name}
    else:
        write_text(config, model.model_dump_json())  # JSON is YAML
        given = {"model": str(config), "motif_database": str(folder / f"{model.name}_motifs.meme")}
    backgrounds = Backgrounds(load_checkpoint(model).model, simulation, seed)
    word = {name: one["consensus"] for name, one in truth["motifs"].items()}
    planted = [name for name, one in truth["motifs"].items() if one["effect"]]
    used = {name for name in planted if abs(backgrounds.effect(word[name])) >= USED}
    pairs = [pair for pair in truth["pairs"] if {pair["a"], pair["b"]} <= used]
    acting = [one for one in pairs if abs(backgrounds.interplay((word[one["a"]], word[one["b"]]), one)) >= USED]
    for way in ways:
        chosen = [f"{key}={value}" for key, value in {**given, **WAYS[way]}.items()] + ["device=cpu", *overrides]
        settings = load_settings(DiscoverySettings, "configs/interpreting/simulated.yaml", chosen)
        discovery = open_discovery(settings, layer)
        started = time.process_time()
        for block in sample.blocks(discovery, neurons):
            sample.run(discovery, block)
        sampled = time.process_time() - started
        cluster.run(discovery, neurons)
        demixed = time.process_time() - started - sampled
        segments, where, parts_seen = segments_of(discovery, neurons)
        counts = {"parts": parts_seen, "segments": len(segments)}
        decoys = [motif for motif in discovery.database if motif.name not in planted]
        names = {motif.name for motif in discovery.database}
        literature = [motif for motif in read_meme([LITERATURE]) if motif.name not in names]
        for among, database in (("set", discovery.database), ("and literature", [*discovery.database, *literature])):
            found = matches_of(segments, where, database)
            targets = {one.target for one in found}
            held = {number: parts_with(found, pair) for number, pair in enumerate(pairs)}
            controls = [parts_with(found, pair) for pair in never_planted(truth, used)]
            missed = [pair for number, pair in enumerate(pairs) if not held[number][1]]
            wrong = targets & {motif.name for motif in decoys}
            rows.append(
                {"model": model.name, "way": way, "among": among, **counts,
                 "sampling_s": sampled, "demixing_s": demixed,
                 "motifs": len(targets & used), "of_used": len(used), "missing": " ".join(sorted(used - targets)),
                 "decoys": len(wrong), "of_decoys": len(decoys),
                 "decoy_matches": sum(one.target in wrong for one in found),
                 "pairs": len(pairs) - len(missed), "of_pairs": len(pairs),
                 "acting": sum(one not in missed for one in acting), "of_acting": len(acting),
                 "never": sum(apart > 0 for _, apart in controls), "of_never": len(controls),
                 "share": [apart / both for both, apart in held.values() if both],
                 "share_never": [apart / both for both, apart in controls if both],
                 "missed": " ".join(f"{one['a']}+{one['b']}({one['class']})" for one in missed)}
            )  # fmt: skip
    return rows


def auc(values: Sequence[float], controls: Sequence[float]) -> float:
    """Return how often a value is above a control, ties half: 0.5 says nothing, 1 tells all apart."""
    one, other = np.array(values)[:, None], np.array(controls)
    return float(((one > other) + 0.5 * (one == other)).mean())


RATES = {
    "motifs": ("planted motifs found", "of_used"), "decoys": ("decoys found", "of_decoys"),
    "pairs": ("pairs found", "of_pairs"), "acting": ("acting pairs found", "of_acting"),
    "never": ("pairs found that were never planted", "of_never"),
}  # fmt: skip


def run(seeds: list[int], layer: int, neurons: str, ways: list[str], overrides: list[str], train: bool) -> None:
    """Judge every set and print the table."""
    chosen = parse_range(neurons, 64)
    unknown = [way for way in ways if way not in WAYS]
    if unknown:
        raise InputError(f"--ways: '{unknown[0]}' is not one of {', '.join(WAYS)}")
    table = pd.DataFrame([row for seed in seeds for row in judge(seed, layer, chosen, ways, overrides, train)])
    with pd.option_context("display.width", 260, "display.max_columns", 99):
        print(table.drop(columns=["share", "share_never"]).round(1).to_string(index=False))
    for (way, among), own in table.groupby(["way", "among"], sort=False):
        for what, (said, of) in RATES.items():
            right = pd.Series([True] * int(own[what].sum()) + [False] * int((own[of] - own[what]).sum()))
            print(f"{way}, among {among}: {said} {share(right)}")
        planted, never = np.concatenate(own["share"].tolist()), np.concatenate(own["share_never"].tolist())
        if len(planted) and len(never):
            print(
                f"{way}, among {among}: of the parts with both motifs {np.median(planted):.2f} have the distance, of "
                f"controls {np.median(never):.2f} (medians); AUC {auc(planted, never):.2f}"
            )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-3", help="default 1-3")
    parser.add_argument("--layer", type=int, default=5, help="default 5")
    parser.add_argument("--neurons", default="1-64", help="default 1-64")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"default {','.join(WAYS)}")
    parser.add_argument("--train", action="store_true", help="simulate and train what is missing")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings of motif_discovery")
    arguments = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.INFO)
    seeds, ways = parse_range(arguments.seeds, 9999), arguments.ways.split(",")
    run_script(lambda: run(seeds, arguments.layer, arguments.neurons, ways, arguments.overrides, arguments.train))


if __name__ == "__main__":
    main()
