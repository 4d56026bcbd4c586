"""What a sum request may hold: the numbers of its kind, in the agreed shape, and not one more, in a range wide enough.

A number that nobody reads could still tell silos apart, or be read by a later version in another sense. In a range of
the coordinator's choice, where a silo begins to refuse would say how large its own largest value is.
"""

from clients.errors import OutOfOrder, RequestMalformed
from mmm_models.federated_spec import FederatedModel, LocalOptimizer
from privacy.quantization import FixedPoint
from privacy.sum_schedule import Purpose
from privacy.wire import SumRequest

BYTES_PER_NUMBER = 8
LEAST_MAX_ABS, LEAST_INTEGER = 2.0**19, 2**47  # what is asked of the silos of the largest roster
Sizes = dict[
    str, tuple[int, ...]
]  # the groups of `SumRequest.values` in order: how many numbers each may have


def require_shape(request: SumRequest, model: FederatedModel, *, private: bool) -> None:
    """Raise RequestMalformed, or OutOfOrder for a sum that such a run does not know; no data were read.

    InvalidSetting for a fixed point that is none.
    """
    wanted = _sizes(request, model, private=private)
    for values, (group, sizes) in zip(request.values, wanted.items(), strict=False):
        if len(values) not in [size * BYTES_PER_NUMBER for size in sizes]:
            raise _malformed(
                f"the {group} sent with the {request.purpose} request do not have the agreed shape"
            )
    if len(request.values) != len(wanted):
        raise _malformed(f"the {request.purpose} request has more or fewer groups of numbers than agreed")
    largest = FixedPoint(request.fraction_bits, request.max_abs).largest_integer
    if request.max_abs < LEAST_MAX_ABS or largest < LEAST_INTEGER:
        raise _malformed(f"the {request.purpose} request has a narrower range than any run needs")


def _sizes(request: SumRequest, model: FederatedModel, *, private: bool) -> Sizes:
    parameters = model.parameters
    model_sent: Sizes = {"parameters": (parameters,), "scales": (model.scale_quantities,)}
    # Once experiments count, also the number of units that they are weighed by.
    bound: Sizes = {"bounds": (1, 2) if model.calibrated and not private else (1,)}
    coordinates: Sizes = {"coordinates": (parameters**2,)}
    match request.purpose:
        case Purpose.SCALES:
            return {}
        case Purpose.ROUND if model.local.optimizer is not LocalOptimizer.NONE:
            return {**model_sent, "units and bounds": (2,)}
        case Purpose.ROUND | Purpose.CURVATURE:
            return {**model_sent, **bound, **coordinates}
        case Purpose.DRAFT if private:
            return model_sent
        case Purpose.REPORT if private:
            return {**model_sent, "slopes": (model.records(private=True).length,)}
        case Purpose.REPORT:
            return {**model_sent, "dates": (0, 2), **(_uncalibrated(parameters) if model.calibrated else {})}
    raise OutOfOrder(
        f"the coordinator asks for an unknown sum, {request.purpose!r}; nothing was sent",
        hint="run the same version everywhere",
    )


def _uncalibrated(parameters: int) -> Sizes:
    """The model before experiments counted, its covariance, and the number of units."""
    return {"earlier parameters": (parameters,), "covariances": (parameters**2,), "units": (1,)}


def _malformed(what: str) -> RequestMalformed:
    return RequestMalformed(f"{what}; nothing was sent", hint="run the same version everywhere")
