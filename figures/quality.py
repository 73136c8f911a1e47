"""How clearly methods find the same motifs: -log10 q of shared database motifs, in pairs, and Wilcoxon's test.

Run: python -m figures.quality --config configs/figures.yaml

Reads the matches of motif_discovery, of the neurons that all methods have results of. For each two methods the
smallest q-value of every database motif is put beside the other's first, and pairs up to the threshold in both are kept
then. Writes, below the key ``output``:

    quality_MODEL.png, .svg    a panel per two methods: a line per motif, a box per method
                               (from six motifs on)
    quality_pairs.csv          a row per pair: model, methods, motif, cluster, both q-values
    quality_tests.csv          a row per model, two methods and unit (motif; cluster of similar motifs)

Motifs of one cluster tell the same twice, so the test is made over clusters (their smallest q-values) too. p-values are
corrected over the tests of a run by Benjamini-Hochberg, each unit by itself. Under six pairs there is no test.
"""

import logging
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

from figures.drawing import BLACK, GREY, METHOD_LABELS, METHOD_LOOKS, p_text, save, short, style
from figures.results import Found, best_q, read_all, same_neurons
from figures.settings import FigureSettings, file_name
from motif_discovery.workbook import write_csv
from utils.config import load_settings, settings_parser
from utils.runtime import InputError, run_script
from utils.statistics import q_values

logger = logging.getLogger(__name__)
FEWEST = 6  # pairs of a test
UNITS = {"motif": "target", "cluster": "cluster"}
PAIR = ["model", "method_a", "method_b", "unit", "name", "cluster_name", "q_a", "q_b"]
TEST = ["model", "method_a", "method_b", "unit", "n", "median_difference", "statistic", "p", "p_adjusted", "note"]


def paired(q_a: pd.Series, q_b: pd.Series, q_threshold: float) -> pd.DataFrame:
    """Return the q-values of what two methods share, ``q_a`` and ``q_b``: paired by name, then filtered."""
    pairs = pd.concat([q_a.rename("q_a"), q_b.rename("q_b")], axis=1, join="inner").sort_index()
    return pairs[(pairs["q_a"] <= q_threshold) & (pairs["q_b"] <= q_threshold)]


def signed_rank_test(pairs: pd.DataFrame) -> dict[str, object]:
    """Return n, the median difference of -log10 q (a less b) and the two-sided signed-rank test, if there are six.

    Pairs without a difference are dropped from the ranks (Wilcoxon's way) and count in n; if all are, p is 1.
    """
    difference = np.log10(pairs["q_b"].to_numpy()) - np.log10(pairs["q_a"].to_numpy())
    row: dict[str, object] = {
        "n": len(pairs),
        "median_difference": np.nan,
        "statistic": np.nan,
        "p": np.nan,
        "note": "",
    }
    if len(pairs):
        row["median_difference"] = float(np.median(difference))
    if len(pairs) < FEWEST:
        return row | {"note": f"fewer than {FEWEST} shared: no test"}
    if not difference.any():
        return row | {"statistic": 0.0, "p": 1.0, "note": "no pair differs"}
    test = wilcoxon(difference)
    return row | {"statistic": float(test.statistic), "p": float(test.pvalue)}


