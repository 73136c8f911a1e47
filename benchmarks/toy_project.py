"""A project of a few seconds in a copy of the tree: a table of messages, configs of all stages, the commands."""

from pathlib import Path

import numpy as np
import yaml

from utils.motif import Motif, write_meme
from utils.sequence import iupac_ppm

NAME = "toy"
WORDS = ("UGUAA", "GGACU")  # planted, the second behind the first
DATABASE = ("UGUANAUA", "GGACU", "AUUUA", "UUUUU", "GCAUG", "ACUAA", "CCUCC", "GAAGAA")
PAIR = {"combination1": {"motifA": ["UGU", "UAA"], "motifB": ["GGA", "ACU"]}}  # short: every message has some
CONFIGS = {
    "datasets": {"source": "data/toy.csv", "reader": "mpra", "output": "data/toy.h5", "tracks": 4},
    "models": {"name": NAME, "checkpoint": "model_weights/toy-best.pth", "dataset": "data/toy.h5"},
    "training": {"model": NAME, "epochs": 3, "batch_size": 32, "device": "cpu"},
    "interpreting": {
        "model": NAME, "bin_limit": 20, "demixing_samples": 400, "fit_samples": 200, "device": "cpu",
        "motif_database": "data/toy.meme", "neurons_at_once": 2,
    },
    "interaction": {
        "model": NAME, "fragment_threshold": 0.3, "n_draws": 4, "n_bootstrap": 100, "max_sequences": 20,
        "labels": "motif_combination_labels", "device": "cpu",
    },
}  # fmt: skip


def write_table(path: Path, messages: int, length: int) -> None:
    """Write messages of different lengths with planted words, and a label that counts them."""
    random = np.random.default_rng(1)
    lines = ["seq,stability_jurkat"]
    for _ in range(messages):
        text = "".join(random.choice(list("ACGU"), random.integers(length // 2, length + 1)))
        planted = random.integers(0, 3)
        for word in WORDS[:planted]:
            place = random.integers(0, len(text) - 5)
            text = text[:place] + word + text[place + 5 :]
        lines.append(f"{text},{1 + planted + random.uniform():.4f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_project(root: Path, messages: int, length: int, num_layers: int, neurons: int) -> None:
    """Write table, configs and a person's pairs below the root of a copy.

    Args:
        root: of the copy.
        messages: of the table.
        length: nt of the longest.
        num_layers: of the network, which has one convolution more.
        neurons: whose pairs are named.
    """
    write_table(root / "data" / f"{NAME}.csv", messages, length)
    write_meme(root / "data" / f"{NAME}.meme", [Motif(word, f"factor {word}", iupac_ppm(word)) for word in DATABASE])
    for folder, content in CONFIGS.items():
        content = dict(content)
        if folder == "datasets":
            content |= {"max_length": length}
        if folder == "models":
            content |= {"network": {"num_layers": num_layers, "in_channels": 4, "readout": "first"}}
        write_yaml(root / "configs" / folder / f"{NAME}.yaml", content)
    top = num_layers + 1
    for neuron in range(1, neurons + 1):
        labels = root / "motif_interaction" / "motif_combination_labels" / NAME
        write_yaml(labels / f"conv{top}_neuron{neuron}.yaml", PAIR)


def write_yaml(path: Path, content: dict) -> None:
    """Write a config."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def commands(top: int, neurons: int) -> dict[str, tuple[str, list[str]]]:
    """Return the commands of the stages in their order: name, module and arguments."""
    layers = ["--from", "2", "--to", str(top)]

    def config(folder: str) -> list[str]:
        return ["--config", f"configs/{folder}/{NAME}.yaml"]

    discovery = [*config("interpreting"), *layers, "--neurons", f"1-{neurons}"]
    fragments = [*config("interaction"), "--layer", str(top)]
    return {
        "data set": ("generate_dataset.build", config("datasets")),
        "training": ("half_life.train", config("training")),
        "discovery": ("motif_discovery.discover", discovery),
        "discovery in 2": ("motif_discovery.discover", [*discovery, "--processes", "2"]),
        "scan": ("motif_contribution.scan", [*config("interaction"), *layers]),
        "contribution": ("motif_contribution.contribution", [*config("interaction"), *layers]),
        "fragments": ("motif_interaction.fragments", [*fragments, "--neurons", f"1-{neurons}"]),
        "mutagenesis": ("motif_interaction.interaction", [*fragments, "--first", "0", "--last", str(neurons)]),
        "report": ("report.build", config("interpreting")),
    }
