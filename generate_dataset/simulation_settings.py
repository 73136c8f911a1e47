"""Settings of a simulation (configs/simulated.yaml), checked, and the motifs and pairs that they describe."""

import difflib
from typing import Literal

import numpy as np
import pydantic
from scipy.optimize import brentq

from generate_dataset.planted import PlantedMotif, PlantedPair, hit_table, shared_word
from utils.config import OutputFolder, Seed, Settings, root_files
from utils.motif import Motif, information, read_meme
from utils.runtime import InputError, shown
from utils.sequence import iupac_ppm

MAX_WIDTH = 12  # nt: the hits of a motif are a table of all words of its width
MOST_HITS = 1 / 200  # of all words: with more, the background could not be kept free of the motif
DRAWS = 1000  # of a random motif, until it is unlike all others
NAME = r"^[A-Za-z][A-Za-z0-9_.-]*$"


class BackgroundSettings(Settings):
    """Dinucleotide model of the messages: bases in the order A, C, G, U."""

    initial: tuple[float, float, float, float]
    transition: tuple[tuple[float, float, float, float], ...] = pydantic.Field(min_length=4, max_length=4)


class MotifSettings(Settings):
    """A motif: an IUPAC ``word``, the ``name`` in a ``meme`` file, or random with ``width`` and ``information``."""

    name: str = pydantic.Field(pattern=NAME)
    word: str = ""
    meme: str = ""
    sharpness: float = pydantic.Field(1.0, gt=0)
    width: int = pydantic.Field(0, ge=0, le=MAX_WIDTH)
    information: float = pydantic.Field(0.0, ge=0)
    effect: float
    share: tuple[float, ...] = (0.0,)
    position: tuple[float, ...] = (1.0,)

    @pydantic.field_validator("share", mode="before")
    @classmethod
    def _one_share(cls, value: object) -> object:
        """Take a number for the share of messages with one instance."""
        return (value,) if isinstance(value, int | float) and not isinstance(value, bool) else value


class PairSettings(Settings):
    """Two motifs with epistasis ``eps`` where ``spacing`` nt lie between them."""

    a: str
    b: str
    spacing: tuple[int, int]
    order: Literal["a_b", "either"] = "a_b"
    eps: float
    share: float = pydantic.Field(ge=0, le=1)
    position: tuple[float, ...] = (1.0,)


class SimulationSettings(Settings):
    """Settings of a simulated data set."""

    name: str = pydantic.Field(pattern=NAME)
    n: int = pydantic.Field(ge=30)
    min_length: int = pydantic.Field(ge=8)
    max_length: int = pydantic.Field(ge=8)
    tracks: Literal[4, 6] = 4
    valid_share: float = pydantic.Field(0.1, gt=0, lt=1)
    test_share: float = pydantic.Field(0.1, gt=0, lt=1)
    baseline: float = 0.0
    ceiling: float = pydantic.Field(gt=0, le=1)
    link: Literal["identity", "tanh"] = "identity"
    link_scale: float = pydantic.Field(1.0, gt=0)
    threshold: float = pydantic.Field(0.7, gt=0, le=1)
    database_decoys: int = pydantic.Field(0, ge=0)
    seed: Seed = 1
    output: OutputFolder = "data"
    background: BackgroundSettings
    motifs: tuple[MotifSettings, ...] = pydantic.Field(min_length=1)
    pairs: tuple[PairSettings, ...] = ()

    @property
    def scale(self) -> float:
        """Scale of the saturating link, 0 for the identity."""
        return self.link_scale if self.link == "tanh" else 0.0


