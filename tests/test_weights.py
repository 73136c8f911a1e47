"""The committed checkpoints: what they are, and the test figures that model_weights/README.md gives."""

import re

import pytest

from generate_dataset.build import DatasetSettings
from generate_dataset.build import run as build
from utils.checkpoint import load_checkpoint
from utils.config import load_model_settings, load_settings
from utils.data import read_split
from utils.prediction import metrics, predict
from utils.runtime import ROOT

# model, data set, figure, floor that the issue tracker of the project set
MODELS = [
    ("mrl_predictor", "egfp_unmod_1_top20k", "r2", 0.86),
    ("hl_predictor_yeast", "yeast_cds_3utr", "r", 0.64),
    ("hl_predictor", "human_3utr_pc1", "r", 0.25),
]


@pytest.mark.parametrize(
    ("name", "parameters"), [("mrl_predictor", 92_865), ("hl_predictor_yeast", 155_521), ("hl_predictor", 155_521)]
)
def test_a_checkpoint_describes_itself(name, parameters):
    loaded = load_checkpoint(load_model_settings(name))
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) == parameters
    assert loaded.model.padding == (2 if name.startswith("mrl") else 0)
    assert {"seed", "settings", "dataset", "data_sha256", "label_scaling", "best_epoch", "valid_r"} <= set(
        loaded.training
    )


@pytest.mark.parametrize(("name", "dataset", "figure", "floor"), MODELS)
def test_the_test_figures_are_those_of_the_readme(tmp_path, shared_data, name, dataset, figure, floor):
    settings = load_settings(
        DatasetSettings, ROOT / "configs" / "datasets" / f"{dataset}.yaml", [f"output={tmp_path / 'data.h5'}"]
    )
    build(settings.model_copy(update={"source": str(shared_data / settings.source.partition("shared/data/")[2])}))
    loaded = load_checkpoint(load_model_settings(name))
    split = read_split(tmp_path / "data.h5", "test")
    value = metrics(split.label[:, 0], predict(loaded.model, split)[:, 0])[figure]
    assert value >= floor
    readme = (ROOT / "model_weights" / "README.md").read_text()
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
    given = re.search(rf"\b{figure} = ([0-9.]+)", row)
    assert given, row
    assert value == pytest.approx(float(given[1]), abs=0.0006)
