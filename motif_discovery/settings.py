"""Settings of motif discovery, and where each of its files lies."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import pydantic

from motif_discovery.bins import bin_quota
from motif_discovery.files import stored_key
from motif_discovery.methods import (
    MESSAGE_SEQLETS,
    METHODS,
    MODISCO,
    MODISCO_OUTPUT,
    NEURONMOTIF,
    OUTPUT,
    VERSIONS,
    ModiscoSettings,
    file_stem,
    layer_name,
    require_method,
)
from utils.activation import WindowNetwork
from utils.checkpoint import Checkpoint, load_checkpoint
from utils.config import (
    Settings,
    load_model_settings,
    load_settings,
    parse_layer,
    parse_range,
    root_files,
    settings_parser,
)
from utils.geometry import clusters_of_splits
from utils.motif import Motif, read_meme
from utils.runtime import InputError, file_sha256, fingerprint, pick_device, root_path
from utils.samplers import LONGEST_WORD, reads_short_words, sampler_of
from utils.scan import scan_key, scan_path, stored_settings
from utils.stack_network import StackNetwork, window_network

HERE = Path(__file__).resolve().parent
SAMPLER_VERSIONS = {
    "exhaustive": 1,
    "boltzmann": 2,
    "genetic": 2,
    "gradient": 9,
}  # raised where a sampler comes to sample otherwise


class DiscoverySettings(Settings):
    """Settings of an interpreting config (configs/interpreting/NAME.yaml)."""

    model: str
    ind: str = pydantic.Field("", pattern=r"^(\d+-\d+)?$", description="half-open, from 0: 0-4 is neurons 1 to 4")
    sampler: Literal["auto", "exhaustive", "boltzmann", "genetic", "gradient"] = "auto"
    exhaustive_limit: int = pydantic.Field(9, ge=1, le=10, description="longest receptive field of which all is tried")
    bin_limit: int = pydantic.Field(1500, ge=0, description="sequences a bin takes at most; 0: the published quota")
    population: int = pydantic.Field(1000, ge=10, le=100_000)
    generations: int = pydantic.Field(350, ge=1)
    patience: int = pydantic.Field(30, ge=1)
    demixing: Literal["adaptive", "fixed"] = "adaptive"
    demixing_samples: int = pydantic.Field(10_000, ge=100, description="sequences that adaptive demixing reads at most")
    clusters: int = pydantic.Field(0, ge=0, le=64, description="of a split; 0: 4, or twice the pool width if more")
    fit_samples: int = pydantic.Field(1000, ge=100)
    weight_power: float = pydantic.Field(6.0, ge=0)
    motif_database: str | tuple[str, ...] = "generate_dataset/literature_motifs.meme"
    q_threshold: float = pydantic.Field(0.01, gt=0, le=1)
    neurons_at_once: int = pydantic.Field(8, ge=1)
    seed: int = pydantic.Field(1, ge=0)
    device: str = "auto"
    seqlets: int = pydantic.Field(100, ge=20, description="sequences or messages that max_seqlet stacks")
    modisco: ModiscoSettings = ModiscoSettings()

    @pydantic.field_validator("clusters")
    @classmethod
    def _splits(cls, value: int) -> int:
        """Refuse a split into one part."""
        if value == 1:
            raise ValueError("a split has 2 parts or more; 0 lets the pool width decide")
        return value


@dataclass(frozen=True)
class Discovery:
    """One layer of one model to interpret: what is to be done, with what, how, and where the files lie.

    For the method that asks for the model's output the layer is ``OUTPUT``, and its neurons are the targets.
    """

    settings: DiscoverySettings
    layer: int
    checkpoint: Checkpoint
    network: WindowNetwork | StackNetwork
    method: str = NEURONMOTIF

    @property
    def model_name(self) -> str:
        """Name of the model, which names the folders."""
        return self.checkpoint.name

    @property
    def receptive_field(self) -> int:
        """Receptive field of the layer, nt; of the output as wide as a pattern can be."""
        if self.layer == OUTPUT:
            return self.settings.modisco.trim_to_window_size + 2 * self.settings.modisco.flank_size
        return self.network.model.receptive_field(self.layer)

    @property
    def neurons(self) -> range:
        """All neurons of the layer, counted from 1."""
        model = self.network.model
        return range(1, (model.targets if self.layer == OUTPUT else model.channels_of(self.layer)) + 1)

    @property
    def alphabet(self) -> str:
        """How words are written: RNA or DNA."""
        return self.checkpoint.model.alphabet

    @property
    def both_strands(self) -> bool:
        """Whether motifs are compared with databases on both strands."""
        return self.checkpoint.model.reverse_complement

    @property
    def context(self) -> str:
        """The method, and what the windows stand for in the trained model."""
        if self.layer == OUTPUT:
            return METHODS[self.method]
        padding = self.network.model.padding
        windows = (
            f"The model's convolutions have padding {padding}: results describe interior positions, whose receptive "
            "field holds no padding; near the ends of a sequence the padding is part of what the neuron sees."
            if padding
            else "The model's convolutions have no padding: a window means the same at every position of a message."
        )
        return f"{METHODS[self.method]} {windows}".lstrip()

    def name(self, neuron: int) -> str:
        """File name of a neuron, counted from 1: ``conv5_neuron2``."""
        return file_stem(self.layer, neuron)

    @property
    def folder(self) -> Path:
        """Where the files of the method lie."""
        return HERE if self.method == NEURONMOTIF else HERE / self.method

    def sample_path(self, neuron: int) -> Path:
        """The sample of a neuron, the same for all methods."""
        return HERE / "maxactivation_samples" / self.model_name / f"{self.name(neuron)}.h5"

    def motif_path(self, neuron: int, suffix: str = ".h5") -> Path:
        """The motifs of a neuron: all parts (.h5) or their segments (.meme)."""
        return self.folder / "motifs" / self.model_name / f"{self.name(neuron)}{suffix}"

    def match_path(self, neuron: int) -> Path:
        """The database matches of a neuron."""
        folder = self.folder / "tomtom_match_results" / self.model_name / layer_name(self.layer)
        return folder / f"{self.name(neuron)}.tsv"

    def report_path(self, neuron: int | None = None) -> Path:
        """The report of a neuron, or the index of the layer."""
        folder = self.folder / "clustering" / self.model_name / f"{layer_name(self.layer)}-mechanic"
        return folder / (f"{self.name(neuron)}.html" if neuron else "index.html")

    # A finished file carries the key of everything that decided it; another key means it is to be made again.

    @cached_property
    def sampler(self) -> str:
        """The sampler of this layer: the config's, or for ``auto`` the most exact one that its sequences allow."""
        chosen = self.settings
        return sampler_of(chosen.sampler, self.network.model, self.layer, chosen.exhaustive_limit)

    @property
    def quota(self) -> int:
        """Sequences that a bin of a sample takes."""
        return bin_quota(self.receptive_field, self.settings.bin_limit)

    @cached_property
    def clusters(self) -> int | list[int]:
        """Parts of each split; where they are not the same for all layers below, those of conv1, conv2 and so on."""
        found = clusters_of_splits(self.network.model, self.layer, self.settings.clusters)
        return found[0] if len(found) == 1 else found

    @property
    def made_with(self) -> dict[str, str | int | float]:
        """What is kept in a motif file to be read: the weights, and of NeuronMotif's the settings that decided it."""
        weights = {"checkpoint_sha256": self.checkpoint.sha256}
        if self.method != NEURONMOTIF:
            return weights
        decides = {"seed", "demixing", "fit_samples", "weight_power"}
        if self.sampler == "genetic":
            decides |= {"population", "generations", "patience"}
        if self.settings.demixing == "adaptive":
            decides.add("demixing_samples")
        clusters = clusters_of_splits(self.network.model, self.layer, self.settings.clusters)
        resolved = {"sampler": self.sampler, "quota": self.quota, "clusters": ", ".join(map(str, clusters))}
        return weights | resolved | self.settings.model_dump(include=decides)

    @cached_property
    def sample_key(self) -> str:
        """Key of a sample."""
        sampler = self.sampler
        decides = {"seed", "population", "generations", "patience"} if sampler == "genetic" else {"seed"}
        chosen = self.settings.model_dump(include=decides)
        return fingerprint(
            weights=self.checkpoint.sha256, layer=self.layer, sampler=sampler, version=SAMPLER_VERSIONS[sampler],
            quota=self.quota, **chosen,
        )  # fmt: skip

    @cached_property
    def scan_key(self) -> str:
        """Key of the scan of the data set (of motif_contribution); empty where there is none of the data set of now."""
        stored = stored_settings(scan_path(self.model_name, self.layer))
        return stored if stored == scan_key(self.checkpoint.sha256, self.dataset_sha256, self.layer) else ""

    @cached_property
    def dataset_sha256(self) -> str:
        """Hash of the data set's file; empty where there is none."""
        path = root_path(load_model_settings(self.settings.model).dataset)
        return file_sha256(path) if path.is_file() else ""

    @cached_property
    def data_key(self) -> str:
        """Key of the messages that TF-MoDISco of the output reads; empty where there are none."""
        return fingerprint(data=self.dataset_sha256, seed=self.settings.seed) if self.dataset_sha256 else ""

    @cached_property
    def motif_key(self) -> str:
        """Key of the motifs made from a sample, from the scan of the data set, or from its messages."""
        if self.method != NEURONMOTIF:
            if self.method == MODISCO_OUTPUT:
                source, decides = self.data_key, {"modisco": self.settings.modisco.model_dump(exclude={"sequences"})}
            elif self.method == MODISCO:
                unused = {"messages", "path_steps", "max_seqlets_per_metacluster"}
                source, decides = self.sample_key, {"modisco": self.settings.modisco.model_dump(exclude=unused)}
            else:
                source = self.scan_key if self.method == MESSAGE_SEQLETS else self.sample_key
                decides = {"seqlets": self.settings.seqlets}
            return fingerprint(
                method=self.method,
                version=VERSIONS[self.method],
                weights=self.checkpoint.sha256,
                source=source,
                **decides,
            )
        decides = {"demixing", "clusters", "fit_samples", "weight_power", "seed"}
        if self.settings.demixing == "adaptive":
            decides.add("demixing_samples")
        chosen = self.settings.model_dump(include=decides) | {"clusters": self.clusters}
        below = self.network.model.layers_below(self.layer)
        if len(below) < self.layer - 1:  # branches
            chosen["split_on"] = below
        return fingerprint(sample=self.sample_key, version=2, **chosen)

    def is_matched(self, neuron: int) -> bool:
        """Return whether a neuron has motifs and matches, both of these settings."""
        matched = stored_key(self.match_path(neuron)) == self.match_key
        return matched and stored_key(self.motif_path(neuron)) == self.motif_key

    @cached_property
    def database_paths(self) -> list[Path]:
        """The motif databases."""
        return root_files(self.settings.motif_database, "motif_database")

    @cached_property
    def database(self) -> list[Motif]:
        """The motifs of the databases."""
        return read_meme(self.database_paths)

    @cached_property
    def match_key(self) -> str:
        """Key of the matches of these motifs with these databases."""
        hashes = [file_sha256(path) for path in self.database_paths]
        return fingerprint(motif=self.motif_key, databases=hashes, q_threshold=self.settings.q_threshold)


