"""Interaction of motifs on messages whose truth is known: is each pair given its class?

Run: python benchmarks/interaction_truth.py [--seeds 1-5] [--train] [key=value ...]

For each seed a simulated set (configs/simulated.yaml with that seed and the settings given, such as link=tanh) and a
model trained on it (configs/training/simulated.yaml). Missing sets and models are made with --train, about seven
minutes each on a core, in benchmarks/results/interaction_truth/; seed 1 without settings takes data/simulated.h5 and
its committed weights.

Pairs: the planted ones, in messages that hold both words in the planted order and spacing; and as control pairs of
motifs of one sign that were never planted together, up to 20 nt apart, which are additive. They are measured and judged
as motif_interaction does. What a model has learned is measured independently, by inserting the words in random
backgrounds. Beside it the published way: one random replacement, every occurrence a row, no correction of p-values,
single effects not tested.
"""

import argparse
import logging
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from figures.known_facts import instances
from generate_dataset import simulate
from generate_dataset.simulation import background
from generate_dataset.simulation_settings import SimulationSettings, probabilities
from generate_dataset.truth import read_truth
from motif_interaction.mutagenesis import CONTROLS as CONTROL_COLUMNS
from motif_interaction.mutagenesis import PREDICTIONS, measure, per_sequence, predict_variants
from motif_interaction.scramble import Scrambled
from motif_interaction.statistics import Measured, is_called, pair_statistics
from motif_interaction.words import Motif, Places, find_pairs, hashed, uniform
from utils.checkpoint import load_checkpoint
from utils.config import ModelSettings, load_model_settings, load_settings, parse_range
from utils.data import SPLITS, Split, read_split
from utils.dense_scan import bases_of_codes
from utils.epistasis import decide, effects, epistasis, pair_class, signed_rank
from utils.interpretation_settings import InteractionSettings, joined
from utils.model import Predictor
from utils.runtime import ROOT, InputError, atomic_path, run_script
from utils.sequence import one_hot
from utils.training import TrainingSettings, run_training

RESULTS = ROOT / "benchmarks" / "results" / "interaction_truth"
CONTROLS, CONTROL_SPACING = 10, 20  # control pairs of a set, most nucleotides between their motifs
BACKGROUNDS = 300  # random messages a pair is inserted in
LEARNED_P = 0.01


def prepare(seed: int, overrides: list[str], train: bool) -> tuple[SimulationSettings, ModelSettings, Path]:
    """Return the simulation, the model and the truth file of a seed; make what is missing."""
    model = load_model_settings("simulated")
    if seed == 1 and not overrides and (ROOT / model.dataset).is_file() and (ROOT / str(model.checkpoint)).is_file():
        return load_settings(SimulationSettings, "configs/simulated.yaml"), model, ROOT / "data/simulated_truth.yaml"
    name = "_".join(["simulated", str(seed), *(one.replace("=", "-") for one in overrides)])
    folder = RESULTS / name
    settings = load_settings(
        SimulationSettings, "configs/simulated.yaml", [*overrides, f"seed={seed}", f"name={name}", f"output={folder}"]
    )
    model = model.model_copy(
        update={"name": name, "dataset": str(folder / f"{name}.h5"), "checkpoint": str(folder / f"{name}-best.pth")}
    )
    if not train and not Path(str(model.checkpoint)).is_file():
        raise InputError(f"{name}: no such model yet; run again with --train, about seven minutes on a core")
    if not Path(model.dataset).is_file():
        simulate.run(settings)
    run_training(load_settings(TrainingSettings, "configs/training/simulated.yaml"), model, folder, overwrite=False)
    return settings, model, folder / f"{name}_truth.yaml"


def choose_pairs(truth: dict, seed: int) -> list[dict]:
    """Return the planted pairs, and control pairs of one sign that were never planted together."""
    motifs = truth["motifs"]
    pairs = [{**pair, "kind": "planted"} for pair in truth["pairs"]]
    planted = {frozenset((pair["a"], pair["b"])) for pair in pairs}
    free = [
        (a, b)
        for a, b in combinations(motifs, 2)
        if motifs[a]["effect"] * motifs[b]["effect"] > 0 and frozenset((a, b)) not in planted
    ]
    chosen = np.random.default_rng(seed).permutation(len(free))[:CONTROLS]
    for a, b in (free[number] for number in sorted(chosen)):
        pairs.append(
            {"a": a, "b": b, "spacing": [0, CONTROL_SPACING], "order": "either", "eps": 0.0, "class": "additive",
             "kind": "control"}
        )  # fmt: skip
    return pairs


