"""The committed checkpoints: what they are, and the test figures that model_weights/README.md gives."""

import re

import numpy as np
import pytest

from generate_dataset.build import SCHEMAS
from generate_dataset.build import run as build
from utils.checkpoint import load_checkpoint
from utils.config import load_model_settings, load_variant
from utils.data import read_split
from utils.prediction import metrics, predict
from utils.runtime import ROOT

# model, data set, figure, floor that the issue tracker of the project set
MODELS = [
    ("mrl_predictor", "egfp_unmod_1_top20k", "r2", 0.88),
    ("mrl_predictor_noAUG", "egfp_unmod_1_top20k_noAUG", "r2", 0.40),
    ("hl_predictor_yeast", "yeast_cds_3utr", "r", 0.66),
    ("hl_predictor_mpra", "jurkat_3utr_mpra", "r", 0.54),
    ("hl_predictor", "human_3utr_pc1", "r", 0.30),
]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mrl_predictor", 92_865), ("mrl_predictor_noAUG", 92_865), ("hl_predictor_yeast", 155_521),
     ("hl_predictor", 155_521)],
)  # fmt: skip
def test_a_checkpoint_describes_itself(name, parameters):
    loaded = load_checkpoint(load_model_settings(name))
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) == parameters
    assert loaded.model.padding == (2 if name.startswith("mrl") else 0)
    assert {"seed", "settings", "dataset", "data_sha256", "label_scaling", "best_epoch", "valid_r"} <= set(
        loaded.training
    )


@pytest.fixture
def test_split(tmp_path, shared_data):
    """Return a function that makes a data set anew and gives its test split, which training never saw."""

    def make(dataset):
        config = ROOT / "configs" / "datasets" / f"{dataset}.yaml"
        settings = load_variant(SCHEMAS, "reader", config)
        source = str(shared_data / settings.source.partition("shared/data/")[2])
        build(load_variant(SCHEMAS, "reader", config, [f"output={tmp_path / 'data.h5'}", f"source={source}"]))
        return read_split(tmp_path / "data.h5", "test")

    return make


@pytest.mark.parametrize(("name", "dataset", "figure", "floor"), MODELS)
def test_the_test_figures_are_those_of_the_readme(test_split, name, dataset, figure, floor):
    loaded = load_checkpoint(load_model_settings(name))
    split = test_split(dataset)
    value = metrics(split.label[:, 0], predict(loaded.model, split)[:, 0])[figure]
    assert value >= floor
    readme = (ROOT / "model_weights" / "README.md").read_text()
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
    given = re.search(rf"\b{figure} = ([0-9.]+)", row)
    assert given, row
    assert value == pytest.approx(float(given[1]), abs=0.0006)


@pytest.mark.parametrize(
    ("name", "dataset"),
    [("mrl_predictor", "egfp_unmod_1_top20k"), ("mrl_predictor_noAUG", "egfp_unmod_1_top20k_noAUG")],
)
def test_three_seeds_and_their_ensemble_are_those_of_the_readme(test_split, name, dataset):
    split, settings = test_split(dataset), load_model_settings(name)
    files = [f"model_weights/{name}{seed}-best.pth" for seed in ("", "-seed2", "-seed3")]
    models = [load_checkpoint(settings.model_copy(update={"checkpoint": file})).model for file in files]
    y, y_hat = split.label[:, 0], [predict(model, split)[:, 0] for model in models]
    found = [metrics(y, one)["r2"] for one in y_hat]
    found += [np.mean(found), np.std(found, ddof=1), metrics(y, np.mean(y_hat, axis=0))["r2"]]
    readme = (ROOT / "model_weights" / "README.md").read_text()
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`, r2"))
    given = [float(number) for number in re.findall(r"[0-9]\.[0-9]+", row)][:6]
    assert found == pytest.approx(given, abs=0.0006)


@pytest.mark.parametrize("name", [name for name, *_ in MODELS] + ["simulated"])
def test_the_log_beside_a_checkpoint_is_of_it(name):
    """The best epoch of the log is the one that the checkpoint is of."""
    training = load_checkpoint(load_model_settings(name)).training
    log = (ROOT / "model_weights" / f"{name}-log.csv").read_text().splitlines()
    row = dict(zip(log[0].split(","), log[training["best_epoch"]].split(","), strict=True))
    assert float(row["valid_r"]) == pytest.approx(training["valid_r"], abs=1e-4)
