"""execute(job) -> outcome: all that queries run behind, and the way to the owners' brokers that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cleanroom.worker.job import Job, Outcome, SealedState
from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement


@dataclass(frozen=True)
class GrantRequest:
    """What every owner's broker is asked: keys for this statement, to the worker that the attestation speaks of.

    statement: plain JSON values. attestation: the document, COSE_Sign1. nonces: owner -> the nonce it gave out.
    """

    collaboration: str
    statement: Mapping[str, Any]
    attestation: bytes
    nonces: Mapping[str, bytes]
    owners: tuple[str, ...]


@dataclass(frozen=True)
class CommitRequest:
    """What every owner's broker is asked: to commit to a new state, as the worker's signed document has it."""

    collaboration: str
    owners: tuple[str, ...]
    document: Mapping[str, Any]


class KeyBrokers(Protocol):
    """The way to the owners' brokers. Every answer is for the worker to judge; it is only carried here."""

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        """Raises BrokerAway, naming the owners whose brokers do not answer now."""

    def nonces(self, collaboration: str, owners: Sequence[str]) -> Mapping[str, bytes]:
        """owner -> 32 bytes that its broker gave out for one use. Raises BrokerAway."""

    def grants(self, request: GrantRequest) -> Mapping[str, bytes]:
        """owner -> a grant sealed for the worker. Raises BrokerAway or KeyRefused."""

    def confirm(self, request: CommitRequest) -> Mapping[str, str]:
        """owner -> its confirmation. Raises BrokerAway or KeyRefused."""


class Executor(Protocol):
    """Runs jobs somewhere that is not the caller's process."""

    @property
    def measurement(self) -> Measurement:
        """What the worker's attestation says it runs."""

    @property
    def root(self) -> bytes:
        """The root certificate, DER, under which its attestation stands."""

    @property
    def isolation(self) -> Isolation:
        """What separates the worker from the machine."""

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        """Ask before anything is charged. Raises BrokerAway, naming the owners whose keys cannot be had now."""

    def execute(self, job: Job, prepared: Callable[[SealedState], None]) -> Outcome:
        """Run the job. Raises QueryFailed, SealedTableBroken, BrokerAway, KeyRefused or StateRolledBack.

        `prepared` is called with the state that the release leads to and must have stored it when it returns: only
        then are owners asked to commit to it, and only when all have is there a release. What it raises ends the job.
        """

    def close(self) -> None:
        """End all that runs."""
