"""The most probable shared response given the data, and how far from it the truth may lie (Laplace's approximation).

The posterior is the coarsened likelihood of all units (see `ResponsePrior`), the prior, and a term per experiment. Its
mode is found by Gauss-Newton steps, each only taken if it helps; near it the posterior is taken for normal with the
Gauss-Newton curvature as precision (MacKay 1992).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.curvature import prior_hessian, unit_information
from mmm_models.errors import TrainingDiverged
from mmm_models.lift_likelihood import LiftTerm
from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, training_records
from mmm_models.partial_pooling import with_unit_deviations
from mmm_models.positive_curvature import PositiveCurvature
from mmm_models.response_prior import coarsening
from mmm_models.training import get_vector, set_vector
from mmm_models.unit_data import UnitData

Array = NDArray[np.float64]
MOST_STEPS, SETTLED = 30, 1e-3  # in units of the negative log posterior
RELINEARISED = 2  # times the units' deviations are linearised anew
SCOUTS = 64  # units that find the way; all of them then only have to finish it


@dataclass(frozen=True, eq=False)
class Posterior:
    """Normal around `mode` [parameter] with `covariance` [parameter, parameter], order as in `get_vector`.

    Where two readings were averaged (`averaged_readings.py`) `mode` is their mean.
    """

    mode: Array
    covariance: Array


def fit_posterior(response: MediaResponse, data: UnitData, lifts: Sequence[LiftTerm] = ()) -> Posterior:
    """Move `response` from where it is to the posterior's mode, in place. Raises `TrainingDiverged`."""
    exact, whole = copy.deepcopy(response).double(), data.double()
    if not get_vector(exact).size:  # no channels
        return Posterior(np.zeros(0), np.zeros((0, 0)))
    if data.units > SCOUTS:
        _settle_pooling(exact, whole.some(SCOUTS), lifts)
    found = _settle_pooling(exact, whole, lifts)
    set_vector(response, found.mode)
    return found


def laplace(information: Array, response: MediaResponse, units: float) -> Array:
    """Posterior covariance from the summed Gauss-Newton matrices of so many units, at the current parameters."""
    whole = coarsening(response.spec.prior, units) * information + prior_hessian(response)
    return PositiveCurvature.of(whole).inverse


def _settle_pooling(response: MediaResponse, data: UnitData, lifts: Sequence[LiftTerm]) -> Posterior:
    """To the mode, with the units' deviations linearised where the response then is."""
    for _ in range(RELINEARISED - 1):
        _settle(response, with_unit_deviations(data, response), lifts)
    return _settle(response, with_unit_deviations(data, response), lifts)


def _settle(response: MediaResponse, data: UnitData, lifts: Sequence[LiftTerm]) -> Posterior:
    """Damped Gauss-Newton (Levenberg-Marquardt) until a step changes next to nothing."""
    objective, records = UnitObjective(response), training_records(response, data)
    share = coarsening(response.spec.prior, data.units)

    def loss() -> Tensor:
        terms = [term.loss(response) for term in lifts]
        return share * objective.losses(records).sum() + response.negative_log_prior() + sum(terms)

    def curvature() -> PositiveCurvature:
        terms = [term.information(response) for term in lifts]
        data_part = share * unit_information(response, data).sum(axis=0)
        return PositiveCurvature.of(data_part + prior_hessian(response) + sum(terms))

    point, value, damping = get_vector(response), _finite(loss()), 1e-3
    whole = curvature()
    for _ in range(MOST_STEPS):
        gradient = _gradient(loss(), response)
        while True:
            step = whole.newton_step(gradient, damping)
            _place(response, point + step)
            trial = float(loss().detach())
            if np.isfinite(trial) and trial < value:
                break
            damping *= 10.0
            if damping > 1e8:  # no direction helps: this is the mode, to rounding
                _place(response, point)
                return Posterior(point, whole.inverse)
        gained, point, value = value - trial, point + step, trial
        damping = max(damping / 5.0, 1e-6)
        whole = curvature()
        if gained < SETTLED:
            break
    return Posterior(point, whole.inverse)


def _gradient(loss: Tensor, response: MediaResponse) -> Array:
    parts = torch.autograd.grad(loss, list(response.parameters()))
    return np.asarray(torch.cat([part.reshape(-1) for part in parts]).double().numpy())


def _place(response: MediaResponse, vector: Array) -> None:
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(torch.as_tensor(vector), response.parameters())


def _finite(loss: Tensor) -> float:
    value = float(loss.detach())
    if not np.isfinite(value):
        raise TrainingDiverged(0)
    return value
