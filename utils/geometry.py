"""What every kind of network tells of its convolutions, so that the stages need not know which kind it is."""

from typing import Protocol


class Geometry(Protocol):
    """The interpreted convolutions of a network, counted from 1, and the ends of the network.

    Attributes:
        layers: how many convolutions.
        in_channels: tracks of the input; the first four are the bases.
        targets: predicted properties.
        padding: widest padding of the convolutions and pools; 0 without any.
        alphabet: ``RNA`` or ``DNA``: how its words are written.
        reverse_complement: whether its motifs are compared with databases on both strands.
    """

    layers: int
    in_channels: int
    targets: int
    padding: int
    alphabet: str
    reverse_complement: bool

    def channels_of(self, layer: int) -> int:
        """Return the neurons of a layer."""

    def receptive_field(self, layer: int) -> int:
        """Return how many nucleotides one position of a layer sees."""

    def stride(self, layer: int) -> int:
        """Return the distance, in nucleotides, between neighbouring positions of a layer."""

    def reads_length(self, length: int) -> bool:
        """Return whether inputs of a length are long enough."""

    def reads_tracks(self, tracks: int) -> bool:
        """Return whether a data set with so many tracks has those of the network."""

    def pool_width(self, layer: int, upper: int) -> int:
        """Return over how many positions of a layer the pools reach below the next layer, towards an upper one."""

    def layers_below(self, layer: int) -> list[int]:
        """Return the layers that a layer reads, directly or through others, the lowest first."""


SPLITS_OF_INPUT = 4  # parts of the sample of a conv1 neuron, which is split on its input


def clusters_of_splits(geometry: Geometry, layer: int, chosen: int = 0) -> list[int]:
    """Return the parts of the splits of a sample of a layer: one number, or those on the maps of conv1 and so on.

    ``chosen`` is the config's number; 0 where the pools decide.
    """
    if chosen or not geometry.layers_below(layer):
        return [chosen or SPLITS_OF_INPUT]
    found = [clusters_above(geometry, lower, layer) for lower in range(1, layer)]
    return found[:1] if len(set(found)) == 1 else found


def clusters_above(geometry: Geometry, layer: int, upper: int) -> int:
    """Return into how many parts a sample of an upper layer is split on the map of a layer that it reads.

    Twice the width of the pools that lie above that layer, at least 4.

    A pool of width w makes w shifted copies of whatever the layer below answers to: the published k = 4, for pools of
    width 2, is two patterns at each shift. Without a pool there is no shift, but there are different patterns still.
    """
    return max(4, 2 * geometry.pool_width(layer, upper))
