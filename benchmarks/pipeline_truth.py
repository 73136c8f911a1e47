"""The whole pipeline on messages whose truth is known: which planted pairs of motifs does it tell, and which others?

Run: python benchmarks/pipeline_truth.py [--seeds 1] [--layer 5] [--neurons 16] [--train] [key=value ...]

For each simulated set and its model (see interaction_truth.py, which makes them) the first neurons of a layer go
through motif discovery, the scan, and the interaction of the pairs derived from their motifs, as a user would run
them; nothing of the truth is given but the planted motifs and decoys as the database that names motifs. Judged are the
cells of the interaction map (of two names the test with the smallest q-value) whose names are both planted motifs:
pairs that were planted should have their class, others should not be called. Cells with other names are counted.
"""

import argparse
import logging

import pandas as pd

from benchmarks.contribution_truth import configured
from benchmarks.interaction_truth import prepare, share
from generate_dataset.truth import read_truth
from motif_discovery import discover
from motif_interaction import fragments, interaction
from motif_interaction.files import read_table, stats_path
from motif_interaction.plots import map_cells
from motif_interaction.statistics import is_called, was_tested
from utils.config import load_settings, parse_range
from utils.interpretation_settings import InteractionSettings, open_interpretation
from utils.runtime import run_script
from utils.scan import run_scan


def judge(seed: int, layer: int, neurons: int, train: bool, overrides: list[str]) -> tuple[pd.DataFrame, dict]:
    """Return the cells of the map with their planted class (empty: both planted, not together; NaN: other names)."""
    _, model, truth_path = prepare(seed, [], train)
    folder = truth_path.parent
    given = [
        f"model={configured(model, folder)}",
        f"motif_database={folder / f'{model.name}_motifs.meme'}",
        "device=cpu",
    ]
    discover.main(
        ["--config", "configs/interpreting/simulated.yaml", "--from", str(layer), "--to", str(layer), "--neurons",
         f"1-{neurons}", *given]
    )  # fmt: skip
    work = open_interpretation(
        load_settings(InteractionSettings, "configs/interaction/simulated.yaml", [*given, *overrides])
    )
    run_scan(work, [layer])
    fragments.run(work, layer, list(range(1, neurons + 1)))
    interaction.run(work, layer, 0, neurons)
    table = read_table(stats_path(work, layer))
    truth = read_truth(truth_path)
    planted = {name for name, one in truth["motifs"].items() if one["effect"]}
    known = {frozenset((pair["a"], pair["b"])): pair["class"] for pair in truth["pairs"]}
    cells = map_cells(table)
    named = cells["one"].isin(planted) & cells["other"].isin(planted)
    names = [frozenset(names) for names in zip(cells["one"], cells["other"], strict=True)]
    cells["planted"] = pd.Series([known.get(one, "") for one in names], index=cells.index).where(named)
    facts = {"model": model.name, "pairs": len(table), "tested": int(was_tested(table).sum()), "planted": len(known)}
    return cells.assign(model=model.name), facts


def run(seeds: list[int], layer: int, neurons: int, train: bool, overrides: list[str]) -> None:
    """Judge every set and print the figures."""
    found = [judge(seed, layer, neurons, train, overrides) for seed in seeds]
    cells, facts = pd.concat([one for one, _ in found], ignore_index=True), pd.DataFrame([one for _, one in found])
    with pd.option_context("display.width", 200, "display.max_rows", 999):
        print(cells.dropna(subset="planted").to_string(index=False))
        print(facts.to_string(index=False))
    called = cells["class"].map(is_called)
    pair, never = cells["planted"].fillna("") != "", cells["planted"] == ""
    total = int(facts["planted"].sum())
    print(f"planted pairs that were tested: {int(pair.sum())} of {total}")
    for said, chosen, right in (
        ("their class", pair, cells["class"] == cells["planted"]),
        ("called though planted as additive", pair & (cells["planted"] == "additive"), called),
        ("called, of two planted motifs that are no pair", never, called),
        ("called, with a name that is not planted, or none", cells["planted"].isna(), called),
    ):
        print(f"{said}: {share(right[chosen])}")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1", help="default 1")
    parser.add_argument("--layer", type=int, default=5, help="default 5")
    parser.add_argument("--neurons", type=int, default=16, help="the first so many; default 16")
    parser.add_argument("--train", action="store_true", help="simulate and train what is missing")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings of motif_interaction")
    arguments = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.INFO)
    seeds = parse_range(arguments.seeds, 9999)
    run_script(lambda: run(seeds, arguments.layer, arguments.neurons, arguments.train, arguments.overrides))


if __name__ == "__main__":
    main()