def probabilities(settings: BackgroundSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return the background model: initial (4,) and transition (4, 4), each row a sum of 1.

    Raises:
        InputError: a probability that is not positive, or a row whose sum is not 1 to within rounding.
    """
    initial, transition = np.array(settings.initial), np.array(settings.transition)
    for name, table in (("initial", initial), ("transition", transition)):
        if (table <= 0).any() or (abs(table.sum(axis=-1) - 1) > 0.01).any():
            raise InputError(f"background.{name}: give positive probabilities of A, C, G, U whose sum is 1")
    return initial / initial.sum(), transition / transition.sum(axis=1, keepdims=True)


def random_ppm(width: int, bits: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random motif (4, width) of so many bits: random bases, each with the same probability, the rest even."""

    def column(p: float) -> np.ndarray:
        return np.array([p, *[(1 - p) / 3] * 3])

    p = 1.0 if bits >= 2 * width else brentq(lambda p: information(column(p)[:, None])[0] - bits / width, 0.25, 1)
    return np.stack([np.roll(column(p), base) for base in rng.integers(4, size=width)], axis=1)


def checked_weights(values: tuple[float, ...], where: str) -> tuple[float, ...]:
    """Return relative probabilities; an InputError says where one is negative or none is positive."""
    if not values or min(values) < 0 or not 0 < sum(values) < np.inf:
        raise InputError(f"{where}: {list(values)}; give relative probabilities of equal parts, such as [3, 2, 1]")
    return values


def motif_matrix(settings: MotifSettings, rng: np.random.Generator) -> np.ndarray:
    """Return the probabilities (4, width) of a motif as its settings say."""
    where = f"motif '{settings.name}'"
    if bool(settings.word) + bool(settings.meme) + bool(settings.width) != 1:
        raise InputError(f"{where}: give one of word, meme, or width (with information)")
    if settings.width:
        if not 0 < settings.information <= 2 * settings.width:
            raise InputError(f"{where}: information is {settings.information:g}; give up to {2 * settings.width} bits")
        return random_ppm(settings.width, settings.information, rng)
    if settings.word:
        try:
            ppm = iupac_ppm(settings.word)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
    else:
        (path,) = root_files(settings.meme, "meme")
        found = {motif.name: motif.ppm for motif in read_meme(path)}
        if settings.name not in found:
            near = difflib.get_close_matches(settings.name, found, n=1, cutoff=0.0)[0]
            raise InputError(f"{where}: {shown(path)} has none of this name; the nearest is '{near}'")
        ppm = found[settings.name]
    if ppm.shape[1] > MAX_WIDTH:
        raise InputError(f"{where}: {ppm.shape[1]} nt wide; give up to {MAX_WIDTH}")
    ppm = ppm**settings.sharpness
    return ppm / ppm.sum(axis=0)


def make_motifs(settings: SimulationSettings, rng: np.random.Generator) -> list[PlantedMotif]:
    """Return the motifs to be planted; random ones are drawn again until they are unlike all others.

    Raises:
        InputError: not a motif, not specific enough, or two of which one is or holds an instance of the other.
    """
    motifs: list[PlantedMotif] = []
    for one in sorted(settings.motifs, key=lambda one: one.width > 0):  # random ones give way to chosen ones
        where = f"motif '{one.name}'"
        if one.name in {motif.motif.name for motif in motifs}:
            raise InputError(f"{where}: the name stands twice; rename one")
        if not one.share or min(one.share) < 0 or sum(one.share) > 1:
            raise InputError(f"{where}: share {list(one.share)}; give shares of the messages, 0 to 1 together")
        for _ in range(DRAWS if one.width else 1):
            ppm = motif_matrix(one, rng)
            hits = hit_table(ppm, settings.threshold)
            if hits.mean() > MOST_HITS:
                raise InputError(
                    f"{where}: one of {1 / hits.mean():.0f} words is an instance; take a more specific one"
                )
            words = {motif.motif.name: shared_word(motif.hits, hits) for motif in motifs}
            like = next((name for name, word in words.items() if word), None)
            if like is None:
                break
        else:
            raise InputError(
                f"motifs '{like}' and '{one.name}' are not distinct: {words[like]} is an instance of both or holds one "
                "of the other; change one, or raise the threshold"
            )
        position = checked_weights(one.position, f"{where}: position")
        alt = "planted" if one.effect else "decoy"
        motifs.append(PlantedMotif(Motif(one.name, alt, ppm), hits, one.effect, one.share, position))
    order = [one.name for one in settings.motifs]
    return sorted(motifs, key=lambda motif: order.index(motif.motif.name))


def make_pairs(settings: SimulationSettings, motifs: list[PlantedMotif]) -> list[PlantedPair]:
    """Return the pairs to be planted.

    Raises:
        InputError: an unknown motif, a motif with itself, the same pair twice, or a spacing that does not fit.
    """
    numbers = {motif.motif.name: number for number, motif in enumerate(motifs)}
    pairs: dict[frozenset[str], PlantedPair] = {}
    for one in settings.pairs:
        where = f"pair '{one.a}', '{one.b}'"
        for name in (one.a, one.b):
            if name not in numbers:
                near = difflib.get_close_matches(name, numbers, n=1, cutoff=0.0)[0]
                raise InputError(f"{where}: there is no motif '{name}'; the nearest is '{near}'")
        if one.a == one.b or frozenset((one.a, one.b)) in pairs:
            raise InputError(f"{where}: the same motif twice, or a pair that stands twice; give two motifs, once")
        low, high = one.spacing
        needed = motifs[numbers[one.a]].width + motifs[numbers[one.b]].width + high
        if not 0 <= low <= high or needed > settings.min_length:
            raise InputError(
                f"{where}: spacing [{low}, {high}] does not fit; give 0 <= fewest <= most, and the pair, {needed} nt, "
                f"must fit in min_length ({settings.min_length})"
            )
        position = checked_weights(one.position, f"{where}: position")
        pair = PlantedPair(
            numbers[one.a], numbers[one.b], (low, high), one.order == "a_b", one.eps, one.share, position
        )
        pairs[frozenset((one.a, one.b))] = pair
    return list(pairs.values())
