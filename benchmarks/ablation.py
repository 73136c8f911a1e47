"""What helps in training: one setting of a training config changed at a time, judged on the validation split.

Run: python benchmarks/ablation.py --config configs/training/mrl_predictor.yaml [--seeds 1,2] [key=value ...]

Trains the config as it is and every variant below that changes it, for each seed, and prints a table of the highest
validation r (mean over the seeds, and the difference to the config as it is). The test split is not read. Finished runs
are kept in benchmarks/results/ablation/NAME.csv and not trained again.
"""

import argparse

import numpy as np
import pandas as pd

from utils.config import ModelSettings, load_model_settings, load_settings
from utils.data import read_split
from utils.runtime import ROOT, atomic_path, fingerprint, root_path, run_script
from utils.training import Trainer, TrainingSettings

# name, settings of the training, settings of the network
VARIANTS = [
    ("as configured", {}, {}),
    ("GRU read at the 3' end (readout: last)", {}, {"readout": "last"}),
    ("BatchNorm statistics running, momentum 0.1", {"norm_statistics": "running"}, {}),
    ("BatchNorm statistics running, momentum 0.9", {"norm_statistics": "running", "norm_momentum": 0.9}, {}),
    ("no gradient clipping", {"gradient_clip": 1e9}, {}),
    ("no weight decay", {"weight_decay": 0.0}, {}),
    ("constant learning rate", {"schedule": "constant"}, {}),
    ("no average of the weights", {"ema_decay": 0.0}, {}),
    ("no shift", {"max_shift": 0}, {}),
    ("shift of 0 to 3 nt", {"max_shift": 3}, {}),
    ("log2 of the label", {"label_transform": "log2"}, {}),
    ("normal scores of the label", {"label_transform": "normal_scores"}, {}),
    ("no dropout", {}, {"dropout": 0.0}),
]


def best_valid_r(settings: TrainingSettings, model: ModelSettings) -> float:
    """Train without leaving files; return the validation r of the best epoch."""
    dataset = root_path(model.dataset)
    trainer = Trainer(settings, model, read_split(dataset, "train"), read_split(dataset, "valid"))
    while not trainer.finished:
        trainer.run_epoch()
    return trainer.log[trainer.best_epoch - 1]["valid_r"]


def run(config: str, overrides: list[str], seeds: list[int]) -> None:
    """Train what is missing and print the table."""
    settings = load_settings(TrainingSettings, config, overrides)
    model = load_model_settings(settings.model)
    results = ROOT / "benchmarks" / "results" / "ablation" / f"{model.name}.csv"
    rows = pd.read_csv(results).to_dict("records") if results.is_file() else []
    table = []
    for name, training, network in VARIANTS:
        same = all(getattr(settings, key) == value for key, value in training.items())
        same &= all(getattr(model.network, key) == value for key, value in network.items())
        if same and name != "as configured":
            continue
        found = []
        for seed in seeds:
            changed = settings.model_copy(update=training | {"seed": seed, "checkpoint": ""})
            other = model.model_copy(update={"network": model.network.model_copy(update=network)})
            key = fingerprint(training=changed.model_dump(), network=other.network.model_dump(), data=model.dataset)
            known = [row["valid_r"] for row in rows if row["key"] == key]
            found.append(known[0] if known else best_valid_r(changed, other))
            if not known:
                rows.append({"key": key, "variant": name, "seed": seed, "valid_r": found[-1]})
                with atomic_path(results) as temporary:
                    pd.DataFrame(rows).to_csv(temporary, index=False)
        table.append((name, np.mean(found), np.std(found, ddof=1) if len(found) > 1 else np.nan))
    print(f"| {model.name} | validation r | spread over {len(seeds)} seeds | difference |\n| --- | --- | --- | --- |")
    for name, mean, spread in table:
        print(f"| {name} | {mean:.4f} | {spread:.4f} | {mean - table[0][1]:+.4f} |")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="training config")
    parser.add_argument("--seeds", default="1,2", help="default 1,2")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that win over the file")
    arguments = parser.parse_args(argv)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    run_script(lambda: run(arguments.config, arguments.overrides, seeds))


if __name__ == "__main__":
    main()
