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

import httpx
import pytest

from cleanroom.partner.release_verification import verify_release
from tests.cleanroom.room.acme_room import BY_REGION, NORTH, PEOPLE, AcmeRoom, other_question
from tests.cleanroom.room.serving_process import ServingProcess, has_job, is_ready, is_running, wait_until
from tests.cleanroom.room.stored_state import chained, kept_history, read_database

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
    """What one takes on this machine, now."""
    started = time.monotonic()
    room.ask(BY_REGION)
    return time.monotonic() - started


def assert_nothing_is_half_done(room: AcmeRoom) -> None:
    """Every query ended, was charged, and has a genuine release or none; the history is that of the releases."""
    database = room.service.database
    queries = read_database(database, "SELECT id, state, release IS NOT NULL, mode FROM queries")
    assert {(state, bool(released)) for _, state, released, _ in queries} <= {
        ("released", True),
        ("failed", False),
    }
    charges = read_database(database, "SELECT query, dataset, micro_epsilon FROM charges ORDER BY query")
    datasets = {"threshold": ("crm", 0), "dp": ("panel", 1_000_000)}
    assert charges == sorted((query, *datasets[mode]) for query, _, _, mode in queries)
    worker = room.home.room.worker_keys
    releases = room.releases()
    for release in releases:
        verify_release(release, worker, collaboration=room.collaboration)
    kept = kept_history(database, room.collaboration)
    digests = chained(room.collaboration, releases)
    assert (kept.sequence, kept.digest) == (len(digests) - 1, digests[-1])


def test_a_service_killed_at_any_moment_starts_again_with_nothing_half_done(own_room: AcmeRoom) -> None:
    service, longest, numbers = own_room.service, 1.2 * seconds_of_a_query(own_room), count()
    for delay in delays(longest):
        with stream_of_queries(own_room, numbers):
            time.sleep(delay)
            workers = service.workers()
            service.end(signal.SIGKILL)
        wait_until(partial(none_runs, workers))  # nobody runs on for a dead service
        service.start()
        assert_nothing_is_half_done(own_room)
    assert own_room.ask(BY_REGION) == REGIONS
    with own_room.client() as client:
        client.verify_audit()
    states = read_database(service.database, "SELECT state, failure FROM queries")
    assert Counter(states)["failed", "interrupted"] > 0
    with sqlite3.connect(service.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_worker_killed_at_any_moment_fails_its_query_alone(own_room: AcmeRoom) -> None:
    service, longest, numbers = own_room.service, 1.2 * seconds_of_a_query(own_room), count()
    with stream_of_queries(own_room, numbers) as answered:
        for delay in delays(longest):
            time.sleep(delay)
            for worker in service.workers():  # the one that is busy, and the one that waits
                send_kill(worker)
            wait_until(partial(more_than, len(answered), answered))
    assert set(answered) <= {200, 500}
    assert_nothing_is_half_done(own_room)
    assert own_room.ask(BY_REGION) == REGIONS
    with own_room.client() as client:
        client.verify_audit()


def test_what_a_killed_worker_leaves_is_told_in_constant_words(own_room: AcmeRoom) -> None:
    (worker,) = own_room.service.workers()
    wait_until(lambda: is_ready(worker))
    stop(worker)  # so that the job reaches it and is not done
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(own_room.post(BY_REGION)))
    asking.start()
    wait_until(lambda: has_job(worker))
    send_kill(worker)
    asking.join()

    assert answers[0].status_code == 500
    assert answers[0].json() == {
        "ok": False,
        "error": {
            "code": "query_failed",
            "message": "the worker took too long or ended without an answer; nothing was released",
            "hint": "ask for less at once, or ask the operator for more time and memory",
        },
        "errors": [
            {
                "code": "query_failed",
                "message": "the worker took too long or ended without an answer; nothing was released",
                "fix": "ask for less at once, or ask the operator for more time and memory",
            }
        ],
        "status": 500,
    }
    assert own_room.ask(BY_REGION) == REGIONS


def none_runs(processes: list[int]) -> bool:
    return not any(is_running(pid) for pid in processes)


def more_than(number: int, answered: list[int]) -> bool:
    return len(answered) > number


def send_kill(pid: int) -> None:
    _signal(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    _signal(pid, signal.SIGSTOP)


def _signal(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself
        os.kill(pid, what)
