"""Which sums a private run may ask for: those whose noise the silo charged when the run started, no others."""

from clients.errors import OutOfOrder
from mmm_models.federated_spec import FederatedModel
from privacy.run_terms import PrivacyTerms
from privacy.sum_schedule import sum_schedule
from privacy.wire import SumRequest


def require_planned(request: SumRequest, model: FederatedModel, privacy: PrivacyTerms) -> None:
    """The request's number and purpose are the schedule's; a round stands for `model.local.steps` releases.

    Together with "one answer per number" this keeps a run within its charge, whatever a coordinator asks.
    Raises OutOfOrder; no data were read.
    """
    rounds, left_over = divmod(privacy.steps, model.local.steps)
    planned = () if left_over or not rounds else sum_schedule(rounds, privacy.curvatures, private=True)
    if not 1 <= request.round <= len(planned) or request.purpose != planned[request.round - 1]:
        raise OutOfOrder(
            f"sum {request.round} ({request.purpose}) is not among those this run was charged for; "
            "nothing was sent",
            hint="ask for the sums of the agreed schedule, in its order",
        )
