"""What may travel: every message survives the wire unchanged, anything else is refused."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto

from privacy.attested_sums.sum_terms import Challenge, SumTerms
from privacy.errors import InvalidSetting, MalformedMessage
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster, MaskedUpdate, UnmaskReply, UnmaskRequest
from privacy.paillier.aggregation import EncryptedUpdate, HolderAdvert, OpenedSum, OpenRequest
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate, unpack_integers
from privacy.wire import (
    MESSAGES_OF_A_KEY_HOLDER,
    MESSAGES_OF_A_SILO,
    MESSAGES_TO_A_KEY_HOLDER,
    MESSAGES_TO_A_SILO,
    RECORD,
    Acknowledgement,
    AttestedEnclave,
    ChallengeRequest,
    HolderIntroduction,
    Introduction,
    Invitation,
    KeyRosterMessage,
    SealedUpdate,
    SumRequest,
    from_record,
    pack_vector,
    size_of,
    to_record,
)

TERMS = PrivacyTerms(
    PrivacyMode.DISTRIBUTED,
    8.0,
    1e-4,
    150,
    curvatures=2,
    survivors=5,
    colluding=1,
    values=300,
    sample_rate=0.5,
)
INVITATION = Invitation.of("run", TERMS, secure_aggregation=SecureAggregation.MASKS, model="{}")
REQUEST = SumRequest("run", 2, "round", (pack_vector(np.arange(3.0)), b""), 7, 28, 2.0**28, b"i" * 32)
ADVERTS = tuple(KeyAdvert("run", name, 3, bytes([n]) * 32, b"signature") for n, name in enumerate("abc", 1))
HOLDER = HolderAdvert("run", 3, b"\x0c\xa1", b"k" * 32, b"signature")
ENCLAVE_TERMS = SumTerms(
    "run", b"i" * 32, b"r" * 32, 3, tuple("abc"), tuple(bytes([n]) * 32 for n in range(3)), (b"n" * 32,) * 3
)
MESSAGES = {
    *MESSAGES_OF_A_SILO,
    *MESSAGES_TO_A_SILO,
    *MESSAGES_OF_A_KEY_HOLDER,
    *MESSAGES_TO_A_KEY_HOLDER,
}
EXAMPLES: tuple[Any, ...] = (
    Introduction("north", b"\x00key", '{"channels": {}}'),
    ADVERTS[0],
    Acknowledgement("north"),
    PlainUpdate("north", b"c" * 32, b"\x01" * 16),
    MaskedUpdateMessage("north", b"c" * 32, b"\xff" * 16, (b"", b"box"), b"h" * 64),
    UnmaskReply("north", b"c" * 32, b"s" * 32, b""),
    INVITATION,
    KeyRosterMessage.of(KeyRoster("run", 3, ADVERTS)),
    KeyRosterMessage.without_masks("run"),
    REQUEST,
    UnmaskRequest("north", b"c" * 32, ("north", "south"), (), (b"", b"box")),
    EncryptedUpdate("north", b"c" * 32, b"\xff" * 96),
    HolderIntroduction(b"\x00key"),
    HOLDER,
    OpenRequest("run", 2, b"q" * 32, b"r" * 32, 7, 2**56, ("north", "south"), b"\xff" * 96),
    ChallengeRequest("run"),
    Challenge("north", "run", b"n" * 32, 3),
    AttestedEnclave.of(ENCLAVE_TERMS, b"document"),
    SealedUpdate("north", b"\xff" * 48),
    OpenedSum(b"q" * 32, ("north", "south"), b"\x01" * 16),
)


def over_the_wire(content: RecordDict) -> RecordDict:
    """Through Flower's own protobuf bytes and back."""
    proto = recorddict_to_proto(content)
    return recorddict_from_proto(type(proto).FromString(proto.SerializeToString()))


def record_of(body: Any, **changes: Any) -> RecordDict:
    """The message with some fields replaced, added, or (`...`) taken out."""
    content = dict(to_record(body).config_records[RECORD]) | changes
    return RecordDict({RECORD: ConfigRecord({k: v for k, v in content.items() if v is not ...})})


