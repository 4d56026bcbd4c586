"""What a silo computes for each kind of sum; `release_gate` decides how it may leave."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clients.calibration import NOT_CALIBRATED, Calibration, calibration, compare_with_model
from clients.errors import OutOfOrder, WeeksMissing
from clients.gradient_sums import (
    Noising,
    exact_curvature,
    exact_gradient,
    in_double,
    noised_curvature,
    noised_gradient,
)
from clients.local_training import LocalRun, train_locally
from clients.silo_data import SiloData
from clients.update_bound import UpdateBound
from mmm_models.evaluation import holdout_errors
from mmm_models.federated_spec import FederatedModel, GradientSum, LocalOptimizer, RoundSum
from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import unit_fits
from mmm_models.partial_pooling import with_unit_deviations
from mmm_models.private_records import draft_frame, report_frame
from mmm_models.results import ExperimentCheck, UnitFit
from mmm_models.scaling import Scales, octave_counts, scale_quantities
from mmm_models.training import set_vector
from mmm_models.unit_data import UnitData
from mmm_models.unit_records import unit_records
from mmm_models.week_calendar import Calendar, calendar_marks, calendar_of, has_all_weeks
from privacy.distributed_noise import DistributedSum, noised_sum, read_sum
from privacy.quantization import FixedPoint
from privacy.run_releases import RunReleases
from privacy.run_terms import PrivacyMode, PrivacyTerms
from privacy.secure_noise import NoiseSource
from privacy.sum_schedule import Purpose
from privacy.wire import SumRequest

Array = NDArray[np.float64]
Integers = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Task:
    """One sum as a silo sees it: the request, what was agreed, and where noise comes from (unused without)."""

    request: SumRequest
    model: FederatedModel
    privacy: PrivacyTerms
    noise: NoiseSource
    units: float


@dataclass(frozen=True, eq=False)
class Contribution:
    """Integers modulo 2^64, ready for the gate. `units` is the silo's unit count as later sums may use it."""

    integers: Integers
    units: float
    unit_fits: tuple[UnitFit, ...] = ()
    experiments: tuple[ExperimentCheck, ...] = ()


def contribute(data: SiloData, task: Task) -> Contribution:
    """The silo's own part of the sum that was asked for, in a request that `request_shape` let pass."""
    kinds = {
        Purpose.SCALES: _scales,
        Purpose.CURVATURE: _curvature,
        Purpose.ROUND: _gradient if task.model.local.optimizer is LocalOptimizer.NONE else _round,
        Purpose.DRAFT: _draft,
        Purpose.REPORT: _report,
    }
    return kinds[Purpose(task.request.purpose)](data, task)


def _scales(data: SiloData, task: Task) -> Contribution:
    """Octave counts, the number of units, and without noise marks of the calendar.

    Guarantee in private runs: one release of `RunReleases.scales`.
    """
    quantities = scale_quantities(data.panel, task.model.media_per, level=data.level, train=data.train)
    counts = octave_counts(quantities).reshape(data.panel.n_units, -1)
    records = np.concatenate([counts, np.ones((data.panel.n_units, 1))], axis=1)
    if not task.privacy.private:
        units = float(data.panel.n_units)
        share = UpdateBound.of(task.model.local).share(units)
        layout = task.model.scales_sum(private=False)
        vector = layout.join(share * counts.sum(axis=0), calendar_marks(data.panel), share * units)
        return Contribution(_exact(vector, task), units)
    release = RunReleases(task.privacy).scales(quantities.shape[1], records.shape[1])
    total = noised_sum(records, release, task.noise)
    return Contribution(total, _own_units(total, release, task.privacy))


def _own_units(total: Integers, release: DistributedSum, privacy: PrivacyTerms) -> float:
    """The silo's number of units where its own noise alone covers it; zero, not to be used, elsewhere."""
    if privacy.mode is not PrivacyMode.LOCAL:
        return 0.0
    return max(float(read_sum(total, release)[-1]), 1.0)


