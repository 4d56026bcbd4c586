"""The one gate through which a silo's numbers leave: range-checked, and masked, encrypted or sealed where agreed."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clients.errors import OutOfOrder
from clients.session import Session
from clients.silo_home import SiloHome
from privacy.attested_sums.sealed_update import seal_update
from privacy.masks.mask_silo import answer_unmask, mask_update
from privacy.masks.mask_state import SiloMaskState
from privacy.masks.secure_aggregation import UnmaskReply, UnmaskRequest
from privacy.paillier.aggregation import EncryptedUpdate
from privacy.paillier.silo import PaillierState, encrypt_update
from privacy.quantization import FixedPoint
from privacy.run_terms import SecureAggregation
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate
from privacy.wire import SealedUpdate, SumRequest

Update = MaskedUpdateMessage | EncryptedUpdate | PlainUpdate


def require_agreed(session: Session, request: SumRequest) -> None:
    """The request belongs to the run as accepted. Raises OutOfOrder; no data were read."""
    if not session.started or request.invitation != session.invitation.digest:
        raise OutOfOrder(
            "the coordinator asks for a sum before the run was started, or under other terms",
            hint="invite all silos again with the same terms",
        )
    if session.invitation.enclave:
        _ = session.trusted_enclave


def release(
    session: Session, home: SiloHome, request: SumRequest, integers: NDArray[np.uint64]
) -> tuple[Session, Update | SealedUpdate]:
    """The message that carries `integers` (modulo 2^64), and the session to store before sending it.

    Integers out of the agreed range are refused here (ValueOutOfRange), never sent. In a run with an enclave the
    message is sealed to the one that this silo checked, once for each sum (ReplayRefused).
    """
    FixedPoint(request.fraction_bits, request.max_abs).require_in_range(integers)
    if not session.invitation.enclave:
        return _protected(session, home.silo, request, integers)
    question, enclave = request.sealed(), session.trusted_enclave
    session, update = _protected(session, home.silo, request, integers)
    home.seal_once(request.run_id, request.round, request.model_digest)
    sealed = seal_update(home.identity, enclave.address, question, update)
    return replace(session, sealed=question), SealedUpdate(home.silo, sealed)


def unmask(
    session: Session, home: SiloHome, request: UnmaskRequest
) -> tuple[Session, UnmaskReply | SealedUpdate]:
    """This silo's shares, given once per round, and the session to store before sending them."""
    step = answer_unmask(SiloMaskState.from_bytes(session.masking), request)
    session, reply = session.with_masking(step.state.to_bytes()), step.message
    if not session.invitation.enclave:
        return session, reply
    if session.sealed is None:
        raise OutOfOrder("nothing was sealed to the enclave yet", hint="ask for a sum first")
    enclave = session.trusted_enclave
    return session, SealedUpdate(
        home.silo, seal_update(home.identity, enclave.address, session.sealed, reply)
    )


def _protected(
    session: Session, silo: str, request: SumRequest, integers: NDArray[np.uint64]
) -> tuple[Session, Update]:
    """In clear, masked or encrypted, as was agreed."""
    if session.invitation.masking is SecureAggregation.NONE:
        return session, PlainUpdate(silo, request.model_digest, integers.astype("<u8").tobytes())
    if session.invitation.masking is SecureAggregation.PAILLIER:
        joined = PaillierState.from_bytes(session.masking)
        encrypted = encrypt_update(joined, request.encrypted(joined.roster_digest), integers)
        return session.with_masking(encrypted.state.to_bytes()), encrypted.message
    state = SiloMaskState.from_bytes(session.masking)
    step = mask_update(state, request.masked(state.roster_digest), integers)
    return session.with_masking(step.state.to_bytes()), MaskedUpdateMessage.of(step.message)
