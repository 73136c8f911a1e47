"""Proposals: sequences with parts of others, or whose first-order effects bring them near a wanted activation.

The latter by exponential tilting: bases of the positions that change are drawn with probabilities proportional to
exp(b d), d the first-order effect of the substitution and b such that the expected sum of the effects is what is
wanted.
"""

import torch

NEWTON_STEPS = 4  # for the tilt
STEEPEST = 12.0  # largest tilt, in units of 1 / standard deviation of the effects
LEAST_PART = 3  # nt that are taken over


def substituted(
    sequence: torch.Tensor,
    gradient: torch.Tensor,
    gap: torch.Tensor,
    changes: torch.Tensor,
    most: int,
    power: float,
    draws: torch.Tensor,
) -> torch.Tensor:
    """Return children of sequences, each with some of its positions drawn anew.

    Args:
        sequence: uint8 (n, chains, field).
        gradient: float32 (n, chains, 4, field), at the one-hot input.
        gap: what each child should gain in activation, float32 (n, chains, children).
        changes: positions of each child that are drawn anew, int64 (..., chains, children).
        most: changes of any child, so that how much is drawn does not depend on what neurons there are.
        power: every other child, from the first on, changes positions in proportion to this power of what they can do,
            the others any.
        draws: even numbers in (0, 1), float32 (n, chains, children, field + most).

    Returns:
        uint8 (n, chains, children, field).
    """
    field, children = sequence.shape[2], gap.shape[2]
    effect = gradient - gradient.gather(2, sequence.long()[:, :, None])  # of each substitution
    race, pick = draws.split([field, most], dim=3)
    reach = effect.abs().amax(dim=2) + 1e-6  # (n, chains, field)
    weight = torch.ones_like(race)
    weight[:, :, ::2] = (reach / reach.mean(dim=2, keepdim=True))[:, :, None] ** power
    # positions without replacement, in proportion to their weight: the smallest of exponential races
    place = (-torch.log1p(-race.clamp(max=1 - 1e-7)) / weight).topk(most, dim=3, largest=False).indices
    used = torch.arange(most, device=sequence.device) < changes[..., None]
    wide = place[:, :, :, None].expand(-1, -1, -1, 4, -1)
    d = effect[:, :, None].expand(-1, -1, children, -1, -1).gather(4, wide)  # (n, chains, children, 4, most)
    share = tilted(torch.where(used[..., None, :], d, 0), gap)
    new = (pick[..., None, :] > share.cumsum(dim=3)[:, :, :, :3]).sum(dim=3).to(torch.uint8)
    parent = sequence[:, :, None].expand(-1, -1, children, -1)
    return parent.scatter(3, place, torch.where(used, new, parent.gather(3, place)))


def recombined(
    sequence: torch.Tensor,
    other: torch.Tensor,
    moved: torch.Tensor,
    size: torch.Tensor,
    start: torch.Tensor,
    longest: torch.Tensor,
) -> torch.Tensor:
    """Return children of sequences, each with a part of another one.

    Args:
        sequence: uint8 (n, chains, field).
        other: of which each child has a part, uint8 (n, jumps, chains, field).
        moved: nt to the right by which the part is moved, int64 (n, jumps, chains).
        size: even numbers in (0, 1) that decide how long the part is, (n, jumps, chains).
        start: likewise, where it begins; at least one position of it lies inside.
        longest: nt of a part at most, (jumps, 1).

    Returns:
        uint8 (n, chains, jumps, field).
    """
    field = sequence.shape[2]
    columns = torch.arange(field, device=sequence.device)
    size = (LEAST_PART + size * (longest - LEAST_PART).clamp(min=0)).long()
    start = (start * (field + size - 1)).long() - size + 1
    inside = (columns >= start[..., None]) & (columns < (start + size)[..., None])
    taken = other.gather(3, (columns - moved[..., None]).clamp(0, field - 1))
    return torch.where(inside, taken, sequence[:, None]).transpose(1, 2)


def tilted(d: torch.Tensor, gap: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of bases whose expected effects add up to a gap.

    Args:
        d: effects (..., 4, positions).
        gap: (...).

    Returns:
        Proportional to exp(b d), with b by Newton's method; where the gap is out of reach, b is ``STEEPEST``.
    """
    spread = d - d.mean(dim=-2, keepdim=True)
    scale = (spread.square_().sum(dim=-2, keepdim=True) / 3).sqrt_().amax(dim=-1, keepdim=True).clamp(min=1e-9)
    d, gap = d / scale, gap / scale[..., 0, 0]
    b = torch.zeros_like(gap)
    for _ in range(NEWTON_STEPS):
        share = torch.softmax(b[..., None, None] * d, dim=-2)
        mean = (share * d).sum(dim=-2)
        variance = (share * d**2).sum(dim=-2) - mean**2
        step = (gap - mean.sum(dim=-1)) / variance.sum(dim=-1).clamp(min=1e-3)
        b = (b + step.clamp(-3, 3)).clamp(-STEEPEST, STEEPEST)
    return torch.softmax(b[..., None, None] * d, dim=-2)
