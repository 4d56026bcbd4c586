"""SIGKILL at moments spread over a query's life: the charge stays, nothing is half released, the next query works."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from cleanroom.partner.broker_loop import Broker
from cleanroom.partner.release_verification import verify_release
from tests.cleanroom.owners_brokers import BrokerDied, trust_of, with_trouble
from tests.cleanroom.room.acme_room import BY_REGION, NORTH, PEOPLE, AcmeRoom, other_question
from tests.cleanroom.room.serving_process import ServingProcess, is_running, wait_until
from tests.cleanroom.room.stored_state import kept_memory, moves, read_database

pytestmark = pytest.mark.slow
KILLS = 10
REGIONS = [["north", NORTH], ["south", PEOPLE - NORTH]]


@pytest.fixture
def own_room(tmp_path: Path) -> Iterator[AcmeRoom]:
    process = ServingProcess(tmp_path / "service", "--workers", "1")
    process.start()
    try:
        yield AcmeRoom.founded(process, tmp_path)
    finally:
        process.end()


@contextmanager
def stream_of_queries(room: AcmeRoom, numbers: Iterator[int]) -> Iterator[list[int]]:
    """Threshold and noised queries in turn, one after the other, in one try each; the status of what was answered."""
    ended, answered = threading.Event(), []

    def ask() -> None:
        while not ended.is_set():
            number = next(numbers)
            with suppress(httpx.TransportError):  # nobody there at the moment
                answered.append(room.post(other_question(number, ("crm", "panel")[number % 2])).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answered
    finally:
        ended.set()
        thread.join()


def delays(longest: float) -> list[float]:
    """Seconds, one in every tenth of `longest`, in an order of their own; the same in every run."""
    chance = random.Random(3)
    spread = [longest * (place + chance.random()) / KILLS for place in range(KILLS)]
    chance.shuffle(spread)
    return spread


def seconds_of_a_query(room: AcmeRoom) -> float:
    """What one takes on this machine, now. The one before it waits for the broker as well."""
    room.ask(BY_REGION)
    started = time.monotonic()
    room.ask(BY_REGION)
    return time.monotonic() - started


def assert_nothing_is_half_done(room: AcmeRoom) -> None:
    """Every query ended, was charged, and has a genuine release or none; no two releases share a history."""
    database = room.service.database
    queries = read_database(database, "SELECT id, state, release IS NOT NULL, mode FROM queries")
    assert {(state, bool(released)) for _, state, released, _ in queries} <= {
        ("released", True),
        ("failed", False),
    }
    charges = read_database(database, "SELECT query, dataset, micro_epsilon FROM charges ORDER BY query")
    datasets = {"threshold": ("crm", 0), "dp": ("panel", 1_000_000)}
    assert charges == sorted((query, *datasets[mode]) for query, _, _, mode in queries)
    trust = trust_of(room.home)
    releases = room.releases()
    for release in releases:
        verify_release(release, trust)
    left, kept = moves(releases), kept_memory(database, room.collaboration)
    # Whatever the last release left is there, or what was prepared after it was built upon it.
    newest = set(left.values()) - set(left)
    assert kept.state_id is None if not left else newest and kept.state_id is not None


def test_a_service_killed_at_any_moment_starts_again_with_nothing_half_done(own_room: AcmeRoom) -> None:
    service, numbers = own_room.service, count()
    with own_room.broker():
        longest = 1.2 * seconds_of_a_query(own_room)
    moments = [partial(time.sleep, delay) for delay in delays(longest)]
    for moment in [*moments, partial(wait_until, partial(one_is_charged, service.database))]:
        with own_room.broker(), stream_of_queries(own_room, numbers) as answered:
            wait_until(partial(more_than, 0, answered))
            moment()
            workers = service.workers()
            service.end(signal.SIGKILL)
        wait_until(partial(none_runs, workers))  # nobody runs on for a dead service
        service.start()
        assert_nothing_is_half_done(own_room)
    with own_room.broker():
        assert own_room.ask(BY_REGION) == REGIONS
    with own_room.client() as client:
        client.verify_audit()
    states = read_database(service.database, "SELECT state, failure FROM queries")
    assert Counter(states)["failed", "interrupted"] > 0
    with sqlite3.connect(service.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.parametrize("committed", [False, True], ids=["before the owner committed", "after"])
def test_a_service_killed_between_preparing_and_finishing_loses_no_state(
    own_room: AcmeRoom, committed: bool
) -> None:
    """What the owner's broker may have committed to is on the disk, and the next release is built upon it."""
    service = own_room.service

    def kill(broker: Broker, request: dict[str, Any]) -> str | None:
        if request["kind"] != "commit":
            return broker.answer(request)
        if committed:
            assert broker.answer(request) is not None
        service.end(signal.SIGKILL)
        raise BrokerDied

    with with_trouble(own_room.home, kill), pytest.raises(httpx.TransportError):
        own_room.post(BY_REGION)
    left = kept_memory(service.database, own_room.collaboration)
    assert left.state_id is None
    assert left.pending_id is not None
    service.start()

    with own_room.broker():
        assert own_room.ask(BY_REGION) == REGIONS
        assert own_room.ask(other_question(1)) == [[PEOPLE]]
    following = moves(own_room.releases())
    assert following.keys() == {left.pending_id, following[left.pending_id]}


