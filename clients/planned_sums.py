"""Which sums a private run may ask for: those whose noise the silo charged when the run started, no others."""

from clients.errors import OutOfOrder
from mmm_models.federated_spec import FederatedModel
from privacy.run_terms import PrivacyTerms
from privacy.wire import SumRequest

SCALES, ROUND, REPORT = "scales", "round", "report"


def require_planned(request: SumRequest, model: FederatedModel, privacy: PrivacyTerms) -> None:
    """Sum 1 is the scales, the next ones are rounds of `model.local.steps` steps each, the last is the report.

    Together with "one answer per number" this keeps a run within its charge, whatever a coordinator asks.
    Raises OutOfOrder; no data were read.
    """
    rounds, left_over = divmod(privacy.steps, model.local.steps)
    purposes = {1: SCALES, rounds + 2: REPORT}
    planned = purposes.get(request.round, ROUND if 1 < request.round < rounds + 2 else "")
    if left_over or request.purpose != planned:
        raise OutOfOrder(
            f"sum {request.round} ({request.purpose}) is not among those this run was charged for; "
            "nothing was sent",
            hint="ask for the scales once, then the agreed number of rounds, then the report",
        )
