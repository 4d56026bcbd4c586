"""The sum requests of a run: everything a silo needs to know for each, nothing else."""

import numpy as np
from numpy.typing import NDArray

from mmm_models.curvature import packed_size
from mmm_models.federated_spec import GradientSum, LocalOptimizer, RoundSum
from mmm_models.network import MediaResponse
from mmm_models.objective import gradient_balance
from mmm_models.scaling import Scales
from mmm_models.training import set_vector
from privacy.sum_schedule import Purpose
from privacy.wire import SumRequest, pack_vector
from server.aggregation import ModelState
from server.gauss_newton import Whitening, curvature_bound, whitening
from server.run_plan import RunPlan

Array = NDArray[np.float64]
FRACTION_BITS, MAX_ABS = 28, 2.0**28
SUM_BITS = 63


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
    """Octave counts and the number of units."""
    return _question(plan, 1, Purpose.SCALES, (), plan.model.scales_length)


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
    values = (*start, np.array([state.clip_norm]), white.forward.reshape(-1))
    return _question(plan, number, Purpose.ROUND, values, length)


def curvature_question(plan: RunPlan, scales: Scales, state: ModelState, *, units: float) -> SumRequest:
    """Curvature at the current parameters, in the coordinates known so far."""
    white = coordinates(plan, response_at(plan, scales, state.parameters), state.information, units)
    bound = curvature_bound(state.parameters.size, state.information)
    values = (state.parameters, scales.to_vector(), np.array([bound]), white.forward.reshape(-1))
    return _question(plan, state.sums + 1, Purpose.CURVATURE, values, packed_size(state.parameters.size))


def draft_question(plan: RunPlan, scales: Scales, state: ModelState) -> SumRequest:
    """How much of spend and contribution goes with the outcome, at the finished model."""
    length = plan.model.records(private=True).length
    return _question(plan, state.sums + 1, Purpose.DRAFT, (state.model, scales.to_vector()), length)


def report_question(
    plan: RunPlan, scales: Scales, state: ModelState, slope: Array | None = None
) -> SumRequest:
    """Contributions, curves and fit of the finished model; in private runs measured from `slope`, after the draft."""
    length = plan.model.records(private=plan.privacy.private).length
    start = (state.model, scales.to_vector())
    if slope is None:
        return _question(plan, state.sums + 1, Purpose.REPORT, start, length)
    return _question(plan, state.sums + 2, Purpose.REPORT, (*start, slope), length)


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
