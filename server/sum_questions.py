"""The sum requests of a run: everything a silo needs to know for each, nothing else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.curvature import packed_size
from mmm_models.federated_spec import GradientSum, LocalOptimizer, RoundSum
from mmm_models.network import MediaResponse
from mmm_models.objective import gradient_balance
from mmm_models.scaling import Scales
from mmm_models.training import set_vector
from mmm_models.week_calendar import Calendar
from privacy.sum_schedule import Purpose
from privacy.wire import SumRequest, pack_vector
from server.aggregation import ModelState
from server.gauss_newton import Whitening, curvature_bound, whitening
from server.run_plan import RunPlan

Array = NDArray[np.float64]
FRACTION_BITS, MAX_ABS = 28, 2.0**28
SUM_BITS = 63


@dataclass(frozen=True, eq=False)
class Uncalibrated:
    """The model [parameter] before silos' experiments counted, its posterior `covariance` [parameter, parameter] and
    the number of units of all silos."""

    parameters: Array
    covariance: Array
    units: float


def response_at(plan: RunPlan, scales: Scales, parameters: Array) -> MediaResponse:
    """The shared response with these parameters."""
    response = MediaResponse(plan.model.model, scales.spend_per_revenue.tolist())
    set_vector(response, parameters)
    return response


def coordinates(plan: RunPlan, response: MediaResponse, information: Array, units: float) -> Whitening:
    """In which the silos measure gradients: whitened for Newton's method, balanced over channels for Adam."""
    if plan.privacy.curvatures or not plan.privacy.private:
        return whitening(response, information, units)
    balance = gradient_balance(response)
    parts = [
        balance[name].reshape(-1) if name in balance else np.ones(value.numel())
        for name, value in response.named_parameters()
    ]
    factors = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])
    return Whitening(np.diag(1.0 / factors), np.diag(factors))


def scales_question(plan: RunPlan) -> SumRequest:
    """Octave counts, the number of units, and without noise marks of the calendar."""
    length = plan.model.scales_sum(private=plan.privacy.private).length
    return _question(plan, 1, Purpose.SCALES, (), length)


def round_question(plan: RunPlan, scales: Scales, state: ModelState, *, units: float) -> SumRequest:
    """Gradients at the current parameters, or changes after local steps from them."""
    parameters, private = state.parameters.size, plan.privacy.private
    number, start = state.sums + 1, (state.parameters, scales.to_vector())
    if plan.model.local.optimizer is not LocalOptimizer.NONE:
        length = RoundSum(parameters=parameters, private=private).length
        return _question(plan, number, Purpose.ROUND, (*start, np.array([units, state.clip_norm])), length)
    response = response_at(plan, scales, state.parameters)
    white = coordinates(plan, response, state.information, units)
    length = GradientSum(parameters=parameters, private=private).length
    bound = np.array([state.clip_norm, *_units_once_calibrating(plan, state, units)])
    values = (*start, bound, white.forward.reshape(-1))
    return _question(plan, number, Purpose.ROUND, values, length)


def curvature_question(plan: RunPlan, scales: Scales, state: ModelState, *, units: float) -> SumRequest:
    """Curvature at the current parameters, in the coordinates known so far."""
    white = coordinates(plan, response_at(plan, scales, state.parameters), state.information, units)
    bound = curvature_bound(state.parameters.size, state.information)
    limits = np.array([bound, *_units_once_calibrating(plan, state, units)])
    values = (state.parameters, scales.to_vector(), limits, white.forward.reshape(-1))
    return _question(plan, state.sums + 1, Purpose.CURVATURE, values, packed_size(state.parameters.size))


def draft_question(plan: RunPlan, scales: Scales, state: ModelState) -> SumRequest:
    """How much of spend and contribution goes with the outcome, at the finished model."""
    length = plan.model.records(private=True).length
    return _question(plan, state.sums + 1, Purpose.DRAFT, (state.model, scales.to_vector()), length)


def report_question(
    plan: RunPlan,
    scales: Scales,
    state: ModelState,
    calendar: Calendar | None,
    uncalibrated: Uncalibrated | None = None,
) -> SumRequest:
    """Contributions, curves and fit of the finished model, and what it says of each week of the calendar.

    With the model from before silos' experiments counted, how many of them contradict it.
    """
    length = plan.model.records(private=False, calendar=calendar).length
    weeks = np.zeros(0) if calendar is None else calendar.to_vector()
    values: tuple[Array, ...] = (state.model, scales.to_vector(), weeks)
    if uncalibrated is not None:
        units = np.array([uncalibrated.units])
        values = (*values, uncalibrated.parameters, uncalibrated.covariance.reshape(-1), units)
    return _question(plan, state.sums + 1, Purpose.REPORT, values, length)


def noised_report_question(plan: RunPlan, scales: Scales, state: ModelState, slope: Array) -> SumRequest:
    """The same for a private run, without weeks: after the draft, measured from the `slope` that it found."""
    length = plan.model.records(private=True).length
    return _question(plan, state.sums + 2, Purpose.REPORT, (state.model, scales.to_vector(), slope), length)


def _units_once_calibrating(plan: RunPlan, state: ModelState, units: float) -> tuple[float, ...]:
    """What an experiment is weighed by, from when it counts; nothing before."""
    return (units,) if plan.calibrates_after(state.round) else ()


def largest_value(silos: int) -> float:
    """Range of one silo's values: as wide as a sum over all of them cannot leave 64 bits."""
    return min(MAX_ABS, 2.0 ** (SUM_BITS - FRACTION_BITS - silos.bit_length()))


def _question(
    plan: RunPlan, number: int, purpose: Purpose, values: tuple[Array, ...], length: int
) -> SumRequest:
    return SumRequest(
        run_id=plan.invitation.run_id,
        round=number,
        purpose=purpose.value,
        values=tuple(pack_vector(value) for value in values),
        length=length,
        fraction_bits=FRACTION_BITS,
        max_abs=largest_value(plan.silos),
        invitation=plan.invitation.digest,
    )
