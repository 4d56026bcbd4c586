"""What each channel adds to each unit, over all its weeks, as a function of the shared parameters."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mmm_models.effect_slopes import separate
from mmm_models.network import MediaResponse, Parameters
from mmm_models.panel import Panel
from mmm_models.scaling import Scales
from mmm_models.unit_data import UnitData

MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
STEP = 0.01
COLUMNS = len(MULTIPLIERS) + 2


class ContributionTotals:
    """Per unit and channel, `COLUMNS` numbers summed over observed weeks:

    the contribution when the channel's own media are scaled by each of `MULTIPLIERS` and the others are as they were
    (in multiples of `Scales.outcome`), the revenue of what it contributed, and the revenue that one per cent more of
    its media adds over all channels, per unit of that per cent (both in multiples of `Scales.money`).
    """

    def __init__(self, response: MediaResponse, panel: Panel, data: UnitData, scales: Scales) -> None:
        observed = torch.from_numpy(panel.observed).to(data.media.dtype)
        price = torch.from_numpy(panel.revenue_per_outcome / scales.price).to(data.media.dtype)
        self._response, self._media = response, data.media
        self._outcome = observed * (data.level / scales.outcome)[:, None]  # [unit, week]
        self._revenue = self._outcome * price

    def at(self, parameters: Parameters) -> Float[Tensor, "unit channel column"]:
        """The totals under these shared parameters."""
        curves = [self._sum(self._contributions(parameters, m), self._outcome) for m in MULTIPLIERS]
        revenue = self._sum(self._contributions(parameters, 1.0), self._revenue)
        step = self._sum(self._step_gain(parameters), self._revenue) / STEP
        return torch.stack([*curves, revenue, step], dim=-1)

    def slopes(self) -> Float[Tensor, "unit channel column parameter"]:
        """Derivatives of `at` by the response's current parameters, order as in `get_vector`."""
        own = {name: value.detach() for name, value in self._response.named_parameters()}
        if separate(self._response):
            return torch.cat(
                [_own_only(self._along(own, name, torch.ones_like(own[name]))) for name in own], dim=-1
            )
        parts = [
            self._along(own, name, direction.reshape(value.shape))
            for name, value in own.items()
            for direction in torch.eye(value.numel(), dtype=value.dtype)
        ]
        return torch.stack(parts, dim=-1)

    def _along(
        self, own: Mapping[str, Tensor], name: str, direction: Tensor
    ) -> Float[Tensor, "unit channel column"]:
        at = torch.func.jvp(lambda value: self.at({**own, name: value}), (own[name],), (direction,))
        slope: Tensor = at[1]
        return slope

    def _contributions(self, parameters: Parameters, multiplier: float) -> Float[Tensor, "unit week channel"]:
        """Each channel's effect with its own media scaled and the others as they were."""
        if not self._response.pairs or multiplier == 1.0:
            return self._response.effects(parameters, self._media * multiplier)
        channels = range(len(self._response.spend_per_revenue))
        own = [self._scaled(parameters, index, multiplier)[..., index] for index in channels]
        return torch.stack(own, dim=-1)

    def _step_gain(self, parameters: Parameters) -> Float[Tensor, "unit week channel"]:
        """What one step more of each channel adds to all effects, synergies included."""
        if not self._response.pairs:
            return self._contributions(parameters, 1.0 + STEP) - self._contributions(parameters, 1.0)
        now = self._response.effects(parameters, self._media).sum(dim=-1)
        channels = range(len(self._response.spend_per_revenue))
        step = [self._scaled(parameters, index, 1.0 + STEP).sum(dim=-1) for index in channels]
        return torch.stack(step, dim=-1) - now[..., None]

    def _scaled(
        self, parameters: Parameters, index: int, multiplier: float
    ) -> Float[Tensor, "unit week channel"]:
        factors = torch.ones(self._media.shape[-1], dtype=self._media.dtype)
        factors[self._response.own_columns(index)] = multiplier
        return self._response.effects(parameters, self._media * factors)

    @staticmethod
    def _sum(effects: Tensor, weight: Float[Tensor, "unit week"]) -> Float[Tensor, "unit channel"]:
        return torch.einsum("utc,ut->uc", effects, weight)


def _own_only(slope: Float[Tensor, "unit channel column"]) -> Float[Tensor, "unit channel column parameter"]:
    """Each channel's derivative by its own parameter, zero by the others'."""
    return torch.diag_embed(slope.transpose(1, 2), dim1=1, dim2=3)
