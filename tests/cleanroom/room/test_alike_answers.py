"""A group of one person and a group that does not exist: nothing that leaves the service tells them apart."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from cleanroom.service import answer_schedule
from cleanroom.service.answer_schedule import AnswerSchedule
from tests.cleanroom.room.acme_room import BY_REGION, NORTH, PEOPLE, AcmeRoom
from tests.cleanroom.room.stored_state import chained, kept_memory

SOLO, ABSENT = "solo", "void"  # one person, nobody; names of one length
BOUND_TO_THE_QUERY = ("query_id", "charge", "history", "statement", "approvals", "cells_mac")
CHANCE_AND_TIME = ("date", "x-budget-epsilon-left", "content-length")  # the last one: see `size`

PAIRS = {
    "group": "SELECT segment, COUNT(DISTINCT person) AS people FROM crm WHERE segment = '{}' GROUP BY segment",
    "total": "SELECT COUNT(DISTINCT person) AS people FROM crm WHERE segment = '{}'",
    "conditional": "SELECT COUNT(DISTINCT person) AS people, "
    "COUNT(DISTINCT person) FILTER (WHERE segment = '{}') AS some FROM crm",
    "case": "SELECT region, COUNT(DISTINCT CASE WHEN segment = '{}' THEN person END) AS some FROM crm GROUP BY region",
    "anti join": "SELECT COUNT(DISTINCT c.person) AS people FROM crm c LEFT JOIN (SELECT person FROM crm "
    "WHERE segment <> '{}') o ON c.person = o.person WHERE o.person IS NULL AND c.segment = '{}'",
    "all but them": "SELECT region, COUNT(DISTINCT person) AS people FROM crm WHERE segment = '{}' GROUP BY region "
    "ORDER BY people LIMIT 1",
    "unknown key": "SELECT segment, COUNT(DISTINCT person) AS people FROM panel WHERE segment = '{}' GROUP BY segment",
}


def answer(room: AcmeRoom, kind: str, segment: str) -> httpx.Response:
    response = room.post(PAIRS[kind].replace("{}", segment))
    assert response.status_code == 200, response.text
    return response


def comparable(response: httpx.Response) -> tuple[Any, ...]:
    """Status, headers and body without the moment, the price's remainder, and what names this one query."""
    headers = {key: value for key, value in response.headers.items() if key not in CHANCE_AND_TIME}
    plain = json.loads(response.text.replace(ABSENT, SOLO))
    assert plain.pop("query_id") == plain["release"]["body"]["query_id"]
    assert len(plain["release"].pop("signature")) == 88
    assert len(plain["release"].pop("public_key")) == 44  # of an enclave that served this query alone
    body = plain["release"]["body"]
    del body["plan_digest"]  # of the question's words
    body["attestation"] = sorted(body["attestation"])  # see `size`
    for part in BOUND_TO_THE_QUERY:
        body[part] = shape(body[part])
    return response.status_code, headers, plain


def shape(value: Any) -> Any:
    """Texts by their length alone; all else as it is."""
    match value:
        case str():
            return len(value)
        case dict():
            return {name: shape(item) for name, item in value.items()}
        case list():
            return [shape(item) for item in value]
    return value


def size(response: httpx.Response) -> int:
    """Bytes, without the attestation, whose certificates' signatures are a byte longer or shorter by chance."""
    return len(response.content) - len(response.json()["release"]["body"]["attestation"]["document"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", PAIRS)
def test_one_person_and_nobody_are_answered_alike(room: AcmeRoom, kind: str) -> None:
    room.ask(BY_REGION)  # the first release of all has nothing to start from
    one, nobody = answer(room, kind, SOLO), answer(room, kind, ABSENT)

    assert size(one) == size(nobody)
    assert comparable(one) == comparable(nobody)


@pytest.mark.slow
def test_the_history_s_id_and_size_do_not_tell_whether_anything_was_added(room: AcmeRoom) -> None:
    states, sizes = [], []
    for sql in (
        BY_REGION,
        PAIRS["total"].replace("{}", SOLO),
        PAIRS["total"].replace("{}", ABSENT),
        BY_REGION,
    ):
        room.ask(sql)
        kept = kept_memory(room.service.database, room.collaboration)
        states.append(kept.state_id)
        sizes.append(len(kept.sealed))

    assert len(set(states)) == 4
    assert len(set(sizes)) == 1
    assert sizes[0] >= 64 * 1024
    assert chained(room.releases())[-1] == states[-1]


@pytest.mark.slow
def test_a_group_withheld_for_what_others_tell_looks_as_if_it_did_not_exist(room: AcmeRoom) -> None:
    """The north without the one person differs from the north, which was released, by one."""
    assert ["north", NORTH] in room.ask(BY_REGION)
    without = "SELECT region, COUNT(DISTINCT person) AS people FROM crm WHERE segment {} GROUP BY region"
    # Only the south is left of it, whose one group is as large as it was before.
    assert room.ask(without.format("<> 'solo'")) == [["south", PEOPLE - NORTH]]
    assert room.ask(without.format("<> 'void' AND region = 'south'")) == [["south", PEOPLE - NORTH]]


class FakeClock:
    """Time that passes only when somebody works or sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def left_after(work_seconds: float, step: float, monkeypatch: pytest.MonkeyPatch, status: int = 200) -> float:
    """When an answer begins, in seconds after its question came in."""
    clock, sent = FakeClock(), []
    monkeypatch.setattr(answer_schedule, "time", clock)
    monkeypatch.setattr(answer_schedule, "asyncio", SimpleNamespace(sleep=clock.sleep))

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        clock.now += work_seconds
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def send(message: Message) -> None:
        sent.append(clock.now - 1000.0)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "POST", "path": "/v1/collaborations/col-a/queries"}
    asyncio.run(AnswerSchedule(work, step_seconds=step)(scope, receive, send))
    return sent[0]


@pytest.mark.parametrize("status", [200, 403, 409, 500])
def test_work_of_any_length_within_a_step_is_answered_at_one_moment(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [left_after(taken, 0.5, monkeypatch, status) for taken in (0.01, 0.2, 0.499)]
    assert moments == pytest.approx([0.5, 0.5, 0.5])
    assert left_after(0.501, 0.5, monkeypatch, status) == pytest.approx(1.0)
