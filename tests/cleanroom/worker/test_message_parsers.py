"""Whatever arrives is read as what it should be or refused with the one error that is due: nothing else comes out."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cleanroom.datasets.sealed_table import SealedTableManifest, StoredType, TableContext
from cleanroom.errors import KeyRefused, QueryFailed, RoomError, SealedTableBroken, StateRolledBack
from cleanroom.query.reader import read_query
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker import conversation
from cleanroom.worker.conversation import JobMessage, StatementMessage, StateMessage
from cleanroom.worker.job import Job, JobTable, JobTemplate, SealedState
from cleanroom.worker.key_exchange import Commit, Grant, confirmation, is_confirmed, state_key
from cleanroom.worker.message_frames import PIECE_BYTES, MessageTooLarge, frames_of, message_from
from cleanroom.worker.statement import StatedTable, Statement, nonce_of
from privacy.canonical_json import canonical_json
from tests.cleanroom.worker.two_owners import BOTH, ONE_REGION, Tables, document

NONCES = {"advertiser": b"\x01" * 32, "publisher": b"\x02" * 32}
STATEMENT = Statement(
    collaboration="col-a",
    query_id="qry-a",
    asker="analyst",
    plan_digest="a" * 64,
    mode=Mode.DP,
    template="b" * 64,
    reuse=False,
    epsilon=1.0,
    delta=1e-6,
    tables=(
        StatedTable("panel", "publisher", "ver-p", "c" * 64, "d" * 64),
        StatedTable("crm", "advertiser", "ver-c", "e" * 64, "f" * 64),
    ),
    nonces=NONCES,
)
GRANT = Grant({"ver-p": bytes(32)}, b"\x01" * 32, "a" * 64, b"\x02" * 32, {"kind": "key approval"})
COMMIT = Commit("col-a", "qry-a", "a" * 64, {"advertiser": None, "publisher": "b" * 64}, "c" * 64)
STATE = StateMessage(SealedState(None, "c" * 64, b"sealed"), {"kind": "state commit"})

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\udcff", "", "a" * 64, "threshold", "dp", "AAAA", "=", -0.0, 10**400, "é", "\0"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


def places(plain: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested lists and mappings."""
    keys = plain.keys() if isinstance(plain, dict) else range(len(plain)) if isinstance(plain, list) else ()
    return [here, *(place for key in keys for place in places(plain[key], (*here, key)))]


@st.composite
def spoiled(draw: st.DrawFn, plain: Any) -> Any:
    """The value with something in place of a part, gone, or added."""
    plain = copy.deepcopy(plain)
    *above, last = draw(st.sampled_from(places(plain)[1:]))
    parent = plain
    for key in above:
        parent = parent[key]
    change = draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace":
        parent[last] = draw(ANYTHING)
    elif change == "remove":
        del parent[last]
    elif isinstance(parent, dict):
        parent[draw(st.text(max_size=4))] = draw(ANYTHING)
    else:
        parent.append(draw(ANYTHING))
    return plain


def read_or_refuse(read: Callable[[Any], object], value: object, *kinds: type[RoomError]) -> None:
    """Nothing but a value or one of these errors comes out."""
    with suppress(*kinds):
        read(value)


def examples_of_messages() -> list[bytes]:
    """One of each, for a fuzzer to start from."""
    documents = {"crm": document("crm")}
    sql = "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region"
    manifest = SealedTableManifest(
        TableContext("col-a", "crm", "ver-c", "advertiser", "0" * 8),
        rows=1,
        sealed_bytes=1,
        sealed_sha256="a" * 64,
        columns={"person": StoredType.IDENTITY, "region": StoredType.TEXT},
        policy_digest="b" * 64,
        created=date(2026, 3, 31),
        nonce="c" * 32,
    )
    table = JobTable("advertiser", documents["crm"], manifest.to_plain())
    job = Job("qry-a", "col-a", "analyst", date(2026, 3, 31), read_query(sql, documents), (table,))
    return [
        JobMessage(job, NONCES).to_bytes(),
        JobMessage(replace(job, template=JobTemplate("t", sql, {})), NONCES).to_bytes(),
        StatementMessage(STATEMENT.to_plain(), b"document").to_bytes(),
        STATE.to_bytes(),
        conversation.grants_to_bytes({"advertiser": b"grant"}),
        canonical_json(STATEMENT.to_plain()),
        canonical_json(COMMIT.body()),
        GRANT.to_bytes(),
    ]


