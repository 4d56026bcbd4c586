"""Whatever comes from the network is read or refused: no other exception, no answer, no key."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.broker.allowed_code import CodeRules
from cleanroom.broker.key_request import KeyRequest
from cleanroom.errors import HomeUnusable, KeyRefused
from tests.cleanroom.broker.broker_room import BrokerRoom

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["mixroom-statement/1", "threshold", "dp", "adv", "grant", "commit", "0" * 64, 10**400])
)
NAMES = st.sampled_from(
    ["statement", "attestation", "nonces", "document", "body", "kind", "tables", "charge", "adv"]
) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[BrokerRoom]:
    """One room for all examples: a refusal changes nothing but the log."""
    with tempfile.TemporaryDirectory() as folder:
        room = BrokerRoom(Path(folder))
        yield room
        room.broker.close()


def places(plain: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a JSON document."""
    yield here
    if isinstance(plain, dict | list):
        for name, inner in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from places(inner, (*here, name))


def changed(plain: Any, place: tuple[Any, ...], value: object) -> Any:
    """A copy with another value there."""
    if not place:
        return value
    whole = copy.deepcopy(plain)
    inner = whole
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return whole


@given(JSON)
def test_any_json_is_read_as_a_request_or_refused(plain: object) -> None:
    with suppress(KeyRefused):
        KeyRequest.of(plain)


@given(request=JSON)
@settings(max_examples=60, deadline=None)
def test_no_junk_gets_an_answer(shared: BrokerRoom, request: object) -> None:
    assert shared.broker.answer(request) is None


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_request_with_one_part_changed_gets_no_answer(shared: BrokerRoom, data: st.DataObject) -> None:
    good = shared.request(shared.statement("visits", "crm"))
    ways = sorted((place for place in places(good) if place not in {("id",), ("document",)}), key=repr)
    place, value = data.draw(st.sampled_from(ways)), data.draw(JSON)
    request = changed(good, place, value)
    if repr(request) != repr(good):
        assert shared.broker.answer(request) is None


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_commit_with_one_part_changed_gets_no_answer(shared: BrokerRoom, data: st.DataObject) -> None:
    statement = shared.statement()
    good = shared.commit(statement, shared.granted(statement), following="0" * 63 + "1")
    ways = sorted((place for place in places(good) if place), key=repr)
    document = changed(good, data.draw(st.sampled_from(ways)), data.draw(JSON))
    if repr(document) != repr(good):
        assert shared.broker.answer({"kind": "commit", "document": document}) is None


@given(st.binary(max_size=200) | JSON.map(repr).map(str.encode))
def test_any_file_of_code_rules_is_read_or_refused(content: bytes) -> None:
    with suppress(HomeUnusable):
        CodeRules.of(content)
