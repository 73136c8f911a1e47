"""The tables of motif_contribution and motif_interaction, and the evaluation: from CSV files to plain rows."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import pydantic

from report.settings import Work
from utils.runtime import InputError, shown
from utils.tables import read_csv

logger = logging.getLogger(__name__)

WORDS = re.compile(r"[A-Z+]+")  # of a pair, as they stand in the name of its folder
PAIR_COLUMNS = (
    "task", "motif_a", "motif_b", "name_a", "name_b", "source", "n", "class", "survives", "class_transformed",
    "a_alone", "b_alone", "q_a_alone", "q_b_alone", "joint", "eps", "eps_low", "eps_high", "q_eps", "control_eps",
    "q_above_control", "spacing", "spacing_low", "spacing_high", "a_first", "note",
)  # fmt: skip
TASK = r"conv\d+_neuron\d+"
NUMBERS = re.compile(  # columns of all tables that are drawn or counted
    r"(.*_)?(effect_(size|low|high)|q_value|threshold|n_activating|measured|predicted|eps(_low|_high)?|q_eps)"
    r"|smallest_(effect|eps)|n_draws|seed|original|scr_(a|b|ab)|n|(q_)?[ab]_alone|joint|control_eps|q_above_control|spacing(_low|_high)?|a_first"
)
SCRAMBLED = ["original", "scr_a", "scr_b", "scr_ab"]


class Agreement(pydantic.BaseModel):
    """How well predictions agree with the measurement, in a file of figures."""

    model_config = pydantic.ConfigDict(allow_inf_nan=False)

    r: float
    r2: float
    n: int | None = None


class Metrics(Agreement):
    """What a report shows of the figures of an evaluation."""

    n: int
    rho: float | None = None
    r_interval: tuple[float, float] | None = None
    r2_interval: tuple[float, float] | None = None
    rho_interval: tuple[float, float] | None = None
    without_AUG: Agreement | None = None
    ridge: Agreement | None = None
    checkpoints: dict[str, dict] | None = None
    weights_sha256: list[str] = []
    data_sha256: str = ""


def read_rows(path: Path, needed: list[str], again: str) -> list[dict]:
    """Return the rows of a table, what is missing as None; nothing where the file is not there.

    Raises:
        InputError: not such a table.
    """
    if not path.is_file():
        return []
    try:
        table = read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError(
            f"{shown(path)}: not a readable table ({' '.join(str(error).split())[:80]}); {again}"
        ) from None
    lost = [column for column in needed if column not in table]
    if lost:
        raise InputError(f"{shown(path)}: column '{lost[0]}' is missing; {again}")
    if "task" in needed and not table["task"].astype(str).str.fullmatch(TASK).all():
        raise InputError(f"{shown(path)}: column 'task' holds something else than names such as conv5_neuron2; {again}")
    for column in table.columns[[bool(NUMBERS.fullmatch(str(column))) for column in table.columns]]:
        wrong = [value for value in table[column].dropna() if not isinstance(value, int | float | np.number)]
        if wrong:
            raise InputError(f"{shown(path)}: column '{column}' holds {wrong[0]!r:.40}, which is no number; {again}")
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    """Return a value as Python's own; what is not finite is missing."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def read_contributions(work: Work) -> tuple[dict[str, dict], str]:
    """Return the contribution of each neuron by its name, and what is wrong with the table, or an empty text."""
    path = work.contribution()
    needed = ["task", "contribution", "effect_size", "effect_low", "effect_high", "q_value", "checkpoint", "dataset"]
    rows = read_rows(path, needed, "run motif_contribution.contribution again")
    if any(row["checkpoint"] != work.checkpoint.sha256 or row["dataset"] != work.dataset_sha256 for row in rows):
        return {}, f"{shown(path)}: of another checkpoint or data set; run motif_contribution.contribution again"
    return {row["task"]: row for row in rows}, ""


def contribution_settings(work: Work, contributions: dict[str, dict]) -> dict[str, float]:
    """Return what decided the contributions: what their table says, and of what it does not the config's."""
    row = next(iter(contributions.values()), {})
    return {
        key: getattr(work.interaction, key) if row.get(key) is None else row[key]
        for key in ("threshold", "q_threshold", "smallest_effect")
    }


