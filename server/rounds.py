"""The whole training loop, top to bottom: meet, agree, scale, train sum by sum, report."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mmm_models.attribution import Naming, results_from_sum, with_intervals
from mmm_models.diagnostics.prior_dominance import prior_dominated
from mmm_models.log_contributions import summarise
from mmm_models.network import MediaResponse
from mmm_models.private_records import RecordFrame, draft_frame, report_frame, with_counts
from mmm_models.results import Results
from mmm_models.scaling import OCTAVES, Scales, scales_from
from mmm_models.training import get_vector
from privacy.distributed_noise import read_sum
from privacy.run_releases import RunReleases
from privacy.run_terms import Release
from privacy.sum_schedule import Purpose, sum_schedule
from server.aggregation import ModelState
from server.errors import SumLost
from server.lost_sums import Asking
from server.model_steps import Steps, first_clip_norm
from server.run_attestations import keep_attestation
from server.run_plan import RunPlan, plan_run
from server.run_store import RoundMetrics, RunStore
from server.run_uncertainty import noised_uncertainty, posterior_covariance
from server.settings import RunSettings
from server.silo_exchange import SiloExchange
from server.sum_questions import (
    curvature_question,
    draft_question,
    report_question,
    response_at,
    round_question,
    scales_question,
)

Array = NDArray[np.float64]
Progress = Callable[[RoundMetrics], None]
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
    covariance: Array | None


def train_federated(
    exchange: SiloExchange, settings: RunSettings, store: RunStore, progress: Progress
) -> Finished:
    """Run to the end, or raise a ServerError that leaves a directory `--resume` continues."""
    introductions = exchange.gather()
    plan = plan_run(settings, store.run_id, introductions)
    exchange.start(plan.invitation, keep=partial(keep_attestation, store))
    store.event("started", silos=[item.silo for item in introductions])
    asking = Asking(exchange, store, once=plan.answered_once)
    agreed = _agree_on_scales(asking, plan)
    steps = Steps(plan, settings, agreed.scales, units=agreed.units)
    state = store.newest_checkpoint() or _first_state(agreed, settings)
    schedule = sum_schedule(settings.planned_rounds, settings.curvatures, private=plan.privacy.private)
    for purpose in schedule[state.sums :]:
        if purpose not in (Purpose.CURVATURE, Purpose.ROUND):
            break
        if purpose is Purpose.CURVATURE:
            state = _learn_curvature(asking, agreed, state, steps)
            continue
        state = _train_round(asking, agreed, state, steps, progress)
    response = response_at(plan, agreed.scales, state.model)
    covariance = posterior_covariance(plan, response, state, agreed.units)
    results = _report(asking, agreed, state, covariance)
    store.event("finished", rounds=state.round)
    return Finished(agreed, state, results, len(introductions), covariance)


def _agree_on_scales(asking: Asking, plan: RunPlan) -> Agreed:
    """Sum octave counts over all silos; their medians become the run's public scales."""
    answer = asking.sum(scales_question(plan))
    total = answer.total
    if plan.privacy.private:
        release = RunReleases(plan.privacy).scales(plan.model.scale_quantities, total.size)
        total = read_sum(answer.integers, release)
    histogram = total[:-1].reshape(plan.model.scale_quantities, OCTAVES)
    scales = scales_from(histogram, plan.model.media_per, ignore_below=_count_noise(plan, len(answer.silos)))
    units = max(float(total[-1]), 1.0)
    asking.store.event("scales", media=scales.media.tolist(), units=units)
    return Agreed(plan, scales, units)


def _count_noise(plan: RunPlan, silos: int) -> float:
    """Counts below a few standard deviations of the summed noise are taken for noise."""
    if not plan.privacy.private:
        return 0.0
    certain = plan.privacy.noise_multiplier(Release.SCALES) * math.sqrt(plan.model.scale_quantities + 1)
    return NOISE_FLOOR_DEVIATIONS * certain * math.sqrt(silos / plan.privacy.shares.honest)


