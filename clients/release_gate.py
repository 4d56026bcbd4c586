"""The one gate through which a silo's numbers leave: range-checked, and masked or encrypted where agreed."""

import numpy as np
from numpy.typing import NDArray

from clients.errors import OutOfOrder
from clients.session import Session
from privacy.masks.mask_silo import answer_unmask, mask_update
from privacy.masks.mask_state import SiloMaskState
from privacy.masks.secure_aggregation import UnmaskReply, UnmaskRequest
from privacy.paillier.aggregation import EncryptedUpdate
from privacy.paillier.silo import PaillierState, encrypt_update
from privacy.quantization import FixedPoint
from privacy.run_terms import SecureAggregation
from privacy.wire import MaskedUpdateMessage, PlainUpdate, SumRequest


def require_agreed(session: Session, request: SumRequest) -> None:
    """The request belongs to the run as accepted. Raises OutOfOrder; no data were read."""
    if not session.started or request.invitation != session.invitation.digest:
        raise OutOfOrder(
            "the coordinator asks for a sum before the run was started, or under other terms",
            hint="invite all silos again with the same terms",
        )


def release(
    session: Session, silo: str, request: SumRequest, integers: NDArray[np.uint64]
) -> tuple[Session, MaskedUpdateMessage | EncryptedUpdate | PlainUpdate]:
    """The message that carries `integers` (modulo 2^64), and the session to store before sending it.

    Integers out of the agreed range are refused here (ValueOutOfRange), never sent.
    """
    FixedPoint(request.fraction_bits, request.max_abs).require_in_range(integers)
    if session.invitation.masking is SecureAggregation.NONE:
        return session, PlainUpdate(silo, request.model_digest, integers.astype("<u8").tobytes())
    if session.invitation.masking is SecureAggregation.PAILLIER:
        joined = PaillierState.from_bytes(session.masking)
        encrypted = encrypt_update(joined, request.encrypted(joined.roster_digest), integers)
        return session.with_masking(encrypted.state.to_bytes()), encrypted.message
    state = SiloMaskState.from_bytes(session.masking)
    step = mask_update(state, request.masked(state.roster_digest), integers)
    return session.with_masking(step.state.to_bytes()), MaskedUpdateMessage.of(step.message)


def unmask(session: Session, request: UnmaskRequest) -> tuple[Session, UnmaskReply]:
    """This silo's shares, given once per round, and the session to store before sending them."""
    step = answer_unmask(SiloMaskState.from_bytes(session.masking), request)
    return session.with_masking(step.state.to_bytes()), step.message