def pair_settings(work: Work, pair: dict) -> dict[str, float]:
    """Return what decided a pair: what the table says, and of what it does not the config's."""
    keys = ("fragment_threshold", "n_draws", "seed", "q_threshold", "smallest_eps")
    return {key: getattr(work.interaction, key) if pair.get(key) is None else pair[key] for key in keys}


def read_thresholds(work: Work) -> dict[str, list[dict]]:
    """Return the effects of each neuron at all thresholds and for all targets, by its name."""
    path = work.contribution("_thresholds")
    needed = ["task", "threshold", "target", "effect_size", "effect_low", "effect_high"]
    again = "run motif_contribution.contribution again"
    found: dict[str, list[dict]] = {}
    for row in read_rows(path, needed, again):
        if row["threshold"] is None or not row["target"]:
            raise InputError(f"{shown(path)}: a row of {row['task']} has no threshold or target; {again}")
        kept = ("threshold", "target", "effect_size", "effect_low", "effect_high", "n_activating")
        found.setdefault(row["task"], []).append({key: row.get(key) for key in kept})
    return found


def read_pairs(work: Work, layer: int) -> tuple[list[dict], dict[str, str], str]:
    """Return the pairs of a layer, why a neuron has none, by its name, and what is wrong with the table, if anything.

    A pair that was measured in any message gets a page.
    """
    path, again = work.pairs(layer), "run motif_interaction.interaction again"
    rows = read_rows(path, list(PAIR_COLUMNS), again)
    own = work.checkpoint.sha256, work.dataset_sha256
    if any((row.get("checkpoint"), row.get("dataset")) != own for row in rows):
        return [], {}, f"{shown(path)}: of another checkpoint or data set; {again}"
    pairs = [row for row in rows if row["motif_a"] and row["motif_b"]]
    for number, row in enumerate(pairs, 1):
        row["layer"] = layer
        row["class"] = row["class"] or ""
        row["page"] = f"conv{layer}_pair{number}.html" if row["n"] else ""
        for side in "ab":
            row[f"label_{side}"] = row.get(f"name_{side}") or row[f"motif_{side}"]
    notes = {row["task"]: row["note"] or "" for row in rows if not (row["motif_a"] and row["motif_b"])}
    return in_order(pairs), notes, ""


def in_order(pairs: list[dict]) -> list[dict]:
    """Return tested pairs by q-value, then those that were measured in too few messages, then the others."""
    q = [2.0 if row["q_eps"] is None else row["q_eps"] for row in pairs]
    order = sorted(range(len(pairs)), key=lambda one: (not pairs[one]["class"], q[one], not pairs[one]["n"]))
    return [pairs[one] for one in order]


def read_predictions(work: Work, pair: dict) -> list[dict]:
    """Return the predictions of a pair, a row per message; nothing where none were made."""
    a, b = str(pair["motif_a"]), str(pair["motif_b"])
    if not (WORDS.fullmatch(a) and WORDS.fullmatch(b) and re.fullmatch(TASK, str(pair["task"]))):
        return []
    rows = read_rows(
        work.predictions(pair["task"], a, b), [*SCRAMBLED, "eps", "id"], "run motif_interaction.interaction again"
    )
    return [row for row in rows if all(row[name] is not None for name in [*SCRAMBLED, "eps"])]


def read_evaluation(work: Work) -> tuple[dict, list[tuple[float, float]], str]:
    """Return the figures of the model on the test split, its predictions (measured, predicted), and what is wrong.

    Figures of other weights or another data set, or that do not say of which they are, are left out, which is said.
    """
    path, table = work.evaluation("test_metrics.json"), work.evaluation("test_predictions.csv")
    if path is None:
        return {}, [], ""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        known = Metrics.model_validate(metrics)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise InputError(f"{shown(path)}: '{key}': {problem['msg'].lower()}; evaluate again") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)}: not JSON ({error}); evaluate again") from None
    if (known.weights_sha256, known.data_sha256) != ([work.checkpoint.sha256], work.dataset_sha256):
        of = "other weights or another data set" if known.weights_sha256 else "weights that they do not name"
        return {}, [], f"{shown(path)}: figures of {of}; left out, evaluate again"
    rows = read_rows(table, ["measured", "predicted"], "evaluate again") if table else []
    points = [(row["measured"], row["predicted"]) for row in rows]
    return metrics, [point for point in points if None not in point], ""
