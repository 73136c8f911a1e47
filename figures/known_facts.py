"""Known biology asked of trained models: does a word raise or lower the prediction, as experiments say it does?

Run: python -m figures.known_facts [--models mrl_predictor,hl_predictor_yeast] [--output figures/biology]

Each word of known_facts.tsv is written into random messages of the model's data set, at random places of its region
(``message``, ``cds`` or ``utr3``) and reading frame; the codon track stays. At the same places stand, one after the
other, other orders of its letters (or random words of its length, where it has fewer than five), so that base
composition explains nothing. This is global importance analysis (Koo et al. 2021, doi:10.1371/journal.pcbi.1008925).
Beside it the labels: messages that hold the word in that region and frame against the others (Welch's t-test).

A fact ``comes out`` if the effect has the expected sign (q < 0.05, Wilcoxon over messages, Benjamini-Hochberg over all
facts of a model) and exceeds that of 9 in 10 of the other words; it is ``weak`` if it has the sign only. A fact that
should be weaker than another one also needs a smaller effect, the two 95 % intervals apart.
"""

import argparse
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind

from motif_interaction.words import match
from utils.data import Split
from utils.dense_scan import bases_of_codes
from utils.edits import predict_edits
from utils.epistasis import bootstrap_interval, signed_rank
from utils.interpretation_settings import InteractionSettings, Interpretation, open_interpretation
from utils.prediction import predict
from utils.progress import progress_bar
from utils.runtime import ROOT, InputError, atomic_path, root_path, run_script, shown
from utils.sequence import ALPHABET, IUPAC, N
from utils.statistics import q_values

FACTS = ROOT / "figures" / "known_facts.tsv"
MESSAGES, OTHER_WORDS, FEWEST_ORDERS = 200, 40, 5
BEATEN = 0.9  # share of the other words
CODON_START = 1 << 4  # bit of a code, see utils.data.TRACKS


def allowed_starts(split: Split, rows: np.ndarray, width: int, region: str, frame: str) -> np.ndarray:
    """Return where a word may stand: bool (rows, starts), wholly in its region, on known bases, in its frame.

    The frame is that of the coding sequence: of the codon track in ``cds``; elsewhere that of the start codon which
    follows the message, as in a library of 5' UTRs.
    """
    codes, length = split.codes[rows], split.length[rows, None]
    place = np.arange(codes.shape[1])
    codon = (codes & CODON_START) > 0
    coding_end = np.where(codon.any(axis=1), codes.shape[1] - codon[:, ::-1].argmax(axis=1) + 2, 0)[:, None]
    coding_start = codon.argmax(axis=1)[:, None]
    inside = bases_of_codes(codes) != N
    if region == "cds":
        inside &= (place >= coding_start) & (place < coding_end)
        in_frame = codon
    else:
        inside &= place < length
        in_frame = (length - place) % 3 == 0
        if region == "utr3":
            inside &= place >= coding_end
    held = np.lib.stride_tricks.sliding_window_view(inside, width, axis=1).all(axis=2)
    if frame != "any":
        held = held & (in_frame[:, : held.shape[1]] == (frame == "in"))
    return held


def other_words(word: str, rng: np.random.Generator) -> tuple[list[str], str]:
    """Return other orders of a word's letters, or random words where there are too few, and which they are."""
    if len(word) <= 6:
        orders = sorted({"".join(order) for order in permutations(word)} - {word})
    else:
        orders = sorted({"".join(rng.permutation(list(word))) for _ in range(20 * OTHER_WORDS)} - {word})
    if len(orders) >= FEWEST_ORDERS:
        kept = np.sort(rng.permutation(len(orders))[:OTHER_WORDS])
        return [orders[index] for index in kept], "orders of its letters"
    random = {"".join(rng.choice(list(ALPHABET), len(word))) for _ in range(2 * OTHER_WORDS)} - {word}
    return sorted(random)[:OTHER_WORDS], "random words"


def instances(words: list[str], rng: np.random.Generator) -> np.ndarray:
    """Return bases uint8 (words, width) of IUPAC words, each letter drawn from those it stands for."""
    return np.array([[ALPHABET.index(rng.choice(list(IUPAC[letter]))) for letter in word] for word in words], np.uint8)


def word_effect(work: Interpretation, fact: dict, rng: np.random.Generator) -> dict[str, object]:
    """Return what a word does to the prediction, written into random messages."""
    word, split = fact["word"], work.messages
    order = rng.permutation(len(split))
    rows, starts = [], []
    for begin in range(0, len(order), MESSAGES):
        part = order[begin : begin + MESSAGES]
        held = allowed_starts(split, part, len(word), fact["region"], fact["frame"])
        for row, places in zip(part, held, strict=True):
            if places.any() and len(rows) < MESSAGES:
                rows.append(row)
                starts.append(rng.choice(np.flatnonzero(places)))
        if len(rows) == MESSAGES:
            break
    if not rows:
        raise InputError(f"{fact['fact']}: no message of {shown(work.dataset)} has room in its {fact['region']}")
    others, kind = other_words(word, rng)
    bases = np.stack([instances([word, *others], rng) for _ in rows])
    width = np.full(len(rows), len(word))
    _, edited = predict_edits(work.checkpoint.model, split, np.array(rows), np.array(starts), width, bases)
    y_hat = edited[..., 0].astype(np.float64)  # (messages, words)
    effect = y_hat[:, 0] - y_hat[:, 1:].mean(axis=1)
    sign = -1 if fact["expected"] == "lower" else 1
    low, high = bootstrap_interval(effect)
    beaten = (sign * y_hat[:, 0].mean() > sign * y_hat[:, 1:].mean(axis=0)).mean()
    return {
        "messages": len(rows), "effect": effect.mean(), "effect_low": low, "effect_high": high,
        "p": signed_rank(effect), "stronger_than": beaten, "compared_with": f"{len(others)} {kind}",
    }  # fmt: skip


