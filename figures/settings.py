"""Settings of the comparison figures (configs/figures.yaml)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pydantic

from motif_discovery.methods import METHODS, NEURON_METHODS
from utils.config import OutputFolder, Settings, find_config
from utils.runtime import ROOT, InputError, root_path, shown


def wrong_methods(methods: Sequence[str]) -> str:
    """Return what is wrong with methods that are to be compared on neurons; empty if nothing is."""
    for method in methods:
        if method not in NEURON_METHODS:
            what = "is of the model's output, which has no neurons" if method in METHODS else "is no method"
            return f"'{method}' {what}; choose of {', '.join(NEURON_METHODS)}"
    return "a method stands twice" if len(set(methods)) < len(methods) else ""


def require_methods(methods: Sequence[str]) -> None:
    """Check methods that are to be compared on neurons.

    Raises:
        InputError: one is not known, not of neurons, or stands twice.
    """
    wrong = wrong_methods(methods)
    if wrong:
        raise InputError(f"methods: {wrong}")


class LogoSettings(Settings):
    """The logo table."""

    model: str = pydantic.Field("", description="one of models; empty: the first")
    method: str = pydantic.Field("", description="one of methods; empty: the first")
    clusters: tuple[str, ...] = pydantic.Field((), description="names or numbers; empty: the best found")
    rows: int = pydantic.Field(12, ge=1, description="motifs shown at most where clusters is empty")
    combinations: Literal["parts", "pairs", "none"] = "parts"
    combination_rows: int = pydantic.Field(8, ge=1, description="combinations shown at most")


class FigureSettings(Settings):
    """Settings of figures: diversity, quality, logo table, contribution against layer."""

    models: dict[str, str | int | None] = pydantic.Field(
        min_length=1, description="name in configs/interpreting (or path): layers, such as 2-5; empty: all with results"
    )
    methods: tuple[str, ...] = pydantic.Field(("neuronmotif", "max_seqlet"), min_length=1)
    clusters: str = pydantic.Field("data/literature_clusters.tsv", description="clusters of the database")
    q_threshold: float = pydantic.Field(0.01, gt=0, le=1, description="of a match")
    contribution: Literal["prediction", "label"] = "prediction"
    logo_table: LogoSettings = LogoSettings()
    output: OutputFolder = "figures/results"

    @pydantic.field_validator("methods")
    @classmethod
    def _known_once(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        wrong = wrong_methods(methods)
        if wrong:
            raise ValueError(wrong)
        return methods

    @property
    def folder(self) -> Path:
        """Where figures go."""
        return root_path(self.output)


def config_of(model: str) -> Path:
    """Return the interpreting config that a key of ``models`` names.

    Raises:
        InputError: there is none.
    """
    return find_config(model, "interpreting")


def interaction_config(name: str) -> str:
    """Return the interaction config of a model as it is written in a command; ``CONFIG`` where there is none."""
    path = f"configs/interaction/{name}.yaml"
    return path if root_path(path).is_file() else "CONFIG"


def command_path(path: Path) -> str:
    """Return a config as it is written in a command, from the repository root where it lies below."""
    return shown(path.resolve()) if path.resolve().is_relative_to(ROOT) else str(path)


def file_name(text: str) -> str:
    """Return a text as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)
