"""What a silo computes for each kind of sum; `release_gate` decides how it may leave."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clients.errors import OutOfOrder
from clients.local_training import LocalRun, train_locally
from clients.planned_sums import REPORT, ROUND, SCALES
from clients.silo_data import SiloData
from mmm_models.evaluation import holdout_errors
from mmm_models.federated_spec import FederatedModel, RoundSum
from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import unit_fits
from mmm_models.private_records import clip_bound, column_weights
from mmm_models.results import UnitFit
from mmm_models.scaling import Scales, octave_counts, scale_quantities
from mmm_models.training import set_vector
from mmm_models.unit_data import UnitData
from mmm_models.unit_records import unit_records
from privacy.bounded_sum import exact_sum, noisy_sum
from privacy.run_terms import PrivacyTerms, Release
from privacy.secure_noise import NoiseSource
from privacy.wire import SumRequest

Array = NDArray[np.float64]


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
    """A vector ready for the gate. `units` is the silo's unit count as later sums may use it."""

    vector: Array
    units: float
    unit_fits: tuple[UnitFit, ...] = ()


def contribute(data: SiloData, task: Task) -> Contribution:
    """The silo's own part of the sum that was asked for."""
    kinds = {SCALES: _scales, ROUND: _round, REPORT: _report}
    if task.request.purpose not in kinds:
        raise OutOfOrder(
            f"the coordinator asks for an unknown sum, {task.request.purpose!r}",
            hint="run the same version everywhere",
        )
    return kinds[task.request.purpose](data, task)


def _scales(data: SiloData, task: Task) -> Contribution:
    """Octave counts and the number of units.

    Guarantee in private runs: one Gaussian release; a unit adds one to at most one octave of each quantity and
    one to the count, so its record has L2 norm at most sqrt(quantities + 1).
    """
    quantities = scale_quantities(data.panel, task.model.media_per, data.level)
    counts = octave_counts(quantities).reshape(data.panel.n_units, -1)
    records = np.concatenate([counts, np.ones((data.panel.n_units, 1))], axis=1)
    if not task.privacy.private:
        return Contribution(exact_sum(records), float(data.panel.n_units))
    bound = float(np.sqrt(quantities.shape[1] + 1))
    total = noisy_sum(records, bound, task.privacy.noise_multiplier(Release.SCALES), task.noise)
    return Contribution(total, max(float(total[-1]), 1.0))


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
    return Contribution(layout.join(update.change, task.units, extra), task.units)


def _metrics(response: MediaResponse, prepared: UnitData) -> Array:
    """Hold-out fit of the model as it arrived: squared error, weeks, MAPE, units (sums)."""
    errors = holdout_errors(response, prepared)
    return np.array(
        [errors.squared.sum(), errors.weeks.sum(), errors.mape.sum(), float((errors.weeks > 0).sum())]
    )


def _report(data: SiloData, task: Task) -> Contribution:
    """Sums from which contributions, ROI, curves and fit are computed; per-unit fits stay in the silo.

    Guarantee in private runs: one Gaussian release of weighted records clipped to `clip_bound`.
    """
    parameters, scale_vector = task.request.vectors()
    response, prepared = _prepared(data, task.model, parameters, scale_vector)
    scales = Scales.from_vector(scale_vector, task.model.media_per)
    layout = task.model.records(private=task.privacy.private)
    records = unit_records(response, data.panel, prepared, scales=scales, layout=layout)
    fits = unit_fits(data.panel, holdout_errors(response, prepared), prepared.level.double().numpy())
    if not task.privacy.private:
        return Contribution(exact_sum(records), task.units, fits)
    weights = column_weights(layout, response, weeks=task.model.weeks, holdout_weeks=task.model.holdout_weeks)
    multiplier = task.privacy.noise_multiplier(Release.REPORT)
    return Contribution(
        noisy_sum(records * weights, clip_bound(layout), multiplier, task.noise), task.units, fits
    )


def _prepared(
    data: SiloData, model: FederatedModel, parameters: Array, scale_vector: Array
) -> tuple[MediaResponse, UnitData]:
    scales = Scales.from_vector(scale_vector, model.media_per)
    response = MediaResponse(model.model, scales.spend_per_revenue.tolist())
    if sum(parameter.numel() for parameter in response.parameters()) != len(parameters):
        raise OutOfOrder(
            "the model sent does not have the agreed shape", hint="run the same version everywhere"
        )
    with torch.no_grad():
        set_vector(response, parameters)
    return response, data.prepared(scales, model)
