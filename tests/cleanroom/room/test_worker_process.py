"""The worker's process: given nothing, one job long, ended in time, and leaving nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from cleanroom.errors import QueryFailed
from cleanroom.query.reader import read_query
from cleanroom.worker.__main__ import READY
from cleanroom.worker.executor import ProcessExecutor
from cleanroom.worker.job import Job
from cleanroom.worker.worker_home import WorkerHome
from tests.cleanroom.room.acme_room import BY_REGION, crm
from tests.cleanroom.room.serving_process import children, has_job, is_ready, is_running, wait_until

AGAINST_THE_RULES = "the worker finds the query against the rules; nothing was opened"
GONE = "the worker took too long or ended without an answer; nothing was released"


OTHERS: set[int] = set()  # what other tests of this process have started and keep


@pytest.fixture(autouse=True)
def _others() -> None:
    OTHERS.clear()
    OTHERS.update(children(os.getpid()))


def own() -> list[int]:
    """Processes that this test has started and that are still there, zombies included."""
    return [pid for pid in children(os.getpid()) if pid not in OTHERS]


@pytest.fixture
def executor(tmp_path: Path, _others: None) -> Iterator[ProcessExecutor]:
    started = ProcessExecutor(tmp_path / "worker")
    yield started
    started.close()


def job() -> Job:
    """A plan without its tables, which a worker reads and then refuses by itself."""
    plan = read_query(BY_REGION, {"crm": crm()}, {})
    return Job("qry-a", "col-a", "acme", date(2026, 3, 31), plan, ())


def waiting() -> int:
    """The one process that waits for a job, once it is ready for it."""
    (pid,) = own()
    wait_until(lambda: is_ready(pid))
    return pid


def refusal_of(executor: ProcessExecutor) -> str:
    with pytest.raises(QueryFailed) as refusal:
        executor.execute(job())
    return str(refusal.value)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as the executor starts it."""
    WorkerHome.create(tmp_path / "worker")
    command = [sys.executable, "-E", "-m", "cleanroom.worker", str(tmp_path / "worker"), "1GB", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as process:
        yield process
        process.kill()


def test_it_gets_nothing_of_the_service_s_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIXROOM_ROOM_DATABASE", "postgresql://room:geheim@db/room")
    executor = ProcessExecutor(tmp_path / "worker")
    environment = Path(f"/proc/{waiting()}/environ").read_bytes()
    executor.close()

    assert environment == b"OMP_NUM_THREADS=1\0"


def test_it_inherits_two_pipes_and_its_stderr_goes_nowhere(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        executor = ProcessExecutor(tmp_path / "worker")
        folder = Path(f"/proc/{waiting()}/fd")
        opened = {int(link.name): os.readlink(link) for link in folder.iterdir()}
        executor.close()

    pipes = [number for number, target in opened.items() if target.startswith("pipe:")]
    assert pipes[0] == 0
    assert len(pipes) == 2
    assert {target for number, target in opened.items() if number not in pipes} == {"/dev/null"}
    assert {1, 2} <= opened.keys()  # what a library prints ends there too


def test_it_leaves_no_core_file(executor: ProcessExecutor) -> None:
    limits = Path(f"/proc/{waiting()}/limits").read_text().splitlines()
    assert next(line.split()[4:6] for line in limits if line.startswith("Max core")) == ["0", "0"]


def test_the_process_that_waits_takes_the_job_and_another_waits_then(executor: ProcessExecutor) -> None:
    before = waiting()
    assert refusal_of(executor) == AGAINST_THE_RULES
    after = waiting()

    assert after != before
    assert not Path(f"/proc/{before}").exists()


def test_one_that_died_while_it_waited_is_replaced_before_anybody_notices(executor: ProcessExecutor) -> None:
    pid = waiting()
    os.kill(pid, signal.SIGKILL)
    # A process is dead, and can be waited for, when the last of its threads is.
    wait_until(lambda: not is_running(pid) and len(list(Path(f"/proc/{pid}/task").iterdir())) == 1)
    assert refusal_of(executor) == AGAINST_THE_RULES


def test_a_job_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    executor = ProcessExecutor(tmp_path / "worker", seconds=0.5)
    stuck = waiting()
    os.kill(stuck, signal.SIGSTOP)
    started = time.monotonic()
    refused = refusal_of(executor)
    took = time.monotonic() - started
    executor.close()

    assert refused == GONE
    assert took >= 0.5
    assert not is_running(stuck)


def test_no_more_than_so_many_run_at_a_time_and_the_others_wait(tmp_path: Path) -> None:
    executor = ProcessExecutor(tmp_path / "worker", most=1, seconds=2.0)
    stuck = waiting()
    os.kill(stuck, signal.SIGSTOP)
    with ThreadPoolExecutor(3) as pool:
        refused = [pool.submit(refusal_of, executor) for _ in range(3)]
        wait_until(lambda: has_job(stuck))
        assert own() == [stuck]
    executor.close()

    assert sorted(each.result() for each in refused) == sorted([GONE, AGAINST_THE_RULES, AGAINST_THE_RULES])


def test_closing_ends_all_processes_and_leaves_no_zombie(executor: ProcessExecutor) -> None:
    refusal_of(executor)
    executor.close()
    assert own() == []
    assert refusal_of(executor) == GONE
    assert own() == []


@pytest.mark.parametrize("answer", ["", "no JSON", '{"error": "x"}', "{}", '{"release": 1, "history": 2}'])
def test_an_answer_that_is_none_fails_the_query(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "worker.sh"
    script.write_text(f"#!/bin/sh\necho ready\nread job\necho '{answer}'\n", encoding="utf-8")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    executor = ProcessExecutor(tmp_path / "worker")
    refused = refusal_of(executor)
    executor.close()

    assert refused.endswith("nothing was released")


@pytest.mark.parametrize("line", [b"no JSON\n", b'{"format": "mixroom-job/1"}\n', b"\xff\0\n"])
def test_a_line_that_is_no_job_is_answered_in_constant_words(
    line: bytes, alone: subprocess.Popen[bytes]
) -> None:
    assert answer_to(alone, line) == {
        "error": "query_failed",
        "message": "the worker cannot read its job; nothing was opened",
        "hint": "service and worker differ in version",
    }


def test_it_serves_one_job_and_ends_while_its_pipes_are_open(alone: subprocess.Popen[bytes]) -> None:
    assert alone.stdout is not None
    assert answer_to(alone, 2 * job().to_bytes())["message"] == AGAINST_THE_RULES
    assert alone.stdout.read() == b""
    assert alone.wait(20) == 0


def test_it_ends_when_nobody_is_left_to_send_a_job(alone: subprocess.Popen[bytes]) -> None:
    answered, _ = alone.communicate()
    assert answered == READY
    assert alone.returncode == 0


def answer_to(alone: subprocess.Popen[bytes], lines: bytes) -> dict[str, str]:
    """The one line that comes back, while both pipes stay open."""
    assert alone.stdin is not None
    assert alone.stdout is not None
    assert alone.stdout.readline() == READY
    alone.stdin.write(lines)
    alone.stdin.flush()
    answer: dict[str, str] = json.loads(alone.stdout.readline())
    return answer
