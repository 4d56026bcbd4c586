"""Beyond what was observed nobody knows how a curve goes on: draws fan out between no more effect and no saturation.

Whatever the true curve, if more media never do harm and returns never grow, it lies between flat and straight.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from mmm_models.planning.surface import Surface

STEP = 1e-3


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """Of one surface beyond `seen` [part, channel], the most carried-over media there were in any week."""

    made: Surface
    seen: Float[Tensor, "part channel"]

    def widened(self, intensity: Float[Tensor, "part channel"]) -> tuple[Tensor, Tensor]:
        """The surface's own outcome `[draw, part, channel]`, and the same where weeks hold more than `seen` mixed with
        the flat or the straight continuation from there."""
        if not self.made.exceeds(intensity, self.seen):
            found = self.made.outcome(intensity)
            return found, found
        found, flat = self.made.outcomes_below(intensity, self.seen)
        over = (self._carried * intensity[:, :, None] - 1.0).relu_().sum(dim=-1)
        straight = flat + self._steepness * over
        share = self.made.draws.reach[:, None, :]
        mixed = torch.where(share > 0, found + share * (straight - found), found - share * (flat - found))
        return found, torch.where(over > 0, mixed, found)

    @cached_property
    def _carried(self) -> Float[Tensor, "draw part channel week"]:
        """Carried-over media of the pattern in multiples of `seen`."""
        relative = self.made.log_carried.exp() / self.seen[:, None, :]
        return torch.where(self.seen[:, None, :] > 0, relative, 0.0).permute(0, 1, 3, 2).contiguous()

    @cached_property
    def _steepness(self) -> Float[Tensor, "draw part channel"]:
        """What as much again as `seen` would bring in one week if the curve went straight on."""
        most = self.seen.log()[None, :, None, :]
        return ((self.made.by_week(most) - self.made.by_week(most - STEP)) / STEP)[:, :, 0]