def _round(data: SiloData, task: Task) -> Contribution:
    """The weighted change of the shared response after local steps, and what goes with it."""
    if task.units <= 0:
        raise OutOfOrder(
            "the coordinator asks for a round, but this silo has not taken part in the scales",
            hint="resume the run, which starts with the scales again",
        )
    parameters, scale_vector, settings = task.request.vectors()
    units_of_all, clip_norm = settings
    response, prepared = _prepared(data, task.model, parameters, scale_vector)
    run = LocalRun(task.model.local, task.privacy, task.noise, units=task.units, units_of_all=units_of_all)
    metrics = np.zeros(0) if task.privacy.private else _metrics(response, prepared)
    update = train_locally(response, prepared, run, clip_norm=float(clip_norm))
    extra = (
        np.array([update.centred_clip_count])
        if task.privacy.private
        else np.array([update.loss_sum, *metrics])
    )
    layout = RoundSum(parameters=len(parameters), private=task.privacy.private)
    bound = UpdateBound.of(task.model.local)
    share = bound.share(task.units)
    vector = layout.join(bound.shorten(update.change), share * task.units, share * extra)
    return Contribution(_exact(vector, task), task.units)


def _gradient(data: SiloData, task: Task) -> Contribution:
    """The sum of whitened gradients at the parameters sent, with the fit there or the clip count."""
    parameters, scale_vector, (clip_norm, *units), forward = task.request.vectors()
    response, prepared = _prepared(data, task.model, parameters, scale_vector)
    white = forward.reshape(len(parameters), -1)
    if task.privacy.private:
        release = RunReleases(task.privacy).gradient(len(parameters), float(clip_norm))
        return Contribution(noised_gradient(response, prepared, white, _noising(release, task)), task.units)
    bound = UpdateBound.of(task.model.local)
    calibrated = _calibration(data, response, prepared, units)
    found = exact_gradient(response, prepared, white, bound, calibrated)
    share = bound.share(prepared.units)
    layout = GradientSum(parameters=len(parameters), private=False)
    extra = share * np.array([prepared.units, found.loss, *_metrics(response, prepared)])
    return Contribution(_exact(layout.join(found.gradient, extra), task), task.units)


def _curvature(data: SiloData, task: Task) -> Contribution:
    """The sum of whitened curvature at the parameters sent."""
    parameters, scale_vector, (length, *units), forward = task.request.vectors()
    response, prepared = _prepared(data, task.model, parameters, scale_vector)
    white = forward.reshape(len(parameters), -1)
    if task.privacy.private:
        release = RunReleases(task.privacy).curvature(task.request.length, float(length))
        return Contribution(noised_curvature(response, prepared, white, _noising(release, task)), task.units)
    calibrated = _calibration(data, response, prepared, units)
    total = exact_curvature(response, prepared, white, UpdateBound.of(task.model.local), calibrated)
    return Contribution(_exact(total, task), task.units)


def _calibration(
    data: SiloData, response: MediaResponse, prepared: UnitData, units: Sequence[float]
) -> Calibration:
    """The silo's experiments, from when the coordinator says of how many units all silos together are."""
    if not units:
        return NOT_CALIBRATED
    return calibration(data.lifts, prepared, response, units_of_all=float(units[0]))


def _metrics(response: MediaResponse, prepared: UnitData) -> Array:
    """Hold-out fit of the model as it arrived: squared error, weeks, MAPE, units (sums)."""
    errors = holdout_errors(response, prepared)
    return np.array(
        [errors.squared.sum(), errors.weeks.sum(), errors.mape.sum(), float((errors.weeks > 0).sum())]
    )


