"""The whole training loop, top to bottom: meet, agree, scale, train round by round, report."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.attribution import Naming, results_from_sum
from mmm_models.federated_spec import ROUND_METRICS, RoundSum
from mmm_models.network import MediaResponse
from mmm_models.private_records import column_weights, read_back
from mmm_models.results import Results
from mmm_models.scaling import OCTAVES, Scales, scales_from
from mmm_models.training import get_vector, set_vector
from privacy.adaptive_clipping import QuantileClipping
from privacy.run_terms import Release
from privacy.wire import SumRequest, pack_vector
from server.aggregation import ModelState, next_state
from server.run_plan import RunPlan, plan_run
from server.run_store import RoundMetrics, RunStore
from server.settings import RunSettings
from server.silo_exchange import SiloExchange, SiloSum

Array = NDArray[np.float64]
Progress = Callable[[RoundMetrics], None]
SCALES_ROUND = 1  # sums are numbered from 1: scales, then one a round, then the report
FRACTION_BITS, MAX_ABS = 28, 2.0**28
CLIP_LEARNING_RATE, CLIP_LOWEST, CLIP_HIGHEST = 0.2, 1e-3, 1e4
NOISE_FLOOR_DEVIATIONS = 3.0


@dataclass(frozen=True, eq=False)
class Agreed:
    """What all silos agreed on before training: the plan, the scales and the (private) number of units."""

    plan: RunPlan
    scales: Scales
    units: float


@dataclass(frozen=True, eq=False)
class Finished:
    """A trained run."""

    agreed: Agreed
    state: ModelState
    results: Results
    silos: int


def train_federated(
    exchange: SiloExchange, settings: RunSettings, store: RunStore, progress: Progress
) -> Finished:
    """Run to the end, or raise a ServerError that leaves a directory `--resume` continues."""
    introductions = exchange.gather()
    plan = plan_run(settings, store.run_id, introductions)
    exchange.start(plan.invitation)
    store.event("started", silos=[item.silo for item in introductions])
    agreed = _agree_on_scales(exchange, plan, store)
    state = store.newest_checkpoint() or _first_state(agreed, settings)
    while state.round < settings.planned_rounds:
        answer = exchange.sum(_round_request(agreed, state))
        state = _step(state, answer, agreed, settings)
        metrics = _metrics(state, answer, agreed)
        store.save_checkpoint(state)
        store.add_metrics(metrics)
        _note_failures(store, state.round, answer)
        progress(metrics)
    results = _report(exchange, agreed, state, store)
    store.event("finished", rounds=state.round)
    return Finished(agreed, state, results, len(introductions))


def _agree_on_scales(exchange: SiloExchange, plan: RunPlan, store: RunStore) -> Agreed:
    """Sum octave counts over all silos; their medians become the run's public scales."""
    answer = exchange.sum(_request(plan, SCALES_ROUND, "scales", (), plan.model.scales_length))
    _note_failures(store, 0, answer)
    histogram = answer.total[:-1].reshape(plan.model.scale_quantities, OCTAVES)
    scales = scales_from(histogram, plan.model.media_per, ignore_below=_count_noise(plan, len(answer.silos)))
    units = max(float(answer.total[-1]), 1.0)
    store.event("scales", media=scales.media.tolist(), units=units)
    return Agreed(plan, scales, units)


def _count_noise(plan: RunPlan, silos: int) -> float:
    """Counts below a few standard deviations of the summed noise are taken for noise."""
    if not plan.privacy.private:
        return 0.0
    per_silo = plan.privacy.noise_multiplier(Release.SCALES) * math.sqrt(plan.model.scale_quantities + 1)
    return NOISE_FLOOR_DEVIATIONS * per_silo * math.sqrt(silos)


def _first_state(agreed: Agreed, settings: RunSettings) -> ModelState:
    return ModelState.start(get_vector(_response(agreed)), settings.clip_norm)


def _round_request(agreed: Agreed, state: ModelState) -> SumRequest:
    layout = RoundSum(parameters=state.parameters.size, private=agreed.plan.privacy.private)
    settings = np.array([agreed.units, state.clip_norm])
    values = (state.parameters, agreed.scales.to_vector(), settings)
    return _request(agreed.plan, SCALES_ROUND + state.round + 1, "round", values, layout.length)


def _step(state: ModelState, answer: SiloSum, agreed: Agreed, settings: RunSettings) -> ModelState:
    """The next model, and in private runs the next clip norm."""
    private = agreed.plan.privacy.private
    layout = RoundSum(parameters=state.parameters.size, private=private)
    clip_norm = state.clip_norm
    if private:
        clipping = QuantileClipping(
            settings.clip_quantile, CLIP_LEARNING_RATE, max(1, round(agreed.units)), CLIP_LOWEST, CLIP_HIGHEST
        )
        clip_norm = clipping.next_clip_norm(clip_norm, float(layout.extra(answer.total)[0]))
    return next_state(state, layout.change(answer.total), settings, clip_norm=clip_norm)


def _metrics(state: ModelState, answer: SiloSum, agreed: Agreed) -> RoundMetrics:
    """Fit of the model the round started from; a private run releases none."""
    layout = RoundSum(parameters=state.parameters.size, private=agreed.plan.privacy.private)
    loss = nrmse = mape = math.nan
    if not layout.private:
        found = dict(zip(ROUND_METRICS, layout.extra(answer.total), strict=True))
        loss = found["loss"] / max(answer.total[layout.parameters], 1.0)
        if found["test_weeks"] > 0:
            nrmse = math.sqrt(found["squared_error"] / found["test_weeks"])
            mape = found["mape"] / found["tested_units"]
    return RoundMetrics(
        state.round, loss, nrmse, mape, len(answer.silos), answer.seconds, answer.bytes_sent, state.clip_norm
    )


def _report(exchange: SiloExchange, agreed: Agreed, state: ModelState, store: RunStore) -> Results:
    """One last sum: every unit's contributions, curves and fit, added up."""
    plan = agreed.plan
    layout = plan.model.records(private=plan.privacy.private)
    number = SCALES_ROUND + state.round + 1
    answer = exchange.sum(
        _request(plan, number, "report", (state.model, agreed.scales.to_vector()), layout.length)
    )
    _note_failures(store, state.round, answer)
    response = _response(agreed)
    set_vector(response, state.model)
    total, holdout_weeks = answer.total, plan.model.holdout_weeks
    if layout.private:
        weights = column_weights(layout, response, weeks=plan.model.weeks, holdout_weeks=holdout_weeks)
        total = read_back(total, weights, layout, units=agreed.units, holdout_weeks=holdout_weeks)
    naming = Naming(plan.model.panel_channels, plan.model.outcome_unit, plan.model.currency)
    return results_from_sum(total, naming, response=response, scales=agreed.scales, layout=layout)


def _response(agreed: Agreed) -> MediaResponse:
    return MediaResponse(agreed.plan.model.model, agreed.scales.spend_per_revenue.tolist())


def _request(plan: RunPlan, number: int, purpose: str, values: tuple[Array, ...], length: int) -> SumRequest:
    return SumRequest(
        run_id=plan.invitation.run_id,
        round=number,
        purpose=purpose,
        values=tuple(pack_vector(value) for value in values),
        length=length,
        fraction_bits=FRACTION_BITS,
        max_abs=MAX_ABS,
        invitation=plan.invitation.digest,
    )


def _note_failures(store: RunStore, number: int, answer: SiloSum) -> None:
    for failure in answer.failures:
        store.event("silo_failed", round=number, silo=failure.silo, reason=failure.reason)
