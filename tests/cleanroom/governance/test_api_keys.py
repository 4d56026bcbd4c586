"""API keys: hashed, expiring, rotated, revoked; every refusal alike."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cleanroom.errors import Forbidden, NotAuthorised, NotFound, StoreUnavailable
from cleanroom.governance.api_keys import ApiKeys
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.tables import CredentialRow
from tests.cleanroom.governance.example_room import ANALYST, NOON, ExampleRoom, later


def test_every_cause_of_refusal_has_the_same_words(room: ExampleRoom) -> None:
    keys, adv = room.governance.api_keys, room.principals["adv"]
    good = room.api_keys["adv"]
    revoked = keys.issue(adv, now=NOON)
    keys.revoke(adv, revoked.id, now=NOON)
    foreign = ApiKeys(room.governance.store, Pepper(b"x" * 32), room.governance.audit)
    refusals = [
        (keys, "", NOON),
        (keys, "Bearer x", NOON),
        (keys, "é" * 10_000, NOON),
        (keys, good[:-1] + ("a" if good[-1] != "a" else "b"), NOON),
        (keys, "mrk_" + "a" * 16 + good[20:], NOON),
        (keys, revoked.key.reveal(), NOON),
        (keys, good, later(days=90)),
        (foreign, good, NOON),
    ]
    words = set()
    for where, key, now in refusals:
        with pytest.raises(NotAuthorised) as refused:
            where.authenticate(key, now=now)
        words.add((str(refused.value), refused.value.hint))
    assert len(words) == 1


def test_a_stored_key_is_only_a_keyed_hash(room: ExampleRoom) -> None:
    key = room.api_keys["adv"]
    rows = room.governance.store.read(lambda session: list(session.scalars(select(CredentialRow))))
    stored = {row.id: row.key_hash for row in rows}
    assert len(stored[key.split("_")[1]]) == 32
    assert all(key.split("_")[2] not in repr(vars(row)) for row in rows)


def test_a_key_prints_as_stars(room: ExampleRoom) -> None:
    issued = room.governance.api_keys.issue(room.principals["adv"], now=NOON)
    assert issued.key.reveal().startswith("mrk_")
    assert "***" in repr(issued)
    assert issued.key.reveal() not in f"{issued} {issued.key} {issued!r}"


def test_a_rotated_key_lives_on_for_its_grace_only(room: ExampleRoom) -> None:
    keys, old = room.governance.api_keys, room.api_keys["adv"]
    new = keys.rotate(room.principals["adv"], grace=timedelta(hours=1), now=NOON).key.reveal()
    assert keys.authenticate(old, now=later(minutes=59)).member == "adv"
    with pytest.raises(NotAuthorised):
        keys.authenticate(old, now=later(hours=1))
    assert keys.authenticate(new, now=later(days=89)).member == "adv"


def test_a_key_rotated_without_grace_ends_at_once(room: ExampleRoom) -> None:
    keys = room.governance.api_keys
    keys.rotate(room.principals["adv"], now=NOON)
    with pytest.raises(NotAuthorised):
        keys.authenticate(room.api_keys["adv"], now=NOON)


def test_the_day_of_last_use_is_shown(room: ExampleRoom) -> None:
    keys = room.governance.api_keys
    keys.authenticate(room.api_keys["adv"], now=later(days=3))
    (view,) = keys.list(room.principals["adv"])
    assert view.last_used == later(days=3).date()


def test_nobody_ends_or_sees_anothers_key(room: ExampleRoom) -> None:
    keys = room.governance.api_keys
    dan = room.add("dan", ANALYST)
    with pytest.raises(NotFound):
        keys.revoke(dan, room.principals["adv"].credential, now=NOON)
    assert [view.id for view in keys.list(dan)] == [dan.credential]
    with pytest.raises(NotFound):
        keys.revoke(room.operator(), dan.credential, now=NOON)


def test_only_the_operator_hands_out_founding_codes(room: ExampleRoom) -> None:
    keys = room.governance.api_keys
    with pytest.raises(Forbidden):
        keys.create_founding_code(room.principals["adv"], now=NOON)
    code = keys.create_founding_code(room.operator(), now=NOON)
    founder = keys.authenticate(code.key.reveal(), now=NOON)
    with pytest.raises(Forbidden):
        keys.issue(founder, now=NOON)
    keys.revoke(room.operator(), code.id, now=NOON)
    with pytest.raises(NotAuthorised):
        keys.authenticate(code.key.reveal(), now=NOON)


def test_the_pepper_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "service" / "pepper"
    first = Pepper.load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Pepper.load_or_create(path) == first
    assert repr(first) == "Pepper()"
    path.chmod(0o644)
    with pytest.raises(StoreUnavailable):
        Pepper.load_or_create(path)


def test_a_hash_for_one_purpose_is_none_for_another() -> None:
    pepper = Pepper(b"p" * 32)
    assert pepper.keyed_hash("api key", "x") != pepper.keyed_hash("invitation", "x")
