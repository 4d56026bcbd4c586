"""The whole training loop, top to bottom: meet, agree, scale, train sum by sum, report."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mmm_models.attribution import Naming, results_from_sum, with_intervals
from mmm_models.diagnostics.prior_dominance import prior_dominated
from mmm_models.experiments.contradiction import calibration_findings
from mmm_models.log_contributions import summarise
from mmm_models.network import MediaResponse
from mmm_models.planning.basis_from_sums import basis_from_sum
from mmm_models.planning.basis_from_totals import basis_from_totals
from mmm_models.planning.plan_basis import PlanBasis
from mmm_models.planning.planning_errors import PlanningError
from mmm_models.private_records import RecordFrame, draft_frame, report_frame, with_counts
from mmm_models.results import Finding, Results
from mmm_models.scaling import Scales, scales_from
from mmm_models.training import get_vector
from mmm_models.week_calendar import Calendar, calendar_from, weeks_of_any
from privacy.distributed_noise import read_sum
from privacy.run_releases import RunReleases
from privacy.run_terms import Release
from privacy.sum_schedule import Purpose
from server.aggregation import ModelState
from server.errors import SumLost
from server.kept_experiments import note_experiments, require_same_experiments
from server.lost_sums import Asking
from server.model_steps import Steps, first_clip_norm
from server.run_attestations import keep_attestation
from server.run_plan import RunPlan, plan_run
from server.run_store import RoundMetrics, RunStore
from server.run_uncertainty import contribution_noise, noised_uncertainty, posterior_covariance
from server.settings import RunSettings
from server.silo_exchange import SiloExchange, SiloSum
from server.sum_questions import (
    Uncalibrated,
    curvature_question,
    draft_question,
    noised_report_question,
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
    """What all silos agreed on before training: the plan, the scales, the (private) number of units, and in a run
    without noise the weeks that the report will be about."""

    plan: RunPlan
    scales: Scales
    units: float
    calendar: Calendar | None


@dataclass(frozen=True, eq=False)
class Reported:
    """What the report's sum says: results, and what planning needs of the past."""

    results: Results
    basis: PlanBasis


@dataclass(frozen=True, eq=False)
class Finished:
    """A trained run."""

    agreed: Agreed
    state: ModelState
    results: Results
    silos: int
    covariance: Array | None
    basis: PlanBasis


def train_federated(
    exchange: SiloExchange, settings: RunSettings, store: RunStore, progress: Progress
) -> Finished:
    """Run to the end, or raise a ServerError that leaves a directory `--resume` continues."""
    introductions = exchange.gather()
    silos = [item.silo for item in introductions]
    plan = plan_run(settings, store.run_id, introductions)
    require_same_experiments(store.directory, plan.experimenting, silos)
    exchange.start(plan.invitation, keep=partial(keep_attestation, store))
    note_experiments(store.directory, plan.experimenting)
    store.event("started", silos=silos)
    asking = Asking(exchange, store, once=plan.answered_once)
    agreed = _agree_on_scales(asking, plan)
    steps = Steps(plan, settings, agreed.scales, units=agreed.units)
    state = store.newest_checkpoint() or _first_state(agreed, settings)
    while (purpose := plan.sum_after(state.sums)) in (Purpose.CURVATURE, Purpose.ROUND):
        if purpose is Purpose.CURVATURE:
            state = _learn_curvature(asking, agreed, state, steps)
        else:
            state = _train_round(asking, agreed, state, steps, progress)
    response = response_at(plan, agreed.scales, state.model)
    covariance = posterior_covariance(plan, response, state, agreed.units)
    reported = _report(asking, agreed, state, covariance)
    store.event("finished", rounds=state.round)
    return Finished(agreed, state, reported.results, len(introductions), covariance, reported.basis)


def _agree_on_scales(asking: Asking, plan: RunPlan) -> Agreed:
    """Sum octave counts over all silos, whose medians become the run's public scales, and marks of the calendar."""
    answer = asking.sum(scales_question(plan))
    total, layout = answer.total, plan.model.scales_sum(private=plan.privacy.private)
    if plan.privacy.private:
        release = RunReleases(plan.privacy).scales(plan.model.scale_quantities, total.size)
        total = read_sum(answer.integers, release)
    noise_floor = _count_noise(plan, len(answer.silos))
    scales = scales_from(layout.octaves(total), plan.model.media_per, ignore_below=noise_floor)
    units = max(layout.units(total), 1.0)
    asking.store.event("scales", media=scales.media.tolist(), units=units)
    calendar = None if plan.privacy.private else _calendar(asking.store, layout.marks(total), answer)
    return Agreed(plan, scales, units, calendar)


