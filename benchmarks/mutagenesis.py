"""Mutagenesis by partial recomputation against whole predictions of every variant, in one run.

Run: python benchmarks/mutagenesis.py [--config configs/models/hl_predictor.yaml] [--messages 6] [--draws 20]

Pairs of stretches 8 and 6 nt wide, 10 nt apart, at random places of messages of the model's data set (or, with
--made-up, of random messages of about a third of 12,288 nt and a model with random weights): predictions o, a, b and n,
of a, b and n as many as there are draws. The plain way predicts every variant at full padded length, as a plain script
does; the short way by this project's predictor, over the messages' own length. Printed are the times, their ratios
(median over messages) and the largest difference of the predictions. Set OMP_NUM_THREADS=1 for steady ratios.
"""

import argparse
import resource
import statistics
import time

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.plain import plain_forward
from motif_interaction.mutagenesis import stretches
from motif_interaction.scramble import Scrambled
from motif_interaction.words import Places
from utils.checkpoint import load_checkpoint
from utils.config import ModelSettings, load_settings
from utils.data import Split, read_split
from utils.dense_scan import bases_of_codes
from utils.edits import predict_edits
from utils.model import Predictor
from utils.runtime import root_path

WIDTHS, GAP = (8, 6), 10
BATCH = 16


def made_up(messages: int) -> tuple[Predictor, Split]:
    """Return a model with random weights and random messages of about a third of 12,288 nt."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    length = rng.integers(2000, 6200, messages).astype(np.int32)
    codes = np.zeros((messages, 12_288), dtype=np.uint8)
    for row, end in enumerate(length):
        codes[row, :end] = 1 << rng.integers(0, 4, end)
    names = [str(row) for row in range(messages)]
    split = Split(codes, np.zeros((messages, 1), dtype=np.float32), length, names, 6)
    return Predictor(6, 6, readout="first").eval().requires_grad_(False), split


def places_in(split: Split, rows: np.ndarray, rng: np.random.Generator) -> Places:
    """Return one pair of stretches in each message."""
    total = sum(WIDTHS) + GAP
    start = (rng.random(len(rows)) * (split.length[rows] - total)).astype(np.int64)
    starts = np.stack([start, start + WIDTHS[0] + GAP], axis=1)
    return Places(rows.astype(np.int64), starts, starts + np.array(WIDTHS))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/models/hl_predictor.yaml", help="model config")
    parser.add_argument("--made-up", action="store_true", help="random weights and messages")
    parser.add_argument("--messages", type=int, default=6, help="default 6")
    parser.add_argument("--draws", type=int, default=20, help="default 20")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    if arguments.made_up:
        model, split = made_up(arguments.messages)
    else:
        settings = load_settings(ModelSettings, arguments.config)
        model, split = load_checkpoint(settings).model, read_split(root_path(settings.dataset), "test")
    rows = np.sort(rng.permutation(len(split))[: arguments.messages])
    places = places_in(split, rows, rng)
    bases = rng.integers(0, 4, (len(rows), arguments.draws, 2, max(WIDTHS))).astype(np.uint8)
    done = np.ones(len(rows), dtype=bool)
    scrambled = Scrambled(bases, done, done)
    sequences = bases_of_codes(split.codes[rows])
    seconds, difference = np.zeros((len(rows), 3)), 0.0
    for number in range(-1, len(rows)):  # the first one warms up
        one = np.array([max(0, number)])
        part = Scrambled(scrambled.bases[one], done[one], done[one])
        edits = [stretches(sequences[one], places[one], part, which) for which in "abn"]
        X, longest = split.batch(rows[one])
        variants = [X]
        for start, width, new in edits:
            edited = X.repeat(arguments.draws, 1, 1)
            stretch = torch.from_numpy(new[0, :, : width[0]]).long()
            edited[:, :4, start[0] : start[0] + width[0]] = F.one_hot(stretch, 5)[..., :4].transpose(1, 2).float()
            variants.append(edited)
        batches = torch.cat(variants).split(BATCH)
        with torch.no_grad():
            times = [time.perf_counter()]
            plain = torch.cat([plain_forward(model, batch) for batch in batches])
            times.append(time.perf_counter())
            short = torch.cat([model(batch, longest) for batch in batches])
            times.append(time.perf_counter())
        widest = max(new.shape[2] for _, _, new in edits)
        intact, found = predict_edits(
            model, split, np.repeat(rows[one], 3), np.concatenate([start for start, _, _ in edits]),
            np.concatenate([width for _, width, _ in edits]),
            np.concatenate([np.pad(new, ((0, 0), (0, 0), (0, widest - new.shape[2]))) for _, _, new in edits]),
        )  # fmt: skip
        times.append(time.perf_counter())
        ours = np.concatenate([intact[:1], found.reshape(-1, found.shape[2])])
        difference = max(difference, *(float(np.abs(ours - other.numpy()).max()) for other in (plain, short)))
        if number >= 0:
            seconds[number] = np.diff(times)
    variants = 3 * arguments.draws + 1
    used = split.length[rows].mean()
    print(f"{len(rows)} messages of {used:.0f} of {split.codes.shape[1]} nt, {variants} predictions of each")
    for name, column in (("full padded length", 0), ("the messages' own length", 1)):
        ratios = (seconds[:, column] / seconds[:, 2]).tolist()
        print(
            f"{statistics.median(ratios):.0f} times as fast as whole predictions at {name} "
            f"({min(ratios):.0f} to {max(ratios):.0f})"
        )
    print(f"milliseconds a message: {', '.join(f'{value:.0f}' for value in 1000 * seconds.mean(axis=0))}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"largest difference {difference:.1e}; at most {peak:.1f} GiB")


if __name__ == "__main__":
    main()