def compare(model: str, a: Found, b: Found, q_threshold: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pairs (motifs, then clusters) and the tests of two methods, columns ``PAIR`` and ``TEST``."""
    both = {"model": model, "method_a": a.discovery.method, "method_b": b.discovery.method}
    clusters = pd.concat([a.matches, b.matches])[["target", "cluster", "cluster_name"]].drop_duplicates("target")
    tables, tests = [], []
    for unit, column in UNITS.items():
        pairs = paired(best_q(a.matches, column), best_q(b.matches, column), q_threshold)
        names = clusters.drop_duplicates(column).set_index(column)["cluster_name"]
        table = pairs.assign(**both, unit=unit, name=pairs.index.astype(str), cluster_name=pairs.index.map(names))
        tables.append(table.reset_index(drop=True)[PAIR])
        tests.append(both | {"unit": unit} | signed_rank_test(pairs))
    return pd.concat(tables, ignore_index=True), pd.DataFrame(tests).reindex(columns=TEST)


def said(test: dict) -> str:
    """Return what a panel says of a test."""
    found = f"{test['n']} {test['unit']}{'' if test['n'] == 1 else 's'}"
    return f"{found}: {'too few for a test' if np.isnan(test['p']) else p_text(test['p'])}"


def draw_panel(axes: Axes, pairs: pd.DataFrame, tests: list[dict]) -> None:
    """Draw the pairs of motifs of two methods, and what the tests say above them."""
    methods = [tests[0][f"method_{side}"] for side in "ab"]
    looks = [METHOD_LOOKS[method] for method in methods]
    values = -np.log10(pairs[["q_a", "q_b"]].to_numpy(dtype=np.float64))
    jitter = np.random.default_rng(0).uniform(-0.07, 0.07, len(values))
    for row, (left, right) in zip(jitter, values, strict=True):
        axes.plot([row, 1 + row], [left, right], color=GREY, linewidth=0.7, alpha=0.7, zorder=1)
    if len(values) >= FEWEST:
        boxes = axes.boxplot(
            list(values.T), positions=[-0.32, 1.32], widths=0.26, patch_artist=True, showfliers=False,
            medianprops={"color": BLACK, "linewidth": 1.5}, manage_ticks=False,
        )  # fmt: skip
        for box, (colour, _) in zip(boxes["boxes"], looks, strict=True):
            box.set_facecolor(colour)
    for place, (colour, marker) in enumerate(looks):
        axes.scatter(
            place + jitter, values[:, place], s=22, color=colour, marker=marker, edgecolors=BLACK, linewidths=0.5,
            zorder=2,
        )  # fmt: skip
    axes.set_xticks([0, 1], [METHOD_LABELS[method].replace(" (", "\n(") for method in methods])
    axes.set_xlim(-0.6, 1.6)
    axes.set_title("\n".join(said(test) for test in tests), fontsize=9)


def quality_figure(model: str, pairs: pd.DataFrame, tests: pd.DataFrame) -> Figure:
    """Return a panel per two methods that share a motif."""
    motifs = pairs[pairs["unit"] == "motif"]
    groups = [(key, own) for key, own in motifs.groupby(["method_a", "method_b"], sort=False) if len(own)]
    figure, panels = plt.subplots(
        1, len(groups), figsize=(1.2 + 2.9 * len(groups), 4.2), squeeze=False, sharey=True, layout="constrained"
    )
    for axes, ((a, b), own) in zip(panels[0], groups, strict=True):
        of_both = tests[(tests["method_a"] == a) & (tests["method_b"] == b)]
        draw_panel(axes, own, of_both.to_dict("records"))
    panels[0, 0].set_ylabel("-log10 q of the best match")
    figure.suptitle(f"Shared motifs, {short(model, 30)}")
    return figure


def run(settings: FigureSettings) -> None:
    """Write the figures and tables of all models.

    Raises:
        InputError: one method only.
    """
    if len(settings.methods) < 2:
        raise InputError(f"key 'methods': {settings.methods[0]} only; two are needed to compare their q-values")
    found, _ = read_all(settings)
    all_pairs, all_tests = [], []
    for model, of_model in found.items():
        for a, b in combinations(same_neurons(of_model).values(), 2):
            pairs, tests = compare(model, a, b, settings.q_threshold)
            all_pairs.append(pairs)
            all_tests.append(tests)
            n = int(tests["n"].iloc[0])
            if n < FEWEST:
                logger.warning(
                    "%s: %s and %s share %d motifs, fewer than %d: no test",
                    model, a.discovery.method, b.discovery.method, n, FEWEST,
                )  # fmt: skip
    pairs, tests = pd.concat(all_pairs, ignore_index=True), pd.concat(all_tests, ignore_index=True)
    tests["p_adjusted"] = tests.groupby("unit")["p"].transform(lambda p: q_values(p.to_numpy()))
    write_csv(settings.folder / "quality_pairs.csv", pairs)
    write_csv(settings.folder / "quality_tests.csv", tests)
    for model in found:
        own = pairs[pairs["model"] == model]
        path = settings.folder / f"quality_{file_name(model)}"
        if (own["unit"] == "motif").any():
            with style():
                save(quality_figure(model, own, tests[tests["model"] == model]), path)
        else:
            for old in (".png", ".svg"):
                path.with_name(f"{path.name}{old}").unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, FigureSettings).parse_args(argv)
    run_script(lambda: run(load_settings(FigureSettings, arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
