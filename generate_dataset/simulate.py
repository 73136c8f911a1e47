"""Simulate messages whose motifs and pairs are known.

configs/simulated.yaml -> data/NAME.h5, data/NAME_truth.yaml (every motif, pair, effect, and each planted instance) and
data/NAME_motifs.meme (what was planted, and motifs that were not).

Run: python -m generate_dataset.simulate --config configs/simulated.yaml
"""

import logging
from dataclasses import dataclass

import numpy as np

from generate_dataset.planted import Instances, PlantedMotif, PlantedPair, hit_table, scan, shared_word
from generate_dataset.simulation import background, place, plant, without_chance_hits
from generate_dataset.simulation_settings import DRAWS, SimulationSettings, make_motifs, make_pairs, probabilities
from generate_dataset.truth import design_matrix, link, motif_facts, noise_sd, pair_facts, truth_text
from utils.config import load_settings, settings_parser
from utils.data import SPLITS, TRACKS, Split, require_size, write_dataset
from utils.motif import Motif, write_meme
from utils.prediction import correlation
from utils.runtime import InputError, root_path, run_script, shown, write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Simulated:
    """A simulated data set.

    Attributes:
        motifs: what was planted, decoys included.
        pairs: what was planted together.
        sequences: uint8 (n, max_length), 0 to 3, 4 behind the end of a message.
        length: int64 (n,).
        instances: all instances of all motifs that the messages hold.
        design: float64 (n, motifs + pairs), how often each message holds each.
        score: float64 (n,), the sum of what each of these contributes.
        noise_free: float64 (n,), the baseline and the link of the score.
        label: float64 (n,), the same with noise.
        split: ``train``, ``valid`` or ``test`` for each message.
    """

    motifs: list[PlantedMotif]
    pairs: list[PlantedPair]
    sequences: np.ndarray
    length: np.ndarray
    instances: Instances
    design: np.ndarray
    score: np.ndarray
    noise_free: np.ndarray
    label: np.ndarray
    split: np.ndarray


def simulate(settings: SimulationSettings) -> Simulated:
    """Return a simulated data set; what is random about motifs, sequences, planting and noise has streams of its own.

    Raises:
        InputError: settings that do not fit together, or a truth that is not exactly what the messages hold.
    """
    if settings.max_length < settings.min_length:
        raise InputError(f"max_length ({settings.max_length}) is less than min_length ({settings.min_length})")
    require_size(settings.n, settings.max_length)
    streams = [np.random.default_rng(seed) for seed in np.random.SeedSequence(settings.seed).spawn(7)]
    motifs = make_motifs(settings, streams[0])
    pairs = make_pairs(settings, motifs)
    initial, transition = probabilities(settings.background)
    length = streams[1].integers(settings.min_length, settings.max_length + 1, settings.n)
    sequences = background(length, settings.max_length, initial, transition, streams[2])
    instances = place(length, motifs, pairs, streams[3])
    sequences, fixed = plant(sequences, motifs, instances, streams[4])
    sequences = without_chance_hits(sequences, fixed, motifs, instances, initial, transition, streams[4])
    if scan(sequences, motifs) != instances:
        raise InputError("the messages hold other instances than were planted; change the motifs or the seed")
    design = design_matrix(instances, motifs, pairs, settings.n)
    score = design @ np.array([one.effect for one in motifs] + [one.eps for one in pairs])
    noise_free = settings.baseline + link(score, settings.scale)
    if noise_free.std() == 0:
        raise InputError("all labels would be the same; give a motif an effect and a share above 0")
    label = noise_free + streams[5].normal(size=settings.n) * noise_sd(noise_free, settings.ceiling)
    place_of = streams[6].permutation(settings.n) / settings.n
    held_out = settings.test_share + settings.valid_share
    split = np.select([place_of < settings.test_share, place_of < held_out], ["test", "valid"], "train")
    missing = [name for name in SPLITS if not (split == name).any()]
    if missing:
        raise InputError(f"n: {settings.n} messages leave the {missing[0]} split empty; give more or other shares")
    return Simulated(motifs, pairs, sequences, length, instances, design, score, noise_free, label, split)


