"""Jobs run in this process, on tables that belong to whoever calls it: no enclave, no brokers, no attestation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO

from cleanroom.datasets.sealed_table import table_broken
from cleanroom.worker.job import Job, Outcome, SealedState
from cleanroom.worker.judged_job import judge
from cleanroom.worker.release_document import KIND, unattested_body
from cleanroom.worker.run_job import Access, Finished, WorkerLimits, run_job
from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement
from privacy.party_keys import PartyKeys
from privacy.sealing import new_key
from privacy.signed_document import sign_document

NAME = "worker"


@dataclass(frozen=True)
class OwnKeys:
    """What owners' brokers would hold, all in one hand: keys that live as long as the process."""

    signing: PartyKeys = field(default_factory=lambda: PartyKeys.generate(NAME))
    state_key: bytes = field(default_factory=new_key, repr=False)
    dataset_keys: dict[str, bytes] = field(default_factory=dict, repr=False)  # by version


class LocalExecutor:
    """Runs jobs here and keeps what a service's worker would never tell: `last` says what was withheld.

    Only for rooms whose every table belongs to the caller: nothing separates the caller from the data.
    """

    def __init__(self, keys: OwnKeys, limits: WorkerLimits) -> None:
        self._keys, self._limits = keys, limits
        self._committed: dict[str, str] = {}
        self.last: Finished | None = None

    @property
    def measurement(self) -> Measurement:
        """Nothing is measured."""
        return Measurement.debug()

    @property
    def root(self) -> bytes:
        """Nothing is attested."""
        return b""

    @property
    def isolation(self) -> Isolation:
        """Nothing separates."""
        return Isolation.NONE

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        """Whoever replays has every key."""

    def execute(self, job: Job, prepared: Callable[[SealedState], None]) -> Outcome:
        """Run the job. Raises QueryFailed, SealedTableBroken or StateRolledBack, and whatever `prepared` raises."""
        self.last = None
        judged = judge(job)
        with ExitStack() as opened:
            access = Access(
                files={} if judged.is_reuse else _files(job, opened),
                dataset_keys=self._keys.dataset_keys,
                state_key=self._keys.state_key,
                committed={owner: self._committed.get(owner) for owner in job.owners},
            )
            finished = run_job(judged, access, self._limits)
        if finished.state is not None:
            prepared(finished.state)
            self._committed |= dict.fromkeys(job.owners, finished.state.id)
        self.last = finished
        release = sign_document(KIND, unattested_body(finished.body), self._keys.signing)
        return Outcome(release, finished.state)

    def close(self) -> None:
        """Nothing runs on."""


def _files(job: Job, opened: ExitStack) -> dict[str, BinaryIO]:
    try:
        return {
            table.document.dataset: opened.enter_context(table.path.open("rb"))
            for table in job.tables
            if table.path is not None
        }
    except OSError as error:
        raise table_broken() from error