def _first_state(agreed: Agreed, settings: RunSettings) -> ModelState:
    response = MediaResponse(agreed.plan.model.model, agreed.scales.spend_per_revenue.tolist())
    parameters = get_vector(response)
    return ModelState.start(parameters, first_clip_norm(settings, parameters.size))


def _learn_curvature(asking: Asking, agreed: Agreed, state: ModelState, steps: Steps) -> ModelState:
    """One curvature sum; without it training goes on with what is known."""
    request = curvature_question(agreed.plan, agreed.scales, state, units=agreed.units)
    try:
        return steps.after_curvature(state, asking.sum(request))
    except SumLost:
        asking.store.event("sum_lost", sum=request.round, purpose=request.purpose)
        return steps.after_lost_curvature(state)


def _train_round(
    asking: Asking, agreed: Agreed, state: ModelState, steps: Steps, progress: Progress
) -> ModelState:
    """One round; its sum, once lost, is not asked for again, and the model stays as it is."""
    request = round_question(agreed.plan, agreed.scales, state, units=agreed.units)
    try:
        answer = asking.sum(request)
    except SumLost:
        asking.store.event("sum_lost", sum=request.round, purpose=request.purpose)
        return steps.after_lost_round(state)
    state = steps.after_round(state, answer)
    metrics = steps.metrics(state, answer)
    asking.store.save_checkpoint(state)
    asking.store.add_metrics(metrics)
    progress(metrics)
    return state


def _report(asking: Asking, agreed: Agreed, state: ModelState, covariance: Array | None) -> Results:
    """Every unit's contributions, curves and fit, added up, with intervals where curvature was summed."""
    plan, response = agreed.plan, response_at(agreed.plan, agreed.scales, state.model)
    naming = Naming(plan.model.panel_channels, plan.model.outcome_unit, plan.model.currency)
    layout = plan.model.records(private=plan.privacy.private)
    if plan.privacy.private:
        total, frame = _private_records(asking, agreed, state, response)
        results = results_from_sum(total, naming, response=response, scales=agreed.scales, layout=layout)
        if covariance is None:
            return results
        return with_intervals(results, noised_uncertainty(plan, response, covariance, frame, agreed.scales))
    total = asking.sum_or_next(report_question(plan, agreed.scales, state)).total
    results = results_from_sum(
        total, naming, response=response, scales=agreed.scales, layout=layout, covariance=covariance
    )
    if covariance is None:
        return results
    known = summarise(total, layout, response, covariance, outcome=agreed.scales.outcome)
    names = tuple(channel.name for channel in naming.channels)
    return replace(results, findings=prior_dominated(names, known))


def _private_records(
    asking: Asking, agreed: Agreed, state: ModelState, response: MediaResponse
) -> tuple[Array, RecordFrame]:
    """Summed records from two noised sums: a draft, and the report measured from it, in the frame it says."""
    plan, scales, releases = agreed.plan, agreed.scales, RunReleases(agreed.plan.privacy)
    layout, weeks, holdout_weeks = (
        plan.model.records(private=True),
        plan.model.weeks,
        plan.model.holdout_weeks,
    )
    draft = draft_frame(layout, response, weeks=weeks, holdout_weeks=holdout_weeks)
    answer = asking.sum(draft_question(plan, scales, state))
    slope = draft.slopes_found(read_sum(answer.integers, releases.draft(layout.length, draft.bound)))
    frame = report_frame(layout, response, slope, weeks=weeks, holdout_weeks=holdout_weeks)
    answer = asking.sum(report_question(plan, scales, state, slope))
    total = frame.read_back(read_sum(answer.integers, releases.report(layout.length, frame.bound)))
    return with_counts(total, layout, units=agreed.units, holdout_weeks=holdout_weeks), frame
