"""The worker's process: given nothing, one job long, ended in time, and leaving nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from cleanroom.errors import QueryFailed
from cleanroom.query.reader import read_query
from cleanroom.worker.executor import ProcessExecutor
from cleanroom.worker.job import Job
from tests.cleanroom.room.acme_room import BY_REGION, crm
from tests.cleanroom.room.serving_process import children, is_running, wait_until

AGAINST_THE_RULES = "the worker finds the query against the rules; nothing was opened"
GONE = "the worker took too long or ended without an answer; nothing was released"


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[ProcessExecutor]:
    process_executor = ProcessExecutor(tmp_path / "worker")
    yield process_executor
    process_executor.close()


def job() -> Job:
    """Of a plan without its tables: a worker reads it and refuses it by itself."""
    plan = read_query(BY_REGION, {"crm": crm()}, {})
    return Job("qry-a", "col-a", "acme", date(2026, 3, 31), plan, ())


def waiting() -> int:
    """The one process that waits for a job, once it has loaded its libraries."""
    (pid,) = children(os.getpid())
    wait_until(lambda: Path(f"/proc/{pid}/wchan").read_text() not in ("", "0") and "numpy" in maps(pid))
    return pid


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def refusal_of(executor: ProcessExecutor) -> str:
    with pytest.raises(QueryFailed) as refusal:
        executor.execute(job())
    return str(refusal.value)


def test_it_gets_no_secret_of_the_service_by_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIXROOM_ROOM_DATABASE", "postgresql://room:geheim@db/room")
    executor = ProcessExecutor(tmp_path / "worker")
    environment = Path(f"/proc/{waiting()}/environ").read_bytes()
    executor.close()

    assert environment == b"OMP_NUM_THREADS=1\0"


def test_it_has_two_pipes_and_a_stderr_that_goes_nowhere(executor: ProcessExecutor, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        executor.execute_more = None if hasattr(executor, "execute_more") else None
        second = ProcessExecutor(tmp_path / "another")
        for pid in children(os.getpid()):
            wait_until(lambda pid=pid: "numpy" in maps(pid))
            opened = {link.name: os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
            assert opened.pop("0").startswith("pipe:")
            assert opened.pop("2") == "/dev/null"
            assert all(target.startswith("pipe:") or target == "/dev/null" for target in opened.values())
            assert len({target for target in opened.values() if target.startswith("pipe:")}) == 1
        second.close()
