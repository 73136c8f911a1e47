"""The cases of bad_inputs.py: which file is changed how, and which command has to notice."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bad_binaries import array_changes, tfrecord_changes, weights_changes
from benchmarks.bad_texts import (
    JSON,
    MEME_ODD,
    MEME_TEXTS,
    Rewrite,
    bytes_changes,
    csv_changes,
    fasta_changes,
    gtf_changes,
    label_changes,
    path_changes,
    text_changes,
    texts,
    yaml_changes,
)

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """A bad input.

    Attributes:
        name: file and change.
        change: changes the files below a root.
        command: module and arguments that read it.
        names: of which one must be in the error line.
        refused: whether it must be refused.
        noted: whether instead of that the file must be named in the log.
    """

    name: str
    change: Change
    command: tuple[str, list[str]]
    names: tuple[str, ...]
    refused: bool = False
    noted: bool = False


@dataclass(frozen=True)
class Target:
    """A file that commands read.

    Attributes:
        path: from the root.
        kind: of its content.
        commands: module and arguments.
        noted: what is wrong with a file of one neuron is said in the log and in the table; the other neurons go on.
    """

    path: str
    kind: str
    commands: tuple[tuple[str, list[str]], ...]
    noted: bool = False


def _with(folder: str, *more: str) -> list[str]:
    return ["--config", f"configs/{folder}.yaml", *more]


def _step(name: str) -> tuple[str, list[str]]:
    return name, _with("interpreting/toy", "--layer", "3", "--neurons", "1-2", "--overwrite")


DISCOVER = ("motif_discovery.discover", _with("interpreting/toy", "--from", "3", "--to", "3", "--neurons", "1"))
SCAN = ("motif_contribution.scan", _with("interaction/toy", "--from", "3", "--to", "3", "--overwrite"))
CONTRIBUTION = ("motif_contribution.contribution", _with("interaction/toy", "--from", "3", "--to", "3"))
FRAGMENTS = ("motif_interaction.fragments", _with("interaction/toy", "--layer", "3", "--overwrite"))
PAIRS = ("motif_interaction.interaction", _with("interaction/toy", "--layer", "3", "--first", "0", "--last", "2"))
AGAIN = (PAIRS[0], [*PAIRS[1], "--overwrite"])
REPORT = ("report.build", _with("interpreting/toy"))
TRAIN = ("half_life.train", _with("training/toy", "--overwrite", "epochs=1"))
RESUME = ("half_life.train", _with("training/toy", "checkpoint=model_weights/toy.pth"))
EVALUATE = ("half_life.evaluate", _with("training/toy"))
STATISTICS = ("motif_discovery.summarize", _with("interpreting/toy", "--layers", "3"))
MATCHES = "motif_discovery/tomtom_match_results/toy/conv3/conv3_neuron1.tsv"
SCANNED = "motif_contribution/maxact_from_trainSet/toy/conv3.h5"
LABELS = "motif_interaction/motif_combination_labels/toy/conv3_neuron1.yaml"
LOCATED = "motif_interaction/fragment_location/toy/conv3_neuron1_fragment_location.yaml"
PAIR = "motif_interaction/results/scramble_res/toy/conv3_neuron1/UGU+UAA_GGA+ACU/predictions.csv"

TARGETS = (
    Target("configs/datasets/toy.yaml", "yaml", (("generate_dataset.build", _with("datasets/toy")),)),
    Target("configs/datasets/toy_transcripts.yaml", "yaml",
           (("generate_dataset.build", _with("datasets/toy_transcripts")),)),
    Target("configs/datasets/toy_motifs.yaml", "yaml",
           (("generate_dataset.motif_database", _with("datasets/toy_motifs", "--overwrite")),)),
    Target("configs/simulated_small.yaml", "yaml", (("generate_dataset.simulate", _with("simulated_small")),)),
    Target("configs/models/toy.yaml", "yaml", (SCAN, TRAIN, REPORT)),
    Target("configs/training/toy.yaml", "yaml", (("half_life.train", _with("training/toy", "--overwrite")),)),
    Target("configs/interpreting/toy.yaml", "yaml", (DISCOVER, REPORT)),
    Target("configs/interaction/toy.yaml", "yaml", (CONTRIBUTION, FRAGMENTS, AGAIN)),
    Target("data/toy.csv", "csv", (("generate_dataset.build", _with("datasets/toy")),)),
    Target("data/transcripts.csv", "csv", (("generate_dataset.build", _with("datasets/toy_transcripts")),)),
    Target("data/toy.fa", "fasta", (("generate_dataset.build", _with("datasets/toy_transcripts")),)),
    Target("data/genome.fa", "fasta", (("generate_dataset.build", _with("datasets/toy_genome")),)),
    Target("data/toy.gtf", "gtf", (("generate_dataset.build", _with("datasets/toy_genome")),)),
    Target("data/saluki/train-0.tfr", "tfrecord", (("generate_dataset.build", _with("datasets/toy_saluki")),)),
    Target("data/toy.h5", "dataset", (SCAN, TRAIN, EVALUATE, REPORT)),
    Target("data/toy.meme", "meme", (_step("motif_discovery.match"), REPORT)),
    Target("data/toy_clusters.tsv", "table", (STATISTICS, REPORT)),
    Target("model_weights/toy-best.pth", "weights", (DISCOVER, EVALUATE, REPORT)),
    Target("half_life/results/toy/last.pth", "state", (RESUME,)),
    Target("half_life/results/toy/test_metrics.json", "json", (REPORT,)),
    Target("half_life/results/toy/test_predictions.csv", "csv", (REPORT,)),
    Target("motif_discovery/maxactivation_samples/toy/conv3_neuron1.h5", "arrays", (_step("motif_discovery.cluster"),)),
    Target("motif_discovery/motifs/toy/conv3_neuron1.h5", "arrays",
           (_step("motif_discovery.match"), STATISTICS, REPORT, CONTRIBUTION)),
    Target(MATCHES, "table", (_step("motif_discovery.report"), STATISTICS, REPORT)),
    Target(SCANNED, "arrays", (CONTRIBUTION, FRAGMENTS, REPORT)),
    Target("motif_contribution/results/toy_predictions.h5", "arrays", (CONTRIBUTION,)),
    Target("motif_contribution/results/toy_neuron_contribution.csv", "csv", (CONTRIBUTION, REPORT)),
    Target("motif_contribution/results/toy_neuron_contribution_thresholds.csv", "csv", (REPORT,)),
    Target(LABELS, "labels", (AGAIN,), noted=True),
    Target(LOCATED, "yaml", (PAIRS,), noted=True),
    Target(PAIR, "csv", (PAIRS, REPORT)),
    Target("motif_interaction/results/stats/toy/conv3_motif_scramble_stats.csv", "csv", (REPORT,)),
    Target("generate_dataset/public_files.tsv", "table", (("generate_dataset.download", []),)),
)  # fmt: skip


def all_cases(root: Path, seed: int) -> list[Case]:
    """Return the corpus, drawn by seed from the good inputs below a root."""
    chance = random.Random(seed)
    cases = []
    for target in TARGETS:
        content = (root / target.path).read_bytes()
        changes: list[tuple[str, Change, bool]] = []
        by_content = [(name, change, False) for name, change in bytes_changes(chance)]
        if target.kind in ("yaml", "labels"):
            by_content += yaml_changes(content, chance)
        if target.kind not in ("arrays", "dataset", "weights", "state", "tfrecord"):
            by_content += [(name, change, False) for name, change in text_changes(chance)]
        if target.kind == "labels":
            by_content += label_changes()
        if target.kind in ("csv", "table"):
            by_content += csv_changes(content, chance, "\t" if target.kind == "table" else ",")
        if target.kind == "fasta":
            by_content += fasta_changes()
        if target.kind == "gtf":
            by_content += gtf_changes()
        if target.kind == "tfrecord":
            by_content += tfrecord_changes(chance)
        if target.kind == "meme":
            by_content += [*texts(MEME_TEXTS, True), *texts(MEME_ODD, False)]
        if target.kind == "json":
            by_content += texts(JSON, False)
        if target.kind in ("weights", "state"):
            by_content += weights_changes(content, chance, target.kind == "state")
        if target.kind in ("arrays", "dataset"):
            changes += array_changes(root, target.path, chance, 6 if target.kind == "arrays" else 3)
        for name, change, refused in by_content:
            changes.append((name, lambda root, path=target.path, change=change: _rewrite(root / path, change), refused))
        for name, change in path_changes():
            changes.append((name, lambda root, path=target.path, change=change: change(root / path), False))
        names = (Path(target.path).name, Path(target.path).stem, Path(target.path).parent.name, "'", "toy", ": no such")
        for name, change, refused in changes:
            command = chance.choice(target.commands)
            step = command[0].rpartition(".")[2]
            kind = (refused and not target.noted, refused and target.noted)
            cases.append(Case(f"{target.path}: {name} ({step})", change, command, names, *kind))
    return cases


def _rewrite(path: Path, change: Rewrite) -> None:
    path.write_bytes(change(path.read_bytes()))
