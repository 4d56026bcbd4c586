"""From the sum of all units' records to results: shares, ROI, marginal ROI, curves, fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.errors import TotalsLost
from mmm_models.network import MediaResponse
from mmm_models.panel import Channel
from mmm_models.results import ChannelResult, HoldoutFit, ResponseCurve, Results
from mmm_models.scaling import Scales
from mmm_models.unit_records import MULTIPLIERS, STEP, RecordLayout

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Naming:
    """What the numbers are called."""

    channels: tuple[Channel, ...]
    outcome_unit: str
    currency: str


def results_from_sum(
    total: Array, naming: Naming, *, response: MediaResponse, scales: Scales, layout: RecordLayout
) -> Results:
    """Results from the summed records of all units; noised ones take curve shapes from the model."""
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
    channels = tuple(
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
    )
    return Results(
        outcome=outcome,
        outcome_unit=naming.outcome_unit,
        revenue=revenue,
        currency=naming.currency,
        units=float(groups["units"][0]),
        channels=channels,
        curves=_curves(naming.channels, spend, curves),
        holdout=_holdout(groups, scales),
        private=layout.private,
    )


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
    shape = _steady_shape(response, np.array([*MULTIPLIERS, 1.0 + STEP]))
    curves = contribution[:, None] * shape[:, :-1]
    elasticity = (shape[:, -1] - 1.0) / STEP
    return contribution, contribution * price, contribution * price * elasticity, curves


def _steady_shape(response: MediaResponse, multipliers: Array) -> Array:
    """Effect `[channel, multiplier]` at steady typical media, each scaled alone, relative to that at one."""
    channels = len(response.spend_per_revenue)
    scaled = torch.as_tensor(multipliers, dtype=torch.float32)
    media = torch.ones(channels, len(multipliers), 2 * response.spec.max_lag_weeks, channels)
    for index in range(channels):
        media[index, :, :, index] = scaled[:, None]
    with torch.no_grad():
        effects = response.effects(response.parameters_by_name, media.flatten(0, 1))[:, -1]
    every = effects.reshape(channels, len(multipliers), channels)
    own = torch.diagonal(every, dim1=0, dim2=2).T.double().numpy()
    one = own[:, list(multipliers).index(1.0)]
    return np.asarray(own / np.where(one > 0, one, 1.0)[:, None])


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
