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

    def __init__(self, response: MediaResponse, gradient_scale: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self.response = response
        self._channels = response.columns
        self._gradient_scale = gradient_scale or {}

    def forward_per_unit(self, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """Effect of media `[unit, week]`; `parameters` may carry a leading unit dimension."""
        own = {name.removeprefix("response."): value for name, value in parameters.items()}
        for name, scale in self._gradient_scale.items():
            fixed = own[name].detach()
            own[name] = fixed + scale * (own[name] - fixed)  # the same value with a scaled gradient
        return self.response.effects(own, inputs[..., 2 : 2 + self._channels]).sum(dim=-1)

    def losses(self, inputs: Tensor) -> Float[Tensor, " unit"]:
        """Loss of each unit under the current shared parameters."""
        return unit_loss(self.forward_per_unit(dict(self.named_parameters()), inputs), inputs, self._channels)

    def unit_loss(self, effect: Tensor, inputs: Tensor) -> Float[Tensor, " unit"]:
        """Loss of each unit given its media effect."""
        return unit_loss(effect, inputs, self._channels)


def gradient_balance(response: MediaResponse) -> dict[str, Tensor]:
    """What to divide each parameter's gradient by so that all channels count alike when it is clipped.

    A channel's gradient grows with its effect. Without balance the strongest channel sets the length of every
    unit's gradient, and noise scaled to that length drowns the weak ones. Depends on the shared parameters
    only, which are public within a run; within [0.1, 10].
    """
    effect = response.parameters_by_name["log_effect"].detach().exp()
    relative = (effect / effect.mean()).clamp(0.1, 10.0)
    return {
        name: relative.reshape(-1, *[1] * (value.ndim - 1)).expand_as(value).clone()
        for name, value in response.named_parameters()
        if value.shape[0] == effect.shape[0] and name != "synergy"
    }


def training_records(response: MediaResponse, data: UnitData) -> Float[Tensor, "unit week column"]:
    """Everything a unit's loss needs, one row per unit.

    Weeks after the last training week cannot matter, since carry-over looks back only, and are left out;
    effect waves stretch over all weeks, so they need them.
    """
    return pack(data, data.media.shape[1] if response.spec.effect_waves else _last_training_week(data))


def pack(data: UnitData, weeks: int | None = None) -> Float[Tensor, "unit week column"]:
    """The first `weeks` weeks of every record; all of them without a number."""
    weight = data.train / data.noise[:, None]
    whole = torch.cat([data.outcome[..., None], weight[..., None], data.media, data.whitener], dim=-1)
    return whole[:, :weeks].contiguous()


def _last_training_week(data: UnitData) -> int:
    """Number of weeks up to the last one that any unit trains on; at least one."""
    trained = (data.train > 0).any(dim=0).nonzero()
    return int(trained.max()) + 1 if trained.numel() else 1


def unit_loss(effect: Tensor, inputs: Tensor, channels: int) -> Float[Tensor, " unit"]:
    """Half the squared residual, in noise units, with the unit's baseline integrated out (see `UnitData`)."""
    outcome, weight, whitener = inputs[..., 0], inputs[..., 1], inputs[..., 2 + channels :]
    residual = (outcome - 1.0 - effect) * weight
    explained = torch.einsum("utf,ut->uf", whitener, residual)
    return 0.5 * ((residual**2).sum(dim=1) - (explained**2).sum(dim=1))