def test_the_examples_cover_every_message() -> None:
    assert {type(example) for example in EXAMPLES} == MESSAGES


@pytest.mark.parametrize("body", EXAMPLES, ids=lambda body: type(body).__name__)
class TestEveryMessage:
    def test_survives_the_wire_unchanged(self, body: Any) -> None:
        assert from_record(over_the_wire(to_record(body)), type(body)) == body

    def test_is_refused_as_any_other_kind(self, body: Any) -> None:
        for other in MESSAGES - {type(body)}:
            with pytest.raises(MalformedMessage, match=other.__name__):
                from_record(to_record(body), other)

    def test_is_refused_without_any_one_field(self, body: Any) -> None:
        for name in ("kind", *(field.name for field in fields(body))):
            with pytest.raises(MalformedMessage):
                from_record(record_of(body, **{name: ...}), type(body))

    def test_is_refused_with_one_field_more(self, body: Any) -> None:
        with pytest.raises(MalformedMessage):
            from_record(record_of(body, mean_sales=3.5), type(body))

    def test_is_refused_when_any_field_has_another_type(self, body: Any) -> None:
        for field in fields(body):
            for wrong in (1 if field.type is bool else True, [1.5]):
                with pytest.raises(MalformedMessage):
                    from_record(record_of(body, **{field.name: wrong}), type(body))

    def test_a_refusal_does_not_quote_the_message(self, body: Any) -> None:
        with pytest.raises(MalformedMessage) as refused:
            from_record(record_of(body, extra="Jane Doe, 12,345.67"), type(body))

        assert "Jane" not in str(refused.value) + refused.value.hint


def test_a_message_without_our_record_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        from_record(RecordDict(), Acknowledgement)


def test_a_whole_number_is_no_substitute_for_a_float() -> None:
    with pytest.raises(MalformedMessage):
        from_record(record_of(INVITATION, epsilon=8), Invitation)


def test_a_roster_is_the_same_on_the_other_side() -> None:
    roster = KeyRoster("run", 3, ADVERTS)

    arrived = from_record(over_the_wire(to_record(KeyRosterMessage.of(roster))), KeyRosterMessage)

    assert arrived.roster() == roster
    assert arrived.roster().digest == roster.digest


def test_a_roster_with_a_key_holder_is_the_same_on_the_other_side() -> None:
    sent = KeyRosterMessage.of(KeyRoster("run", 3, ADVERTS), HOLDER)

    arrived = from_record(over_the_wire(to_record(sent)), KeyRosterMessage)

    assert arrived.held_roster().holder == HOLDER
    assert arrived.held_roster().digest == sent.held_roster().digest


def test_a_roster_without_a_key_holder_has_none_to_offer() -> None:
    with pytest.raises(MalformedMessage, match="key holder's advert"):
        KeyRosterMessage.of(KeyRoster("run", 3, ADVERTS)).held_roster()


def test_an_enclaves_terms_are_the_same_on_the_other_side() -> None:
    arrived = from_record(
        over_the_wire(to_record(AttestedEnclave.of(ENCLAVE_TERMS, b"document"))), AttestedEnclave
    )

    assert (arrived.terms(), arrived.document) == (ENCLAVE_TERMS, b"document")
    assert arrived.terms().digest == ENCLAVE_TERMS.digest


def test_the_question_that_enclaves_see_covers_the_request_and_its_bound() -> None:
    question = REQUEST.sealed()

    assert (question.run_id, question.number, question.length) == ("run", 2, 7)
    assert (question.question, question.fraction_bits) == (REQUEST.model_digest, 28)
    assert question.largest == 2**56


def test_the_round_of_encrypted_sums_covers_the_request_and_its_bound() -> None:
    round_ = REQUEST.encrypted(b"r" * 32)

    assert (round_.run_id, round_.round, round_.length) == ("run", 2, 7)
    assert (round_.question, round_.roster_digest) == (REQUEST.model_digest, b"r" * 32)
    assert round_.largest == 2**56


