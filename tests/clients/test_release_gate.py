"""The gate: what is not in range, not agreed or not started does not leave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clients.errors import OutOfOrder
from clients.release_gate import release, require_agreed
from clients.session import Session
from clients.silo_home import SiloHome
from privacy.errors import InvalidSetting, PrivacyError, ValueOutOfRange
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.ledger.ledger_entries import LifetimeLimit
from privacy.masks.key_agreement import build_roster, join_roster, offer_key
from privacy.quantization import FixedPoint
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate, unpack_integers
from privacy.wire import Invitation, SumRequest

Integers = NDArray[np.uint64]
NO_NOISE, IN_CLEAR = PrivacyTerms(PrivacyMode.NONE), SecureAggregation.NONE
PLAIN = Session(Invitation.of("run", NO_NOISE, secure_aggregation=IN_CLEAR, model="{}"), started=True)
REQUEST = SumRequest("run", 1, "scales", (), 3, 10, 8.0, PLAIN.invitation.digest)


def masked_session() -> Session:
    identities = [SiloIdentity.generate(name) for name in "abc"]
    offers = [offer_key(identity, "run", min_silos=3) for identity in identities]
    peers = PinnedPeers({identity.silo: identity.public_key for identity in identities})
    state = join_roster(offers[0], build_roster([offer.advert for offer in offers]), peers)
    invitation = replace(PLAIN.invitation, secure_aggregation="masks")
    return Session(invitation, state.to_bytes(), started=True)


def quantised(*values: float) -> Integers:
    """In the request's fixed point, as a silo's own sums arrive at the gate."""
    return FixedPoint(REQUEST.fraction_bits, REQUEST.max_abs).quantize(np.array(values))


def words(*values: int) -> Integers:
    return np.array(values, dtype=np.int64).view(np.uint64)


ZEROS = words(0, 0, 0)


@pytest.fixture
def north(tmp_path: Path) -> SiloHome:
    return SiloHome("north", tmp_path, LifetimeLimit(1.0, 1e-4))


def test_a_vector_in_clear_is_the_quantised_one(north: SiloHome) -> None:
    session, body = release(PLAIN, north, REQUEST, quantised(1.0, -0.5, 8.0))

    assert isinstance(body, PlainUpdate)
    assert unpack_integers(body.vector).view(np.int64).tolist() == [1024, -512, 8192]  # times 2^10
    assert (body.silo, body.context, session) == ("north", REQUEST.model_digest, PLAIN)


@pytest.mark.parametrize("wrong", [8193, -8193, 2**62, 2**63 - 1, -(2**63)])
def test_what_is_out_of_range_is_refused_and_not_told(wrong: int, north: SiloHome) -> None:
    """8 times 2^10 is the largest: beyond it a sum over silos could wrap round."""
    for session in (PLAIN, masked_session()):
        with pytest.raises(ValueOutOfRange) as refused:
            release(session, north, REQUEST, words(123, wrong, 0))

        assert "nothing was sent" in str(refused.value)
        assert "123" not in str(refused.value)
        assert str(wrong) not in str(refused.value)


@pytest.mark.parametrize("largest", [8192, -8192])
def test_the_largest_value_in_range_is_sent(largest: int, north: SiloHome) -> None:
    _, body = release(PLAIN, north, REQUEST, words(largest, 0, 0))

    assert isinstance(body, PlainUpdate)
    assert unpack_integers(body.vector).view(np.int64).tolist() == [largest, 0, 0]


def test_a_masked_vector_is_not_the_vector(north: SiloHome) -> None:
    _, body = release(masked_session(), north, REQUEST, ZEROS)

    assert isinstance(body, MaskedUpdateMessage)
    assert 0 not in unpack_integers(body.masked).tolist()


def test_a_round_is_masked_once(north: SiloHome) -> None:
    session, _ = release(masked_session(), north, REQUEST, ZEROS)

    with pytest.raises(PrivacyError, match="came again"):
        release(session, north, REQUEST, words(1, 1, 1))


def test_a_vector_of_the_wrong_length_is_not_masked(north: SiloHome) -> None:
    with pytest.raises(InvalidSetting, match=r"asks for uint64\[3\]"):
        release(masked_session(), north, REQUEST, words(0, 0, 0, 0))


@pytest.mark.parametrize("bits, largest", [(60, 8.0), (10, 0.0), (10, 2.0**60), (-1, 8.0)])
def test_a_scale_that_cannot_hold_a_sum_is_refused(bits: int, largest: float, north: SiloHome) -> None:
    with pytest.raises(PrivacyError):
        release(PLAIN, north, replace(REQUEST, fraction_bits=bits, max_abs=largest), ZEROS)


def test_a_sum_before_the_start_is_refused() -> None:
    with pytest.raises(OutOfOrder, match="before the run was started"):
        require_agreed(replace(PLAIN, started=False), REQUEST)


def test_a_sum_under_other_terms_is_refused() -> None:
    weaker = replace(PLAIN.invitation, secure_aggregation="masks")

    with pytest.raises(OutOfOrder, match="other terms"):
        require_agreed(PLAIN, replace(REQUEST, invitation=weaker.digest))