def _report(data: SiloData, task: Task) -> Contribution:
    """Sums from which contributions, ROI, curves and fit are computed; per-unit fits stay in the silo.

    Guarantee in private runs: one release of `RunReleases.report`. In others, by weeks that this silo has all of
    (WeeksMissing), as every other silo in the same sum.
    """
    parameters, scale_vector, last, *uncalibrated = task.request.vectors()
    calendar = None if task.privacy.private else _own_calendar(data, last)
    response, prepared = _prepared(data, task.model, parameters, scale_vector)
    records = _unit_records(response, data, prepared, task, calendar)
    fits = unit_fits(data.panel, holdout_errors(response, prepared), prepared.level.double().numpy())
    if not task.privacy.private:
        checks = _experiments(data, response, prepared, uncalibrated) if task.model.calibrated else ()
        counts = {"experiments": len(checks), "contradicting": sum(not check.agrees for check in checks)}
        layout = task.model.records(private=False, calendar=calendar)
        total = records.sum(axis=0) + layout.row(counts)
        return Contribution(_exact(total, task), task.units, fits, checks)
    layout, slope = task.model.records(private=True), last
    frame = report_frame(
        layout, response, slope, weeks=task.model.weeks, holdout_weeks=task.model.holdout_weeks
    )
    release = RunReleases(task.privacy).report(layout.length, frame.bound)
    return Contribution(noised_sum(frame.measure(records), release, task.noise), task.units, fits)


def _own_calendar(data: SiloData, sent: Array) -> Calendar | None:
    """The calendar sent, all of whose weeks this silo has; a silo without one of them would leave the others alone."""
    calendar = calendar_of(sent)
    if calendar is not None and not has_all_weeks(data.panel, calendar):
        raise WeeksMissing(
            "this silo lacks some of the weeks that the report is to be about; nothing was sent",
            hint="start a new run: its calendar is the weeks that all of its silos have",
        )
    return calendar


def _experiments(
    data: SiloData, response: MediaResponse, prepared: UnitData, uncalibrated: Sequence[Array]
) -> tuple[ExperimentCheck, ...]:
    """Each of the silo's experiments beside the model with and without experiments."""
    before, covariance, units = uncalibrated
    calibrated = _calibration(data, response, prepared, units.tolist())
    return compare_with_model(calibrated, response, before, covariance.reshape(before.size, -1))


def _draft(data: SiloData, task: Task) -> Contribution:
    """What the report will be measured from.

    Guarantee: one release of `RunReleases.draft`. Only private runs ask for it.
    """
    parameters, scale_vector = task.request.vectors()
    response, prepared = _prepared(data, task.model, parameters, scale_vector)
    layout = task.model.records(private=True)
    frame = draft_frame(layout, response, weeks=task.model.weeks, holdout_weeks=task.model.holdout_weeks)
    measured = frame.measure(_unit_records(response, data, prepared, task))
    release = RunReleases(task.privacy).draft(layout.length, frame.bound)
    return Contribution(noised_sum(measured, release, task.noise), task.units)


def _unit_records(
    response: MediaResponse,
    data: SiloData,
    prepared: UnitData,
    task: Task,
    calendar: Calendar | None = None,
) -> Array:
    _, scale_vector, *_ = task.request.vectors()
    scales = Scales.from_vector(scale_vector, task.model.media_per)
    layout = task.model.records(private=task.privacy.private, calendar=calendar)
    if layout.private:
        response, prepared = in_double(response, prepared)
    return unit_records(response, data.panel, prepared, scales=scales, layout=layout)


def _exact(vector: Array, task: Task) -> Integers:
    """In the request's fixed point; what is out of its range is refused (ValueOutOfRange), never sent."""
    return FixedPoint(task.request.fraction_bits, task.request.max_abs).quantize(vector)


def _noising(release: DistributedSum, task: Task) -> Noising:
    return Noising(release, task.noise, task.privacy.sample_rate)


def _prepared(
    data: SiloData, model: FederatedModel, parameters: Array, scale_vector: Array
) -> tuple[MediaResponse, UnitData]:
    scales = Scales.from_vector(scale_vector, model.media_per)
    response = MediaResponse(model.model, scales.spend_per_revenue.tolist())
    with torch.no_grad():
        set_vector(response, parameters)
    return response, with_unit_deviations(data.prepared(scales, model), response)
