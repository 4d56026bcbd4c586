"""The loss of each unit on its own: what training sums, and what differential privacy clips."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmm_models.network import MediaResponse
from mmm_models.unit_data import UnitData


class UnitObjective(nn.Module):
    """The shared response seen through packed unit records, as per-unit gradient code wants it.

    One packed tensor `[unit, week, 2 + channel + feature]` holds outcome, weight (1 / noise in training
    weeks, else 0), media and whitener, so that a record is complete in itself: a unit's loss reads only its
    own row.
    """

    def __init__(self, response: MediaResponse) -> None:
        super().__init__()
        self.response = response
        self._channels = len(response.spend_per_revenue)

    def forward_per_unit(self, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """Effect of media `[unit, week]`; `parameters` may carry a leading unit dimension."""
        own = {name.removeprefix("response."): value for name, value in parameters.items()}
        return self.response.effects(own, inputs[..., 2 : 2 + self._channels]).sum(dim=-1)

    def losses(self, inputs: Tensor) -> Float[Tensor, " unit"]:
        """Loss of each unit under the current shared parameters."""
        return unit_loss(self.forward_per_unit(dict(self.named_parameters()), inputs), inputs, self._channels)

    def unit_loss(self, effect: Tensor, inputs: Tensor) -> Float[Tensor, " unit"]:
        """Loss of each unit given its media effect."""
        return unit_loss(effect, inputs, self._channels)


def pack(data: UnitData) -> Float[Tensor, "unit week column"]:
    """Everything a unit's loss needs, one row per unit."""
    weight = data.train / data.noise[:, None]
    return torch.cat([data.outcome[..., None], weight[..., None], data.media, data.whitener], dim=-1)


def unit_loss(effect: Tensor, inputs: Tensor, channels: int) -> Float[Tensor, " unit"]:
    """Half the squared residual, in noise units, with the unit's baseline integrated out (see `UnitData`)."""
    outcome, weight, whitener = inputs[..., 0], inputs[..., 1], inputs[..., 2 + channels :]
    residual = (outcome - 1.0 - effect) * weight
    explained = torch.einsum("utf,ut->uf", whitener, residual)
    return 0.5 * ((residual**2).sum(dim=1) - (explained**2).sum(dim=1))
