"""Jobs run in enclaves, one conversation each; the service only carries what enclave and owners' brokers say.

Nothing that passes here opens anything: grants are sealed for the enclave, states under the owners' key. What a taken
over service can do is to carry nothing, or something else, and then there is no release.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from cleanroom.datasets.sealed_table import table_broken
from cleanroom.errors import QueryFailed
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.conversation import (
    JobMessage,
    StatementMessage,
    StateMessage,
    confirmations_to_bytes,
    grants_to_bytes,
    release_from,
    unreadable,
)
from cleanroom.worker.executor import CommitRequest, GrantRequest, KeyBrokers
from cleanroom.worker.job import Job, Outcome, SealedState
from cleanroom.worker.message_frames import MessageTooLarge, frames_of, message_from
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement
from privacy.enclave.tee_backend import Enclave, TeeBackend
from privacy.errors import EnclaveFailed, EnclaveUnavailable

WORKER_PROGRAM = EnclaveProgram("clean-room worker", "cleanroom.worker")
Read = TypeVar("Read")


class EnclaveExecutor:
    """An enclave per job, which serves one and ends.

    most: jobs at a time, others wait; by default one per core, as each may use all the memory that a worker takes.
    seconds: time limit of one job from when it is its turn, the owners' brokers' time included, after which its
    enclave is ended.
    """

    def __init__(
        self,
        backend: TeeBackend,
        brokers: KeyBrokers,
        *,
        seconds: float = 120.0,
        most: int = 0,
    ) -> None:
        self._backend, self._brokers = backend, brokers
        self._seconds = seconds
        self._turns = threading.BoundedSemaphore(most or os.cpu_count() or 1)
        self._running: set[Enclave] = set()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def measurement(self) -> Measurement:
        """What the worker's attestation says it runs."""
        return self._backend.measurement

    @property
    def root(self) -> bytes:
        """The root certificate, DER, under which its attestation stands."""
        return self._backend.root

    @property
    def isolation(self) -> Isolation:
        """What separates the worker from the machine."""
        return self._backend.isolation

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        """Raises BrokerAway, naming the owners whose keys cannot be had now."""
        self._brokers.require_present(collaboration, owners)

    def execute(self, job: Job, prepared: Callable[[SealedState], None]) -> Outcome:
        """Run the job in an enclave of its own. Raises as `Executor.execute` does, and whatever `prepared` raises."""
        with self._turns:
            deadline = time.monotonic() + self._seconds
            nonces = self._brokers.nonces(job.collaboration, job.owners)
            with self._enclave() as enclave:
                try:
                    return self._converse(_Conversation(enclave, deadline), job, nonces, prepared)
                except EnclaveFailed as error:
                    raise _gone() from error

    def close(self) -> None:
        """End every enclave, busy or waiting."""
        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for enclave in running:
            enclave.close()
        self._backend.close()

    def _converse(
        self,
        conversation: _Conversation,
        job: Job,
        nonces: Mapping[str, bytes],
        prepared: Callable[[SealedState], None],
    ) -> Outcome:
        with _files(job) as files:
            conversation.send(JobMessage(job, nonces).to_bytes(), files)
        asked = conversation.receive(StatementMessage.of)
        request = GrantRequest(
            job.collaboration, asked.statement, asked.attestation, dict(nonces), job.owners
        )
        conversation.send(grants_to_bytes(self._brokers.grants(request)))
        if not _is_remembered(job):
            return Outcome(conversation.receive(release_from))
        next_state = conversation.receive(StateMessage.of)
        prepared(next_state.state)
        commit = CommitRequest(job.collaboration, job.owners, next_state.commit)
        conversation.send(confirmations_to_bytes(self._brokers.confirm(commit)))
        return Outcome(conversation.receive(release_from), next_state.state)

    @contextmanager
    def _enclave(self) -> Iterator[Enclave]:
        """A fresh one, ended whatever happens."""
        enclave = self._started()
        try:
            yield enclave
        finally:
            enclave.close()
            with self._lock:
                self._running.discard(enclave)

    def _started(self) -> Enclave:
        with self._lock:
            closed = self._closed
        if closed:
            raise _gone()
        try:
            enclave = self._backend.start()
        except EnclaveUnavailable as error:
            raise QueryFailed(
                "no enclave can be started; nothing was released", hint=error.hint or "ask the operator"
            ) from error
        with self._lock:
            self._running.add(enclave)
            closed = self._closed
        if closed:  # `close` may not have seen it
            enclave.close()
        return enclave


@dataclass(frozen=True)
class _Conversation:
    """Messages to and from one enclave, until `deadline` on the monotonic clock."""

    enclave: Enclave
    deadline: float

    def send(self, message: bytes, files: Sequence[int] = ()) -> None:
        for number, frame in enumerate(frames_of(message)):
            self.enclave.send(frame, files if number == 0 else ())

    def receive(self, read: Callable[[bytes], Read]) -> Read:
        """The next message. Raises EnclaveFailed or what the worker refuses with."""
        try:
            content = message_from(lambda: self.enclave.receive(seconds=self._left()))
        except MessageTooLarge as error:
            raise unreadable() from error
        return read(content)

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _gone()
        return left


def _is_remembered(job: Job) -> bool:
    """Whether the release leads to another state: no owner asks for noise, as the worker judges too."""
    return all(table.document.rule.privacy is not Mode.DP for table in job.tables)


@contextmanager
def _files(job: Job) -> Iterator[list[int]]:
    """The sealed files open for reading, in the order of the job's tables; none where none is opened."""
    with ExitStack() as opened:
        numbers = []
        for table in () if job.reuse is not None else job.tables:
            try:
                if table.path is None:
                    raise table_broken()
                numbers.append(os.open(table.path, os.O_RDONLY | os.O_CLOEXEC))
            except OSError as error:
                raise table_broken() from error
            opened.callback(os.close, numbers[-1])
        yield numbers


def _gone() -> QueryFailed:
    return QueryFailed(
        "the worker took too long or ended without an answer; nothing was released",
        hint="ask for less at once, or ask the operator for more time and memory",
    )
