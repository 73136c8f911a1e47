"""Good inputs of every kind, and results of every stage, in a copy of the tree: what bad inputs are made from."""

import importlib
import struct
import zlib
from pathlib import Path

import google_crc32c
import numpy as np

from benchmarks.processes import Run
from benchmarks.toy_project import NAME, commands, write_project, write_yaml
from utils.data import SPLITS

MORE = (  # that cases run
    "generate_dataset.simulate", "generate_dataset.download", "motif_discovery.match", "motif_discovery.cluster",
    "motif_discovery.report",
)  # fmt: skip
SETUP = 600.0  # seconds for a stage: the first comparison of motifs may compile its kernel
CODE = (".py", ".sh", ".js", ".css", ".html.j2")
LETTERS = "ACGT"
GTF = 'chr1\ttoy\t{}\t{}\t{}\t.\t+\t{}\tgene_id "g{}"; transcript_id "t{}";'
SIMULATION = {
    "name": "small", "n": 60, "min_length": 60, "max_length": 80, "ceiling": 0.9,
    "background": {"initial": [0.25] * 4, "transition": [[0.25] * 4] * 4},
    "motifs": [
        {"name": "one", "word": "UGUANAUA", "effect": 0.5, "share": 0.3},
        {"name": "two", "word": "GGACUC", "effect": -0.5, "share": 0.3},
    ],
    "pairs": [{"a": "one", "b": "two", "spacing": [2, 6], "eps": 0.2, "share": 0.1}],
}  # fmt: skip


def make_project(root: Path) -> None:
    """Write the inputs below the root of a copy and run every stage.

    Raises:
        SystemExit: a stage does not end well.
    """
    write_project(root, messages=110, length=60, num_layers=2, neurons=2)
    _transcripts(root / "data")
    _saluki(root / "data" / "saluki")
    write_yaml(root / "configs" / "simulated_small.yaml", SIMULATION)
    (root / "data" / f"{NAME}.meme").rename(root / "data" / "words.meme")
    name = {"name": NAME, "sources": "data/words.meme", "q_threshold": 0.1, "output": "data"}
    write_yaml(root / "configs" / "datasets" / "toy_motifs.yaml", name)
    every = {"clusters": ("generate_dataset.motif_database", ["--config", "configs/datasets/toy_motifs.yaml"])}
    every |= commands(3, 2)
    del every["discovery in 2"]
    every["evaluation"] = ("half_life.evaluate", ["--config", "configs/training/toy.yaml"])
    every["statistics"] = ("motif_discovery.summarize", ["--config", "configs/interpreting/toy.yaml", "--layers", "3"])
    for module in (*MORE, *(module for module, _ in every.values())):
        importlib.import_module(module)
    for step, command in every.items():
        run = Run(command, root.parent / "log")
        if run.wait(SETUP) != 0:
            raise SystemExit(f"{step}: {run.log.read_text()}")


def _transcripts(folder: Path) -> None:
    """Write a FASTA with a table of its transcripts, and a genome with a GTF."""
    random = np.random.default_rng(2)

    def bases(count: int) -> str:
        return "".join(random.choice(list(LETTERS), count))

    genome = bases(4000)
    fasta, rows, lines = [], ["id,gene,value,cds_start,cds_end,exon_ends"], []
    for number in range(30):
        start = 100 * number
        text = genome[start : start + 30] + genome[start + 40 : start + 90]
        fasta.append(f">t{number} toy\n{text}\n")
        rows.append(f"t{number},g{number},{random.uniform(1, 9):.3f},6,36,29;79")
        for kind, first, last, frame in (
            ("exon", start + 1, start + 30, "."), ("exon", start + 41, start + 90, "."),
            ("CDS", start + 7, start + 30, "0"), ("CDS", start + 41, start + 52, "0"),
        ):  # fmt: skip
            lines.append(GTF.format(kind, first, last, frame, number, number))
    (folder / "toy.fa").write_text("".join(fasta), encoding="utf-8")
    (folder / "genome.fa").write_text(f">chr1\n{genome}\n", encoding="utf-8")
    (folder / "toy.gtf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "transcripts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    content = {"source": "data/toy.fa", "reader": "transcripts", "table": "data/transcripts.csv",
               "output": "data/transcripts.h5", "max_length": 80, "valid_share": 0.2, "test_share": 0.2}  # fmt: skip
    write_yaml(folder.parent / "configs" / "datasets" / "toy_transcripts.yaml", content)
    content |= {"source": "data/genome.fa", "gtf": "data/toy.gtf"}
    write_yaml(folder.parent / "configs" / "datasets" / "toy_genome.yaml", content)


def _field(number: int, kind: int, content: bytes) -> bytes:
    """Return a field of a protocol buffer message: a key and, but for a number, how long it is."""
    return bytes([number << 3 | kind]) + (varint(len(content)) if kind == 2 else b"") + content


def varint(number: int) -> bytes:
    """Return a number as protocol buffers write it, 7 bits a byte, lowest first."""
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def record(features: dict[str, bytes | int]) -> bytes:
    """Return a ``tf.train.Example``."""
    entries = b""
    for name, value in features.items():
        values = _field(1, 0, varint(value)) if isinstance(value, int) else _field(1, 2, value)
        feature = _field(3 if isinstance(value, int) else 1, 2, values)
        entries += _field(1, 2, _field(1, 2, name.encode()) + _field(2, 2, feature))
    return _field(1, 2, entries)


def framed(data: bytes, length: int | None = None) -> bytes:
    """Return a record of a TFRecord file with its checksums; ``length`` is what it says instead of its own."""
    header = struct.pack("<Q", len(data) if length is None else length)
    parts = [header, data]
    for place in (1, 3):
        crc = google_crc32c.value(parts[place - 1])
        parts.insert(place, struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF))
    return b"".join(parts)


def message(random: np.random.Generator, length: int) -> dict[str, bytes | int]:
    """Return the features of a message."""
    codes = {"sequence": random.integers(0, 4, length), "coding": np.zeros(length), "splice": np.zeros(length)}
    tracks = {name: values.astype(np.uint8).tobytes() for name, values in codes.items()}
    return {"lengths": length, **tracks, "targets": random.normal(size=1).astype("<f2").tobytes()}


def _saluki(folder: Path) -> None:
    """Write a folder of TFRecords."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    for split in SPLITS:
        records = b"".join(framed(record(message(random, 50))) for _ in range(4))
        (folder / f"{split}-0.tfr").write_bytes(zlib.compress(records))
    content = {"source": "data/saluki", "reader": "saluki", "output": "data/saluki.h5", "max_length": 60}
    write_yaml(folder.parents[1] / "configs" / "datasets" / "toy_saluki.yaml", content)
