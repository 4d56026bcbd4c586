"""Members get new keys by signature."""

from __future__ import annotations

import pytest

from cleanroom.errors import NotAuthorised, SignatureInvalid
from cleanroom.governance.key_requests import KEY_REQUEST, key_request_body
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document
from tests.cleanroom.governance.example_room import NOON, ExampleRoom, later


def request(
    room: ExampleRoom, *, end_others: bool = False, keys: PartyKeys | None = None, **changes: str
) -> dict:
    body = key_request_body(room.collaboration, "adv", end_others=end_others, now=NOON)
    return sign_document(KEY_REQUEST, {**body, **changes}, keys or room.keys["adv"])


def test_a_signed_request_gets_a_key_once(room: ExampleRoom) -> None:
    document = request(room)
    key = room.governance.key_requests.answer(document, now=later(minutes=5)).key.reveal()
    assert room.governance.api_keys.authenticate(key, now=NOON).member == "adv"
    assert room.governance.api_keys.authenticate(room.api_keys["adv"], now=NOON).member == "adv"
    with pytest.raises(SignatureInvalid):
        room.governance.key_requests.answer(document, now=NOON)


def test_a_stolen_key_ends_with_the_request(room: ExampleRoom) -> None:
    key = room.governance.key_requests.answer(request(room, end_others=True), now=NOON).key.reveal()
    with pytest.raises(NotAuthorised):
        room.governance.api_keys.authenticate(room.api_keys["adv"], now=NOON)
    assert room.governance.api_keys.authenticate(key, now=NOON).member == "adv"


def test_old_foreign_and_changed_requests_get_nothing(room: ExampleRoom) -> None:
    answer = room.governance.key_requests.answer
    wrong = [
        (request(room), later(minutes=5, seconds=1)),
        (request(room), later(minutes=-5, seconds=-1)),
        (request(room, keys=PartyKeys.generate("adv")), NOON),
        (request(room, extra="field"), NOON),
        (request(room, at="noon"), NOON),
        (request(room, at="2026-11-26T12:00:00"), NOON),
        ({**request(room), "kind": "terms"}, NOON),
        (request(room, member="bea"), NOON),
        ({}, NOON),
    ]
    for document, now in wrong:
        with pytest.raises(SignatureInvalid):
            answer(document, now=now)
