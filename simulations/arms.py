"""The ways of training one world that users want side by side, and how each is measured against the truth."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmm_models.evaluation import holdout_errors
from mmm_models.family import ModelFamily
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import Panel, pool
from mmm_models.partial_pooling import with_unit_deviations
from mmm_models.reporting.report_input import ArmRow
from mmm_models.results import HoldoutFit, Interval, Results
from mmm_models.stored_model import StoredModel
from mmm_models.unit_data import prepare
from simulations.federated_arms import Noise
from simulations.world import ChannelTruth


@dataclass(frozen=True, eq=False)
class Measured:
    """What an arm found: contribution and share per channel name, and its fit on held-out weeks.

    `model` is the family's name; `intervals` of contributions are empty where the model says none.
    """

    contribution: dict[str, float]
    share: dict[str, float]
    nrmse: float
    mape: float
    seconds: float
    model: str = "neural"
    intervals: dict[str, Interval] = field(default_factory=dict)


def measure_pooled(
    panels: Sequence[Panel], holdout_weeks: int, *, family: ModelFamily | None = None
) -> Measured:
    """Centralised: one model on all data in one place, the neural one unless another is given."""
    panel, chosen = pool(panels), family or NeuralMmm()
    began = time.perf_counter()
    results = chosen.fit(panel, holdout_weeks=holdout_weeks).results
    return _measured(results, results.holdout.nrmse, results.holdout.mape, time.perf_counter() - began)


def measure_alone(panels: Sequence[Panel], holdout_weeks: int) -> Measured:
    """Each silo trains its own model on its own data; contributions are added up."""
    began = time.perf_counter()
    fits = [NeuralMmm().fit(panel, holdout_weeks=holdout_weeks).results for panel in panels]
    seconds = time.perf_counter() - began
    outcome = sum(fit.outcome for fit in fits)
    contribution: dict[str, float] = {}
    for fit in fits:
        for channel in fit.channels:
            contribution[channel.channel] = contribution.get(channel.channel, 0.0) + channel.contribution
    share = {name: value / outcome for name, value in contribution.items()}
    return Measured(contribution, share, *_combined_fit([fit.holdout for fit in fits]), seconds)


def measure_federated(
    results: Results, model: StoredModel, panels: Sequence[Panel], *, seconds: float
) -> Measured:
    """A federated run: attribution as it was released, fit as the simulator, who sees all panels, measures it."""
    panel = pool(panels).with_channels(model.description.panel_channels)
    data = prepare(
        panel, model.scales, model.description.model, holdout_weeks=model.description.holdout_weeks
    )
    response = model.response()
    errors = holdout_errors(response, with_unit_deviations(data, response))  # as every silo measures itself
    nrmse = math.sqrt(errors.squared.sum() / errors.weeks.sum())
    return _measured(results, nrmse, float(errors.mape[errors.weeks > 0].mean()), seconds)


def arm_row(
    name: str,
    measured: Measured,
    truth: Sequence[ChannelTruth],
    *,
    noise: Noise | None = None,
    bytes_per_silo: float = math.nan,
) -> ArmRow:
    """Errors against the truth: shares in percentage points, contributions relative to the true ones."""
    errors = {row.name: measured.contribution[row.name] / row.contribution - 1.0 for row in truth}
    share_errors = [abs(measured.share[row.name] - row.share) for row in truth]
    total = sum(measured.contribution[row.name] for row in truth) / sum(row.contribution for row in truth)
    return ArmRow(
        name=name,
        nrmse=measured.nrmse,
        mape=measured.mape,
        share_error_points=100.0 * float(np.mean(share_errors)),
        channel_errors=errors,
        mean_relative_error=float(np.mean(np.abs(list(errors.values())))),
        total_media_error=total - 1.0,
        privacy=noise.kind.value if noise else "none",
        epsilon=noise.epsilon if noise else None,
        run=noise.run if noise else 1,
        seconds=measured.seconds,
        bytes_per_silo=bytes_per_silo,
        model=measured.model,
        interval_coverage=_coverage(measured, truth),
    )


def lost_arm_row(name: str, noise: Noise, failure: str) -> ArmRow:
    """An arm whose noise left nothing to train on: no number is one."""
    return ArmRow(
        name=name,
        nrmse=math.nan,
        mape=math.nan,
        share_error_points=math.nan,
        channel_errors={},
        mean_relative_error=math.nan,
        total_media_error=math.nan,
        privacy=noise.kind.value,
        epsilon=noise.epsilon,
        run=noise.run,
        failure=failure,
    )


def _measured(results: Results, nrmse: float, mape: float, seconds: float) -> Measured:
    contribution = {channel.channel: channel.contribution for channel in results.channels}
    share = {channel.channel: channel.share for channel in results.channels}
    intervals = {
        channel.channel: channel.contribution_interval
        for channel in results.channels
        if math.isfinite(channel.contribution_interval.low)
    }
    return Measured(contribution, share, nrmse, mape, seconds, results.model, intervals)


def _coverage(measured: Measured, truth: Sequence[ChannelTruth]) -> float:
    """Share of channels whose interval holds the truth; NaN without intervals."""
    known = [
        (measured.intervals[row.name], row.contribution) for row in truth if row.name in measured.intervals
    ]
    return float(np.mean([i.low <= value <= i.high for i, value in known])) if known else math.nan


def _combined_fit(fits: Sequence[HoldoutFit]) -> tuple[float, float]:
    """nRMSE over all unit-weeks and MAPE over all units of several fits."""
    unit_weeks = [fit.units * fit.weeks for fit in fits]
    squared = sum(weeks * fit.nrmse**2 for weeks, fit in zip(unit_weeks, fits, strict=True))
    mape = sum(fit.units * fit.mape for fit in fits) / sum(fit.units for fit in fits)
    return math.sqrt(squared / sum(unit_weeks)), mape
