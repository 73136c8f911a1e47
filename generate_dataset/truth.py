"""The truth of a simulation: labels from what the messages hold, the class of each pair, and the text of truth.yaml."""

from pathlib import Path

import numpy as np
import yaml

from generate_dataset.planted import Instances, PlantedMotif, PlantedPair
from utils.config import read_yaml
from utils.epistasis import pair_class
from utils.motif import iupac_consensus
from utils.runtime import InputError, shown

LARGEST = 2**28  # bytes of a truth file, about 75 a message


def pair_rows(instances: Instances, motifs: list[PlantedMotif], pair: PlantedPair) -> np.ndarray:
    """Return the messages int64 (k,) that hold a pair in its window and order, once for each two instances that do."""
    of_a, of_b = np.flatnonzero(instances.motif == pair.a), np.flatnonzero(instances.motif == pair.b)
    first = np.searchsorted(instances.row[of_b], instances.row[of_a], side="left")
    count = np.searchsorted(instances.row[of_b], instances.row[of_a], side="right") - first
    a = np.repeat(of_a, count)
    b = of_b[np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)]
    distance = instances.start[b] - instances.start[a]
    gap = np.where(distance > 0, distance - motifs[pair.a].width, -distance - motifs[pair.b].width)
    there = (gap >= pair.spacing[0]) & (gap <= pair.spacing[1])
    if pair.ordered:
        there &= distance > 0
    return instances.row[a[there]]


def design_matrix(instances: Instances, motifs: list[PlantedMotif], pairs: list[PlantedPair], n: int) -> np.ndarray:
    """Return how often each of n messages holds each motif, then each pair: float64 (n, motifs + pairs)."""
    rows = [instances.row[instances.motif == number] for number in range(len(motifs))]
    rows += [pair_rows(instances, motifs, pair) for pair in pairs]
    return np.stack([np.bincount(row, minlength=n) for row in rows], axis=1).astype(np.float64)


def link(score: np.ndarray, scale: float) -> np.ndarray:
    """Return labels of scores (n,): scale * tanh(score / scale), which saturates at +-scale; scale 0: the scores."""
    return scale * np.tanh(score / scale) if scale else score


def noise_sd(noise_free: np.ndarray, ceiling: float) -> float:
    """Return the standard deviation of a noise with which var(noise-free label) / var(label) is the ceiling of r2."""
    return float(np.sqrt(noise_free.var() * (1 - ceiling) / ceiling))


def change_of_label(score: np.ndarray, present: np.ndarray, changes: list[tuple[int, float]], scale: float) -> float:
    """Return sum of sign * link(score - change) over ``changes``, averaged over the messages with ``present`` > 0."""
    score = score[present > 0]
    return float(sum(sign * link(score - change, scale) for sign, change in changes).mean()) if len(score) else 0.0


def motif_facts(
    motifs: list[PlantedMotif], design: np.ndarray, score: np.ndarray, scale: float
) -> dict[str, dict[str, object]]:
    """Return what truth.yaml says of each motif; ``effect_label`` is the effect of an instance through the link."""
    return {
        motif.motif.name: {
            "consensus": iupac_consensus(motif.motif.ppm),
            "decoy": motif.effect == 0,
            "effect": motif.effect,
            "effect_label": round(change_of_label(score, count, [(1, 0), (-1, motif.effect)], scale), 6),
            "instances": int(count.sum()),
            "width": motif.width,
            "ppm": [[round(float(p), 6) for p in row] for row in motif.motif.ppm],
        }
        for motif, count in zip(motifs, design.T, strict=False)
    }


def pair_facts(
    pairs: list[PlantedPair], motifs: list[PlantedMotif], design: np.ndarray, score: np.ndarray, scale: float
) -> list[dict[str, object]]:
    """Return what truth.yaml says of each pair.

    ``eps_label`` is the mean over the messages that hold the pair of o - a - b + n (intact, one motif lost, the other
    lost, both lost) on the scale of the label; without a saturating link it is ``eps``.
    """
    facts = []
    for pair, count in zip(pairs, design.T[len(motifs) :], strict=True):
        a, b = motifs[pair.a], motifs[pair.b]
        changes = [
            (1, 0), (-1, a.effect + pair.eps), (-1, b.effect + pair.eps), (1, a.effect + b.effect + pair.eps),
        ]  # fmt: skip
        facts.append(
            {
                "a": a.motif.name,
                "b": b.motif.name,
                "spacing": list(pair.spacing),
                "order": "a_b" if pair.ordered else "either",
                "eps": pair.eps,
                "eps_label": round(change_of_label(score, count, changes, scale), 6),
                "class": pair_class(a.effect, b.effect, pair.eps),
                "instances": int(count.sum()),
            }
        )
    return facts


def truth_text(
    facts: dict[str, object],
    ids: list[str],
    rows: np.ndarray,
    score: np.ndarray,
    instances: Instances,
    names: list[str],
) -> str:
    """Return the text of truth.yaml: the facts, then ``messages``, a line for each.

    A line is one text, ``score MOTIF:start MOTIF:start ...``: YAML's Python reader takes five times as long for nested
    lists. ``read_truth`` takes it apart.

    Args:
        facts: what comes before the messages.
        ids: name of each message.
        rows: int (n,), the messages in the order in which they are written.
        score: float64 (n,), noise-free scores before the link.
        instances: what the messages hold.
        names: of the motifs.
    """
    places: list[list[str]] = [[] for _ in ids]
    for row, motif, start in zip(
        instances.row.tolist(), instances.motif.tolist(), instances.start.tolist(), strict=True
    ):
        places[row].append(f"{names[motif]}:{start}")
    lines = [" ".join([f"  {ids[row]}: '{score[row]:.6f}", *places[row]]) + "'" for row in rows.tolist()]
    head = yaml.safe_dump(facts, sort_keys=False, default_flow_style=None, width=120)
    note = "# messages in the order of the data set (train, valid, test): noise-free score, then MOTIF:0-based start"
    return "\n".join([head + note, "messages:", *lines, ""])


def read_truth(path: str | Path) -> dict[str, object]:
    """Return the content of a truth file, each message as ``{"score": float, "instances": [(motif, start), ...]}``.

    Raises:
        InputError: no such file, or not the truth of a simulation.
    """
    truth = read_yaml(Path(path), LARGEST)
    try:
        for name, text in truth["messages"].items():
            score, *places = text.split()
            pairs = (place.rpartition(":") for place in places)
            truth["messages"][name] = {
                "score": float(score),
                "instances": [(motif, int(start)) for motif, _, start in pairs],
            }
    except (KeyError, ValueError, AttributeError):
        raise InputError(
            f"{shown(path)}: not the truth of a simulation; make it with generate_dataset.simulate"
        ) from None
    return truth