def open_discovery(
    settings: DiscoverySettings, layer: int, method: str = NEURONMOTIF, sampling: bool = True
) -> Discovery:
    """Load the model and check that everything a run needs is there before anything is computed.

    Of the method that asks for the output the layer is the output, whatever is given. Without ``sampling`` nothing of
    the layer is sampled, and a sampler that it cannot have does not matter.
    """
    require_method(method)
    checkpoint = load_checkpoint(load_model_settings(settings.model))
    highest = checkpoint.model.layers
    if method == MODISCO_OUTPUT:
        layer = OUTPUT
    elif not 1 <= layer <= highest:
        raise InputError(f"layer: conv{layer} is not a layer of {checkpoint.name}, which has conv1 to conv{highest}")
    network = window_network(checkpoint.model, pick_device(settings.device))
    discovery = Discovery(settings, layer, checkpoint, network, method)
    if sampling and layer != OUTPUT:
        require_sampler(discovery)
    _ = discovery.database
    return discovery


def require_sampler(discovery: Discovery) -> None:
    """Check that a layer can have the sampler of the config.

    Raises:
        InputError: it cannot.
    """
    settings, layer, field = discovery.settings, discovery.layer, discovery.receptive_field
    if discovery.sampler == "exhaustive" and field > settings.exhaustive_limit:
        raise InputError(
            f"key 'sampler': exhaustive, but conv{layer} sees {field} nt, more than exhaustive_limit "
            f"({settings.exhaustive_limit}); write auto"
        )
    if discovery.sampler == "boltzmann" and not reads_short_words(discovery.network.model, layer):
        raise InputError(
            f"key 'sampler': boltzmann, but conv{layer} is not a layer whose convolution reads words of up to "
            f"{LONGEST_WORD} nt, as conv2 and conv3 do; write auto"
        )


