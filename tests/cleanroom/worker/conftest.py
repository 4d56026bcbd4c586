"""A room of two owners whose worker runs in a thread, with everything it says to see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cleanroom.worker.enclave_executor import EnclaveExecutor
from cleanroom.worker.job import Job, Outcome
from privacy.enclave.emulated_platform import EmulatedPlatform
from tests.cleanroom.worker.enclave_thread import ThreadBackend
from tests.cleanroom.worker.two_owners import Brokers, Memory, Tables


@dataclass
class Room:
    """What a service has: an executor, brokers to reach, states to keep."""

    tables: Tables
    backend: ThreadBackend
    brokers: Brokers
    memory: Memory = field(default_factory=Memory)

    def executor(self, **settings: Any) -> EnclaveExecutor:
        return EnclaveExecutor(self.backend, self.brokers, **{"seconds": 60.0, **settings})

    def run(self, job: Job) -> Outcome:
        """The job exactly as it is; the state that it leads to is told to be kept, and is not."""
        return self.executor().execute(job, lambda state: None)

    def ask(self, sql: str, **changes: Any) -> Outcome:
        """A question of an honest service, from the newest states on."""
        job = self.tables.job(sql, **changes)
        job = replace(job, candidates=self.memory.candidates)
        outcome = self.executor().execute(job, self.memory.prepare)
        if outcome.state is not None:
            self.memory.finish()
        return outcome


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables.sealed_in(tmp_path_factory.mktemp("two-owners"))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> EmulatedPlatform:
    return EmulatedPlatform.open(tmp_path_factory.mktemp("platform"))


@pytest.fixture
def room(tables: Tables, platform: EmulatedPlatform) -> Iterator[Room]:
    room = Room(tables, ThreadBackend(platform), Brokers(tables.keys))
    yield room
    for enclave in room.backend.started:
        assert enclave.closed.is_set()
        enclave.join()
