"""Settings of the workflow, and what a shard is."""

from typing import Annotated, Literal

import pydantic

from utils.config import Settings
from utils.runtime import InputError

RANGE = r"^$|^\d+-\d+$"
Count = Annotated[int, pydantic.Field(ge=1)]


class WorkflowSettings(Settings):
    """Settings of the workflow (workflow/config.yaml)."""

    interpreting: str = pydantic.Field("", description="config of motif discovery; empty: left out")
    interaction: str = pydantic.Field("", description="config of scan, contribution and interaction; empty: left out")
    layers: str = pydantic.Field(pattern=r"^\d+-\d+$", description="such as 2-5, both included")
    interaction_layers: str = pydantic.Field("", pattern=RANGE, description="within layers; empty: no interaction")
    neurons: str = pydantic.Field("", pattern=RANGE, description="such as 1-16; empty: those of the configs")
    neurons_per_shard: Count = 8
    neurons_per_shard_of_layer: dict[int, Count] = pydantic.Field({}, description="where it is another one")
    neurons_per_mutagenesis_shard: Count = 8
    messages_per_scan_shard: Count = 2000
    statistics: bool = True
    report: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"
    repository: str = pydantic.Field("", description="where the jobs find the repository; empty: where Snakefile lies")
    local_devices: tuple[Annotated[int, pydantic.Field(ge=0)], ...] = ()


def layer_range(text: str, key: str, highest: int) -> range:
    """Return the layers of a range such as ``2-5``, both included; none of an empty text.

    Raises:
        InputError: no range within conv1 to conv``highest``.
    """
    if not text:
        return range(0)
    first, last = map(int, text.split("-"))
    if not 1 <= first <= last <= highest:
        raise InputError(f"key '{key}': {text} is no range within 1-{highest}, the layers of the model")
    return range(first, last + 1)


def shard_size(settings: WorkflowSettings, layer: int) -> int:
    """Return how many neurons of a layer one process of motif discovery takes."""
    return settings.neurons_per_shard_of_layer.get(layer, settings.neurons_per_shard)


def blocks_of_neurons(neurons: list[int], size: int) -> list[tuple[int, int]]:
    """Return consecutive neurons in blocks of at most ``size``: first and last of each, both included.

    Blocks begin at multiples of ``size`` from the first neuron on; a gap ends a block.
    """
    blocks: list[tuple[int, int]] = []
    for neuron in sorted(neurons):
        if blocks and neuron == blocks[-1][1] + 1 and neuron - blocks[-1][0] < size:
            blocks[-1] = (blocks[-1][0], neuron)
        else:
            blocks.append((neuron, neuron))
    return blocks


def shards_of_rows(blocks: list[slice], messages: int) -> list[tuple[int, int]]:
    """Return consecutive blocks of a scan in shards of at least so many messages: first row and end of each.

    Args:
        blocks: rows of the blocks that the scan of one machine computes: a shard has whole ones, so that its numbers
            are the same to the last bit.
        messages: of a shard; the last one may have fewer.
    """
    shards: list[tuple[int, int]] = []
    for block in blocks:
        if shards and shards[-1][1] - shards[-1][0] < messages:
            shards[-1] = (shards[-1][0], block.stop)
        else:
            shards.append((block.start, block.stop))
    return shards