def test_a_masked_vector_is_the_same_on_the_other_side() -> None:
    sent = MaskedUpdate("north", b"c" * 32, np.array([0, 1, 2**63, 2**64 - 1], np.uint64), (b"",), b"h" * 32)

    arrived = from_record(over_the_wire(to_record(MaskedUpdateMessage.of(sent))), MaskedUpdateMessage)

    assert arrived.update().masked.tolist() == [0, 1, 2**63, 2**64 - 1]


def test_vectors_arrive_bit_by_bit() -> None:
    values = np.array([0.1, -1e-300, 1e300, np.pi])
    request = replace(REQUEST, values=(pack_vector(values), pack_vector(np.zeros(0))))

    first, second = from_record(over_the_wire(to_record(request)), SumRequest).vectors()

    assert first.tobytes() == values.tobytes()
    assert second.size == 0


def test_half_an_integer_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        unpack_integers(b"1234567")


def test_size_counts_names_and_payload() -> None:
    # kind + "PlainUpdate", silo + "n", context + 32 bytes, vector + 16 bytes
    expected = (4 + 11) + (4 + 1) + (7 + 32) + (6 + 16)

    assert size_of(to_record(PlainUpdate("n", b"c" * 32, b"v" * 16))) == expected


CHANGED_REQUEST: dict[str, Any] = {
    "run_id": "other",
    "round": 3,
    "purpose": "report",
    "values": (pack_vector(np.arange(3.0)), b"x"),
    "length": 8,
    "fraction_bits": 27,
    "max_abs": 2.0**27,
    "invitation": b"j" * 32,
}


@pytest.mark.parametrize("name", [field.name for field in fields(SumRequest)])
def test_every_field_of_a_sum_request_enters_its_digest(name: str) -> None:
    assert replace(REQUEST, **{name: CHANGED_REQUEST[name]}).model_digest != REQUEST.model_digest


def test_moving_bytes_between_values_changes_the_digest() -> None:
    one, two = (replace(REQUEST, values=values) for values in ((b"ab", b"c"), (b"a", b"bc")))

    assert one.model_digest != two.model_digest


CHANGED_INVITATION: dict[str, Any] = {
    "run_id": "other",
    "privacy_mode": "local",
    "epsilon": 8.1,
    "delta": 2e-4,
    "steps": 151,
    "curvatures": 3,
    "survivors": 6,
    "colluding": 2,
    "values": 301,
    "sample_rate": 0.25,
    "secure_aggregation": "none",
    "enclave": True,
    "model": "[]",
}


@pytest.mark.parametrize("name", [field.name for field in fields(Invitation)])
def test_every_field_of_an_invitation_enters_its_digest(name: str) -> None:
    assert replace(INVITATION, **{name: CHANGED_INVITATION[name]}).digest != INVITATION.digest


def test_an_invitation_names_its_terms() -> None:
    assert INVITATION.privacy == TERMS
    assert INVITATION.masking is SecureAggregation.MASKS


def test_terms_are_the_same_on_the_other_side() -> None:
    """With their noise: a silo takes none from a message, it works it out."""
    whole = replace(INVITATION, sample_rate=1.0)
    arrived = from_record(over_the_wire(to_record(whole)), Invitation)

    assert arrived.digest == whole.digest
    assert arrived.privacy.events == replace(TERMS, sample_rate=1.0).events


def test_neighbouring_numbers_of_an_invitation_cannot_change_places() -> None:
    """survivors, colluding and values stand side by side in the digest."""
    swapped = replace(INVITATION, survivors=1, colluding=5)

    assert swapped.digest != INVITATION.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"privacy_mode": "some"},
        {"epsilon": 0.0},
        {"delta": 1.0},
        {"steps": 0},
        {"privacy_mode": "none"},
        {"values": 0},
        {"survivors": 0},
        {"colluding": 5},
    ],
    ids=str,
)
def test_terms_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        _ = replace(INVITATION, **changes).privacy


def test_an_unknown_way_of_summing_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="masks"):
        _ = replace(INVITATION, secure_aggregation="trust me").masking
