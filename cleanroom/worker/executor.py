"""execute(job) -> outcome: all that queries run behind, so that an attested sandbox can take the worker's place."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cleanroom.errors import QueryFailed, SealedTableBroken
from cleanroom.worker.job import Job, Outcome
from cleanroom.worker.run_job import USUAL_LIMITS, WorkerLimits
from cleanroom.worker.worker_home import WorkerHome, public_keys
from privacy.party_keys import PublicKeys

_ERRORS = {QueryFailed.code: QueryFailed, SealedTableBroken.code: SealedTableBroken}


class Executor(Protocol):
    """Runs jobs somewhere that is not the caller's process."""

    @property
    def public(self) -> PublicKeys:
        """Keys under which tables are sealed for the worker and releases are signed."""

    def execute(self, job: Job) -> Outcome:
        """Raises QueryFailed or SealedTableBroken; nothing was released then."""

    def close(self) -> None:
        """End all processes."""


class ProcessExecutor:
    """A fresh Python process per job, started ahead of time; it serves one job and exits.

    warm: processes that wait. most: jobs at a time, others wait; by default one per core, as each may use all of
    `limits.memory`. seconds: time limit of one job from when it is its turn, after which its process is killed.
    """

    def __init__(
        self,
        home: Path,
        *,
        warm: int = 1,
        most: int = 0,
        seconds: float = 120.0,
        limits: WorkerLimits = USUAL_LIMITS,
    ) -> None:
        WorkerHome.create(home)
        self._home, self._warm, self._seconds, self._limits = home, warm, seconds, limits
        self._turns = threading.BoundedSemaphore(most or max(warm, os.cpu_count() or 1))
        self._public = public_keys(home)
        self._waiting: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._all: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False
        for _ in range(warm):
            self._waiting.put(self._start())

    @property
    def public(self) -> PublicKeys:
        """The worker's public keys."""
        return self._public

    def execute(self, job: Job) -> Outcome:
        """Run the job in a process of its own. Raises QueryFailed or SealedTableBroken."""
        with self._turns:
            process = self._take()
            try:
                answer = self._converse(process, job.to_bytes())
            finally:
                self._end(process)
                self._replenish()
        return _outcome(answer)

    def close(self) -> None:
        """End every process, busy or waiting."""
        with self._lock:
            self._closed = True
            left = tuple(self._all)
        for process in left:
            self._end(process)

    def _take(self) -> subprocess.Popen[bytes]:
        """A waiting process that lives, or a new one."""
        while True:
            try:
                process = self._waiting.get_nowait()
            except queue.Empty:
                return self._start()
            if process.poll() is None:
                return process
            self._end(process)

    def _replenish(self) -> None:
        """Start what should wait; the next question finds its libraries loaded."""
        with suppress(OSError):  # the next question starts one itself, or says that it cannot
            if not self._closed and self._waiting.qsize() < self._warm:
                self._waiting.put(self._start())

    def _start(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable, "-E", "-m", "cleanroom.worker",
            str(self._home.resolve()), self._limits.memory, str(self._limits.threads),
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
            env={"OMP_NUM_THREADS": "1"},  # nothing of the service's own: it may hold secrets
            close_fds=True,
        )
        with self._lock:
            self._all.add(process)
            closed = self._closed
        if closed:
            self._end(process)
        return process

    def _converse(self, process: subprocess.Popen[bytes], job: bytes) -> bytes:
        """Send the job, read the answer; a process that takes too long is killed."""
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(self._seconds, process.kill)
        timer.start()
        try:
            process.stdout.readline()  # ready
            process.stdin.write(job)
            process.stdin.flush()
            return process.stdout.readline()
        except (OSError, ValueError) as error:  # it ended, or was ended by `close`
            raise _gone() from error
        finally:
            timer.cancel()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was still to be written to a dead process
                    continue
        with self._lock:
            self._all.discard(process)


def _outcome(answer: bytes) -> Outcome:
    if not answer.endswith(b"\n"):
        raise _gone()
    try:
        plain = json.loads(answer)
        if "error" not in plain:
            return Outcome.of(answer)
        kind = _ERRORS.get(plain["error"], QueryFailed)
        refusal = kind(str(plain["message"]), hint=str(plain["hint"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _gone() from error
    raise refusal


def _gone() -> QueryFailed:
    return QueryFailed(
        "the worker took too long or ended without an answer; nothing was released",
        hint="ask for less at once, or ask the operator for more time and memory",
    )
