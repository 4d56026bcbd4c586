"""A repeated request is answered, not done again."""

from __future__ import annotations

import pytest

from cleanroom.errors import Conflict, ProposalInvalid
from cleanroom.governance.idempotency import StoredResponse
from tests.cleanroom.governance.example_room import NOON, ExampleRoom, later

CREATED = StoredResponse(201, {"id": "qry-1"})


def test_the_first_answer_is_given_again(empty_room: ExampleRoom) -> None:
    keys = empty_room.governance.idempotency
    assert keys.claim("dan", "k", "body", now=NOON) is None
    keys.complete("dan", "k", CREATED)
    assert keys.claim("dan", "k", "body", now=NOON) == CREATED
    assert keys.claim("eve", "k", "body", now=NOON) is None


def test_another_request_under_the_same_key_is_a_conflict(empty_room: ExampleRoom) -> None:
    keys = empty_room.governance.idempotency
    keys.claim("dan", "k", "body", now=NOON)
    with pytest.raises(Conflict, match="another request"):
        keys.claim("dan", "k", "other body", now=NOON)


def test_a_request_that_is_still_being_done_is_a_conflict_until_it_is_abandoned(
    empty_room: ExampleRoom,
) -> None:
    keys = empty_room.governance.idempotency
    keys.claim("dan", "k", "body", now=NOON)
    with pytest.raises(Conflict) as refused:
        keys.claim("dan", "k", "body", now=later(minutes=29))
    assert refused.value.hint == "try again in a moment"
    assert keys.claim("dan", "k", "body", now=later(minutes=30)) is None


def test_a_released_claim_may_be_made_again_and_a_completed_one_is_not_released(
    empty_room: ExampleRoom,
) -> None:
    keys = empty_room.governance.idempotency
    keys.claim("dan", "k", "body", now=NOON)
    keys.release("dan", "k")
    assert keys.claim("dan", "k", "other body", now=NOON) is None
    keys.complete("dan", "k", CREATED)
    keys.release("dan", "k")
    assert keys.claim("dan", "k", "other body", now=NOON) == CREATED


def test_answers_are_forgotten_after_a_day(empty_room: ExampleRoom) -> None:
    keys = empty_room.governance.idempotency
    keys.claim("dan", "k", "body", now=NOON)
    keys.complete("dan", "k", CREATED)
    keys.purge(now=later(hours=24))
    assert keys.claim("dan", "k", "body", now=later(hours=23)) == CREATED
    assert keys.claim("dan", "k", "other body", now=later(hours=24)) is None


@pytest.mark.parametrize("key", ["", "k" * 201, "line\nbreak", "é"])
def test_a_key_that_is_none_is_refused(empty_room: ExampleRoom, key: str) -> None:
    with pytest.raises(ProposalInvalid):
        empty_room.governance.idempotency.claim("dan", key, "body", now=NOON)
