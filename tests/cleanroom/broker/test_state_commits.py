"""The owner commits to one state after another, each from the one it granted, for the worker that has its keys."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from cleanroom.errors import KeyRefused
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.key_exchange import COMMIT_KIND, confirmation, is_confirmed
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document
from tests.cleanroom.broker.broker_room import REFUSAL, BrokerRoom


def new_id() -> str:
    return os.urandom(32).hex()


def refuse(room: BrokerRoom, document: object, code: str) -> None:
    """The commit is refused with the one sentence, for this reason, and nothing is committed."""
    before = room.home.book.committed.copy()
    with pytest.raises(KeyRefused) as refusal:
        room.broker.commit(document)
    assert str(refusal.value) == REFUSAL
    assert room.last_reasons() == [code]
    assert room.home.book.committed == before


def test_a_commit_is_confirmed_and_the_next_grant_starts_from_it(room: BrokerRoom) -> None:
    statement, following = room.statement(), new_id()
    grant = room.granted(statement)
    answer = room.broker.commit(room.commit(statement, grant, following=following))
    assert answer == confirmation(grant.confirm_key, following)
    assert is_confirmed(answer, grant.confirm_key, following)
    assert room.granted(room.statement()).committed == following


def test_what_was_committed_outlives_the_broker(room: BrokerRoom) -> None:
    statement, following = room.statement(), new_id()
    room.broker.commit(room.commit(statement, room.granted(statement), following=following))
    room.restarted()
    assert room.granted(room.statement()).committed == following


def test_the_same_commit_again_has_the_same_answer_and_one_line(room: BrokerRoom) -> None:
    statement = room.statement()
    document = room.commit(statement, room.granted(statement), following=new_id())
    assert room.broker.commit(document) == room.broker.commit(document)
    assert [kind for kind, _ in room.logged()].count("state committed") == 1


def test_the_answer_over_the_wire_is_the_confirmation(room: BrokerRoom) -> None:
    statement, following = room.statement(), new_id()
    grant = room.granted(statement)
    request = {"id": "r", "kind": "commit", "document": room.commit(statement, grant, following=following)}
    assert room.broker.answer(request) == confirmation(grant.confirm_key, following)
    assert room.broker.answer({"id": "r", "kind": "commit", "document": None}) is None


def test_of_two_workers_granted_at_one_state_only_the_first_goes_on(room: BrokerRoom) -> None:
    """Else two releases could start from one history, and be subtracted from each other."""
    first, second = room.statement(), room.statement()
    grants = room.granted(first), room.granted(second)
    room.broker.commit(room.commit(first, grants[0], following=new_id()))
    refuse(room, room.commit(second, grants[1], following=new_id()), "state")


def test_a_commit_from_a_state_of_before_is_refused(room: BrokerRoom) -> None:
    """The worker was shown an older state by its host and says so."""
    first = room.statement()
    room.broker.commit(room.commit(first, room.granted(first), following=new_id()))
    second = room.statement()
    grant = replace(room.granted(second), committed=None)
    refuse(room, room.commit(second, grant, following=new_id()), "commit")


def test_one_statement_commits_once(room: BrokerRoom) -> None:
    statement = room.statement()
    grant = room.granted(statement)
    room.broker.commit(room.commit(statement, grant, following=new_id()))
    refuse(room, room.commit(statement, grant, following=new_id()), "state")


def test_a_commit_that_others_have_overtaken_is_not_confirmed_again(room: BrokerRoom) -> None:
    first = room.statement()
    document = room.commit(first, room.granted(first), following=new_id())
    room.broker.commit(document)
    second = room.statement()
    room.broker.commit(room.commit(second, room.granted(second), following=new_id()))
    refuse(room, document, "state")


def test_a_commit_by_another_key(room: BrokerRoom) -> None:
    statement = room.statement()
    body = room.commit(statement, room.granted(statement), following=new_id())["body"]
    refuse(room, sign_document(COMMIT_KIND, body, PartyKeys.generate("enclave")), "commit")


def test_a_signature_of_another_kind(room: BrokerRoom) -> None:
    statement = room.statement()
    body = room.commit(statement, room.granted(statement), following=new_id())["body"]
    refuse(room, sign_document("release", body, room.worker), "commit")


@pytest.mark.parametrize(
    "change",
    [
        {"query_id": "qry-other"},
        {"collaboration": "col-other"},
        {"previous": {}},
        {"previous": {"adv": None, "bea": None}},
        {"previous": {"adv": "0" * 64}},
        {"next": "0"},
        {"more": 1},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_commit_of_something_else(room: BrokerRoom, change: dict[str, Any]) -> None:
    statement = room.statement()
    document = room.commit(statement, room.granted(statement), following=new_id(), **change)
    refuse(room, document, "commit")


def test_a_commit_without_a_grant(room: BrokerRoom) -> None:
    statement, other = room.statement(), room.statement()
    grant = room.granted(other)
    refuse(room, room.commit(statement, grant, following=new_id()), "commit")


def test_a_commit_of_a_grant_of_before_the_broker_was_started_again(room: BrokerRoom) -> None:
    statement = room.statement()
    document = room.commit(statement, room.granted(statement), following=new_id())
    room.restarted()
    refuse(room, document, "commit")


def test_a_commit_that_comes_too_late(room: BrokerRoom) -> None:
    statement = room.statement()
    document = room.commit(statement, room.granted(statement), following=new_id())
    room.later(hours=1)
    room.granted(room.statement())
    refuse(room, document, "commit")


def test_noised_questions_have_no_state_to_commit(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp")
    statement = room.statement(mode=Mode.DP)
    refuse(room, room.commit(statement, room.granted(statement), following=new_id()), "commit")


@pytest.mark.parametrize("junk", [None, [], {}, "x", {"body": None}, {"body": {"statement": []}}])
def test_what_is_no_commit(room: BrokerRoom, junk: object) -> None:
    refuse(room, junk, "commit")
