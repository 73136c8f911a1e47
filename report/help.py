"""What each column and figure means, in one sentence each: shown where it stands, and together on the page Help."""

import functools

HELP: dict[str, dict[str, tuple[str, str]]] = {
    "Model": {
        "layer": ("Layer", "A convolution, the GRU, or the dense layers, in the order that a message passes them."),
        "field": ("Sees", "Receptive field: the nucleotides that one position of the layer depends on."),
        "channels": ("Channels", "Numbers that go into the layer and come out of it at each position."),
        "interpreted": ("Interpreted", "Neurons of the layer that motif discovery has finished."),
        "split": ("Split", "Messages the network was trained on, chosen by, and tested on."),
        "messages": ("Messages", "Sequences in the split."),
        "length": ("Length, median", "Nucleotides of a message: median, and below it the shortest and the longest."),
        "stage": ("Stage", "What is computed, in the order in which it is run."),
        "there": ("There", "How much of it lies in the results."),
        "newest": ("Newest file (UTC)", "When its newest file was written, Coordinated Universal Time."),
        "missing": ("Missing: run", "The command that computes what is missing."),
    },
    "Neurons": {
        "neuron": ("Neuron", "A channel of a convolution; layers and neurons count from 1."),
        "best": (
            "Logo",
            "The segment that best tells the windows by which messages activate the neuron from windows anywhere (from "
            "motif_contribution); where that has not run, the strongest segment of the part whose consensus fires the "
            "neuron most. Letter heights in bits on a scale of 0 to 2, positions from 1 in the receptive field.",
        ),
        "word": ("Word", "IUPAC consensus of the segment: per column the fewest bases that hold more than 3/4 of it."),
        "contribution": (
            "Contribution",
            "Positive: the prediction is higher in messages that activate the neuron; negative: lower; neutral: the "
            "difference is not significant or the effect too small; else why there was no test.",
        ),
        "effect": (
            "Effect",
            "Difference of the mean predictions of activating and other messages in units of the pooled standard "
            "deviation (Cohen's d), with its 95 % interval.",
        ),
        "effect_q": ("q of the effect", "Benjamini-Hochberg over all neurons of the table, from Welch's t-test."),
        "label": ("In the labels", "The same comparison in the measured labels instead of the predictions."),
        "ratio": (
            "Quality",
            "Activation of the part's consensus sequence over the highest activation in the part: from 0.95 the part "
            "is one pattern, far below it is still a mixture.",
        ),
        "match": (
            "Best match",
            "Database motif with the smallest q-value over all parts, by Tomtom; above the threshold it is no match "
            "and is called nearest.",
        ),
        "maximum": ("Maximum", "Highest activation: of the sample, or of a part of it."),
        "parts": ("Parts", "Groups into which the sample was split, layer by layer down the network."),
        "sequences": ("Sequences", "Sampled sequences, as long as the receptive field, that activate the neuron."),
    },
    "Parts of a neuron": {
        "part": (
            "Part",
            "Branches taken in the demixing tree at each split, of the layers from the one below the neuron down; a "
            "layer on which a split gave nothing has no branch.",
        ),
        "consensus": ("Consensus", "Activation of the part's consensus sequence."),
        "drawn": (
            "Drawn",
            "How much sequences drawn from the part's matrix fire on average, over what its own sequences do: near 1 "
            "the matrix explains the part.",
        ),
        "places": ("Places", "Parts with the same pattern, shifted, that were joined in this one."),
        "part_logo": ("Part's logo", "Informative segments are shaded and underlined; positions count from 1."),
        "matches": ("Matches", "Database motif, its second name, q-value, and first and last position of the segment."),
        "bins": (
            "Samples per bin",
            "Sequences in 20 equal bins of activation between 0 and the maximum; dashed: the quota of a bin.",
        ),
        "tree": (
            "Demixing tree",
            "Each row is a split, of the layers from the one below the neuron down; a layer on which a split gave "
            "nothing has no row. Boxes are as wide as their sequences, blue ones are one pattern, hatched ones mixed; "
            "a box leads to its part.",
        ),
    },
    "In real messages": {
        "message": ("Message", "Its name in the data set."),
        "of_split": ("Split", "What the message was for: training (train), choice of the network (valid), or test."),
        "activating": ("Activating", "Messages with a window above the threshold's share of the neuron's maximum."),
        "region": (
            "Region",
            "Where the middle of the best window of each activating message lies; the line is the share expected if "
            "windows fell anywhere in the messages.",
        ),
        "position": ("Position", "Middle of the best window over the length of the message, 0 at the 5' end."),
        "share": ("Of maximum", "Activation of the window over the neuron's highest activation in the training set."),
        "fragment": (
            "Fragment, 5' to 3'",
            "The window with the highest activation of a message; marked is the segment that fits it best by log-odds, "
            "letters that its word allows in bold.",
        ),
        "fits": ("Fits part", "The part that the marked segment is of, among the twelve that fire the neuron most."),
        "start": ("Start", "First position of the window in the message, counted from 0."),
    },
    "Motifs": {
        "motif": ("Motif", "Motif of the database, or cluster of motifs that match each other."),
        "motif_logo": ("Logo", "The database's own matrix; of a cluster, of the member with the best match."),
        "protein": ("Second name", "The database's second name, such as the protein."),
        "holders": ("Neurons", "Neurons with a part that matches at the threshold; the colour is their contribution."),
        "agreement": (
            "Agreement",
            "Of the neurons with a significant contribution, those with the more frequent sign.",
        ),
        "held_by": ("Held by", "The neurons, the smallest q-value first; each leads to the part that matches."),
        "best_q": ("Smallest q", "Smallest q-value of all matches, Benjamini-Hochberg over the database per segment."),
    },
    "Interactions": {
        "pair": ("Motifs", "Two motifs that stand in one part of a neuron, or that a person has paired."),
        "class": (
            "Class",
            "Positive or negative: both motifs raise or lower the prediction; synergistic: together more than the sum, "
            "antagonistic: less, additive: not different; none: effects of opposite sign or not significant.",
        ),
        "eps": (
            "eps",
            "Epistasis o − a − b + n of predictions (intact, A scrambled, B scrambled, both), in units of the label, "
            "with 95 % interval.",
        ),
        "q": ("q", "Wilcoxon's signed-rank test of eps over messages, Benjamini-Hochberg over all pairs of the layer."),
        "control": ("Control", "Mean eps of two random stretches of the same messages, as long and as far apart."),
        "spacing": ("Spacing", "Nucleotides between the two motifs: median, smallest and largest."),
        "n": ("n", "Messages in which the pair was measured."),
        "survives": (
            "Linear scale",
            "Whether the call holds on a scale on which single effects are the same everywhere.",
        ),
        "decided": ("Decided by", "The rule that kept a pair from being called, or that it passed every rule."),
        "joint": ("Joint effect", "Prediction of the intact message less that with both motifs scrambled."),
        "effects": ("Single effects", "Effect of one motif while the other one is scrambled; q of its test."),
    },
    "Messages of a pair": {
        "of_pair": ("Message", "Its name in the data set; it holds both motifs."),
        "intact": ("Intact", "Prediction of the message as it is (o)."),
        "scrambled_a": ("A scrambled", "Mean prediction with the first motif scrambled (a)."),
        "scrambled_b": ("B scrambled", "Mean prediction with the second motif scrambled (b)."),
        "scrambled_both": ("Both scrambled", "Mean prediction with both motifs scrambled (n)."),
        "own_eps": ("eps", "Epistasis in this message, o − a − b + n."),
        "own_control": ("eps of control", "The same of two random stretches of the message."),
        "own_spacing": ("Spacing", "Nucleotides between the two motifs in the message."),
    },
}  # fmt: skip


@functools.cache
def sentences() -> dict[str, str]:
    """Return the sentence of each key."""
    return {key: sentence for group in HELP.values() for key, (_, sentence) in group.items()}


@functools.cache
def labels() -> dict[str, str]:
    """Return the label of each key."""
    return {key: label for group in HELP.values() for key, (label, _) in group.items()}
