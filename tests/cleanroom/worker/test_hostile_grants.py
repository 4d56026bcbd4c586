"""Grants that are for something else, lack a key or hold one too many open nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cleanroom.errors import KeyRefused, SealedTableBroken
from cleanroom.worker.executor import GrantRequest
from cleanroom.worker.key_approval import APPROVAL_KIND, approval_body, require_approved
from cleanroom.worker.key_exchange import Grant, grant_context
from cleanroom.worker.statement import Statement
from privacy.errors import SignatureRefused
from privacy.party_keys import PartyKeys
from privacy.sealing import new_key, seal_message
from privacy.signed_document import sign_document
from tests.cleanroom.worker.conftest import Room
from tests.cleanroom.worker.two_owners import BOTH, COLLABORATION, SIGNING, Brokers, vouched_for

Sealed = Mapping[str, bytes]


def refused(
    room: Room, change: Callable[[Brokers, Statement, bytes], Sealed], *, noised: bool = False
) -> None:
    """One opaque refusal, and nothing left the enclave but its statement."""

    class Changed(Brokers):
        def grants(self, request: GrantRequest) -> Sealed:
            genuine = super().grants(request)
            worker = attested_key(request.attestation)
            return {**genuine, **change(self, Statement.of(request.statement), worker)}

    room.brokers = Changed(room.tables.keys)
    with pytest.raises(KeyRefused) as refusal:
        room.ask(BOTH, noised=noised)
    assert str(refusal.value) == "an owner's grant of keys does not fit; nothing was released"
    assert len(room.backend.started[-1].sent) == 2  # the statement, the refusal


def test_a_grant_for_another_statement_does_not_open(room: Room) -> None:
    def change(brokers: Brokers, statement: Statement, public_key: bytes) -> Sealed:
        other = replace(statement, asker="somebody else")
        return {"publisher": brokers.sealed_grant("publisher", other, public_key)}

    refused(room, change)


def test_a_grant_of_another_owner_does_not_open(room: Room) -> None:
    def change(brokers: Brokers, statement: Statement, public_key: bytes) -> Sealed:
        return {"publisher": brokers.sealed_grant("advertiser", statement, public_key)}

    refused(room, change)


def test_a_grant_for_another_worker_does_not_open(room: Room) -> None:
    keys = PartyKeys.generate("enclave").public
    other = keys.sealing + keys.signing
    refused(room, lambda brokers, asked, _: {"publisher": brokers.sealed_grant("publisher", asked, other)})


def test_a_grant_of_earlier_does_not_open(room: Room) -> None:
    """Whoever asks the same again asks with other nonces."""
    room.ask(BOTH)
    statement = Statement.of(room.brokers.asked[0].statement)
    refused(room, lambda brokers, _, key: {"publisher": brokers.sealed_grant("publisher", statement, key)})


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 100])
def test_a_grant_that_is_none_does_not_open(room: Room, content: bytes) -> None:
    refused(room, lambda *_: {"publisher": content})


def sealed(content: bytes, statement: Statement, public_key: bytes) -> bytes:
    """As the publisher's broker seals a grant."""
    return seal_message(content, public_key[:32], grant_context("publisher", statement.digest()))


def changed_grant(change: Callable[[Grant], Grant]) -> Callable[[Brokers, Statement, bytes], Sealed]:
    """The publisher's, sealed as it should be, with something else in it."""

    def seal(brokers: Brokers, statement: Statement, public_key: bytes) -> Sealed:
        grant = change(brokers.grant("publisher", statement, public_key))
        return {"publisher": sealed(grant.to_bytes(), statement, public_key)}

    return seal


def test_a_grant_without_a_table_s_key_is_refused(room: Room) -> None:
    refused(room, changed_grant(lambda grant: replace(grant, dataset_keys={})))


def test_a_grant_with_another_owner_s_key_is_refused(room: Room) -> None:
    """An owner speaks for its own tables only, or the service could have one broker give what another refused."""
    refused(room, changed_grant(lambda grant: replace(grant, dataset_keys=dict(room.tables.keys))))


@pytest.mark.parametrize("noised", [False, True])
def test_owners_whose_state_keys_differ_are_refused(room: Room, noised: bool) -> None:
    refused(room, changed_grant(lambda grant: replace(grant, state_key=new_key())), noised=noised)


