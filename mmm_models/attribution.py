"""From the sum of all units' records to results: shares, ROI, marginal ROI, curves, fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.contribution_totals import MULTIPLIERS, STEP
from mmm_models.errors import TotalsLost
from mmm_models.intervals import INTERVAL_LEVEL, NoisedUncertainty, Uncertainty, uncertainty
from mmm_models.network import MediaResponse
from mmm_models.panel import Channel
from mmm_models.results import ChannelResult, HoldoutFit, ResponseCurve, Results
from mmm_models.scaling import Scales
from mmm_models.steady_response import steady_shape
from mmm_models.unit_records import RecordLayout

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Naming:
    """What the numbers are called."""

    channels: tuple[Channel, ...]
    outcome_unit: str
    currency: str


def results_from_sum(
    total: Array,
    naming: Naming,
    *,
    response: MediaResponse,
    scales: Scales,
    layout: RecordLayout,
    covariance: Array | None = None,
) -> Results:
    """Results from the summed records of all units; noised ones take curve shapes from the model.

    With the posterior `covariance` [parameter, parameter] of the response and a layout that holds slopes, every
    contribution, share, ROI, marginal ROI and curve has an interval.
    """
    groups = layout.split(total)
    outcome = float(groups["outcome"][0]) * scales.outcome
    if outcome <= 0:
        raise TotalsLost(private=layout.private)
    revenue = float(groups["revenue"][0]) * scales.money
    spend = np.maximum(groups["spend"] * scales.money, 0.0)
    read = _private_channels if layout.private else _exact_channels
    contribution, contributed_revenue, step_revenue, curves = read(
        groups, response, scales, revenue / outcome
    )
    channels = [
        ChannelResult(
            channel.name,
            channel.kind.value,
            float(spend[index]),
            float(contribution[index]),
            float(contribution[index] / outcome),
            _ratio(contributed_revenue[index], spend[index]),
            _ratio(step_revenue[index], spend[index]),
        )
        for index, channel in enumerate(naming.channels)
    ]
    results = Results(
        outcome=outcome,
        outcome_unit=naming.outcome_unit,
        revenue=revenue,
        currency=naming.currency,
        units=float(groups["units"][0]),
        channels=tuple(channels),
        curves=_curves(naming.channels, spend, curves),
        holdout=_holdout(groups, scales),
        private=layout.private,
    )
    if covariance is None or not layout.parameters:
        return results
    return with_intervals(results, _uncertainty(groups, layout, covariance))


def with_intervals(results: Results, found: Uncertainty | NoisedUncertainty) -> Results:
    """The same results, each number with its interval; columns as in `ContributionTotals`."""
    one, revenue, step = MULTIPLIERS.index(1.0), len(MULTIPLIERS), len(MULTIPLIERS) + 1
    channels = []
    for index, channel in enumerate(results.channels):
        roi = _ratio(results.revenue / results.outcome, channel.spend)
        channels.append(
            replace(
                channel,
                contribution_interval=found.interval(channel.contribution, index, one, per=1.0),
                share_interval=found.interval(channel.share, index, one, per=1.0 / results.outcome),
                roi_interval=found.interval(channel.roi, index, revenue, per=roi),
                marginal_roi_interval=found.interval(channel.marginal_roi, index, step, per=roi),
            )
        )
    curves = []
    for index, curve in enumerate(results.curves):
        bounds = [
            found.interval(value, index, column, per=float(value > 0))
            for column, value in enumerate(curve.contribution)
        ]
        curves.append(replace(curve, low=tuple(b.low for b in bounds), high=tuple(b.high for b in bounds)))
    return replace(results, channels=tuple(channels), curves=tuple(curves), interval_level=INTERVAL_LEVEL)


def _uncertainty(groups: dict[str, Array], layout: RecordLayout, covariance: Array) -> Uncertainty:
    curves = groups["curves"].reshape(layout.channels, -1)
    totals = np.concatenate(
        [curves, groups["contribution_revenue"][:, None], groups["step_revenue"][:, None]], axis=1
    )
    return uncertainty(totals, groups["slopes"].reshape(*totals.shape, layout.parameters), covariance)


def _exact_channels(
    groups: dict[str, Array], response: MediaResponse, scales: Scales, price: float
) -> tuple[Array, Array, Array, Array]:
    """Contribution, its revenue, revenue of the last unit of media, curve `[channel, multiplier]`."""
    curves = groups["curves"].reshape(-1, len(MULTIPLIERS)) * scales.outcome
    contribution = curves[:, MULTIPLIERS.index(1.0)]
    return (
        contribution,
        groups["contribution_revenue"] * scales.money,
        groups["step_revenue"] * scales.money,
        curves,
    )


def _private_channels(
    groups: dict[str, Array], response: MediaResponse, scales: Scales, price: float
) -> tuple[Array, Array, Array, Array]:
    """As above from noised contributions; curve shapes are the shared response at steady typical media."""
    contribution = np.maximum(groups["contribution"] * scales.outcome, 0.0)
    shape = steady_shape(response, np.array([*MULTIPLIERS, 1.0 + STEP]))
    curves = contribution[:, None] * shape[:, :-1]
    elasticity = (shape[:, -1] - 1.0) / STEP
    return contribution, contribution * price, contribution * price * elasticity, curves


def _curves(channels: Sequence[Channel], spend: Array, curves: Array) -> tuple[ResponseCurve, ...]:
    return tuple(
        ResponseCurve(
            channel.name,
            MULTIPLIERS,
            tuple(float(spend[index] * multiplier) for multiplier in MULTIPLIERS),
            tuple(float(value) for value in curves[index]),
        )
        for index, channel in enumerate(channels)
    )


def _holdout(groups: dict[str, Array], scales: Scales) -> HoldoutFit:
    unit_weeks = float(groups["test_weeks"][0])
    units = float(groups.get("tested_units", groups["units"])[0])
    if unit_weeks <= 0 or units <= 0:
        return HoldoutFit(weeks=0, units=0.0, rmse=math.nan, nrmse=math.nan, mape=math.nan)
    absolute = groups.get("squared_outcome_error")
    return HoldoutFit(
        weeks=round(unit_weeks / units),
        units=units,
        rmse=math.nan if absolute is None else math.sqrt(float(absolute[0]) / unit_weeks) * scales.outcome,
        nrmse=math.sqrt(max(float(groups["squared_error"][0]), 0.0) / unit_weeks),
        mape=max(float(groups["mape"][0]), 0.0) / units,
        r2_counts=tuple(float(count) for count in groups.get("r2_counts", ())),
    )


def _ratio(revenue: float, spend: float) -> float:
    return float(revenue / spend) if spend > 0 else math.nan