def database(settings: SimulationSettings, motifs: list[PlantedMotif]) -> list[Motif]:
    """Return the planted motifs and ``database_decoys`` motifs with the same columns in another order.

    Raises:
        InputError: too few orders of columns give a motif that is unlike all planted ones.
    """
    rng = np.random.default_rng([settings.seed, settings.database_decoys])
    decoys: list[Motif] = []
    for _ in range(DRAWS * settings.database_decoys):
        if len(decoys) == settings.database_decoys:
            break
        source = motifs[rng.integers(len(motifs))].motif
        ppm = source.ppm[:, rng.permutation(source.ppm.shape[1])]
        hits = hit_table(ppm, settings.threshold)
        if not any(shared_word(motif.hits, hits) for motif in motifs):
            decoys.append(Motif(f"shuffled_{len(decoys) + 1}_of_{source.name}", "never_planted", ppm))
    if len(decoys) < settings.database_decoys:
        raise InputError(f"database_decoys: only {len(decoys)} shuffled motifs are unlike the planted ones; give fewer")
    return [motif.motif for motif in motifs] + decoys


def to_splits(simulated: Simulated, ids: list[str], tracks: int) -> dict[str, Split]:
    """Return the messages as the three splits of a data set."""
    codes = np.array([1, 2, 4, 8, 0], dtype=np.uint8)[simulated.sequences]
    splits = {}
    for name in SPLITS:
        rows = np.flatnonzero(simulated.split == name)
        label, length = simulated.label[rows, None].astype(np.float32), simulated.length[rows].astype(np.int32)
        splits[name] = Split(codes[rows], label, length, [ids[row] for row in rows], tracks)
    return splits


def truth(settings: SimulationSettings, simulated: Simulated, ids: list[str]) -> str:
    """Return the text of the truth: label, motifs, pairs, and a line for each message in the order of the data set."""
    motifs, design, score, scale = simulated.motifs, simulated.design, simulated.score, settings.scale
    rows = {name: np.flatnonzero(simulated.split == name) for name in SPLITS}
    r2 = {name: correlation(simulated.noise_free[rows[name]], simulated.label[rows[name]]) ** 2 for name in SPLITS}
    facts = {
        "name": settings.name,
        "seed": settings.seed,
        "label": {
            "baseline": settings.baseline,
            "link": settings.link,
            "link_scale": settings.link_scale,
            "noise_sd": round(noise_sd(simulated.noise_free, settings.ceiling), 6),
            "ceiling_r2": settings.ceiling,
            "ceiling_r2_of_split": {name: round(value, 4) for name, value in r2.items()},
        },
        "motifs": motif_facts(motifs, design, score, scale),
        "pairs": pair_facts(simulated.pairs, motifs, design, score, scale),
    }
    names = [motif.motif.name for motif in motifs]
    return truth_text(facts, ids, np.concatenate(list(rows.values())), score, simulated.instances, names)


def run(settings: SimulationSettings) -> None:
    """Simulate, and write the data set, the truth and the motif database."""
    simulated = simulate(settings)
    folder = root_path(settings.output)
    ids = [f"sim{row:0{len(str(settings.n - 1))}d}" for row in range(settings.n)]
    motifs = database(settings, simulated.motifs)
    splits = to_splits(simulated, ids, settings.tracks)
    attributes = {
        "tracks": TRACKS[: settings.tracks],
        "label_name": "simulated label",
        "source": ["simulated"],
        "settings": settings.model_dump_json(exclude={"output"}),
    }
    write_text(folder / f"{settings.name}_truth.yaml", truth(settings, simulated, ids))
    write_meme(folder / f"{settings.name}_motifs.meme", motifs)
    write_dataset(folder / f"{settings.name}.h5", splits, attributes)
    counts = ", ".join(f"{len(split)} {name}" for name, split in splits.items())
    logger.info(
        "%s: %s; %d motifs, %d pairs, %d instances; ceiling of r2 %g",
        shown(folder / f"{settings.name}.h5"), counts, len(simulated.motifs), len(simulated.pairs),
        len(simulated.instances), settings.ceiling,
    )  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    arguments = settings_parser(__doc__, SimulationSettings).parse_args(argv)
    run_script(lambda: run(load_settings(SimulationSettings, arguments.config, arguments.overrides)))


if __name__ == "__main__":
    main()
