"""A methods section with the numbers of this run, from what the report shows."""

from collections import Counter
from collections.abc import Sequence

from report.overview import versions
from report.settings import Work
from utils.own_network import OwnNetwork
from utils.page import number


def methods(work: Work, network: dict, dataset: dict, metrics: dict, cards: Sequence[dict], motifs: int,
            pairs: Sequence[dict]) -> list[str]:  # fmt: skip
    """Return the paragraphs of the methods section; a stage that has no results has no sentence."""
    text = [_predictor(work, network, dataset, metrics)]
    done = [card for card in cards if card["state"] in ("fine", "silent", "empty")]
    if done:
        text.append(_discovery(work, done, motifs))
    tested = [card for card in cards if card["contribution"] in ("positive", "negative", "neutral")]
    if tested:
        count = Counter(card["contribution"] for card in tested)
        text.append(
            f"Contribution: a message activates a neuron if one of its windows exceeds {work.interaction.threshold:g} "
            "of the neuron's highest activation in the training set. Predictions of activating and other messages were "
            "compared by Welch's t-test [5] with Benjamini-Hochberg correction [4] "
            f"(q ≤ {work.interaction.q_threshold:g}). Of {len(tested)} neurons tested {count['positive']} "
            f"were positive, {count['negative']} negative and {count['neutral']} neutral."
        )
    if pairs:
        text.append(_interaction(work, pairs))
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    text.append(f"Software: CombMotif; the report was built with {used}. Weights: SHA-256 {work.checkpoint.sha256}.")
    return text


def _predictor(work: Work, network: dict, dataset: dict, metrics: dict) -> str:
    fields = ", ".join(str(row["field"]) for row in network["rows"])
    if network["own"]:
        text = (
            f"The network {work.name} ({network['own']}) is the user's, of {network['parameters']:,} parameters; "
            f"{len(network['rows'])} of its convolutions were looked at (receptive fields of {fields} nt)."
        )
    else:
        text = (
            f"The network {work.name} has {len(network['rows'])} convolutions of {network['channels']} channels "
            f"(kernel {network['kernel']}, padding {network['padding']}; receptive fields of {fields} nt), a GRU read "
            f"at the {network['readout']} and two dense layers, {network['parameters']:,} parameters [1]."
        )
    if dataset.get("splits"):
        sizes = ", ".join(f"{split['rows']:,} {split['name']}" for split in dataset["splits"])
        text += f" Its data set, {work.dataset.stem} ({dataset['label']}), holds {sizes} messages."
    if metrics:
        several = len(metrics.get("checkpoints", {}))
        of = f" (mean of {several} networks)" if several > 1 else ""
        text += (
            f" On the test messages r = {number(metrics['r'])}, r² = {number(metrics['r2'])}, n = {metrics['n']:,}{of}."
        )
    return text


def _discovery(work: Work, done: Sequence[dict], motifs: int) -> str:
    layers = sorted({card["layer"] for card in done})
    counts = ", ".join(f"{sum(card['layer'] == layer for card in done)} of conv{layer}" for layer in layers)
    given = work.given["interpreting"]
    databases = ", ".join(path.name for path in work.databases)
    short = f"all sequences of up to {given.get('exhaustive_limit', 9)} nt were tried"
    guided = "chains of sequences moved along the network's gradient"
    drawn = (
        f"{short}; of conv3 sequences were drawn independently at every activation level (Boltzmann's distribution, by "
        f"dynamic programming), in deeper layers they were found by {guided}"
    )
    own = isinstance(work.checkpoint.model, OwnNetwork)
    splits = given.get("clusters") or ("4, or twice the pool width where that is more" if own else 4)
    sampling = {
        "auto": f"{short}; of longer receptive fields sequences were found by {guided}" if own else drawn,
        "exhaustive": short,
        "boltzmann": "drawn independently at every activation level (Boltzmann's distribution, by dynamic programming)",
        "gradient": f"found by {guided}",
        "genetic": "found by a genetic algorithm",
    }[given.get("sampler", "auto")]
    split = {
        "adaptive": "a part only as long as its own matrix did not explain it, and copies of one pattern at several "
        "places were joined",
        "fixed": "in every layer",
    }[given.get("demixing", "adaptive")]
    weights = f", sequences weighted by activation to the power {given.get('weight_power', 6)}"
    matched = sum(bool(card["matched"]) for card in done)
    parts = sum(card["parts"] for card in done)
    silent = sum(card["state"] == "silent" for card in done)
    return (
        f"Motif discovery, after NeuronMotif [2]: {len(done)} neurons ({counts}) were sampled in 20 bins of activation "
        f"({sampling}; seed {given.get('seed', 1)}). Samples were demixed by k-means on the maps of the lower layers, "
        f"one layer after the other (k = {splits}{weights}), {split}: {parts:,} parts; {silent} "
        f"{'neuron never fires' if silent == 1 else 'neurons never fire'}. Informative segments were compared with "
        f"{databases} by Tomtom [3] as implemented in memelite, "
        f"Benjamini-Hochberg [4] q ≤ {work.discovery.q_threshold:g}: {matched} neurons hold {motifs} known motifs."
    )


def _interaction(work: Work, pairs: Sequence[dict]) -> str:
    settings = work.interaction
    tested = [pair for pair in pairs if pair["class"]]
    count = Counter(pair["class"].replace("_", " ") for pair in tested)
    said = {"none": "without two significant effects of one sign"}
    found = ", ".join(f"{n} {said.get(name, name)}" for name, n in count.most_common())
    return (
        f"Interaction: in fragments above {settings.fragment_threshold:g} of a neuron's maximum that hold both motifs "
        f"of a pair, each motif and both were scrambled ({settings.n_draws} draws, seed {settings.seed}) and whole "
        "messages predicted. Epistasis o − a − b + n was tested over messages by Wilcoxon's signed-rank test [6] with "
        f"Benjamini-Hochberg correction [4] (q ≤ {settings.q_threshold:g}, at least {settings.smallest_eps:g} of the "
        f"geometric mean of the single effects). Of {len(pairs)} pairs {len(tested)} could be tested"
        + (f": {found}." if found else ".")
    )
