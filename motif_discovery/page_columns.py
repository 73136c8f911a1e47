"""The columns of the tables of neurons and parts, each explained in one sentence."""

from dataclasses import replace

from motif_discovery.methods import MESSAGE_SEQLETS, MODISCO, MODISCO_OUTPUT, SEQLETS
from motif_discovery.page_parts import ONE_PATTERN, Column

PART_COLUMNS = [
    Column(
        "Part",
        "Branches taken in the demixing tree at each split, of the layers from the one below the neuron down; a layer "
        "on which a split gave nothing has no branch.",
        "ascending",
        "name",
    ),
    Column(
        "Sequences",
        "Number of sequences in the part, and from how many places, if the same pattern was joined at several.",
        "descending",
    ),
    Column("Maximum", "Highest activation of a sequence in the part.", "descending"),
    Column("Consensus", "Activation of the part's consensus sequence.", "descending"),
    Column(
        "Ratio",
        f"Consensus activation divided by the maximum: from {ONE_PATTERN} the part is one pattern, below it is mixed. "
        "Drawn: how much sequences drawn from the matrix fire, divided by what the part's own do.",
        "descending",
        "number ratio",
    ),
    Column(
        "Logo",
        "Letter heights in bits on a scale of 0 to 2, positions counted from 1; informative segments are shaded and "
        "underlined.",
        "",
        "block",
    ),
    Column(
        "Database matches",
        "Database motif, its second name, q-value, and first and last position of the matching segment; a motif above "
        "the threshold is no match and is named only as the nearest.",
        "ascending",
        "block matched",
    ),
]
NEURON_COLUMNS = [
    Column("Neuron", "Number of the neuron in its layer, counted from 1; leads to its page.", "ascending", "name"),
    Column("Sequences", "Number of sampled sequences.", "descending"),
    Column("Parts", "Number of parts the sample was split into.", "descending"),
    Column("Maximum", "Highest activation of the sample.", "descending"),
    Column(
        "Best ratio",
        "Consensus activation over maximum of the part whose consensus fires most, among those with a segment, if any "
        f"has one: from {ONE_PATTERN} one pattern.",
        "descending",
        "number ratio",
    ),
    Column(
        "Strongest segment",
        "Most informative segment of the part whose consensus fires most, among those with a segment; letter heights "
        "in bits on a scale of 0 to 2, positions as on the neuron's page.",
        "",
        "block segment",
    ),
    Column(
        "Best match",
        "Database match with the smallest q-value among all parts, not only that of the segment shown.",
        "ascending",
        "block",
    ),
]

RATIO = f"Consensus divided by maximum: from {ONE_PATTERN} the part is one pattern, below it is mixed."
# What is otherwise with the other methods.
OF_PARTS = {
    SEQLETS: {
        "Part": "all: the sampled sequences with the highest activation, stacked to one matrix.",
        "Sequences": "Number of sequences in the stack.",
        "Ratio": RATIO,
    },
    MESSAGE_SEQLETS: {
        "Part": "all: the best windows of the messages with the highest activation, stacked to one matrix.",
        "Sequences": "Number of windows in the stack, one of each message.",
        "Ratio": RATIO,
    },
    MODISCO: {
        "Part": "pos: raises the activation; neg: lowers it; by number of seqlets.",
        "Sequences": "Number of seqlets in the part.",
        "Maximum": "Highest activation of a sequence that holds a seqlet of the part.",
        "Consensus": "Activation of that sequence with the part's consensus in the seqlet's place.",
        "Ratio": RATIO,
    },
    MODISCO_OUTPUT: {
        "Part": "pos: raises the prediction; neg: lowers it; by number of seqlets.",
        "Sequences": "Number of seqlets of real messages in the part.",
        "Maximum": "Most that a seqlet of the part (of 16 with the largest contributions) does to the prediction of "
        "its message, in its direction: compared with the message whose bases are blotted out (a quarter of each) in "
        "the informative columns.",
        "Consensus": "The same with the part's consensus in that seqlet's place.",
        "Ratio": RATIO,
    },
}
STACKED = "1: the stack; 0 where there is too little to stack."
OF_NEURONS = {
    SEQLETS: {
        "Sequences": "Number of sequences in the stack: those of the sample with the highest activation.",
        "Parts": STACKED,
    },
    MESSAGE_SEQLETS: {
        "Sequences": "Number of windows in the stack: the best ones of the messages with the highest activation.",
        "Parts": STACKED,
        "Maximum": "Highest activation in a message.",
    },
    MODISCO: {
        "Sequences": "Number of sequences whose gradients were used: those of the sample with the highest activation.",
        "Parts": "Number of patterns that the seqlets fall into.",
    },
    MODISCO_OUTPUT: {
        "Neuron": "Number of the target of the prediction, counted from 1; leads to its page.",
        "Sequences": "Number of seqlets of real messages.",
        "Parts": "Number of patterns that the seqlets fall into.",
        "Maximum": "Largest contribution of a seqlet, on the scale that the model was trained on.",
        "Strongest segment": "Most informative segment of the part whose consensus does most to the prediction, among "
        "those with a segment; letter heights in bits on a scale of 0 to 2, positions as on the target's page.",
    },
}


def part_columns(method: str) -> list[Column]:
    """Return the columns of the table of parts."""
    return _told(PART_COLUMNS, OF_PARTS.get(method, {}))


def neuron_columns(method: str) -> list[Column]:
    """Return the columns of the table of neurons, or of targets of the output."""
    first, *rest = _told(NEURON_COLUMNS, OF_NEURONS.get(method, {}))
    return [replace(first, label="Target") if method == MODISCO_OUTPUT else first, *rest]


def _told(columns: list[Column], otherwise: dict[str, str]) -> list[Column]:
    """Return columns with other explanations."""
    return [replace(one, explanation=otherwise.get(one.label, one.explanation)) for one in columns]