def chosen_neurons(settings: DiscoverySettings, text: str | None, channels: int) -> list[int]:
    """Return the neurons, counted from 1: ``--neurons 1-4``, else ``ind: 0-4`` of the config, else all."""
    if text:
        return parse_range(text, channels)
    if settings.ind:
        first, end = map(int, settings.ind.split("-"))
        if not first < end <= channels:
            raise InputError(f"key 'ind': {settings.ind} is outside 0-{channels} (half-open, counted from 0)")
        return list(range(first + 1, end + 1))
    return list(range(1, channels + 1))


def layers_with_neurons(
    opened: Discovery, layers: Iterable[int], neurons: str | None, sampling: bool = True
) -> list[tuple[Discovery, list[int]]]:
    """Return layers with their chosen neurons, once all of them can be done: before the work on any of them begins.

    Raises:
        InputError: a layer cannot have the sampler of the config, or has not these neurons.
    """
    found = []
    for layer in layers:
        one = Discovery(opened.settings, layer, opened.checkpoint, opened.network, opened.method)
        if sampling:
            require_sampler(one)
        found.append((one, chosen_neurons(opened.settings, neurons, opened.network.model.channels_of(layer))))
    return found


def discovery_parser(doc: str | None, layer: bool = True) -> argparse.ArgumentParser:
    """Return the command line of a step: ``--config FILE --layer conv5 [--neurons 1-4] [key=value ...]``."""
    parser = settings_parser(doc, DiscoverySettings)
    if layer:
        parser.add_argument("--layer", required=True, help="such as conv5")
    parser.add_argument("--neurons", help="such as 1-4 or 1,3,7; counted from 1, both ends included")
    parser.add_argument("--overwrite", action="store_true", help="compute again what is finished")
    return parser


def parse_step(doc: str | None, argv: list[str] | None, methods: bool = False) -> tuple[Discovery, list[int], bool]:
    """Parse the command line of a step. Returns the discovery, the neurons, and whether to overwrite.

    ``methods`` says that the step is one that all methods share.
    """
    parser = discovery_parser(doc)
    if methods:
        parser.add_argument("--method", default=NEURONMOTIF, help=f"one of {', '.join(METHODS)} (default: %(default)s)")
    arguments = parser.parse_args(argv)
    settings = load_settings(DiscoverySettings, arguments.config, arguments.overrides)
    method = arguments.method if methods else NEURONMOTIF
    layer = OUTPUT if arguments.layer == layer_name(OUTPUT) else parse_layer(arguments.layer)
    discovery = open_discovery(settings, layer, method, sampling=not methods)
    if discovery.layer == OUTPUT:
        return discovery, list(discovery.neurons), arguments.overwrite
    neurons = chosen_neurons(settings, arguments.neurons, discovery.network.model.channels_of(layer))
    return discovery, neurons, arguments.overwrite
