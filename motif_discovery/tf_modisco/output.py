"""TF-MoDISco on gradients of the prediction at real messages, as parts of a target of the model's output.

-> motif_discovery/tf_modisco_output/{motifs,tomtom_match_results,clustering}/MODEL.
"""

import logging

import numpy as np
import torch

from motif_discovery import match, report
from motif_discovery.demixing import Part
from motif_discovery.files import Sample, unfinished, write_motifs
from motif_discovery.methods import MODISCO_OUTPUT, OUTPUT, ModiscoSettings
from motif_discovery.settings import DiscoverySettings, open_discovery
from motif_discovery.tf_modisco.parts import placed, seqlet_bases
from motif_discovery.tf_modisco.patterns import Pattern
from motif_discovery.tf_modisco.strip import Strip, empty_strip, strip_patterns
from utils.data import Split, parts_of_like_length
from utils.dense_scan import bases_of_codes
from utils.interpretation_settings import InteractionSettings, open_interpretation
from utils.model import Predictor
from utils.motif import consensus, pfm_of, segments, to_ppm
from utils.progress import progress_bar
from utils.runtime import shown
from utils.sequence import N, one_hot

logger = logging.getLogger(__name__)
MEASURED = 16  # seqlets of a pattern whose effect on the prediction is measured


