"""What a silo remembers of a run between two messages."""

import pytest

from clients.errors import OutOfOrder
from clients.session import Session, TrustedEnclave
from privacy.attested_sums.sealed_update import EnclaveAddress
from privacy.attested_sums.sum_terms import SumQuestion
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from privacy.wire import Invitation

TERMS = PrivacyTerms(
    PrivacyMode.DISTRIBUTED,
    8.0,
    1e-4,
    150,
    curvatures=3,
    survivors=4,
    colluding=1,
    values=99,
    sample_rate=0.1,
)
INVITATION = Invitation.of("run", TERMS, secure_aggregation=SecureAggregation.MASKS, model='{"a": "b\\n"}')


@pytest.mark.parametrize("masking", [b"", b"\n", b"line\nline\n\x00\xff"])
def test_a_session_is_the_same_after_storing(masking: bytes) -> None:
    session = Session(INVITATION, masking, started=True, units=93.25)

    assert Session.from_bytes(session.to_bytes()) == session


def test_nothing_stored_means_not_joined() -> None:
    with pytest.raises(OutOfOrder, match="has not joined") as refused:
        Session.from_bytes(b"")

    assert "invite it first" in refused.value.hint


def test_a_session_of_another_run_is_refused() -> None:
    with pytest.raises(OutOfOrder, match="another run"):
        Session.from_bytes(Session(INVITATION).to_bytes(), run_id="other")


def test_a_step_of_masking_keeps_the_rest() -> None:
    session = Session(INVITATION, b"before", started=True, units=5.0)

    assert session.with_masking(b"after") == Session(INVITATION, b"after", started=True, units=5.0)


def test_the_enclave_that_was_checked_is_the_same_after_storing() -> None:
    enclave = TrustedEnclave(EnclaveAddress(b"t" * 32, b"k" * 32), b"r" * 32)
    question = SumQuestion("run", 7, b"q" * 32, 3, 10, 8192)
    session = Session(INVITATION, b"\n\n", nonce=b"\x00n", enclave=enclave, sealed=question)

    assert Session.from_bytes(session.to_bytes()) == session


def test_without_a_checked_enclave_there_is_none_to_seal_to() -> None:
    with pytest.raises(OutOfOrder, match="no enclave of this run was attested"):
        _ = Session(INVITATION).trusted_enclave


def test_another_roster_than_was_attested_is_refused() -> None:
    enclave = TrustedEnclave(EnclaveAddress(b"t" * 32, b"k" * 32), b"r" * 32)

    enclave.require_roster(b"r" * 32)
    for other in (b"", b"s" * 32):
        with pytest.raises(OutOfOrder, match="attested with another roster"):
            enclave.require_roster(other)