def _calendar(store: RunStore, marks: Array, answer: SiloSum) -> Calendar | None:
    """The weeks that all silos have, as the run began with them: a silo that lacks one answers no report about it."""
    calendar = store.first_calendar(calendar_from(marks, silos=len(answer.silos)))
    store.event("calendar", weeks=calendar.weeks if calendar else 0, weeks_of_any_silo=weeks_of_any(marks))
    return calendar


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
    """One curvature sum; without it training goes on with what is known, and calibrating skips the step."""
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


def _report(asking: Asking, agreed: Agreed, state: ModelState, covariance: Array | None) -> Reported:
    """Every unit's contributions, curves, fit and weeks, added up, with intervals where curvature was summed."""
    plan, response = agreed.plan, response_at(agreed.plan, agreed.scales, state.model)
    naming = Naming(plan.model.panel_channels, plan.model.outcome_unit, plan.model.currency)
    if plan.privacy.private:
        return _noised_report(asking, agreed, state, covariance, naming)
    layout = plan.model.records(private=False, calendar=agreed.calendar)
    uncalibrated = _uncalibrated(asking.store, agreed) if plan.model.calibrated else None
    question = report_question(plan, agreed.scales, state, agreed.calendar, uncalibrated)
    total = asking.sum_or_next(question).total
    results = results_from_sum(
        total, naming, response=response, scales=agreed.scales, layout=layout, covariance=covariance
    )
    if covariance is not None:
        known = summarise(total, layout, response, covariance, outcome=agreed.scales.outcome)
        names = tuple(channel.name for channel in naming.channels)
        results = replace(results, findings=prior_dominated(names, known))
    if uncalibrated is not None:
        used = not np.array_equal(state.model, uncalibrated.parameters)
        told = _experiments(layout.split(total), used=used)
        results = replace(results, findings=(*told, *results.findings))
    try:
        basis = basis_from_sum(total, layout=layout, naming=naming, scales=agreed.scales)
    except PlanningError as error:  # the silos have no weeks in common: only totals are known
        asking.store.event("weeks_unknown", reason=str(error))
        basis = basis_from_totals(results, weeks=plan.model.weeks, noise=np.zeros(layout.channels))
    return Reported(results, basis)


def _uncalibrated(store: RunStore, agreed: Agreed) -> Uncalibrated:
    """The trained model as it was stored before silos' experiments counted."""
    plan = agreed.plan
    state = store.checkpoint_up_to(plan.rounds)
    covariance = posterior_covariance(
        plan, response_at(plan, agreed.scales, state.model), state, agreed.units
    )
    if (
        covariance is None
    ):  # its curvature was lost: experiments are compared by their own errors alone, more strictly
        covariance = np.zeros((state.parameters.size, state.parameters.size))
    return Uncalibrated(state.model, covariance, agreed.units)


def _experiments(groups: dict[str, Array], *, used: bool) -> tuple[Finding, ...]:
    experiments, contradicting = (round(float(groups[name][0])) for name in ("experiments", "contradicting"))
    return calibration_findings(experiments, contradicting, used=used)


def _noised_report(
    asking: Asking, agreed: Agreed, state: ModelState, covariance: Array | None, naming: Naming
) -> Reported:
    """The same of a private run: totals only, each with noise."""
    plan, scales = agreed.plan, agreed.scales
    response, layout = response_at(plan, scales, state.model), plan.model.records(private=True)
    total, frame = _private_records(asking, agreed, state, response)
    results = results_from_sum(total, naming, response=response, scales=scales, layout=layout)
    noise = contribution_noise(plan, frame, scales)
    if covariance is not None:
        results = with_intervals(results, noised_uncertainty(response, covariance, noise))
    return Reported(results, basis_from_totals(results, weeks=plan.model.weeks, noise=noise))


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
    answer = asking.sum(noised_report_question(plan, scales, state, slope))
    total = frame.read_back(read_sum(answer.integers, releases.report(layout.length, frame.bound)))
    return with_counts(total, layout, units=agreed.units, holdout_weeks=holdout_weeks), frame
