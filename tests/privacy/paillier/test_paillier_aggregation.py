"""The three sides together: exact sums, dropouts, resumed runs, and the rules everyone keeps."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import (
    CapacityExceeded,
    InvalidSetting,
    MalformedMessage,
    MaskStateDamaged,
    ModulusRefused,
    RosterRefused,
    RoundRefused,
    TooFewSilos,
    UntrustedPeer,
    ValueOutOfRange,
)
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.key_agreement import build_roster, offer_key
from privacy.paillier.aggregation import HOLDER, HeldRoster
from privacy.paillier.encrypted_sum import EncryptedSum
from privacy.paillier.key_holder import HolderOffer, HolderSession, agree, offer_holder_keys, open_sum
from privacy.paillier.silo import PaillierState, join_held_roster
from tests.privacy.masks.masked_federation import RUN
from tests.privacy.paillier.paillier_federation import (
    WEAK,
    PaillierFederation,
    integers,
    plain_sum,
    small_vectors,
    weak_key,
)


@pytest.fixture
def federation(tmp_path):
    return PaillierFederation(tmp_path / "holder")


def test_the_opened_sum_is_the_sum_of_the_vectors(federation):
    vectors, request = small_vectors(5, 40), federation.round(length=40)
    asked = federation.asked(request, federation.updates(request, vectors).values())

    assert federation.total(request, asked) == plain_sum(vectors)


@pytest.fixture(scope="module")
def agreed(tmp_path_factory):
    """One federation for all examples of a property, its silos' states and its key holder's session."""
    federation = PaillierFederation(tmp_path_factory.mktemp("agreed") / "holder", 4)
    (session,) = federation.home.directory.glob("runs/*/session")
    return federation, dict(federation.stored), HolderSession.from_bytes(session.read_bytes())


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=4, max_size=4))
def test_any_vectors_within_the_bound_add_up_exactly(agreed, vectors):
    """The pure steps alone, without what the key holder remembers."""
    federation, states, session = agreed
    federation.stored = dict(states)
    request = federation.round(length=3, largest=9)
    sent = federation.updates(request, integers(vectors)).values()

    total = open_sum(weak_key(), session, federation.asked(request, sent))

    assert total.tolist() == integers([sum(column) for column in zip(*vectors, strict=True)]).tolist()


def test_silos_that_drop_out_are_simply_not_in_the_sum(federation):
    """Four of five is the threshold: above two thirds."""
    vectors, request = small_vectors(5), federation.round()
    updates = federation.updates(request, vectors)
    del updates["silo-03"]

    assert federation.total(request, federation.asked(request, updates.values())) == plain_sum(
        vectors[[0, 1, 2, 4]]
    )


def test_below_the_threshold_the_coordinator_does_not_even_ask(federation):
    request = federation.round()
    updates = list(federation.updates(request, small_vectors(5)).values())
    with pytest.raises(TooFewSilos, match="3 of 5 silos sent an update, 4 are needed"):
        federation.asked(request, updates[:3])


@pytest.mark.parametrize("minima, key, needed", [({}, 3, 4), ({"silo-01": 5}, 3, 5), ({}, 5, 5)])
def test_the_fewest_silos_in_a_sum_are_what_the_strictest_party_asks_for(tmp_path, minima, key, needed):
    federation = PaillierFederation(tmp_path / "holder", min_silos=minima, key=weak_key(key))

    assert federation.held.needed == needed


def test_a_key_holder_that_asks_for_more_silos_than_there_are_joins_no_run(tmp_path):
    with pytest.raises(RosterRefused, match="opens sums of 6 or more"):
        PaillierFederation(tmp_path / "holder", key=weak_key(6))


def test_rounds_follow_one_another_under_one_agreement(federation):
    vectors = small_vectors(5)
    for number in (1, 2, 5):
        request = federation.round(number)
        asked = federation.asked(request, federation.updates(request, vectors).values())
        assert federation.total(request, asked) == plain_sum(vectors)


def test_two_messages_with_equal_values_have_nothing_in_common(federation):
    zero, request = integers([0, 0, 0, 0]), federation.round()
    sent = [federation.encrypt(name, request, zero).ciphertexts for name in ("silo-00", "silo-01")]
    sent.append(federation.encrypt("silo-00", federation.round(2), zero).ciphertexts)

    assert len({octets[k : k + 16] for octets in sent for k in range(0, 128, 16)}) == 3 * 8


def test_a_silo_encrypts_a_round_once_and_never_goes_back(federation):
    vector = integers([1, 2, 3, 4])
    federation.encrypt("silo-00", federation.round(2), vector)
    for number in (1, 2):
        with pytest.raises(RoundRefused, match="came again or late"):
            federation.encrypt("silo-00", federation.round(number), vector)


def test_a_silo_encrypts_for_the_roster_it_joined_only(federation):
    with pytest.raises(RoundRefused, match="not of the run and roster"):
        federation.encrypt("silo-00", replace(federation.round(), roster_digest=bytes(32)), integers([0] * 4))


def test_a_silo_refuses_values_beyond_the_bound(federation):
    with pytest.raises(ValueOutOfRange, match="nothing was sent"):
        federation.encrypt("silo-00", federation.round(), integers([0, 0, 0, 1001]))


def test_a_silo_refuses_bounds_whose_sum_could_overflow(federation):
    with pytest.raises(CapacityExceeded):
        federation.encrypt("silo-00", federation.round(largest=2**61), integers([0] * 4))


def test_a_silo_refuses_a_vector_of_another_length(federation):
    with pytest.raises(InvalidSetting, match=r"uint64\[3\]"):
        federation.encrypt("silo-00", federation.round(), integers([0] * 3))


@pytest.mark.parametrize("change", [{"round": 0}, {"length": 0}, {"largest": 0}, {"question": b"short"}])
def test_a_round_without_sense_cannot_be_made(federation, change):
    with pytest.raises(InvalidSetting):
        replace(federation.round(), **change)


def test_a_silo_refuses_a_key_holder_with_a_short_modulus_unless_told_otherwise(federation):
    offer = federation.offers["silo-00"]
    with pytest.raises(ModulusRefused, match="512 bits is too short"):
        join_held_roster(offer, federation.held, federation.peers)


def test_a_silo_refuses_a_key_holder_that_it_has_not_pinned(federation):
    strangers = PinnedPeers({name: key for name, key in federation.peers.keys.items() if name != HOLDER})
    with pytest.raises(UntrustedPeer, match="no key is pinned for key-holder"):
        join_held_roster(federation.offers["silo-00"], federation.held, strangers, rule=WEAK)


def test_no_silo_may_bear_the_key_holders_name(federation):
    offers = [offer_key(SiloIdentity.generate(name), RUN).advert for name in ("a", "b", HOLDER)]
    with pytest.raises(RosterRefused, match="bears the key holder's name"):
        HeldRoster(build_roster(offers), federation.held.holder)


def test_an_update_of_the_wrong_shape_or_sender_or_twice_is_not_taken(federation):
    request = federation.round()
    good = federation.encrypt("silo-00", request, integers([0] * 4))
    encrypted = EncryptedSum(federation.held, request)
    for bad in (
        replace(good, silo="silo-09"),
        replace(good, context=bytes(32)),
        replace(good, ciphertexts=good.ciphertexts[:-1]),
        replace(good, ciphertexts=2 * good.ciphertexts),
        replace(good, ciphertexts=bytes(len(good.ciphertexts))),
    ):
        with pytest.raises(MalformedMessage, match="it was not used"):
            encrypted.accept_update(bad)
    encrypted.accept_update(good)
    with pytest.raises(MalformedMessage, match="it was not used"):
        encrypted.accept_update(good)
    assert encrypted.silos == ("silo-00",)


def test_an_answer_of_the_wrong_shape_is_not_used(federation):
    request = federation.round()
    asked = federation.asked(request, federation.updates(request, small_vectors(5)).values())
    encrypted, opened = EncryptedSum(federation.held, request), federation.home.open(asked)
    for bad in (
        replace(opened, question=bytes(32)),
        replace(opened, total=opened.total[:-8]),
        replace(opened, silos=("silo-00",) * 5),
        replace(opened, silos=opened.silos[:3]),
    ):
        with pytest.raises(MalformedMessage, match="opened sum"):
            encrypted.read(bad)


def test_states_survive_their_files_and_nothing_else_does(federation, tmp_path):
    state = PaillierState.from_bytes(federation.stored["silo-00"])
    offer = offer_holder_keys(federation.home.identity, weak_key(), RUN)
    session = agree(offer, federation.roster, federation.peers)
    for value in (state, offer, session):
        stored = value.to_bytes()
        assert type(value).from_bytes(stored) == value
        with pytest.raises(MaskStateDamaged):
            type(value).from_bytes(stored[:-1])
    with pytest.raises(MaskStateDamaged, match="holder-offer, not a holder-session"):
        HolderSession.from_bytes(offer.to_bytes())
    with pytest.raises(MaskStateDamaged, match="holder-session, not a holder-offer"):
        HolderOffer.from_bytes(session.to_bytes())


def test_no_secret_prints(federation):
    offer = offer_holder_keys(federation.home.identity, weak_key(), RUN)
    shown = repr(
        (
            PaillierState.from_bytes(federation.stored["silo-00"]),
            offer,
            agree(offer, federation.roster, federation.peers),
        )
    )

    assert "holder_key" not in shown
    assert "private_key" not in shown
    assert "pair_keys" not in shown