def places_of(sequences: np.ndarray, pair: dict, a: Motif, b: Motif, most: int, seed: int) -> Places:
    """Return where messages hold the words of a pair in its order and spacing, in up to ``most`` messages."""
    rows = np.arange(len(sequences))
    found = find_pairs(sequences, rows, np.zeros(len(rows), dtype=np.int64), a, b, seed, len(rows), 100)
    low, high = pair["spacing"]
    there = (found.spacing >= low) & (found.spacing <= high)
    if pair["order"] == "a_b":
        there &= found.start[:, 0] < found.start[:, 1]
    found = found[there]
    holding = np.unique(found.row)
    kept = np.random.default_rng(seed).permutation(holding)[:most]
    return found[np.isin(found.row, kept)]


@torch.no_grad()
def learned(model: Predictor, settings: SimulationSettings, pair: dict, a: str, b: str, seed: int) -> dict[str, object]:
    """Return effects, epistasis and class of a pair, from inserting it in random backgrounds."""
    rng = np.random.default_rng([seed, 7])
    length = np.full(BACKGROUNDS, (settings.min_length + settings.max_length) // 2)
    messages = background(length, settings.max_length, *probabilities(settings.background), rng)
    variants = np.repeat(messages[:, None], 4, axis=1)  # o, a, b, n
    low, high = pair["spacing"]
    for row in range(BACKGROUNDS):
        one, other = instances([a], rng)[0], instances([b], rng)[0]
        gap = int(rng.integers(low, high + 1))
        swap = pair["order"] == "either" and rng.random() < 0.5
        total = len(one) + gap + len(other)
        start = int(rng.integers(5, length[row] - total - 5))
        place_b = start if swap else start + len(one) + gap
        place_a = start + len(other) + gap if swap else start
        for variant in (0, 2):  # A is there in o and b
            variants[row, variant, place_a : place_a + len(one)] = one
        for variant in (0, 1):
            variants[row, variant, place_b : place_b + len(other)] = other
    X = one_hot(variants.reshape(-1, messages.shape[1]))
    y_hat = model(X, int(length.max()))[:, 0].double().numpy().reshape(-1, 4).T
    eps = epistasis(*y_hat)
    single = effects(*y_hat)
    name, _ = decide(
        single["a_alone"].mean(), single["b_alone"].mean(), eps.mean(), signed_rank(single["a_alone"]),
        signed_rank(single["b_alone"]), signed_rank(eps), 0.0, LEARNED_P,
    )  # fmt: skip
    return {"learned": name, "learned_eps": eps.mean()}


def published(model: Predictor, split: Split, sequences: np.ndarray, places: Places, seed: int) -> str:
    """Return the class that the published way gives: its own random bases in a, in b and in n, once."""
    widest = int((places.end - places.start).max())
    values = []
    for variant in range(3):
        key = hashed(np.full(len(places), seed), places.row, places.start[:, 0], np.full(len(places), variant))
        bases = (4 * uniform(key, 2 * widest)).astype(np.uint8).reshape(len(places), 1, 2, widest)
        done = np.ones(len(places), dtype=bool)
        values.append(predict_variants(model, split, sequences[places.row], places, Scrambled(bases, done, ~done)))
    o, a, b, n = values[0][:, 0], values[0][:, 1], values[1][:, 2], values[2][:, 3]
    eps, single = epistasis(o, a, b, n), effects(o, a, b, n)
    p = signed_rank(eps)
    return pair_class(single["a_alone"].mean(), single["b_alone"].mean(), eps.mean() if p < 0.05 else 0.0)


def judge(seed: int, overrides: list[str], train: bool, settings: InteractionSettings) -> pd.DataFrame:
    """Return the table of one simulated set: truth, what the model learned, and both ways of measuring."""
    simulation, model_settings, truth_path = prepare(seed, overrides, train)
    checkpoint = load_checkpoint(model_settings)
    model, truth = checkpoint.model, read_truth(truth_path)
    split = joined({name: read_split(ROOT / model_settings.dataset, name) for name in SPLITS})
    sequences = bases_of_codes(split.codes)
    pairs, measured, rows = choose_pairs(truth, seed), [], []
    for pair in tqdm(pairs, desc=model_settings.name):
        words = [truth["motifs"][pair[side]]["consensus"] for side in "ab"]
        a, b = (Motif((word,)) for word in words)
        places = places_of(sequences, pair, a, b, settings.max_sequences, seed)
        table = measure(model, split, places, a, b, settings.n_draws, settings.seed, seed)
        table = per_sequence(table) if len(table) else pd.DataFrame(columns=["sequence", *PREDICTIONS])
        facts = {"task": model_settings.name, "motif_a": a.text, "motif_b": b.text}
        measured.append(Measured(facts | {"name_a": pair["a"], "name_b": pair["b"], "source": pair["kind"]}, table))
        rows.append({"planted": pair["class"], "planted_eps": pair["eps"]})
        rows[-1] |= learned(model, simulation, pair, *words, seed)
        rows[-1]["published"] = published(model, split, sequences, places, seed) if len(places) else ""
    table, _ = pair_statistics(measured, settings)
    table = pd.concat([table, pd.DataFrame(rows)], axis=1)
    table["class_of_stretches"] = pair_statistics([of_stretches(one) for one in measured], settings)[0]["class"]
    return table


def of_stretches(pair: Measured) -> Measured:
    """Return the control of a pair, two random stretches of the same messages, as if it were a pair."""
    swapped = dict(zip(CONTROL_COLUMNS, PREDICTIONS, strict=True)) | dict(
        zip(PREDICTIONS, CONTROL_COLUMNS, strict=True)
    )
    table = pair.table.rename(columns=swapped)
    return Measured(pair.facts, table[table["original"].notna()])


def share(right: pd.Series) -> str:
    """Return a share as text: 39 of 40 (97.5 %)."""
    return f"{int(right.sum())} of {len(right)} ({100 * right.mean():.1f} %)" if len(right) else "none"


def summary(table: pd.DataFrame) -> str:
    """Return the figures of all sets as text."""
    planted, learned_it = table["source"] == "planted", table["learned"] == table["planted"]
    additive = planted & (table["planted"] == "additive")
    lines = [f"{'':58} {'this way':>20} {'published way':>20}"]
    for name, chosen, test in (
        ("right class among learned planted pairs", planted & learned_it, "planted"),
        ("  of these with epistasis", planted & learned_it & ~additive, "planted"),
        ("right class among all planted pairs (planted truth)", planted, "planted"),
        ("right class among all pairs, controls too (what is learned)", table["source"] != "", "learned"),
        ("called among truly additive planted pairs", additive, ""),
        ("called among control pairs of motifs", ~planted, ""),
        ("  of these, additive where inserted", ~planted & learned_it, ""),
    ):
        part = table[chosen]
        ways = [part[way] == part[test] if test else part[way].map(is_called) for way in ("class", "published")]
        lines.append(f"{name:58} {share(ways[0]):>20} {share(ways[1]):>20}")
    stretches = table["class_of_stretches"]
    lines.append(
        f"{'called among pairs of random stretches':58} {share(stretches[stretches != ''].map(is_called)):>20}"
    )
    called = table[table["class"].map(is_called)]
    true = called["planted"].map(is_called)
    for name, chosen in (("true", true), ("false", ~true)):
        survivors = share(called[chosen]["survives"] == "yes")
        lines.append(f"{name} calls that survive the control of linearity: {survivors}")
    lines.append(f"learned of the planted pairs: {share(learned_it[planted])}")
    return "\n".join(lines)


def run(seeds: list[int], overrides: list[str], train: bool) -> None:
    """Judge every set and print the table."""
    settings = InteractionSettings(model="simulated", device="cpu")
    table = pd.concat([judge(seed, overrides, train, settings) for seed in seeds], ignore_index=True)
    with atomic_path(
        RESULTS / ("_".join(["table", *(one.replace("=", "-") for one in overrides)]) + ".csv")
    ) as temporary:
        table.to_csv(temporary, index=False, float_format="%.5g")
    columns = ["task", "name_a", "name_b", "source", "n", "planted_eps", "learned_eps", "eps", "eps_transformed"]
    columns += ["planted", "learned", "class", "decided_by", "survives", "published"]
    with pd.option_context("display.width", 260, "display.max_columns", 99, "display.max_rows", 999):
        print(table[columns].round(3).to_string(index=False))
    print(summary(table))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1", help="such as 1-5; default 1")
    parser.add_argument("--train", action="store_true", help="simulate and train what is missing")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="settings of the simulation, such as link=tanh"
    )
    arguments = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.INFO)
    run_script(lambda: run(parse_range(arguments.seeds, 9999), arguments.overrides, arguments.train))


if __name__ == "__main__":
    main()
