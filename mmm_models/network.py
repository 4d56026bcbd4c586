"""The neural MMM's shared part: from media to effect, the same for every unit and silo."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmm_models.reach_frequency import effective_exposure
from mmm_models.response_prior import negative_log_prior, starting_values
from mmm_models.spec import ModelSpec
from mmm_models.transforms import carry_over, gamma_kernel, hill

Parameters = Mapping[str, Tensor]
SYNERGY_START = -6.0


class MediaResponse(nn.Module):
    """Effect of media on a unit's outcome, relative to the unit's mean outcome.

    All parameters are shared and few: five numbers a channel, plus synergies and effect waves when asked for.
    Nothing about a unit or a silo is stored here; baselines stay where the data are. Every method takes the
    parameters as an argument, so that each unit may carry its own copy (a leading unit dimension), which
    gives per-unit gradients in one backward pass.

    `spend_per_revenue` [channel]: a typical active week's spend as a share of revenue, zero without spend.
    """

    def __init__(self, spec: ModelSpec, spend_per_revenue: Sequence[float]) -> None:
        super().__init__()
        self.spec = spec
        self.spend_per_revenue = tuple(float(share) for share in spend_per_revenue)
        channels = len(self.spend_per_revenue)
        self.pairs = tuple(combinations(range(channels), 2)) if spec.synergy else ()
        start = starting_values(spec.prior, self.spend_per_revenue, reach_frequency=spec.reach_frequency)
        for name, values in start.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values)))
        if self.pairs:
            self.synergy = nn.Parameter(torch.full((len(self.pairs),), SYNERGY_START))
        if spec.effect_waves:
            self.effect_wave = nn.Parameter(torch.zeros(channels, spec.effect_waves))

    @property
    def parameters_by_name(self) -> dict[str, Tensor]:
        """The current shared parameters."""
        return dict(self.named_parameters())

    @property
    def columns(self) -> int:
        """Columns of the media it is given: exposure per channel, then with `reach_frequency` reach per channel."""
        return len(self.spend_per_revenue) * (2 if self.spec.reach_frequency else 1)

    def own_columns(self, channel: int) -> list[int]:
        """The columns that are scaled when there is more of one channel at the same frequency."""
        return list(range(channel, self.columns, len(self.spend_per_revenue)))

    def forward(self, media: Float[Tensor, "unit week column"]) -> Float[Tensor, "unit week"]:
        return self.effects(self.parameters_by_name, media).sum(dim=-1)

    def effects(
        self, parameters: Parameters, media: Float[Tensor, "unit week column"]
    ) -> Float[Tensor, "unit week channel"]:
        """Effect per channel; a pair's synergy is shared equally, its exact Shapley values."""
        saturated = self.saturated(parameters, media)
        direct = parameters["log_effect"].exp().unsqueeze(-2) * saturated
        if self.spec.effect_waves:
            direct = direct * self._waves(parameters["effect_wave"], media.shape[1])
        return direct + self._synergies(parameters["synergy"], saturated) if self.pairs else direct

    def saturated(
        self, parameters: Parameters, media: Float[Tensor, "unit week column"]
    ) -> Float[Tensor, "unit week channel"]:
        """Media after carry-over and saturation, one at steady typical media."""
        if self.spec.reach_frequency:
            exposure, reach = torch.split(media, len(self.spend_per_revenue), dim=-1)
            half, slope = parameters["log_half_frequency"], parameters["log_slope_frequency"]
            media = effective_exposure(exposure, reach, half, slope)
        kernel = gamma_kernel(parameters["decay_logit"], parameters["delay"], self.spec.max_lag_weeks)
        return hill(carry_over(media, kernel), parameters["log_half_saturation"], parameters["log_slope"])

    def negative_log_prior(self) -> Tensor:
        """Of the current parameters, up to a constant; public, so it costs no privacy."""
        return negative_log_prior(self.spec.prior, self.parameters_by_name, self.spend_per_revenue)

    def _synergies(self, raw: Tensor, saturated: Tensor) -> Tensor:
        channels = range(saturated.shape[-1])
        which = torch.tensor(
            [[[{a, b} == {*pair} for b in channels] for a in channels] for pair in self.pairs]
        )
        strength = torch.einsum("...p,pab->...ab", nn.functional.softplus(raw), which.to(raw.dtype))
        return 0.5 * saturated * (saturated @ strength)

    def _waves(self, weights: Tensor, weeks: int) -> Tensor:
        """Slow swing of each effect over the panel's weeks, one on average in the logarithm."""
        position = (torch.arange(weeks) + 0.5) / weeks
        orders = torch.arange(1, self.spec.effect_waves + 1)
        basis = torch.cos(torch.pi * orders[:, None] * position[None, :])
        return torch.einsum("...ck,kt->...tc", weights, basis.to(weights.dtype)).exp()
