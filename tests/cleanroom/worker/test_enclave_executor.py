"""The service's side: enclaves are started, fed, ended; brokers are asked in time; nothing waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from cleanroom.errors import BrokerAway, KeyRefused, QueryFailed
from cleanroom.worker.enclave_executor import EnclaveExecutor
from cleanroom.worker.executor import CommitRequest, GrantRequest
from cleanroom.worker.job import SealedState
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.errors import EnclaveFailed, EnclaveUnavailable
from tests.cleanroom.worker.conftest import Room
from tests.cleanroom.worker.enclave_thread import MEASUREMENT, EnclaveThread, ThreadBackend
from tests.cleanroom.worker.two_owners import BOTH, CRM_ALONE, Brokers

GONE = "the worker took too long or ended without an answer; nothing was released"


def forgotten(state: SealedState) -> None:
    """Tests of this file keep no state."""


def refusal_of(room: Room, executor: EnclaveExecutor | None = None) -> str:
    with pytest.raises(QueryFailed) as refusal:
        (executor or room.executor()).execute(room.tables.job(CRM_ALONE), forgotten)
    return str(refusal.value)


class Scripted(EnclaveThread):
    """An enclave that was made to answer like this, whatever it is sent."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = iter(answers)
        self.closed = threading.Event()
        self.attestation = None

    def send(self, message: bytes, files: Sequence[int] = ()) -> None:
        """Taken."""

    def receive(self, *, seconds: float) -> bytes:
        for answer in self._answers:
            return answer
        raise EnclaveFailed("the enclave ended", hint="")

    def close(self) -> None:
        self.closed.set()

    def join(self) -> None:
        """There is no thread."""


class OtherBackend(ThreadBackend):
    """Starts what a test gives it."""

    def __init__(self, platform: EmulatedPlatform, start: Callable[[], EnclaveThread]) -> None:
        super().__init__(platform)
        self._start = start

    def start(self) -> EnclaveThread:
        self.started.append(self._start())
        return self.started[-1]


def test_what_it_says_of_itself_is_its_backend_s(room: Room) -> None:
    executor = room.executor()

    assert (executor.measurement, executor.isolation) == (MEASUREMENT, Isolation.NONE)
    assert executor.root == room.backend.root


def test_every_job_has_an_enclave_of_its_own(room: Room) -> None:
    executor = room.executor()
    for _ in range(2):
        room.brokers.committed.clear()
        executor.execute(room.tables.job(CRM_ALONE), forgotten)

    first, second = room.backend.started
    assert first.keys.public != second.keys.public
    assert first.closed.is_set()
    assert second.closed.is_set()


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (b"",),
        (b"\x00",),
        (b"\x00no JSON",),
        (b"\x00{}",),
        (b'\x00{"error":"x","message":"m","hint":"h"}',),
        (b'\x00{"error":1,"message":2,"hint":3}',),
        (b'\x00{"release":{}}',),
        (b'\x00{"statement":[],"attestation":""}',),
        (b'\x00{"statement":{},"attestation":"?"}',),
        (b'\x00{"statement":{},"attestation":""}', b'\x00{"release":{}}'),
        (b'\x00{"statement":{},"attestation":""}', b'\x00{"state":{},"commit":{}}'),
    ],
    ids=str,
)
def test_an_answer_that_is_not_the_one_due_fails_the_query(
    room: Room, platform: EmulatedPlatform, answers: tuple[bytes, ...]
) -> None:
    class Any(Brokers):
        def grants(self, request: GrantRequest) -> Mapping[str, bytes]:
            return {}

    room.brokers = Any({})
    room.backend = OtherBackend(platform, lambda: Scripted(answers))
    assert refusal_of(room).endswith("nothing was released")
    assert room.brokers.commits == []


def test_an_enclave_that_takes_too_long_is_ended(room: Room, platform: EmulatedPlatform) -> None:
    class Stuck(Scripted):
        def receive(self, *, seconds: float) -> bytes:
            time.sleep(seconds)
            raise EnclaveFailed("the enclave took too long", hint="")

    room.backend = OtherBackend(platform, lambda: Stuck(()))
    started = time.monotonic()
    refused = refusal_of(room, room.executor(seconds=0.3))
    took = time.monotonic() - started

    assert refused == GONE
    assert 0.3 <= took < 5


def test_brokers_that_take_all_the_time_leave_none_for_the_enclave(room: Room) -> None:
    class Slow(Brokers):
        def grants(self, request: GrantRequest) -> Mapping[str, bytes]:
            time.sleep(0.4)
            return super().grants(request)

    room.brokers = Slow(room.tables.keys)
    assert refusal_of(room, room.executor(seconds=0.3)) == GONE
    assert room.brokers.commits == []


@pytest.mark.parametrize("step", ["nonces", "grants", "confirm"])
@pytest.mark.parametrize("error", [BrokerAway("away", hint="wait"), KeyRefused("refused", hint="ask")])
def test_what_a_broker_refuses_ends_the_job_in_its_words(
    room: Room, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(room.brokers, step, refuse)
    with pytest.raises(type(error)) as refusal:
        room.run(room.tables.job(BOTH))
    assert refusal.value is error
    assert len(room.backend.started) == (0 if step == "nonces" else 1)


def test_brokers_are_asked_whether_they_are_there_before_anything_else(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(room.brokers, "require_present", lambda *given: asked.append(given))
    room.executor().require_present("col-a", ("advertiser",))

    assert asked == [("col-a", ("advertiser",))]


def test_no_enclave_to_be_had_is_said_with_what_to_do_about_it(
    room: Room, platform: EmulatedPlatform
) -> None:
    def none() -> EnclaveThread:
        raise EnclaveUnavailable("bubblewrap is missing", hint="install bubblewrap")

    room.backend = OtherBackend(platform, none)
    with pytest.raises(QueryFailed, match="nothing was released") as refusal:
        room.run(room.tables.job(CRM_ALONE))
    assert refusal.value.hint == "install bubblewrap"


def test_no_more_than_so_many_run_at_a_time_and_the_others_wait(room: Room) -> None:
    at_once, most_at_once, lock = 0, 0, threading.Lock()

    class Counting(Brokers):
        def confirm(self, request: CommitRequest) -> Mapping[str, str]:
            nonlocal at_once, most_at_once
            with lock:
                at_once += 1
                most_at_once = max(most_at_once, at_once)
            time.sleep(0.1)
            with lock:
                at_once -= 1
            raise KeyRefused("no", hint="ask")

    room.brokers = Counting(room.tables.keys)
    executor = room.executor(most=1)

    def ask() -> None:
        with pytest.raises(KeyRefused):
            executor.execute(room.tables.job(CRM_ALONE), forgotten)

    with ThreadPoolExecutor(3) as pool:
        for each in [pool.submit(ask) for _ in range(3)]:
            each.result()
    assert most_at_once == 1
    assert len(room.backend.started) == 3


def test_closing_ends_what_runs_and_starts_nothing_more(room: Room) -> None:
    executor = room.executor()
    stated = threading.Event()

    class Waiting(Brokers):
        def grants(self, request: GrantRequest) -> Mapping[str, bytes]:
            stated.set()
            while not room.backend.started[0].closed.is_set():
                time.sleep(0.01)
            return {}

    executor._brokers = Waiting(room.tables.keys)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(refusal_of, room, executor)
        assert stated.wait(10)
        executor.close()
        assert running.result() == GONE
    assert room.backend.closed
    assert refusal_of(room, executor) == GONE
    assert len(room.backend.started) == 1
