"""Which clusters of the motif database each method finds, and in each model: UpSet plots, charts and tables.

Run: python -m figures.diversity --config configs/figures.yaml

Reads the matches of motif_discovery and writes, below the key ``output``, for each model
``diversity_methods_MODEL`` (only neurons that all methods have results of are compared) and, with several models, for
each method ``diversity_models_METHOD`` (all neurons of each model):

    ....png, .svg              UpSet plot of the clusters
    ..._clusters.png, .svg     chart of the clusters, with the q-value of the best match
    ..._intersections.csv      a row per intersection: sets, count, clusters
    ..._clusters.csv           a row per cluster: smallest q-value in each set, empty where it was not found
"""

import pandas as pd

from figures.drawing import METHOD_LABELS, save, short, style
from figures.results import Found, best_q, read_all, same_neurons
from figures.sets import intersections, memberships
from figures.settings import FigureSettings, file_name
from figures.upset import chart_figure, upset_figure
from motif_discovery.workbook import write_csv
from utils.config import load_settings, settings_parser
from utils.runtime import run_script


def cluster_chart(found: dict[str, Found], names: dict[int, str]) -> pd.DataFrame:
    """Return the smallest q-value of each cluster in each set, NaN where it has no match.

    Clusters found in the most sets first, of those the smallest q-value; the index is (cluster, cluster_name).
    """
    table = pd.DataFrame({label: best_q(one.matches, "cluster") for label, one in found.items()})
    order = pd.DataFrame({"sets": -table.notna().sum(axis=1), "q": table.min(axis=1)})
    table = table.sort_index().loc[order.sort_index().sort_values(["sets", "q"], kind="stable").index]
    numbers = table.index.tolist()
    table.index = pd.MultiIndex.from_arrays(
        [numbers, [names[number] for number in numbers]], names=["cluster", "cluster_name"]
    )
    return table


def intersection_table(members: pd.DataFrame, names: dict[int, str]) -> pd.DataFrame:
    """Return a row per intersection: 1 or 0 for each set, the count, and the names of its clusters."""
    found = intersections(members)
    columns = {f"in {label}": [int(one.sets[place]) for one in found] for place, label in enumerate(members.columns)}
    columns["count"] = [len(one.items) for one in found]
    columns["clusters"] = ["; ".join(names[item] for item in one.items) for one in found]
    return pd.DataFrame(columns)


def write(settings: FigureSettings, name: str, title: str, found: dict[str, Found], clusters: pd.DataFrame) -> None:
    """Write plots and tables of some sets, by their labels."""
    names = dict(zip(clusters["cluster"].tolist(), clusters["cluster_name"].tolist(), strict=True))
    sets = {label: set(one.matches["cluster"].tolist()) for label, one in found.items()}
    members, chart = memberships(sets), cluster_chart(found, names)
    path = settings.folder / name
    write_csv(path.with_name(f"{name}_intersections.csv"), intersection_table(members, names))
    write_csv(path.with_name(f"{name}_clusters.csv"), chart.reset_index())
    sizes = {label: len(one) for label, one in sets.items()}
    with style():
        save(upset_figure(sizes, intersections(members), "clusters", title), path)
        save(
            chart_figure(chart.droplevel("cluster"), "clusters", title, settings.q_threshold),
            path.with_name(f"{name}_clusters"),
        )


def run(settings: FigureSettings) -> None:
    """Write the figures of all models, and those of all methods."""
    found, clusters = read_all(settings)
    total, q = clusters["cluster"].nunique(), settings.q_threshold
    for model, of_model in found.items():
        same = same_neurons(of_model)
        first = next(iter(same.values()))
        title = (
            f"Clusters of database motifs found in {short(model)}\n"
            f"{len(first.neurons)} neurons of {first.layers}; {total} clusters in all, q ≤ {q:g}"
        )
        labelled = {METHOD_LABELS[method]: one for method, one in same.items()}
        write(settings, f"diversity_methods_{file_name(model)}", title, labelled, clusters)
    for method in settings.methods if len(found) > 1 else ():
        labelled = {
            f"{short(model, 24)} ({len(of_model[method].neurons)} neurons)": of_model[method]
            for model, of_model in found.items()
        }
        title = f"Clusters of database motifs found by {METHOD_LABELS[method]}\n{total} clusters in all, q ≤ {q:g}"
        write(settings, f"diversity_models_{method}", title, labelled, clusters)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, FigureSettings).parse_args(argv)
    run_script(lambda: run(load_settings(FigureSettings, arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
