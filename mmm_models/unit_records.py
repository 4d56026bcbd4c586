"""What each unit adds to the results: one row per unit.

Results are computed from the sum of the rows alone, so that centralised and federated runs share one path:
a silo adds its rows up, and only sums travel.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.evaluation import UnitErrors, holdout_errors
from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.results import R2_EDGES
from mmm_models.scaling import Scales
from mmm_models.unit_data import UnitData

Array = NDArray[np.float64]
MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
STEP = 0.01


@dataclass(frozen=True)
class RecordLayout:
    """Names and order of a record's columns. Outcomes are in multiples of `Scales.outcome`, revenue and
    spend in multiples of `Scales.money`."""

    channels: int
    private: bool

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each column group, in order."""
        common = {"units": 1, "outcome": 1, "revenue": 1, "test_weeks": 1, "squared_error": 1, "mape": 1}
        if self.private:
            return {**common, "spend": self.channels, "contribution": self.channels}
        return {
            **common,
            "squared_outcome_error": 1,
            "tested_units": 1,
            "r2_counts": len(R2_EDGES) + 1,
            "spend": self.channels,
            "contribution_revenue": self.channels,
            "step_revenue": self.channels,
            "curves": self.channels * len(MULTIPLIERS),
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
        relative = _contributions(response, data, panel, 1.0).sum(axis=1)
        return layout.join({**groups, "contribution": relative * level[:, None]})
    return layout.join(
        {**groups, **_fit_groups(errors, level), **_curve_groups(response, panel, data, scales)}
    )


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


def _curve_groups(response: MediaResponse, panel: Panel, data: UnitData, scales: Scales) -> dict[str, Array]:
    level = data.level.double().numpy() / scales.outcome
    curves = [_contributions(response, data, panel, m).sum(axis=1) * level[:, None] for m in MULTIPLIERS]
    price = (panel.revenue_per_outcome / scales.price * level[:, None])[..., None]
    return {
        "curves": np.stack(curves, axis=-1),
        "contribution_revenue": (_contributions(response, data, panel, 1.0) * price).sum(axis=1),
        "step_revenue": (_step_gain(response, data, panel) * price).sum(axis=1) / STEP,
    }


def _contributions(response: MediaResponse, data: UnitData, panel: Panel, multiplier: float) -> Array:
    """Each channel's effect `[unit, week, channel]` with its own media scaled and the others as they were."""
    if not response.pairs or multiplier == 1.0:
        return _observed(_effects(response, data.media * multiplier), panel)
    channels = range(data.media.shape[-1])
    own = [_effects(response, _one_scaled(data.media, index, multiplier))[..., index] for index in channels]
    return _observed(torch.stack(own, dim=-1), panel)


def _step_gain(response: MediaResponse, data: UnitData, panel: Panel) -> Array:
    """What one step more of each channel adds to all effects `[unit, week, channel]`, synergies included."""
    if not response.pairs:
        return _contributions(response, data, panel, 1.0 + STEP) - _contributions(response, data, panel, 1.0)
    now = _effects(response, data.media).sum(dim=-1)
    channels = range(data.media.shape[-1])
    step = [_effects(response, _one_scaled(data.media, index, 1.0 + STEP)).sum(dim=-1) for index in channels]
    return _observed(torch.stack(step, dim=-1) - now[..., None], panel)


def _effects(response: MediaResponse, media: Tensor) -> Tensor:
    with torch.no_grad():
        return response.effects(response.parameters_by_name, media)


def _one_scaled(media: Tensor, index: int, multiplier: float) -> Tensor:
    factors = torch.ones(media.shape[-1])
    factors[index] = multiplier
    return media * factors


def _observed(effects: Tensor, panel: Panel) -> Array:
    return np.asarray(effects.double().numpy() * panel.observed[..., None])