def test_a_worker_killed_at_any_moment_fails_its_query_alone(own_room: AcmeRoom) -> None:
    service, numbers = own_room.service, count()
    with own_room.broker():
        longest = 1.2 * seconds_of_a_query(own_room)
        with stream_of_queries(own_room, numbers) as answered:
            for delay in delays(longest):
                time.sleep(delay)
                for worker in service.workers():  # the one that is busy, and the one that waits
                    send_kill(worker)
                wait_until(partial(more_than, len(answered), answered))
        assert set(answered) <= {200, 500}
        assert own_room.ask(BY_REGION) == REGIONS
    assert_nothing_is_half_done(own_room)
    with own_room.client() as client:
        client.verify_audit()


def test_what_a_killed_worker_leaves_is_told_in_constant_words(own_room: AcmeRoom) -> None:
    def kill(broker: Broker, request: dict[str, Any]) -> str | None:
        """The enclave waits for its keys now."""
        for worker in own_room.service.workers():
            send_kill(worker)
        return broker.answer(request)

    with with_trouble(own_room.home, kill):
        answer = own_room.post(BY_REGION)

    told = {
        "message": "the worker took too long or ended without an answer; nothing was released",
        "hint": "ask for less at once, or ask the operator for more time and memory",
    }
    assert answer.status_code == 500
    assert answer.json() == {
        "ok": False,
        "error": {"code": "query_failed", **told},
        "errors": [{"code": "query_failed", "message": told["message"], "fix": told["hint"]}],
        "status": 500,
    }
    with own_room.broker():
        assert own_room.ask(BY_REGION) == REGIONS


def test_a_service_told_to_stop_answers_what_is_under_way_and_takes_nothing_new(own_room: AcmeRoom) -> None:
    late: list[httpx.Response] = []

    def stop(broker: Broker, request: dict[str, Any]) -> str | None:
        if request["kind"] == "grant":
            os.kill(own_room.service.pid, signal.SIGTERM)
            time.sleep(0.3)
            late.append(own_room.post(other_question(2)))
        return broker.answer(request)

    with with_trouble(own_room.home, stop):
        answer = own_room.post(BY_REGION)
    own_room.service.end()

    assert answer.json()["release"]["body"]["result"]["rows"] == REGIONS
    assert [(each.status_code, each.json()["error"]["code"]) for each in late] == [(503, "store_unavailable")]


def none_runs(processes: list[int]) -> bool:
    return not any(is_running(pid) for pid in processes)


def one_is_charged(database: Path) -> bool:
    """It is under way, and stays so for most of its time."""
    return bool(read_database(database, "SELECT 1 FROM queries WHERE state = 'charged'"))


def more_than(number: int, answered: list[int]) -> bool:
    return len(answered) > number


def send_kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it ended by itself
        os.kill(pid, signal.SIGKILL)