def chosen_messages(count: int, most: int, seed: int) -> np.ndarray:
    """Return rows int64, ascending: all of ``count`` messages, or a random choice of ``most``."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def path_gradient(model: Predictor, X: torch.Tensor, longest: int, target: int, steps: int) -> torch.Tensor:
    """Return the mean gradient (n, 4, length) of a prediction on the way to messages.

    Args:
        model: in evaluation mode.
        X: (n, tracks, length).
        longest: length of the longest message.
        target: of the prediction, counted from 0.
        steps: points, in the middle of as many equal steps from an even mixture of the bases to the message; 1: at the
            message itself.
    """
    bases = X[:, :4]
    even = bases.sum(dim=1, keepdim=True).expand_as(bases) / 4
    total = torch.zeros_like(bases)
    for step in range(steps):
        way = (step + 0.5) / steps if steps > 1 else 1.0
        mixed = X.clone()
        mixed[:, :4] = even + way * (bases - even)
        mixed.requires_grad_(True)
        with torch.backends.cudnn.flags(enabled=False):  # its GRU has no way back in evaluation mode
            y_hat = model(mixed, longest)[:, target].sum()
            total += torch.autograd.grad(y_hat, mixed)[0][:, :4]
    return total / steps


def attributed(
    model: Predictor, messages: Split, rows: np.ndarray, target: int, settings: ModiscoSettings, quiet: bool = True
) -> Strip:
    """Return messages with their attributions: gradients of a prediction at the four bases, less their mean.

    What ``parts.hypothetical_attributions`` is for neurons, but averaged over ``path_steps`` points between an even
    mixture of the bases and the message (integrated gradients: Sundararajan et al. 2017, arXiv:1703.01365). At a motif
    that is complete the gradient itself is close to zero: the network is saturated, and no other base makes it more.
    Other tracks are read as they are and not attributed; N and padding have no attribution.

    Args:
        model: in evaluation mode.
        messages: of the data set.
        rows: of them, int64 (n,).
        target: of the prediction, counted from 0.
        settings: of TF-MoDISco.
        quiet: without a progress bar.
    """
    length = messages.length[rows]
    bases = bases_of_codes(messages.codes[rows, : int(length.max())])
    strip = empty_strip(bases, length, settings)
    device = next(model.parameters()).device
    parts = parts_of_like_length(np.arange(len(rows)), length)
    for part in progress_bar(parts, desc="output: gradients", disable=quiet, leave=False):
        X, longest = messages.batch(rows[part], device)
        gradient = path_gradient(model, X, longest, target, settings.path_steps)[..., :longest]
        gradient = (gradient - gradient.mean(dim=1, keepdim=True)).transpose(1, 2).cpu().numpy()
        for one, row in zip(gradient, part.tolist(), strict=True):
            at = slice(strip.first[row], strip.first[row] + length[row])
            strip.hypothetical[at] = np.where((strip.bases[at] < N)[:, None], one[: length[row]], 0)
    return strip


@torch.no_grad()
def effects(
    model: Predictor, messages: Split, row: int, target: int, start: int, bases: np.ndarray
) -> tuple[float, float]:
    """Return what a stretch of a message does to its prediction, and what other bases do in its place.

    Both are compared with the message whose stretch is blotted out: a quarter of each base.

    Args:
        model: in evaluation mode.
        messages: of the data set.
        row: of the message.
        target: of the prediction, counted from 0.
        start: of the stretch in the message; it may reach beyond its ends.
        bases: uint8 (width,), the others; positions without a known base in the message are left as they are.
    """
    X, longest = messages.batch(np.array([row]), next(model.parameters()).device)
    X = X.repeat(3, 1, 1)
    place = start + np.arange(len(bases))
    inside = (place >= 0) & (place < longest)
    inside[inside] = bases_of_codes(messages.codes[row, place[inside]]) < N
    at = torch.from_numpy(place[inside])
    X[1, :4, at] = 0.25
    X[2, :4, at] = one_hot(bases[inside]).to(X.device)
    intact, blotted, other = model(X, longest)[:, target].tolist()
    return intact - blotted, other - blotted


def part_of(
    model: Predictor, messages: Split, rows: np.ndarray, target: int, strip: Strip, pattern: Pattern, path: str,
    field: int,
) -> Part:  # fmt: skip
    """Return a pattern as a part: counts in the middle of ``field`` columns, effects in the pattern's direction.

    Effects are of the columns from the first informative segment to the last. Of the seqlets with the largest
    contributions the one that does most to its prediction stands for the part.
    """
    bases = seqlet_bases(strip.bases[None], pattern)
    ppm = to_ppm(pfm_of(bases))
    inside = segments(ppm) or [(0, pattern.width)]
    low, high = inside[0][0], inside[-1][1]
    own = strip.message_of(pattern.start + pattern.width // 2)
    start, word = pattern.start + low - strip.first[own], consensus(ppm[:, low:high])
    found = [
        effects(model, messages, int(rows[own[one]]), target, int(start[one]), word)
        for one in np.argsort(-pattern.sign * strip.scores(pattern), kind="stable")[:MEASURED]
    ]
    own_effect, of_consensus = max((pattern.sign * intact, pattern.sign * other) for intact, other in found)
    pfm = placed(bases, (field - pattern.width) // 2, field)
    return Part(path, pfm, len(bases), own_effect, of_consensus)


def output_parts(
    model: Predictor, messages: Split, rows: np.ndarray, target: int, settings: ModiscoSettings, field: int,
    name: str = "", quiet: bool = True,
) -> tuple[list[Part], Sample]:  # fmt: skip
    """Return the patterns of a target as parts ``pos-0``, ..., ``neg-0``, ..., and the contributions of their seqlets.

    Args:
        model: in evaluation mode.
        messages: of the data set.
        rows: of them, int64 (n,).
        target: of the prediction, counted from 0.
        settings: of TF-MoDISco.
        field: columns of a part.
        name: of the target, for warnings.
        quiet: without a progress bar.
    """
    strip = attributed(model, messages, rows, target, settings, quiet)
    patterns = strip_patterns(strip, settings, name)
    parts, counted = [], {1: 0, -1: 0}
    for pattern in patterns:
        path = f"{'pos' if pattern.sign > 0 else 'neg'}-{counted[pattern.sign]}"
        counted[pattern.sign] += 1
        parts.append(part_of(model, messages, rows, target, strip, pattern, path, field))
    found = np.sort(np.abs(np.concatenate([np.zeros(0), *map(strip.scores, patterns)])))[::-1]
    maximum = float(found[0]) if len(found) else 0.0
    return parts, Sample(np.zeros((0, field), dtype=np.uint8), found.astype(np.float32), maximum)


def run(settings: DiscoverySettings, overwrite: bool) -> None:
    """Make motifs, matches and pages of all targets of the output."""
    discovery = open_discovery(settings, OUTPUT, MODISCO_OUTPUT)
    targets = list(discovery.neurons)
    waiting = unfinished(targets, discovery.motif_path, discovery.motif_key, overwrite)
    if waiting:
        work = open_interpretation(InteractionSettings(model=settings.model, device=settings.device))
        model = work.checkpoint.model
        rows = chosen_messages(len(work.messages), settings.modisco.messages, settings.seed)
    for target in waiting:
        field, name = discovery.receptive_field, discovery.name(target)
        parts, found = output_parts(model, work.messages, rows, target - 1, settings.modisco, field, name, quiet=False)
        last = discovery.motif_key, discovery.alphabet, discovery.made_with
        write_motifs(discovery.motif_path(target), name, parts, found, field, *last)
    match.run(discovery, targets, overwrite)
    report.run(discovery, targets, overwrite)
    logger.info("open %s", shown(discovery.report_path()))
