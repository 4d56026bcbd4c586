"""What each unit adds to the results: one row per unit.

Results are computed from the sum of the rows alone, so that centralised and federated runs share one path:
a silo adds its rows up, and only sums travel.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.contribution_totals import COLUMNS, MULTIPLIERS, ContributionTotals
from mmm_models.evaluation import UnitErrors, holdout_errors
from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.results import R2_EDGES
from mmm_models.scaling import Scales
from mmm_models.unit_data import UnitData
from mmm_models.week_calendar import Calendar
from mmm_models.weekly_totals import on_calendar, weekly_columns, weekly_totals

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RecordLayout:
    """Names and order of a record's columns. Outcomes are in multiples of `Scales.outcome`, revenue and
    spend in multiples of `Scales.money`. With `parameters` above zero, records hold the derivatives of all that
    `ContributionTotals` says by so many shared parameters, for intervals; with a `calendar` what `WeeklyTotals` says
    of each of its weeks; and `experiments` counts those of a silo, and how many contradict, which are no unit's own.
    Private ones hold none of these."""

    channels: int
    private: bool
    parameters: int = 0
    calendar: Calendar | None = None
    experiments: bool = False

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each column group, in order."""
        common = {"units": 1, "outcome": 1, "revenue": 1, "test_weeks": 1, "squared_error": 1, "mape": 1}
        if self.private:
            return {**common, "spend": self.channels, "contribution": self.channels}
        slopes = {"slopes": self.channels * COLUMNS * self.parameters} if self.parameters else {}
        weekly = {"weekly": self.calendar.weeks * weekly_columns(self.channels)} if self.calendar else {}
        return {
            **common,
            "squared_outcome_error": 1,
            "tested_units": 1,
            "r2_counts": len(R2_EDGES) + 1,
            "spend": self.channels,
            "contribution_revenue": self.channels,
            "step_revenue": self.channels,
            "curves": self.channels * len(MULTIPLIERS),
            **slopes,
            **weekly,
            **({"experiments": 1, "contradicting": 1} if self.experiments else {}),
        }

    @property
    def length(self) -> int:
        return sum(self.sizes.values())

    def split(self, vector: Array) -> dict[str, Array]:
        """Column groups of a row or a sum of rows, by name."""
        ends = np.cumsum(list(self.sizes.values()))
        return dict(zip(self.sizes, np.split(vector, ends[:-1], axis=-1), strict=True))

    def row(self, values: Mapping[str, float | Array]) -> Array:
        """One row: a value, or one per column, for each group named; zero elsewhere."""
        parts = [np.broadcast_to(values.get(name, 0.0), (size,)) for name, size in self.sizes.items()]
        return np.concatenate(parts).astype(np.float64)

    def join(self, groups: dict[str, Array]) -> Array:
        """The inverse of `split` for `[unit, column]` groups."""
        rows = len(groups["units"])
        columns = [np.reshape(groups[name], (rows, size)) for name, size in self.sizes.items()]
        return np.concatenate(columns, axis=1)


def unit_records(
    response: MediaResponse, panel: Panel, data: UnitData, *, scales: Scales, layout: RecordLayout
) -> Array:
    """Rows `[unit, column]` of one panel; they describe single units and must not leave the silo."""
    errors = holdout_errors(response, data)
    level = data.level.double().numpy() / scales.outcome
    groups = _common_groups(panel, errors, scales)
    if layout.private:
        with torch.no_grad():
            effects = response.effects(response.parameters_by_name, data.media).double().numpy()
        relative = (effects * panel.observed[..., None]).sum(axis=1)
        return layout.join({**groups, "contribution": relative * level[:, None]})
    curves = _curve_groups(response, panel, data, scales, layout)
    if layout.experiments:
        curves |= {name: np.zeros(panel.n_units) for name in ("experiments", "contradicting")}
    if layout.calendar:
        totals = weekly_totals(response, panel, data, scales)
        curves["weekly"] = on_calendar(totals, panel, layout.calendar)
    return layout.join({**groups, **_fit_groups(errors, level), **curves})


def _common_groups(panel: Panel, errors: UnitErrors, scales: Scales) -> dict[str, Array]:
    seen, paid = panel.observed / scales.outcome, panel.observed / scales.money
    return {
        "units": np.ones(panel.n_units),
        "outcome": (panel.outcome * seen).sum(axis=1),
        "revenue": (panel.outcome * panel.revenue_per_outcome * paid).sum(axis=1),
        "test_weeks": errors.weeks,
        "squared_error": errors.squared,
        "mape": errors.mape,
        "spend": (panel.spend * paid[..., None]).sum(axis=1),
    }


def _fit_groups(errors: UnitErrors, level: Array) -> dict[str, Array]:
    tested = (errors.weeks > 0) & np.isfinite(errors.r2)
    bucket = np.digitize(np.where(tested, errors.r2, 0.0), R2_EDGES)
    counts = (np.arange(len(R2_EDGES) + 1) == bucket[:, None]) & tested[:, None]
    return {
        "squared_outcome_error": errors.squared * level**2,
        "tested_units": (errors.weeks > 0).astype(np.float64),
        "r2_counts": counts.astype(np.float64),
    }


def _curve_groups(
    response: MediaResponse, panel: Panel, data: UnitData, scales: Scales, layout: RecordLayout
) -> dict[str, Array]:
    totals = ContributionTotals(response, panel, data, scales)
    with torch.no_grad():
        found = totals.at(response.parameters_by_name).double().numpy()
    groups = {
        "curves": found[..., : len(MULTIPLIERS)],
        "contribution_revenue": found[..., -2],
        "step_revenue": found[..., -1],
    }
    if layout.parameters:
        groups["slopes"] = totals.slopes().double().numpy()
    return groups
