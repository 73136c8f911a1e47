"""The table of all pairs of a run: effects, epistasis, classes, and which calls survive the control of linearity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from motif_interaction.mutagenesis import CONTROLS, PREDICTIONS
from utils.epistasis import RESOLUTION, decide, measure_pair
from utils.interpretation_settings import InteractionSettings
from utils.linearity import Scale, fit_scale, single_effects
from utils.statistics import q_values

SINGLE = ("a_alone", "b_alone", "a_with_b", "b_with_a", "joint")
COLUMNS = [
    "task", "motif_a", "motif_b", "name_a", "name_b", "source", "n", "class", "decided_by", "survives",
    *(f"p_{name}" for name in SINGLE), *SINGLE, "q_a_alone", "q_b_alone",
    "eps", "eps_low", "eps_high", "p_eps", "q_eps",
    "control_eps", "p_control_eps", "p_above_control", "q_above_control",
    "eps_transformed", "p_eps_transformed", "q_eps_transformed", "class_transformed",
    "spacing", "spacing_low", "spacing_high", "a_first", "random_bases", "note",
]  # fmt: skip

ONLY_TOGETHER = "acts together only: epistasis is significant, though one of the motifs alone has no effect"


@dataclass(frozen=True)
class Measured:
    """A pair of a neuron and what was measured of it.

    Attributes:
        facts: the first columns of the table: task, motifs, names, source.
        table: a row per sequence (``mutagenesis.per_sequence``); empty where nothing could be measured.
        note: what is missing and what to do; empty where nothing is.
    """

    facts: dict[str, str]
    table: pd.DataFrame
    note: str = ""


def variants(table: pd.DataFrame, scale: Scale | None = None) -> dict[str, np.ndarray]:
    """Return o, a, b, n of the sequences of a pair and those of the control, on the scale given."""
    found = {}
    for prefix, names in (("", PREDICTIONS), ("control_", CONTROLS)):
        for key, name in zip("oabn", names, strict=True):
            values = table[name].to_numpy(np.float64) if name in table else np.zeros(0)
            found[prefix + key] = scale(values) if scale else values
    return found


def common_scale(pairs: Sequence[Measured], unit: float = 1.0) -> Scale:
    """Return the scale on which single effects of all pairs are the same at every level (``utils.linearity``)."""
    parts = [(number, variants(one.table)) for number, one in enumerate(pairs) if len(one.table)]
    if not parts:
        return fit_scale(*single_effects(*(np.zeros(0) for _ in "oabn"), np.zeros(0, dtype=np.int64)))
    stacked = [np.concatenate([values[key] for _, values in parts]) for key in "oabn"]
    pair = np.concatenate([np.full(len(values["o"]), number) for number, values in parts])
    return fit_scale(*single_effects(*stacked, pair), unit)


def classes(table: pd.DataFrame, settings: InteractionSettings) -> pd.DataFrame:
    """Return ``q_`` columns, corrected over all pairs of the run, and ``class`` and ``decided_by``."""
    q_single = q_values(table[["p_a_alone", "p_b_alone"]].abs().to_numpy(np.float64))
    found = pd.DataFrame({"q_a_alone": q_single[:, 0], "q_b_alone": q_single[:, 1]}, index=table.index)
    for name in ("eps", "above_control"):
        found[f"q_{name}"] = q_values(table[f"p_{name}"].to_numpy(np.float64))
    decisions = [
        decide(*values, settings.q_threshold, settings.smallest_eps, control)
        for *values, control in zip(
            table["a_alone"], table["b_alone"], table["eps"], found["q_a_alone"], found["q_b_alone"],
            found["q_eps"], found["q_above_control"], table["control_eps"], strict=True,
        )
    ]  # fmt: skip
    found["class"] = [name for name, _ in decisions]
    found["decided_by"] = [rule for _, rule in decisions]
    return found


def was_tested(table: pd.DataFrame) -> pd.Series:
    """Return which pairs of a table were tested: of the others a note says what is missing."""
    return table["q_eps"].notna() & (table["note"].isna() | (table["note"] == ONLY_TOGETHER))


def is_called(name: str) -> bool:
    """Return whether a class says that the motifs of a pair act upon each other."""
    return name.endswith(("synergistic", "antagonistic"))


def survival(name: str, transformed: str, fitted: bool) -> str:
    """Return whether a call survives the control of linearity; empty where nothing was called."""
    if not is_called(name):
        return ""
    return "not fitted" if not fitted else "yes" if name == transformed else "no"


def pair_statistics(
    pairs: Sequence[Measured], settings: InteractionSettings, unit: float = 1.0
) -> tuple[pd.DataFrame, Scale]:
    """Return the table of the pairs of a run, a row each in the order given, and the scale of its control.

    Args:
        pairs: and their predictions.
        settings: of the tests.
        unit: one standard deviation of the training labels, on the scale of the predictions: the network's own unit, of
            which differences under ``RESOLUTION`` are none.
    """
    scale = common_scale(pairs, unit)
    resolution = RESOLUTION * unit
    raw, transformed = (
        pd.DataFrame(
            [
                measure_pair(
                    variants(one.table, on), settings.min_sequences, settings.n_bootstrap, settings.seed, resolution
                )
                for one in pairs
            ]
        )
        for on in (None, scale)
    )
    if raw.empty:
        return pd.DataFrame(columns=COLUMNS), scale
    table = pd.concat([pd.DataFrame([one.facts for one in pairs]), raw, classes(raw, settings)], axis=1)
    other = classes(transformed, settings)
    table["eps_transformed"], table["p_eps_transformed"] = transformed["eps"], transformed["p_eps"]
    table["q_eps_transformed"], table["class_transformed"] = other["q_eps"], other["class"]
    table["survives"] = [
        survival(*names, scale.fitted) for names in zip(table["class"], table["class_transformed"], strict=True)
    ]
    layout = pd.DataFrame([_layout(one.table) for one in pairs])
    table = pd.concat([table, layout], axis=1)
    table["note"] = [_note(one, settings.min_sequences, resolution) for one in pairs]
    table.loc[_act_together(table, settings.q_threshold) & (table["note"] == ""), "note"] = ONLY_TOGETHER
    return table[COLUMNS], scale


def _act_together(table: pd.DataFrame, q_threshold: float) -> pd.Series:
    """Return which pairs have epistasis, as the rules of a call want it, but not two single effects."""
    alone = table[["a_alone", "b_alone"]].abs().min(axis=1)  # the smaller of the two
    one_missing = (table[["q_a_alone", "q_b_alone"]] >= q_threshold).any(axis=1)
    above = (table["q_eps"] < q_threshold) & ~(table["q_above_control"] >= q_threshold) & (table["eps"].abs() > alone)
    return (table["decided_by"] == "single effects") & one_missing & above


def _layout(table: pd.DataFrame) -> dict[str, float]:
    """Return spacing and order of a pair over its sequences."""
    if not len(table):
        return dict.fromkeys(("spacing", "spacing_low", "spacing_high", "a_first", "random_bases"), float("nan"))
    spacing = table["spacing"]
    return {
        "spacing": float(spacing.median()),
        "spacing_low": float(spacing.min()),
        "spacing_high": float(spacing.max()),
        "a_first": float((table["order"] == "a_b").mean()),
        "random_bases": float(table["random_bases"].astype(bool).mean()),
    }


def _note(pair: Measured, min_sequences: int, resolution: float) -> str:
    """Return what is missing of a pair and what to do."""
    if pair.note or not len(pair.table):
        return pair.note
    if len(pair.table) < min_sequences:
        return (
            f"{len(pair.table)} sequences hold both motifs, {min_sequences} are needed: lower fragment_threshold, or "
            "write wider words in a label file"
        )
    if np.ptp(pair.table[PREDICTIONS].to_numpy(), axis=1).max() < resolution:
        return "all predictions are equal: the model does not see these motifs here"
    return ""