@given(ANYTHING | spoiled(STATEMENT.to_plain()))
@example({**STATEMENT.to_plain(), "asker": "\udcff"})
@example({**STATEMENT.to_plain(), "charge": {"epsilon": 10**400, "delta": 0}})
def test_a_statement_is_read_as_it_was_written_or_refused(plain: Any) -> None:
    def read(value: object) -> None:
        statement = Statement.of(value)
        assert Statement.of(statement.to_plain()) == statement
        assert len(statement.digest()) == 32

    read_or_refuse(read, plain, KeyRefused)


@given(
    ANYTHING.map(lambda plain: json.dumps(plain).encode())
    | st.binary()
    | spoiled(json.loads(GRANT.to_bytes()))
)
@example(b"[" * 60_000)
@example(b" " * 70_000)
@example(GRANT.to_bytes() + b" ")
def test_a_grant_is_read_as_it_was_written_or_refused(content: Any) -> None:
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    read_or_refuse(lambda value: Grant.of(value), content, KeyRefused)


@given(ANYTHING | spoiled(COMMIT.body()))
def test_a_commit_is_read_as_it_was_written_or_refused(body: Any) -> None:
    read_or_refuse(Commit.of, body, KeyRefused)


@given(ANYTHING)
@example(confirmation(bytes(32), "a" * 64).upper())
@example(confirmation(bytes(32), "a" * 64).encode())
def test_only_the_confirmation_confirms(answer: object) -> None:
    assert not is_confirmed(answer, bytes(32), "a" * 64)


def test_the_confirmation_confirms() -> None:
    assert is_confirmed(confirmation(bytes(32), "a" * 64), bytes(32), "a" * 64)
    assert not is_confirmed(confirmation(bytes(32), "a" * 64), bytes(32), "b" * 64)
    assert not is_confirmed(confirmation(bytes(32), "a" * 64), b"\x01" * 32, "a" * 64)


@pytest.fixture(scope="module")
def job(tables: Tables) -> Job:
    template = JobTemplate("both", BOTH, {"number": 1, "text": "x"})
    job = tables.job(
        ONE_REGION.replace(":region", "'north'"), candidates=(("0" * 64, b"sealed"),), reuse={"body": {}}
    )
    return replace(job, template=template)


def test_a_job_survives_its_way_into_the_enclave(job: Job) -> None:
    message = JobMessage(job, NONCES)

    assert JobMessage.of(message.to_bytes()) == message
    assert b"path" not in message.to_bytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_job_is_read_or_refused(data: st.DataObject, job: Job) -> None:
    plain = json.loads(JobMessage(job, NONCES).to_bytes())
    content = json.dumps(data.draw(spoiled(plain) | ANYTHING)).encode()

    read_or_refuse(JobMessage.of, content, QueryFailed)


PARSERS = (
    JobMessage.of,
    StatementMessage.of,
    StateMessage.of,
    conversation.grants_from,
    conversation.confirmations_from,
    conversation.release_from,
)
TEMPLATES = st.sampled_from(
    [
        json.loads(message)
        for message in (
            StatementMessage(STATEMENT.to_plain(), b"document").to_bytes(),
            STATE.to_bytes(),
            conversation.grants_to_bytes({"advertiser": b"grant"}),
            conversation.confirmations_to_bytes({"advertiser": "0" * 64}),
            conversation.release_to_bytes({"kind": "release"}),
            conversation.refusal_to_bytes(KeyRefused("no", hint="ask")),
        )
    ]
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), read=st.sampled_from(PARSERS))
def test_a_message_is_read_or_refused(data: st.DataObject, read: Callable[[bytes], object]) -> None:
    spelt = (TEMPLATES.flatmap(spoiled) | TEMPLATES | ANYTHING).map(lambda plain: json.dumps(plain).encode())
    content = data.draw(spelt | st.binary())
    read_or_refuse(read, content, QueryFailed, SealedTableBroken, KeyRefused, StateRolledBack)