def test_a_grant_with_something_more_in_it_is_refused(room: Room) -> None:
    def change(brokers: Brokers, statement: Statement, public_key: bytes) -> Sealed:
        content = brokers.grant("publisher", statement, public_key).to_bytes()[:-1] + b',"more":1}'
        return {"publisher": sealed(content, statement, public_key)}

    refused(room, change)


OTHER_APPROVALS = {
    "of another owner": ("advertiser", None, None),
    "for another statement": ("publisher", bytes(32), None),
    "for another worker": ("publisher", None, bytes(64)),
}


@pytest.mark.parametrize("case", OTHER_APPROVALS)
def test_an_approval_of_something_else_is_refused(room: Room, case: str) -> None:
    owner, other_statement, other_worker = OTHER_APPROVALS[case]

    def change(brokers: Brokers, statement: Statement, public_key: bytes) -> Sealed:
        body = approval_body(owner, other_statement or statement.digest(), other_worker or public_key)
        approval = sign_document(APPROVAL_KIND, body, SIGNING["publisher"])
        grant = replace(brokers.grant("publisher", statement, public_key), approval=approval)
        return {"publisher": sealed(grant.to_bytes(), statement, public_key)}

    refused(room, change)


@pytest.mark.parametrize(
    "approval", [{}, {"public_key": 1}, {"public_key": "AA=="}, {"public_key": "?"}], ids=str
)
def test_an_approval_that_is_none_is_refused(room: Room, approval: dict[str, Any]) -> None:
    refused(room, changed_grant(lambda grant: replace(grant, approval=approval)))


def test_an_approval_in_another_owner_s_name_is_found_out_by_whoever_verifies_the_release(room: Room) -> None:
    """A service that grants keys of its own making can sign, but not with the publisher's key."""

    class Forging(Brokers):
        def grant(self, owner: str, statement: Statement, public_key: bytes) -> Grant:
            body = approval_body(owner, statement.digest(), public_key)
            forged = sign_document(APPROVAL_KIND, body, PartyKeys.generate(owner))
            return replace(super().grant(owner, statement, public_key), approval=forged)

    def require_genuine(owner: str, body: dict[str, Any]) -> None:
        attestation = base64.b64decode(body["attestation"]["document"])
        expected = approval_body(owner, Statement.of(body["statement"]).digest(), attested_key(attestation))
        key = SIGNING[owner].public.signing
        require_approved(body["approvals"][owner], body=expected, public_key=key)

    genuine = dict(room.ask(BOTH, noised=True).release["body"])
    room.brokers = Forging(room.tables.keys)
    forged = dict(room.ask(BOTH, noised=True).release["body"])
    for owner in ("advertiser", "publisher"):
        require_genuine(owner, genuine)
        with pytest.raises(SignatureRefused):
            require_genuine(owner, forged)


def attested_key(attestation: bytes) -> bytes:
    public_key = vouched_for(attestation).public_key
    assert public_key is not None
    return public_key


def test_an_owner_too_many_is_refused(room: Room) -> None:
    refused(room, lambda brokers, asked, key: {"third": brokers.sealed_grant("publisher", asked, key)})


def test_an_owner_too_few_is_refused(room: Room) -> None:
    class Partial(Brokers):
        def grants(self, request: GrantRequest) -> Sealed:
            return {"advertiser": super().grants(request)["advertiser"]}

    room.brokers = Partial(room.tables.keys)
    with pytest.raises(KeyRefused):
        room.ask(BOTH)


def test_a_wrong_data_key_opens_no_table(room: Room) -> None:
    room.brokers = Brokers({**room.tables.keys, "ver-panel": new_key()})
    with pytest.raises(SealedTableBroken):
        room.ask(BOTH)
    assert room.brokers.commits == []


@pytest.mark.parametrize("owner", ["advertiser", "publisher"])
def test_a_nonce_missing_ends_the_job_before_anything_is_stated(room: Room, owner: str) -> None:
    class Forgetful(Brokers):
        def nonces(self, collaboration: str, owners: object) -> Mapping[str, bytes]:
            return {owner: new_key()}

    room.brokers = Forgetful(room.tables.keys)
    with pytest.raises(Exception, match="against the rules"):
        room.ask(BOTH)
    assert room.brokers.asked == []
    assert COLLABORATION.encode() not in b"".join(room.backend.started[-1].sent)
