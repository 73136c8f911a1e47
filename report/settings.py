"""What a report is of: the model that a config names, the settings of each stage, and where its files lie."""

import itertools
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pydantic

from utils.checkpoint import Checkpoint, load_checkpoint
from utils.config import (
    ModelSettings,
    OwnModelSettings,
    find_config,
    load_model_settings,
    load_settings,
    read_config,
    read_yaml,
)
from utils.geometry import clusters_of_splits
from utils.interpretation_settings import InteractionSettings
from utils.motif import Motif, read_meme
from utils.runtime import ROOT, InputError, file_sha256, home_path, shown
from utils.sample_bins import bin_quota
from utils.samplers import sampler_of

STAGES = ("interpreting", "interaction")
SHARED = {"model", "motif_database", "q_threshold", "seed", "device"}  # keys that both have


class DiscoverySettings(pydantic.BaseModel):
    """Settings of an interpreting config; motif_discovery itself checks those that a report does not read."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    model: str
    ind: Any = ""
    neurons_at_once: Any = None
    device: Any = "auto"
    seqlets: Any = None
    modisco: Any = None
    motif_database: str | tuple[str, ...] = "generate_dataset/literature_motifs.meme"
    q_threshold: float = pydantic.Field(0.01, gt=0, le=1)
    bin_limit: int = pydantic.Field(1500, ge=0)
    sampler: Literal["auto", "exhaustive", "boltzmann", "genetic", "gradient"] = "auto"
    exhaustive_limit: int = pydantic.Field(9, ge=1)
    population: int = 1000
    generations: int = 350
    patience: int = 30
    demixing: Literal["adaptive", "fixed"] = "adaptive"
    demixing_samples: int = 10_000
    clusters: int = pydantic.Field(0, ge=0)
    fit_samples: int = 1000
    weight_power: float = 6.0
    seed: int = 1


UNREAD = {"model", "ind", "neurons_at_once", "device", "seqlets", "modisco"}  # that decide nothing in a report


@dataclass(frozen=True)
class Work:
    """A model to report on.

    Attributes:
        model: its config.
        discovery: settings of motif_discovery.
        interaction: settings of motif_contribution and motif_interaction.
        configs: file of each stage as a person types it; of a stage without one where it is expected.
        named: what names the model in a config: its name, or its file.
        given: the settings of each stage as they stand in the files, for the page of the model.
        checkpoint: the network.
        root: folder of the stages.
        overrides: of the config of each stage, as they were typed.
    """

    model: ModelSettings | OwnModelSettings
    discovery: DiscoverySettings
    interaction: InteractionSettings
    configs: dict[str, str]
    given: dict[str, dict]
    checkpoint: Checkpoint
    named: str = ""
    root: Path = ROOT
    overrides: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def command_file(self, stage: str) -> tuple[Path, tuple[str, ...]]:
        """Return the config that commands of a stage take, and what stands after it.

        Without a config of the stage that of another model, with this model.
        """
        own = ROOT / self.configs[stage]
        others = sorted((ROOT / "configs" / stage).glob("*.yaml"))
        if own.is_file() or not others:
            return own, self.overrides.get(stage, ())
        return max(others, key=lambda path: self.name.startswith(path.stem)), (f"model={self.named or self.name}",)

    def command_config(self, stage: str) -> str:
        """Return the config of a stage as its commands take it."""
        file, more = self.command_file(stage)
        return " ".join(map(shlex.quote, [shown(file), *more]))

    @property
    def some_neurons(self) -> bool:
        """Whether the config that commands of motif_discovery take chooses neurons (``ind``)."""
        file, more = self.command_file("interpreting")
        return file.is_file() and bool(read_config(file, more).get("ind"))

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def layers(self) -> range:
        """Convolutions of the network, counted from 1."""
        return range(1, self.checkpoint.model.layers + 1)

    @property
    def alphabet(self) -> str:
        """How words are written: RNA or DNA."""
        return self.checkpoint.model.alphabet

    def channels_of(self, layer: int) -> int:
        """Return the neurons of a layer."""
        return self.checkpoint.model.channels_of(layer)

    def discovery_of(self, layer: int) -> dict[str, str | int | float]:
        """Return the settings of a layer as a file of motifs has them (``utils.neuron_motif.MADE_WITH``)."""
        model, settings = self.checkpoint.model, self.discovery
        clusters = clusters_of_splits(model, layer, settings.clusters)
        same = {"population", "generations", "patience", "demixing", "demixing_samples", "fit_samples", "weight_power"}
        return settings.model_dump(include=same | {"seed"}) | {
            "sampler": sampler_of(settings.sampler, model, layer, settings.exhaustive_limit),
            "quota": bin_quota(model.receptive_field(layer), settings.bin_limit),
            "clusters": ", ".join(map(str, clusters)),
        }

    def path(self, name: str | Path) -> Path:
        """Return the path of a file or folder that a config names."""
        path = home_path(name)
        return path if path.is_absolute() else self.root / path

    @property
    def dataset(self) -> Path:
        """The data set."""
        return self.path(self.model.dataset)

    @cached_property
    def dataset_sha256(self) -> str:
        """Hash of the data set; empty where it is not there."""
        return file_sha256(self.dataset) if self.dataset.is_file() else ""

    def motifs(self, layer: int, neuron: int) -> Path:
        """The parts of a neuron."""
        return self.path(self.interaction.motifs) / self.name / f"conv{layer}_neuron{neuron}.h5"

    def matches(self, layer: int, neuron: int) -> Path:
        """The database matches of a neuron."""
        folder = self.path(self.interaction.matches) / self.name / f"conv{layer}"
        return folder / f"conv{layer}_neuron{neuron}.tsv"

    def scan(self, layer: int) -> Path:
        """The scan of a layer."""
        return self.root / "motif_contribution" / "maxact_from_trainSet" / self.name / f"conv{layer}.h5"

    def contribution(self, suffix: str = "") -> Path:
        """The table of contributions; ``_thresholds`` is that of all thresholds."""
        return self.root / "motif_contribution" / "results" / f"{self.name}_neuron_contribution{suffix}.csv"

    def fragments(self, layer: int, neuron: int) -> Path:
        """The fragments that activate a neuron."""
        folder = self.root / "motif_interaction" / "fragment_location" / self.name
        return folder / f"conv{layer}_neuron{neuron}_fragment_location.yaml"

    def pairs(self, layer: int) -> Path:
        """The table of all pairs of a layer."""
        folder = self.root / "motif_interaction" / "results" / "stats" / self.name
        return folder / f"conv{layer}_motif_scramble_stats.csv"

    def predictions(self, task: str, a: str, b: str) -> Path:
        """The predictions of a pair."""
        folder = self.root / "motif_interaction" / "results" / "scramble_res" / self.name
        return folder / task / f"{a}_{b}" / "predictions.csv"

    def evaluation(self, name: str) -> Path | None:
        """A file of the evaluation on the test split, such as ``test_metrics.json``; None where there is none."""
        for folder in ("half_life", "mrl"):
            path = self.root / folder / "results" / self.name / name
            if path.is_file():
                return path
        return None

    @property
    def databases(self) -> list[Path]:
        """The motif databases."""
        names = self.discovery.motif_database
        return [self.path(name) for name in ([names] if isinstance(names, str) else names)]

    @cached_property
    def database(self) -> dict[str, Motif]:
        """The motifs of the databases that are there, by name."""
        there = [path for path in self.databases if path.is_file()]
        return {motif.name: motif for motif in read_meme(there)}

    @cached_property
    def clusters(self) -> dict[str, str]:
        """The name of the cluster of each database motif that shares it with another one.

        From the tables beside the databases; without one from the first in ``data/`` that is of exactly these motifs.
        """
        beside = [path.with_name(f"{path.name.split('.')[0]}_clusters.tsv") for path in self.databases]
        tables = [_read_clusters(table) for table in beside if table.is_file()]
        if not tables:
            others = map(_read_clusters, sorted((self.root / "data").glob("*_clusters.tsv")))
            tables = list(itertools.islice((one for one in others if one.keys() == self.database.keys()), 1))
        found = {motif: cluster for table in tables for motif, cluster in table.items()}
        members = Counter(found.values())
        return {motif: cluster for motif, cluster in found.items() if members[cluster] > 1}


def _read_clusters(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
        lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
        motif, cluster = lines[0].index("motif"), lines[0].index("cluster_name")
        return {line[motif]: line[cluster] for line in lines[1:]}
    except (IndexError, ValueError):
        raise InputError(f"{shown(path)}: no columns 'motif' and 'cluster_name'; make it again") from None


def open_work(config: str | Path, root: Path = ROOT, overrides: Sequence[str] = ()) -> Work:
    """Open the model of a config, which may be any of its configs.

    A config of configs/models names the model itself; one of configs/interpreting or configs/interaction names it under
    ``model`` and has the settings of its stage. The settings of a stage whose config was not given are those of
    configs/STAGE/MODEL.yaml, where there is none those of a STAGE.yaml beside the given one that names the same model,
    and else the defaults. ``overrides`` (``key=value``) are of the config of a stage.

    Raises:
        InputError: no such config, it names no model, a setting cannot be, or the checkpoint cannot be read.
    """
    path = find_config(config)
    content = read_config(path, overrides)
    if "checkpoint" in content:
        if overrides:
            raise InputError(f"{overrides[0]!r}: {shown(path)} is no config of a stage; give one to use key=value")
        model, stage = load_model_settings(path), ""
    elif "model" in content:
        model = load_model_settings(str(content["model"]))
        own = set(InteractionSettings.model_fields) - SHARED
        guessed = "interaction" if own & set(content) else "interpreting"
        stage = next((name for name in (path.parent.name, path.stem) if name in STAGES), guessed)
    else:
        raise InputError(f"{shown(path)}: neither 'model' nor 'checkpoint' is in it; give a config of the model")
    files = {one: ROOT / "configs" / one / f"{model.name}.yaml" for one in STAGES}
    if stage:
        files[stage] = path
        for one, file in files.items():
            beside = path.with_name(f"{one}.yaml")
            if not file.is_file() and beside.is_file() and read_yaml(beside).get("model") == content["model"]:
                files[one] = beside
    typed = {one: tuple(overrides) if one == stage else () for one in STAGES}
    given = {one: read_config(file, typed[one]) if file.is_file() else {} for one, file in files.items()}
    schemas = {"interpreting": DiscoverySettings, "interaction": InteractionSettings}
    chosen = {
        one: load_settings(schema, files[one], typed[one]) if given[one] else schema(model=model.name)
        for one, schema in schemas.items()
    }
    configs = {one: shown(file) for one, file in files.items()}
    own = path.stem if path.parent == ROOT / "configs" / "models" else shown(path)
    named = str(content.get("model", own))
    settings = chosen["interpreting"], chosen["interaction"]
    return Work(model, *settings, configs, given, load_checkpoint(model), named, root, typed)
