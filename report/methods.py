"""A methods section with the numbers of this run, from what the report shows."""

from collections import Counter
from collections.abc import Callable, Sequence

from report.gather import Findings
from report.overview import versions
from report.settings import Work
from report.tables import pair_settings
from utils.page import number
from utils.runtime import one_line


def methods(work: Work, found: Findings, motifs: int) -> list[str]:
    """Return the paragraphs of the methods section; a stage that has no results has no sentence.

    Args:
        work: the model.
        found: its results.
        motifs: known motifs that neurons hold.
    """
    cards, called = found.cards, found.called
    text = [_predictor(work, found.network, found.dataset, found.metrics)]
    done = [card for card in cards if card["state"] in ("fine", "silent", "empty")]
    if done:
        text.append(_discovery(work, done, motifs))
    tested = [card for card in cards if card["contribution"] in ("positive", "negative", "neutral")]
    if tested:
        count = Counter(card["contribution"] for card in tested)
        text.append(
            f"Contribution: a message activates a neuron if one of its windows exceeds {called['threshold']:g} "
            "of the neuron's highest activation in the training set. Predictions of activating and other messages were "
            "compared by Welch's t-test [5] with Benjamini-Hochberg correction [4] "
            f"(q ≤ {called['q_threshold']:g}, effects of {called['smallest_effect']:g} standard deviations or more). "
            f"Of {len(tested)} neurons tested {count['positive']} "
            f"were positive, {count['negative']} negative and {count['neutral']} neutral."
        )
    if found.pairs:
        text.append(_interaction(work, found.pairs))
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    text.append(f"Software: CombMotif; the report was built with {used}. Weights: SHA-256 {work.checkpoint.sha256}.")
    return text


def _told(layers: Sequence[int], texts: Sequence[str], what: str) -> str:
    """Return the text of all neurons or pairs; where they differ each text with the layers it is of, or how many."""
    if len(set(texts)) == 1:
        return texts[0]
    total, said = Counter(layers), []

    def where(layer: int, n: int) -> str:
        return f"conv{layer}" if n == total[layer] else f"{n} {what}{'s' * (n > 1)} of conv{layer}"

    for text in dict.fromkeys(texts):
        own = Counter(layer for layer, one in zip(layers, texts, strict=True) if one == text)
        said.append(f"{text} in {', '.join(where(*one) for one in own.items())}")
    return "; ".join(said)


def q_thresholds(work: Work, cards: Sequence[dict]) -> str:
    """Return the q-value up to which segments match; where tables of matches differ, each."""
    now = work.discovery.q_threshold
    found = {now if card["listed"] is None else card["listed"] for card in cards if card["match"]}
    return " or ".join(f"{one:g}" for one in sorted(found or {now}))


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
    layers = [card["layer"] for card in done]
    made = [
        work.discovery_of(card["layer"]) | card["made"] for card in done
    ]  # of what a file does not say, the config's
    counts = ", ".join(f"{n} of conv{layer}" for layer, n in sorted(Counter(layers).items()))
    databases = ", ".join(path.name for path in work.databases)
    sampling = {
        "exhaustive": "all tried",
        "boltzmann": "drawn independently at every activation level (Boltzmann's distribution, by dynamic programming)",
        "gradient": "found by chains of sequences that moved along the network's gradient",
        "genetic": "found by a genetic algorithm",
    }
    adaptive = (
        "a part only as long as its own matrix did not explain it, and copies of one pattern at several places were "
        "joined (of at most {:,} sequences of a neuron, evenly over its activations)"
    )

    def told(text: Callable[[dict], str]) -> str:
        return _told(layers, [text(one) for one in made], "neuron")

    quota = told(lambda one: f"at most {one['quota']:,} sequences a bin")
    samplers = told(lambda one: sampling.get(one["sampler"], one_line(one["sampler"])))
    seed = told(lambda one: f"seed {one['seed']}")
    splits = told(lambda one: f"k = {one_line(one['clusters'])}")
    power = told(lambda one: f"sequences weighted by activation to the power {one['weight_power']:g}")
    split = told(
        lambda one: adaptive.format(one["demixing_samples"]) if one["demixing"] == "adaptive" else "in every layer"
    )
    matched = sum(bool(card["matched"]) for card in done)
    parts = sum(card["parts"] for card in done)
    silent = sum(card["state"] == "silent" for card in done)
    differ = sum(bool(card["differs"]) for card in done)
    other = f" {differ} of the neurons are of other settings than {work.configs['interpreting']} has now."
    return (
        f"Motif discovery, after NeuronMotif [2]: {len(done)} neurons ({counts}) were sampled in 20 bins of activation "
        f"({quota}; {seed}). Sequences were {samplers}. Samples were demixed by k-means on the maps of the lower "
        f"layers, one layer after the other ({splits}; {power}), {split}: {parts:,} parts; {silent} "
        f"{'neuron never fires' if silent == 1 else 'neurons never fire'}. Informative segments were compared with "
        f"{databases} by Tomtom [3] as implemented in memelite, Benjamini-Hochberg [4] q ≤ {q_thresholds(work, done)}: "
        f"{matched} neurons hold {motifs} known motifs." + other * bool(differ)
    )


def _interaction(work: Work, pairs: Sequence[dict]) -> str:
    layers, made = [pair["layer"] for pair in pairs], [pair_settings(work, pair) for pair in pairs]

    def told(text: str) -> str:
        return _told(layers, [text.format(**one) for one in made], "pair")

    tested = [pair for pair in pairs if pair["class"]]
    count = Counter(pair["class"].replace("_", " ") for pair in tested)
    said = {"none": "without two significant effects of one sign"}
    found = ", ".join(f"{n} {said.get(name, name)}" for name, n in count.most_common())
    return (
        f"Interaction: in fragments above {told('{fragment_threshold:g}')} of a neuron's maximum that hold both motifs "
        f"of a pair, each motif and both were scrambled ({told('{n_draws:g} draws, seed {seed:g}')}) and whole "
        "messages predicted. Epistasis o − a − b + n was tested over messages by Wilcoxon's signed-rank test [6] with "
        f"Benjamini-Hochberg correction [4] ({told('q ≤ {q_threshold:g}, at least {smallest_eps:g}')} of the "
        f"geometric mean of the single effects). Of {len(pairs)} pairs {len(tested)} could be tested"
        + (f": {found}." if found else ".")
    )
