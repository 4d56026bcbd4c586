"""From predictions and media effects to results, the same way for every peer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.contribution_totals import MULTIPLIERS, STEP
from mmm_models.errors import TotalsLost
from mmm_models.evaluation import UnitErrors, unit_errors
from mmm_models.panel import Panel
from mmm_models.peers.media_effects import MediaEffects
from mmm_models.peers.peer_data import PeerData
from mmm_models.results import (
    R2_EDGES,
    ChannelResult,
    Finding,
    HoldoutFit,
    ResponseCurve,
    Results,
    UnitFit,
)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedPeer:
    """A trained peer: results, and all that was learnt, so that a run can be repeated and a leak be found.

    `choices` are hyperparameters in plain JSON, `parameters` arrays by name, `contribution` [unit, week, channel]
    in outcome units.
    """

    results: Results
    choices: Mapping[str, Any]
    parameters: Mapping[str, Array] = field(default_factory=dict)
    contribution: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))


@dataclass(frozen=True, eq=False)
class PeerPrediction:
    """What a fitted peer says of its panel: the outcome in multiples of each unit's level, and what media did."""

    outcome: Array  # [unit, week]
    effects: MediaEffects
    step: float = STEP  # share of media by which marginal ROI is measured
    findings: tuple[Finding, ...] = ()


def peer_results(model: str, data: PeerData, prediction: PeerPrediction) -> tuple[Results, Array]:
    """Results and contributions `[unit, week, channel]` in outcome units, zero in weeks without an outcome.

    A channel's curve has the shape of the outcome with its own media multiplied and the others as they were,
    and passes through its contribution. A total below zero counts as zero, which a finding says.
    Raises TotalsLost.
    """
    panel = data.panel
    outcome = float(panel.outcome.sum())
    if outcome <= 0:
        raise TotalsLost(private=False)
    weight = panel.observed * data.level[:, None]
    contribution = prediction.effects.contributions * weight[..., None]
    spend = (panel.spend * panel.observed[..., None]).sum(axis=(0, 1))
    channels, curves, findings = [], [], list(prediction.findings)
    for index, channel in enumerate(panel.channels):
        own = contribution[..., index]
        total = float(own.sum())
        if total < 0:
            findings.append(_below_zero(channel.name, total / outcome))
        curves.append(_curve(prediction, index, weight, max(total, 0.0), float(spend[index]), channel.name))
        channels.append(
            ChannelResult(
                channel=channel.name,
                kind=channel.kind.value,
                spend=float(spend[index]),
                contribution=max(total, 0.0),
                share=max(total, 0.0) / outcome,
                roi=_ratio(max(float((own * panel.revenue_per_outcome).sum()), 0.0), float(spend[index])),
                marginal_roi=_ratio(_step_revenue(prediction, index, weight, panel), float(spend[index])),
            )
        )
    results = Results(
        outcome=outcome,
        outcome_unit=panel.outcome_unit,
        revenue=float((panel.outcome * panel.revenue_per_outcome).sum()),
        currency=panel.currency,
        units=float(panel.n_units),
        channels=tuple(channels),
        curves=tuple(curves),
        holdout=holdout_fit(data, prediction.outcome),
        model=model,
        findings=tuple(findings),
    )
    return results, contribution


def holdout_fit(data: PeerData, predicted: Array) -> HoldoutFit:
    """Fit on held-out weeks; `predicted` [unit, week] in multiples of each unit's level."""
    test = data.split.judge
    errors = unit_errors(predicted, data.outcome, test.astype(np.float64))
    per_unit = _unit_fits(data, errors)
    tested = errors.weeks > 0
    weeks, units = float(errors.weeks.sum()), float(tested.sum())
    if not units:
        return HoldoutFit(0, 0.0, math.nan, math.nan, math.nan, per_unit=per_unit)
    r2 = errors.r2[np.isfinite(errors.r2)]
    counts = np.bincount(np.digitize(r2, R2_EDGES), minlength=len(R2_EDGES) + 1)
    return HoldoutFit(
        weeks=round(weeks / units),
        units=units,
        rmse=math.sqrt(float((errors.squared * data.level**2).sum()) / weeks),
        nrmse=math.sqrt(float(errors.squared.sum()) / weeks),
        mape=float(errors.mape.sum()) / units,
        r2_counts=tuple(counts.astype(np.float64).tolist()),
        per_unit=per_unit,
    )


def _unit_fits(data: PeerData, errors: UnitErrors) -> tuple[UnitFit, ...]:
    tested = np.where(errors.weeks > 0, errors.weeks, np.nan)
    rmse = np.sqrt(errors.squared / tested) * data.level
    mape = np.where(errors.weeks > 0, errors.mape, np.nan)
    rows = zip(data.panel.units, rmse.tolist(), mape.tolist(), errors.r2.tolist(), strict=True)
    return tuple(UnitFit(*row) for row in rows)


def _curve(
    prediction: PeerPrediction, index: int, weight: Array, contribution: float, spend: float, name: str
) -> ResponseCurve:
    changes = [float((prediction.effects.change(index, m) * weight).sum()) for m in MULTIPLIERS]
    alone = changes[MULTIPLIERS.index(1.0)] - changes[MULTIPLIERS.index(0.0)]
    scale = contribution / alone if alone > 0 else 0.0
    return ResponseCurve(
        channel=name,
        multiplier=MULTIPLIERS,
        spend=tuple(spend * multiplier for multiplier in MULTIPLIERS),
        contribution=tuple(
            max(scale * (change - changes[MULTIPLIERS.index(0.0)]), 0.0) for change in changes
        ),
    )


def _step_revenue(prediction: PeerPrediction, index: int, weight: Array, panel: Panel) -> float:
    gain = prediction.effects.change(index, 1.0 + prediction.step) * weight * panel.revenue_per_outcome
    return float(gain.sum()) / prediction.step


def _ratio(revenue: float, spend: float) -> float:
    return revenue / spend if spend > 0 else math.nan


def _below_zero(channel: str, share: float) -> Finding:
    return Finding(
        code="below-zero",
        severity="review",
        channels=(channel,),
        text=f"The model credits {channel} with {share:.1%} of the outcome, below nothing; it is shown as 0.",
        advice="Believe no other number this model gives for the channel; compare with ridge or the neural MMM.",
    )
