"""Results of every stage for a small model, written as the stages write them: what the tests build reports of."""

import json
import math
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch
import yaml

from motif_discovery.demixing import Part
from motif_discovery.files import Sample, write_matches, write_motifs
from motif_interaction.statistics import COLUMNS as PAIR_COLUMNS
from tests.toy import seeded_model
from utils.activation import WindowNetwork
from utils.checkpoint import save_checkpoint
from utils.data import TRACKS, Split, pack_tracks, write_dataset
from utils.motif import Motif, consensus, to_ppm, write_meme
from utils.runtime import file_sha256
from utils.sequence import encode, iupac_ppm
from utils.tomtom import COLUMNS as MATCH_COLUMNS

HOSTILE = "<img src=x onerror=alert(1)>"
BREAKOUT = "</script><script>alert(2)</script>"
WORDS = ("UGUAAAUA", "AUUUAUUA", "GGACUGGA", "CUACCUCA")


class Case:
    """A model and the files of its stages below a folder.

    Args:
        root: the folder.
        num_layers: of the network, which has one convolution more.
        channels: neurons of a layer.
        messages: of each split.
    """

    def __init__(self, root: Path, num_layers: int = 1, channels: int = 4, messages: int = 30) -> None:
        self.root, self.name, self.channels = root, "demo", channels
        self.random = np.random.default_rng(1)
        self.model = seeded_model(num_layers, 6, channels=channels)
        self.network = WindowNetwork(self.model)
        training = {"seed": 7, "settings": {"epochs": 3, "note": HOSTILE}}
        save_checkpoint(root / "demo.pth", self.model, training)
        self.weights = file_sha256(root / "demo.pth")
        self.messages = messages
        self.dataset = root / "demo.h5"
        splits = {name: self._split(name) for name in ("train", "valid", "test")}
        self.length = np.concatenate([split.length for split in splits.values()])
        write_dataset(self.dataset, splits, {"label_name": f"label {HOSTILE}", "tracks": list(TRACKS)})
        motifs = [Motif(f"M{i}", HOSTILE if i == 0 else f"protein{i}", iupac_ppm(word)) for i, word in enumerate(WORDS)]
        write_meme(root / "known.meme", motifs)
        network = {"num_layers": num_layers, "in_channels": 6}
        self._yaml("model", {"name": "demo", "checkpoint": str(root / "demo.pth"), "dataset": str(self.dataset),
                             "network": network})  # fmt: skip
        self.config = self._yaml(
            "interpreting", {"model": str(root / "model.yaml"), "motif_database": str(root / "known.meme"), "seed": 1}
        )

    def _yaml(self, name: str, content: dict) -> Path:
        path = self.root / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def _split(self, name: str) -> Split:
        n, width = self.messages, 400
        length = self.random.integers(320, width + 1, n)
        tracks = np.zeros((n, 6, width), dtype=np.uint8)
        for row, end in enumerate(length):
            tracks[row, self.random.integers(0, 4, end), np.arange(end)] = 1
            tracks[row, 4, 100:200:3] = 1  # 5' UTR of 100 nt, CDS of 102
        ids = [f"{name}{row} {HOSTILE}" for row in range(n)]
        return Split(pack_tracks(tracks), self.random.normal(size=(n, 1)).astype(np.float32), length, ids, 6)

    def motifs(self, layer: int, neuron: int, parts: int = 3, fires: bool = True, **made: object) -> None:
        """Write the parts of a neuron with the first words, and their matches; the first is named like a tag.

        ``made`` are settings that the file says it was made with, beside its weights.
        """
        field, name = self.model.receptive_field(layer), f"conv{layer}_neuron{neuron}"
        count, levels = parts if fires else 0, max(1, layer - 1, math.ceil(math.log(parts, 4)))
        pfm = self.random.integers(20, 30, (count, 4, field)).astype(np.float64)
        for number in range(count):
            word = encode(WORDS[number % len(WORDS)][: field - 1])
            for start in range(min(1 + number % 24, field - len(word)), field - len(word) + 1, 24):
                pfm[number, :, start : start + len(word)] = 1.0
                pfm[number, word, np.arange(start, start + len(word))] = 97.0
        found, rows = [], []
        if count:
            best = torch.from_numpy(consensus(to_ppm(pfm)))
            activation = self.network.activation(best, layer, torch.full((count,), neuron - 1)).tolist()
            for number, own in enumerate(activation):
                branch = "-".join(str(number // 4**level % 4) for level in range(levels))
                found.append(Part(branch, pfm[number], 100 + number, abs(own) + 0.1 * number, own))
        sample = Sample(np.zeros((0, field)), np.linspace(0.1, 2, 200).astype(np.float32) if fires else np.zeros(0),
                        2.0 if fires else 0.0)  # fmt: skip
        folder = self.root / "motif_discovery"
        path = folder / "motifs" / "demo" / f"{name}.h5"
        write_motifs(path, name, found, sample, field, "key", made_with={"checkpoint_sha256": self.weights} | made)
        for motif in [
            line.split()[1] for line in path.with_suffix(".meme").read_text().splitlines() if line[:5] == "MOTIF"
        ]:
            for target, q in (("M0", 1e-4), (HOSTILE, 1e-3), ("M2", 0.5)):
                rows.append(
                    dict(zip(MATCH_COLUMNS, [motif, target, 0, q / 9, q * 9, q, 5, "UGUAA", "UGUAN", "+"], strict=True))
                )
        table = pd.DataFrame(rows, columns=list(MATCH_COLUMNS))
        write_matches(folder / "tomtom_match_results" / "demo" / f"conv{layer}" / f"{name}.tsv", table, "key", "key")

    def scan(self, layer: int) -> None:
        """Write a scan; the last neuron never fires."""
        path = self.root / "motif_contribution" / "maxact_from_trainSet" / "demo" / f"conv{layer}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        n, field = 3 * self.messages, self.model.receptive_field(layer)
        maximum = self.random.uniform(0, 1, (n, self.channels)).astype(np.float32)
        maximum[0] = 1.0
        maximum[:, -1] = -1.0
        with h5py.File(path, "w") as file:
            file["message_maximum"] = maximum
            file["message_start"] = self.random.integers(0, self.length[:, None] - field + 1, (n, self.channels))
            file["neuron_maximum"] = maximum.max(axis=0)
            facts = {
                "checkpoint_sha256": self.weights,
                "dataset_sha256": file_sha256(self.dataset),
                "receptive_field": field,
            }
            for key, value in facts.items():
                file.attrs[key] = value

    def contribution(self, layers: list[int]) -> None:
        """Write the tables of contributions: effects of neurons 1, 2, ... are 0.3, -0.9, 0.1, missing, and so on."""
        effects = (0.3, -0.9, 0.1, None)
        rows, thresholds = [], []
        for layer in layers:
            for neuron in range(1, self.channels + 1):
                effect = effects[(neuron - 1) % 4]
                said = (
                    "never fires"
                    if effect is None
                    else "positive"
                    if effect > 0.2
                    else "negative"
                    if effect < 0
                    else "neutral"
                )
                low, high = (None, None) if effect is None else (effect - 0.05, effect + 0.05)
                row = {"task": f"conv{layer}_neuron{neuron}", "layer": layer, "neuron": neuron, "contribution": said,
                       "q_value": 0.001, "effect_size": effect, "effect_low": low, "effect_high": high}  # fmt: skip
                row |= {
                    f"label_{key}": row[key] for key in ("contribution", "effect_size", "effect_low", "effect_high")
                }
                rows.append(row | {"checkpoint": self.weights, "dataset": file_sha256(self.dataset)})
                thresholds += [{**row, "threshold": share / 10, "target": "prediction"} for share in range(1, 10)]
        folder = self.root / "motif_contribution" / "results"
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(folder / "demo_neuron_contribution.csv", index=False)
        pd.DataFrame(thresholds).to_csv(folder / "demo_neuron_contribution_thresholds.csv", index=False)

    def interaction(self, layer: int) -> None:
        """Write fragments and three pairs: a synergistic one with predictions, an additive and an untested one."""
        folder = self.root / "motif_interaction"
        located = folder / "fragment_location" / "demo" / f"conv{layer}_neuron1_fragment_location.yaml"
        located.parent.mkdir(parents=True)
        located.write_text("# note\nSeq0_0: 5\nSeq7_0: 11\n# settings: key\n", encoding="utf-8")
        rows = []
        for words, kind, q in ((("UGUA", "GGAC"), "positive_synergistic", 0.01), (("AUUUA", "GGAC"), "additive", 0.4),
                               (("UUUU", "CCCC"), "", None)):  # fmt: skip
            known = {
                "task": f"conv{layer}_neuron1",
                "motif_a": words[0],
                "motif_b": words[1],
                "class": kind,
                "q_eps": q,
            }
            known |= {"name_a": HOSTILE if q else "", "n": 12 if q else 0, "eps": 0.5 if q else None, "eps_low": 0.4}
            known |= {"eps_high": 0.6, "control_eps": 0.01, "spacing": 4.0, "spacing_low": 1.0, "spacing_high": 9.0}
            known |= {"a_first": 0.5, "a_alone": 0.2, "b_alone": 0.3, "joint": 1.0, "note": "" if q else "too few"}
            known |= {"checkpoint": self.weights, "dataset": file_sha256(self.dataset)}
            rows.append(dict.fromkeys(PAIR_COLUMNS) | {"source": "motifs"} | known)
        path = folder / "results" / "stats" / "demo" / f"conv{layer}_motif_scramble_stats.csv"
        path.parent.mkdir(parents=True)
        path.write_text(pd.DataFrame(rows).to_csv(index=False) + "# settings: key\n", encoding="utf-8")
        values = self.random.normal(size=(12, 6))
        table = pd.DataFrame(values, columns=["original", "scr_a", "scr_b", "scr_ab", "eps", "control_eps"])
        table.insert(0, "id", [f"train{row} {HOSTILE}" for row in range(12)])
        table["spacing"] = np.arange(12)
        path = folder / "results" / "scramble_res" / "demo" / f"conv{layer}_neuron1" / "UGUA_GGAC" / "predictions.csv"
        path.parent.mkdir(parents=True)
        path.write_text(table.to_csv(index=False) + "# settings: key\n", encoding="utf-8")

    def evaluation(self) -> None:
        """Write the figures and predictions of the test split."""
        folder = self.root / "half_life" / "results" / "demo"
        folder.mkdir(parents=True)
        measured = self.random.normal(size=40)
        figures = {"n": 40, "r": 0.7, "r2": 0.49, "rho": 0.7, "r_interval": [0.6, 0.8]}
        figures |= {"weights_sha256": [self.weights], "data_sha256": file_sha256(self.dataset)}
        (folder / "test_metrics.json").write_text(json.dumps(figures), encoding="utf-8")
        pd.DataFrame({"measured": measured, "predicted": measured}).to_csv(folder / "test_predictions.csv", index=False)


def complete_case(root: Path) -> Case:
    """Return a model of two layers whose conv2 went through every stage; its last neuron never fires."""
    case = Case(root)
    for neuron in range(1, case.channels + 1):
        case.motifs(2, neuron, fires=neuron < case.channels)
    case.scan(2)
    case.contribution([2])
    case.interaction(2)
    case.evaluation()
    return case
