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
SAME = 1e-6  # of a contribution: rounding
BURSTS = (2, 4, 8)  # weeks off between single weeks on, among the rhythms tried first


@dataclass(frozen=True, eq=False)
class Rhythm:
    """The best pattern `[part, week, channel]` found, one on average, and its gain over last period's as a share of
    each cell's contribution `[part, channel]`, all cells in their new rhythms."""

    pattern: Array
    gain: Array


def best_rhythm(look: Outlook, spend: Array) -> Rhythm:
    """For this money `[part, channel]`; cells keep last period's rhythm where no other one helps."""
    intensity, last = look.intensity(spend), torch.from_numpy(look.period.pattern)
    found = [
        _improved(look.likely, torch.from_numpy(start), intensity) for start in _starts(look.period.pattern)
    ]
    now = look.likely.outcome(intensity)[0]
    mixed = [_best_alone(found, last, now), *(pattern for pattern, _ in found), last]
    movable = torch.from_numpy(look.plannable)[:, None, :]
    tried = [torch.where(movable, pattern, last) for pattern in mixed]
    # Rhythms that are best one by one are best together as well, unless channels answer to each other's.
    chosen = max(
        tried if look.likely.draws.pairs else tried[:1],
        key=lambda pattern: _revenue(look, pattern, intensity),
    )
    gain = look.likely.with_pattern(chosen).outcome(intensity)[0] / now.clamp_min(1e-12) - 1.0
    return Rhythm(chosen.numpy(), torch.where((now > 0) & (gain.abs() > SAME), gain, 0.0).numpy())


def _best_alone(found: list[tuple[Tensor, Tensor]], last: Tensor, now: Tensor) -> Tensor:
    """Each cell's own best pattern among those found with their values, last period's where none helps."""
    patterns = torch.stack([pattern for pattern, _ in found])  # [start, part, week, channel]
    values = torch.stack([value for _, value in found])
    best = values.argmax(dim=0)[None, :, None, :].expand(1, -1, last.shape[1], -1)
    helps = values.amax(dim=0) > now * (1.0 + SAME)
    return torch.where(helps[:, None, :], torch.gather(patterns, 0, best)[0], last)


def _revenue(look: Outlook, pattern: Tensor, intensity: Tensor) -> float:
    outcome = look.likely.with_pattern(pattern).outcome(intensity)[0]
    return float((outcome * torch.from_numpy(look.worth)[:, None]).sum())


def _starts(pattern: Array) -> list[Array]:
    weeks = pattern.shape[1]
    rhythms = [pattern, np.ones_like(pattern)]
    for off in BURSTS:
        burst = (np.arange(weeks) % (off + 1) == 0).astype(np.float64)
        if burst.sum() > 1:
            rhythms.append(np.broadcast_to((burst / burst.mean())[None, :, None], pattern.shape).copy())
    return rhythms


def _improved(made: Surface, start: Tensor, intensity: Tensor) -> tuple[Tensor, Tensor]:
    """Pattern and value, by gradient ascent on weekly shares (a softmax over weeks) from `start`; all cells at once, as
    if none answered to another's weeks."""
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
