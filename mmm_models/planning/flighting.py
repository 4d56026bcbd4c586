"""When in the period a channel's money is spent: the weekly rhythm that brings most, carry-over included.

Effects do not depend on the season, so what a rhythm changes is saturation: where curves flatten early, even weeks
bring most; where they start slowly, bursts do.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.outlook import Outlook
from mmm_models.planning.surface import Surface

Array = NDArray[np.float64]
STEPS, LEARNING_RATE = 50, 0.2
BURSTS = (2, 4, 8)  # weeks off between single weeks on, among the rhythms tried first


@dataclass(frozen=True, eq=False)
class Rhythm:
    """The best pattern `[part, week, channel]` found, one on average, and its gain over last period's as a share of
    each cell's contribution `[part, channel]`."""

    pattern: Array
    gain: Array


def best_rhythm(look: Outlook, spend: Array) -> Rhythm:
    """For this money `[part, channel]`; cells keep last period's rhythm where no other one helps."""
    intensity = look.intensity(spend)
    starts = [torch.from_numpy(pattern) for pattern in _starts(look.period.pattern)]
    found = [_improved(look.likely, start, intensity) for start in starts]
    values = torch.stack([value for _, value in found])  # [start, part, channel]
    patterns = torch.stack([pattern for pattern, _ in found])
    best = values.argmax(dim=0)
    weeks = patterns.shape[2]
    chosen = torch.gather(patterns, 0, best[None, :, None, :].expand(1, -1, weeks, -1))[0]
    now = look.likely.outcome(intensity)[0]
    gain = (values.amax(dim=0) - now) / now.clamp_min(1e-12)
    keep = (gain <= 1e-6) | ~torch.from_numpy(look.plannable)
    pattern = torch.where(keep[:, None, :], torch.from_numpy(look.period.pattern), chosen)
    return Rhythm(pattern.numpy(), torch.where(keep, 0.0, gain).numpy())


def _starts(pattern: Array) -> list[Array]:
    weeks = pattern.shape[1]
    rhythms = [pattern, np.ones_like(pattern)]
    for off in BURSTS:
        burst = (np.arange(weeks) % (off + 1) == 0).astype(np.float64)
        if burst.sum() > 1:
            rhythms.append(np.broadcast_to((burst / burst.mean())[None, :, None], pattern.shape).copy())
    return rhythms


def _improved(made: Surface, start: Tensor, intensity: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient ascent on weekly shares (a softmax over weeks) from `start`; all cells at once, they do not compete."""
    logits = start.clamp_min(1e-3).log().requires_grad_(True)
    optimiser = torch.optim.Adam([logits], lr=LEARNING_RATE)

    def value(pattern: Tensor) -> Tensor:
        moved = made.with_pattern(pattern)
        return moved.outcome(intensity)[0]

    best, best_value = start, value(start).detach()
    for _ in range(STEPS):
        pattern = torch.softmax(logits, dim=1) * start.shape[1]
        now = value(pattern)
        better = now.detach() > best_value
        best = torch.where(better[:, None, :], pattern.detach(), best)
        best_value = torch.maximum(best_value, now.detach())
        optimiser.zero_grad()
        (-now / best_value.clamp_min(1e-12)).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return best, best_value