@pytest.mark.parametrize("depth", [10_000, 100_000])
@pytest.mark.parametrize("read", PARSERS)
def test_a_message_nested_too_deep_is_refused(read: Callable[[bytes], object], depth: int) -> None:
    with pytest.raises(QueryFailed):
        read(b"[" * depth)


def test_a_refusal_is_told_in_its_kind_and_an_unforeseen_one_without_its_words() -> None:
    for kind in (QueryFailed, SealedTableBroken, KeyRefused, StateRolledBack):
        with pytest.raises(kind, match="known words"):
            conversation.release_from(conversation.refusal_to_bytes(kind("known words", hint="h")))
    with pytest.raises(QueryFailed, match="the worker stopped"):
        conversation.release_from(conversation.refusal_to_bytes(RoomError("ann@example.com")))


OTHER: dict[str, Any] = {
    "collaboration": "col-b",
    "query_id": "qry-b",
    "asker": "somebody",
    "plan_digest": "0" * 64,
    "mode": Mode.THRESHOLD,
    "template": None,
    "reuse": True,
    "epsilon": 2.0,
    "delta": 1e-5,
    "tables": STATEMENT.tables[:1],
    "nonces": {**NONCES, "publisher": bytes(32)},
}


@pytest.mark.parametrize("part", [field.name for field in fields(Statement)])
def test_a_statement_s_digest_covers_every_part(part: str) -> None:
    assert replace(STATEMENT, **{part: OTHER[part]}).digest() != STATEMENT.digest()


@pytest.mark.parametrize("part", [field.name for field in fields(StatedTable)])
def test_a_statement_s_digest_covers_every_part_of_a_table(part: str) -> None:
    first, second = STATEMENT.tables
    assert (
        replace(STATEMENT, tables=(first, replace(second, **{part: "0" * 64}))).digest() != STATEMENT.digest()
    )


def test_a_statement_s_digest_is_that_of_its_canonical_text_in_whatever_order() -> None:
    turned = replace(STATEMENT, tables=STATEMENT.tables[::-1], nonces=dict(reversed(NONCES.items())))

    assert turned.digest() == hashlib.sha256(canonical_json(STATEMENT.to_plain())).digest()
    assert [table["dataset"] for table in turned.to_plain()["tables"]] == ["crm", "panel"]


def test_the_attestation_s_nonce_is_made_of_all_owners_nonces() -> None:
    text = b'{"nonces":{"advertiser":"' + b"01" * 32 + b'","publisher":"' + b"02" * 32 + b'"}}'

    assert nonce_of(NONCES) == nonce_of(dict(reversed(NONCES.items()))) == hashlib.sha256(text).digest()


def test_state_keys_differ_by_collaboration_and_by_identity_key() -> None:
    keys = {state_key(bytes([n]) * 32, name) for n in (1, 2) for name in ("col-a", "col-b")}
    assert len(keys) == 4


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1])
def test_a_message_of_any_size_arrives_whole(size: int) -> None:
    message = bytes(size)
    frames = list(frames_of(message))

    assert len(frames) == max(1, -(-size // PIECE_BYTES))
    assert message_from(iter(frames).__next__) == message


@pytest.mark.parametrize("frame", [b"", b"\x02", b"\xff" * 10])
def test_a_frame_that_is_none_is_refused(frame: bytes) -> None:
    with pytest.raises(MessageTooLarge):
        message_from(lambda: frame)


def test_a_message_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanroom.worker.message_frames.MOST_MESSAGE_BYTES", 1000)
    with pytest.raises(MessageTooLarge):
        message_from(lambda: b"\x01" + bytes(100))
