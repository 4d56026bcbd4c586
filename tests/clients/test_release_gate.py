"""The gate: what is not in range, not agreed or not started does not leave."""

from dataclasses import replace

import numpy as np
import pytest

from clients.errors import OutOfOrder
from clients.release_gate import release, require_agreed
from clients.session import Session
from privacy.errors import InvalidSetting, PrivacyError, ValueOutOfRange
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.key_agreement import build_roster, join_roster, offer_key
from privacy.wire import Invitation, MaskedUpdateMessage, PlainUpdate, SumRequest, unpack_integers

PLAIN = Session(Invitation("run", "none", 0.0, 0.0, 0, "none", "{}"), started=True)
REQUEST = SumRequest("run", 1, "scales", (), 3, 10, 8.0, PLAIN.invitation.digest)


def masked_session() -> Session:
    identities = [SiloIdentity.generate(name) for name in "abc"]
    offers = [offer_key(identity, "run", min_silos=3) for identity in identities]
    peers = PinnedPeers({identity.silo: identity.public_key for identity in identities})
    state = join_roster(offers[0], build_roster([offer.advert for offer in offers]), peers)
    invitation = replace(PLAIN.invitation, secure_aggregation="masks")
    return Session(invitation, state.to_bytes(), started=True)


def test_a_vector_in_clear_is_the_quantised_one() -> None:
    session, body = release(PLAIN, "north", REQUEST, np.array([1.0, -0.5, 8.0]))

    assert isinstance(body, PlainUpdate)
    assert unpack_integers(body.vector).view(np.int64).tolist() == [1024, -512, 8192]  # times 2^10
    assert (body.silo, body.context, session) == ("north", REQUEST.model_digest, PLAIN)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 8.001, -9.0, 1e300])
def test_nonsense_is_refused_and_not_told(wrong: float) -> None:
    for session in (PLAIN, masked_session()):
        with pytest.raises(ValueOutOfRange) as refused:
            release(session, "north", REQUEST, np.array([0.123, wrong, 0.0]))

        assert "nothing was sent" in str(refused.value)
        assert "0.123" not in str(refused.value)
        assert str(wrong) not in str(refused.value)


def test_a_masked_vector_is_not_the_vector() -> None:
    _, body = release(masked_session(), "a", REQUEST, np.zeros(3))

    assert isinstance(body, MaskedUpdateMessage)
    assert 0 not in unpack_integers(body.masked).tolist()


def test_a_round_is_masked_once() -> None:
    session, _ = release(masked_session(), "a", REQUEST, np.zeros(3))

    with pytest.raises(PrivacyError, match="came again"):
        release(session, "a", REQUEST, np.ones(3))


def test_a_vector_of_the_wrong_length_is_not_masked() -> None:
    with pytest.raises(InvalidSetting, match=r"asks for uint64\[3\]"):
        release(masked_session(), "a", REQUEST, np.zeros(4))


@pytest.mark.parametrize("bits, largest", [(60, 8.0), (10, 0.0), (10, 2.0**60), (-1, 8.0)])
def test_a_scale_that_cannot_hold_a_sum_is_refused(bits: int, largest: float) -> None:
    with pytest.raises(PrivacyError):
        release(PLAIN, "north", replace(REQUEST, fraction_bits=bits, max_abs=largest), np.zeros(3))


def test_a_sum_before_the_start_is_refused() -> None:
    with pytest.raises(OutOfOrder, match="before the run was started"):
        require_agreed(replace(PLAIN, started=False), REQUEST)


def test_a_sum_under_other_terms_is_refused() -> None:
    weaker = replace(PLAIN.invitation, secure_aggregation="masks")

    with pytest.raises(OutOfOrder, match="other terms"):
        require_agreed(PLAIN, replace(REQUEST, invitation=weaker.digest))
