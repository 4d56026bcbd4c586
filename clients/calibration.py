"""A silo's experiments in its sums: each counts whole, whatever the number of units.

The coordinator weighs the sum of all units' losses by the coarsening (see `ResponsePrior`), so a silo divides what an
experiment adds by it beforehand. Bounded like the rest of the silo's sum (`update_bound`).
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clients.errors import OutOfOrder
from mmm_models.experiments.contradiction import ModelPrediction, compare_experiment
from mmm_models.experiments.placed_lift import PlacedLift
from mmm_models.lift_likelihood import LiftTerm, lift_term, predicted_lift
from mmm_models.network import MediaResponse
from mmm_models.response_prior import coarsening
from mmm_models.results import ExperimentCheck
from mmm_models.training import set_vector
from mmm_models.unit_data import UnitData

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Terms of the posterior that count `weight` times in the silo's sums; without terms nothing is added."""

    terms: tuple[LiftTerm, ...] = ()
    weight: float = 0.0

    def gradient(self, response: MediaResponse) -> Array:
        """Of all terms `[parameter]`, at the response's current parameters."""
        if not self.terms:
            return np.zeros(_size(response))
        exact = _double(response)
        return np.asarray(self.weight * sum(_pull(term, exact) for term in self.terms))

    def information(self, response: MediaResponse) -> Array:
        """Gauss-Newton matrix of all terms `[parameter, parameter]`."""
        if not self.terms:
            return np.zeros((_size(response), _size(response)))
        exact = _double(response)
        return np.asarray(self.weight * sum(term.information(exact) for term in self.terms))


NOT_CALIBRATED = Calibration()


def calibration(
    lifts: tuple[PlacedLift, ...], data: UnitData, response: MediaResponse, *, units_of_all: float
) -> Calibration:
    """The silo's experiments in a run of so many units. Raises OutOfOrder for a number that is none."""
    if not 1.0 <= units_of_all < np.inf:
        raise OutOfOrder(
            "the coordinator says no number of units that an experiment can be weighed by",
            hint="run the same version everywhere",
        )
    terms = tuple(lift_term(lift, data, response, units_of_all=units_of_all) for lift in lifts)
    return Calibration(terms, 1.0 / coarsening(response.spec.prior, units_of_all))


def compare_with_model(
    calibrated: Calibration, response: MediaResponse, before: Array, covariance: Array
) -> tuple[ExperimentCheck, ...]:
    """Each experiment beside the finished model, and beside `before` [parameter], the model without any experiment,
    whose posterior has that `covariance` [parameter, parameter]."""
    after, without = _double(response), _double(response)
    with torch.no_grad():
        set_vector(without, before)
    return tuple(
        compare_experiment(
            term.lift,
            ModelPrediction(
                *predicted_lift(term, without, covariance), predicted_lift(term, after, covariance)[0]
            ),
        )
        for term in calibrated.terms
    )


def _pull(term: LiftTerm, response: MediaResponse) -> Array:
    distance = float(term.predicted(response).detach()) - term.lift.lift
    return np.asarray(distance / term.sd**2 * term.slope(response))


def _double(response: MediaResponse) -> MediaResponse:
    return copy.deepcopy(response).double()


def _size(response: MediaResponse) -> int:
    return sum(parameter.numel() for parameter in response.parameters())
