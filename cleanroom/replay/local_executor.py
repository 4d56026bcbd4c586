"""The worker's function called in this process, on tables that belong to whoever calls it."""

from __future__ import annotations

from cleanroom.worker.job import Job, Outcome
from cleanroom.worker.run_job import Finished, WorkerLimits, run_job
from cleanroom.worker.worker_home import WorkerHome
from privacy.party_keys import PublicKeys


class LocalExecutor:
    """Runs jobs here and keeps what a service's worker would never tell: `last` says what was withheld.

    Only for rooms whose every table belongs to the caller: nothing separates the caller from the data.
    """

    def __init__(self, home: WorkerHome, limits: WorkerLimits) -> None:
        self._home, self._limits = home, limits
        self.last: Finished | None = None

    @property
    def public(self) -> PublicKeys:
        """The worker's public keys."""
        return self._home.public

    def execute(self, job: Job) -> Outcome:
        """Run the job. Raises QueryFailed or SealedTableBroken."""
        self.last = None
        self.last = run_job(Job.of(job.to_bytes()), self._home, self._limits)
        return Outcome.of(self.last.outcome.to_bytes())

    def close(self) -> None:
        """Nothing runs on."""
