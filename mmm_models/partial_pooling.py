"""Units differ from the shared response, but not by much: each unit's own deviation, shrunk towards none.

A unit's effect of a channel is the shared one times exp(its own deviation), and its half-saturation and decay are its
own as well. Deviations are normal around zero and small, so the effect is taken to be linear in them around the
current shared response (Lindstrom and Bates 1990). They then enter like one more part of the unit's own baseline and
are integrated out with it: the loss stays one of shared parameters alone, and stays a unit's own.

Without them a unit that responds differently would count as if all its weeks were independent evidence, and the
shared response would be surer than it may be.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mmm_models.effect_slopes import own_slopes
from mmm_models.network import MediaResponse
from mmm_models.unit_data import UnitData, with_features

SHAPES = ("log_half_saturation", "decay_logit")


def with_unit_deviations(data: UnitData, response: MediaResponse) -> UnitData:
    """The same records with each unit's deviations around `response` integrated out as well.

    Made for one set of shared parameters, and good near it. `data` must come from `prepare`.
    """
    spec = response.spec.pooling
    if not spec.partial:
        return data
    features = deviations(response, data.media, spec.unit_effect_sd, spec.unit_shape_sd)
    kinds = ("effect", *SHAPES)
    channels = range(len(response.spend_per_revenue))
    return with_features(
        data, features, tuple(f"own_{kind}_{channel}" for kind in kinds for channel in channels)
    )


def deviations(
    response: MediaResponse, media: Float[Tensor, "unit week column"], effect_sd: float, shape_sd: float
) -> Float[Tensor, "unit week feature"]:
    """What one standard deviation of each kind and channel adds to a unit's outcome: effects, then `SHAPES`."""
    own = {name: value.detach() for name, value in response.named_parameters()}
    media = media.to(own["log_effect"].dtype)
    parts = [effect_sd * response.effects(own, media)]
    for name in SHAPES:
        parts.append(shape_sd * own_slopes(response, own, media, name)[1])
    return torch.cat(parts, dim=-1)
