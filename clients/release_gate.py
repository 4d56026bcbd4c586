"""The one gate through which a silo's numbers leave: range-checked, quantised, and masked where agreed."""

import numpy as np
from numpy.typing import NDArray

from clients.errors import OutOfOrder
from clients.session import Session
from privacy.mask_silo import answer_unmask, mask_update
from privacy.mask_state import SiloMaskState
from privacy.quantization import FixedPoint
from privacy.run_terms import SecureAggregation
from privacy.secure_aggregation import UnmaskReply, UnmaskRequest
from privacy.wire import MaskedUpdateMessage, PlainUpdate, SumRequest


def require_agreed(session: Session, request: SumRequest) -> None:
    """The request belongs to the run as accepted. Raises OutOfOrder; no data were read."""
    if not session.started or request.invitation != session.invitation.digest:
        raise OutOfOrder(
            "the coordinator asks for a sum before the run was started, or under other terms",
            hint="invite all silos again with the same terms",
        )


def release(
    session: Session, silo: str, request: SumRequest, vector: NDArray[np.float64]
) -> tuple[Session, MaskedUpdateMessage | PlainUpdate]:
    """The message that carries `vector`, and the session to store before sending it.

    Values that are not finite or out of the agreed range are refused here (ValueOutOfRange), never sent.
    """
    quantised = FixedPoint(request.fraction_bits, request.max_abs).quantize(vector)
    if session.invitation.masking is SecureAggregation.NONE:
        return session, PlainUpdate(silo, request.model_digest, quantised.astype("<u8").tobytes())
    state = SiloMaskState.from_bytes(session.masking)
    step = mask_update(state, request.masked(state.roster_digest), quantised)
    return session.with_masking(step.state.to_bytes()), MaskedUpdateMessage.of(step.message)


def unmask(session: Session, request: UnmaskRequest) -> tuple[Session, UnmaskReply]:
    """This silo's shares, given once per round, and the session to store before sending them."""
    step = answer_unmask(SiloMaskState.from_bytes(session.masking), request)
    return session.with_masking(step.state.to_bytes()), step.message