def label_difference(split: Split, fact: dict) -> dict[str, object]:
    """Return how the labels of messages that hold a word differ from the others', NaN with fewer than 6 of either."""
    holds = np.zeros(len(split), dtype=bool)
    for begin in range(0, len(split), MESSAGES):
        rows = np.arange(begin, min(begin + MESSAGES, len(split)))
        found = match(bases_of_codes(split.codes[rows]), fact["word"])
        found &= allowed_starts(split, rows, len(fact["word"]), fact["region"], fact["frame"])
        holds[rows] = found.any(axis=1)
    label = split.label[:, 0].astype(np.float64)
    if min(holds.sum(), (~holds).sum()) < 6:
        return {"holding": int(holds.sum()), "label_difference": np.nan, "label_p": np.nan}
    difference = label[holds].mean() - label[~holds].mean()
    test = ttest_ind(label[holds], label[~holds], equal_var=False)
    return {"holding": int(holds.sum()), "label_difference": difference, "label_p": float(test.pvalue)}


def verdict(row: dict, stronger: dict | None) -> str:
    """Return what is said of a fact: comes out, weak, no effect, or opposite."""
    sign = -1 if row["expected"] == "lower" else 1
    if not row["q"] < 0.05:
        said = "no effect"
    elif sign * row["effect"] < 0:
        said = "opposite"
    else:
        said = "comes out" if row["stronger_than"] >= BEATEN else "weak"
    if stronger is not None:
        nearest = min(sign * stronger["effect_low"], sign * stronger["effect_high"])
        weaker = max(sign * row["effect_low"], sign * row["effect_high"]) < nearest
        said += "; weaker, as expected" if weaker else "; not weaker"
    return said


def ask(model: str, facts: list[dict], seed: int) -> list[dict]:
    """Return the facts of one model with what it says of each."""
    work = open_interpretation(InteractionSettings(model=model, device="cpu"))
    spread = predict(work.checkpoint.model, work.messages)[:, 0].std()
    rows = []
    for number, fact in enumerate(progress_bar(facts, desc=model)):
        row = fact | word_effect(work, fact, np.random.default_rng([seed, number]))
        rows.append(row | {"effect_in_sd": row["effect"] / spread} | label_difference(work.messages, fact))
    for row, q in zip(rows, q_values(np.array([row.pop("p") for row in rows])), strict=True):
        row["q"] = q
    by_name = {row["fact"]: row for row in rows}
    for row in rows:
        if row["weaker_than"] and row["weaker_than"] not in by_name:
            raise InputError(f"{shown(FACTS)}: {row['fact']}: weaker than {row['weaker_than']!r}, which is no fact")
        row["verdict"] = verdict(row, by_name.get(row["weaker_than"]))
    return rows


COLUMNS = [
    "model", "fact", "word", "region", "frame", "expected", "weaker_than", "verdict", "effect", "effect_low",
    "effect_high", "effect_in_sd", "q", "stronger_than", "compared_with", "messages", "holding", "label_difference",
    "label_p", "source",
]  # fmt: skip


def run(models: list[str], output: str, seed: int) -> None:
    """Ask the models and write the table, and its main columns as Markdown."""
    facts = pd.read_csv(FACTS, sep="\t", keep_default_na=False).to_dict("records")
    known = list(dict.fromkeys(fact["model"] for fact in facts))
    for model in models:
        if model not in known:
            raise InputError(f"--models: no facts for {model!r} in {shown(FACTS)}; there are {', '.join(known)}")
    rows = []
    for model in models or known:
        rows += ask(model, [fact for fact in facts if fact["model"] == model], seed)
    table = pd.DataFrame(rows)[COLUMNS]
    with atomic_path(root_path(output) / "known_facts.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g")
    print("| model | fact | word | effect in sd | stronger than | labels: difference (p) | verdict |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in table.to_dict("records"):
        labels = "too few" if np.isnan(row["label_p"]) else f"{row['label_difference']:+.2f} ({row['label_p']:.1g})"
        print(
            f"| {row['model']} | {row['fact']} ({row['expected']}) | {row['word']} | {row['effect_in_sd']:+.3f} "
            f"| {row['stronger_than']:.0%} of {row['compared_with']} | {labels} | {row['verdict']} |"
        )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; default: all of the table")
    parser.add_argument("--output", default="figures/biology", help="folder; default figures/biology")
    parser.add_argument("--seed", type=int, default=1, help="of messages, places and words; default 1")
    arguments = parser.parse_args(argv)
    models = [name for name in arguments.models.split(",") if name]
    run_script(lambda: run(models, arguments.output, arguments.seed))


if __name__ == "__main__":
    main()
