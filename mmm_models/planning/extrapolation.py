"""Beyond what was observed nobody knows how a curve goes on: draws fan out between no more effect and no saturation.

Whatever the true curve, if more media never do harm and returns never grow, it lies between flat and straight.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mmm_models.planning.surface import Surface

STEP = 1e-3


def widened(
    made: Surface,
    found: Float[Tensor, "draw part channel"],
    flat: Float[Tensor, "draw part channel"],
    intensity: Float[Tensor, "part channel"],
    seen: Float[Tensor, "part channel"],
) -> Float[Tensor, "draw part channel"]:
    """`found`, the outcome of `made` at this intensity, where weeks hold more carried-over media than the most there
    was in any, `seen`, mixed with the straight continuation from there or with `flat`, the one without any more."""
    log_media, log_seen = made.log_media(intensity), seen.log()[:, None, :]
    over = (log_media - log_seen).expm1().clamp_min(0.0)  # by how much of `seen`, week by week
    steepness = (made.by_week(log_seen[None]) - made.by_week(log_seen[None] - STEP)) / STEP
    straight = flat + steepness[:, :, 0] * over.sum(dim=2)
    share = made.draws.reach[:, None, :]
    mixed = torch.where(share > 0, found + share * (straight - found), found - share * (flat - found))
    return torch.where((over > 0).any(dim=2), mixed, found)
