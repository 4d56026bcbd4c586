"""What each unit adds to every week: outcome, level, spend, media as carry-over sees them, contributions."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.reach_frequency import effective_exposure
from mmm_models.scaling import Scales
from mmm_models.unit_data import UnitData
from mmm_models.week_calendar import Calendar

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeeklyTotals:
    """Of units, or of a sum over them; the leading dimensions are `[unit, week]` or `[week]`.

    `outcome`, `level` (what effects are relative to, where the outcome is observed) and `contribution` [..., channel]
    are in multiples of `Scales.outcome`, `spend` [..., channel] of `Scales.money`; `intensity` [..., channel] is media
    in typical weeks times `level`. Nothing is counted in weeks that are not observed.
    """

    outcome: Array
    level: Array
    spend: Array
    intensity: Array
    contribution: Array

    def columns(self) -> Array:
        """All of them `[..., column]`, for `weekly_totals_from`."""
        single = (self.outcome[..., None], self.level[..., None])
        return np.concatenate([*single, self.spend, self.intensity, self.contribution], axis=-1)


def weekly_columns(channels: int) -> int:
    """Numbers per unit and week."""
    return 2 + 3 * channels


def weekly_totals_from(columns: Array) -> WeeklyTotals:
    """The inverse of `WeeklyTotals.columns`."""
    channels = (columns.shape[-1] - 2) // 3
    spend, intensity, contribution = (
        columns[..., 2 + place * channels : 2 + (place + 1) * channels] for place in range(3)
    )
    return WeeklyTotals(columns[..., 0], columns[..., 1], spend, intensity, contribution)


def weekly_totals(response: MediaResponse, panel: Panel, data: UnitData, scales: Scales) -> WeeklyTotals:
    """Each unit's weeks `[unit, week]`, the panel's own. Contributions over all weeks add up to those of
    `ContributionTotals`."""
    level = panel.observed * (data.level.double().numpy() / scales.outcome)[:, None]
    with torch.no_grad():
        effects = response.effects(response.parameters_by_name, data.media).double().numpy()
        media = _intensity(response, data.media).double().numpy()
    return WeeklyTotals(
        outcome=panel.outcome * panel.observed / scales.outcome,
        level=level,
        spend=panel.spend * panel.observed[..., None] / scales.money,
        intensity=media * level[..., None],
        contribution=effects * level[..., None],
    )


def on_calendar(totals: WeeklyTotals, panel: Panel, calendar: Calendar) -> Array:
    """`WeeklyTotals.columns` of the panel's weeks on the calendar `[unit, week, column]`; weeks outside of it are
    left out."""
    columns, places = totals.columns(), calendar.places(panel.weeks)
    found = np.zeros((panel.n_units, calendar.weeks, columns.shape[-1]))
    found[:, places[places >= 0]] = columns[:, places >= 0]
    return found


def _intensity(
    response: MediaResponse, media: Float[Tensor, "unit week column"]
) -> Float[Tensor, "unit week channel"]:
    """Media in typical weeks as they enter carry-over."""
    if not response.spec.reach_frequency:
        return media
    exposure, reach = torch.split(media, len(response.spend_per_revenue), dim=-1)
    own = response.parameters_by_name
    return effective_exposure(exposure, reach, own["log_half_frequency"], own["log_slope_frequency"])
