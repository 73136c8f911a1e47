"""Clusters of database motifs: the command that makes them, as several stages name it."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from utils.runtime import shown


def cluster_command(databases: Sequence[Path]) -> str:
    """Return the command that puts the motifs of databases in clusters, in ``data/``."""
    name = re.sub(r"[^A-Za-z0-9._-]|^[._-]+", "", databases[0].name.partition(".meme")[0]) or "database"
    sources = shlex.quote(f"sources=[{', '.join(map(shown, databases))}]")
    config = "configs/datasets/motif_databases.yaml"
    return f"python -m generate_dataset.motif_database --config {config} name={name} {sources}"
