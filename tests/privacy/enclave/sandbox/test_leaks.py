"""The host learns from messages only: not from how a program ends, what it prints, or what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from privacy.enclave.boot import ENVIRONMENT
from privacy.enclave.channel import MOST_BYTES
from privacy.enclave.emulated_enclave import EmulatedEnclave
from privacy.enclave.isolation import Isolation
from privacy.enclave.resource_limits import ResourceLimits
from privacy.errors import EnclaveFailed
from tests.privacy.enclave.sandbox.conftest import (
    HOSTILE,
    Sandbox,
    Start,
    descendants,
    is_running,
)
from tests.privacy.enclave.sandbox.programs.outcomes import WORKED


def words_of(sandbox: Sandbox, attack: str, **aim: object) -> tuple[str, str]:
    with pytest.raises(EnclaveFailed) as failed:
        sandbox.run(attack, **aim)
    return str(failed.value), failed.value.hint


def test_exit_codes_and_faults_look_the_same(sandbox: Sandbox) -> None:
    ends = [words_of(sandbox, "leave", code=code) for code in (0, 1, 77)]
    ends += [words_of(sandbox, "leave_by", number=number) for number in (0, 1)]

    assert len(set(ends)) == 1


def test_prints_reach_nobody(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    assert sandbox.run("write_out", text="a row of the table") == "printed"
    assert capfd.readouterr() == ("", "")


def test_prints_are_shown_in_debug_mode(nothing: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    nothing.run("write_out", text="a row of the table")

    assert "a row of the table" in capfd.readouterr().err


def test_core_dumps_are_off_for_good(sandbox: Sandbox) -> None:
    assert sandbox.run("core") == {"dumpable": 0, "limit": 0, "raised": 0}


def test_crash_leaves_no_core_dump(sandbox: Sandbox, tmp_path: Path) -> None:
    folders = [Path.cwd(), Path("/"), Path("/tmp"), Path("/var/crash"), Path("/var/lib/systemd/coredump")]
    before = {path for folder in folders if folder.is_dir() for path in folder.glob("*core*")}

    words_of(sandbox, "crash")

    assert {path for folder in folders if folder.is_dir() for path in folder.glob("*core*")} == before


def test_endless_loop_is_ended_at_the_time_limit(sandbox: Sandbox) -> None:
    enclave = sandbox.begin("loop")
    below = processes_of(enclave)
    started = time.monotonic()

    with pytest.raises(EnclaveFailed):
        enclave.receive(seconds=0.5)

    assert time.monotonic() - started < 5
    assert ended_soon(below)


def test_endless_loop_ends_by_itself_when_nobody_ends_it(start_backend: Start) -> None:
    """At the limit of processor time, so also when the service forgets it."""
    sandbox = Sandbox(start_backend(Isolation.FULL, cpu_seconds=2))
    enclave = sandbox.begin("loop")
    started = time.monotonic()

    with pytest.raises(EnclaveFailed):
        enclave.receive(seconds=120)

    assert time.monotonic() - started < 60


def test_closing_ends_every_process_of_the_sandbox(sandbox: Sandbox) -> None:
    enclave = sandbox.begin("hold")
    below = processes_of(enclave)

    enclave.close()
    enclave.close()

    assert ended_soon(below)


@pytest.mark.parametrize("isolation", [Isolation.FULL, Isolation.REDUCED])
def test_killed_service_leaves_nothing_running(
    isolation: Isolation, repository: Path, tmp_path: Path, require_isolation: Callable[[Isolation], None]
) -> None:
    """The kernel ends the sandbox with the service, whatever the program is at."""
    require_isolation(isolation)
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(tmp_path), isolation],
        cwd=repository,
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "TMPDIR": str(tmp_path),
        },  # what it cannot remove any more is removed with the test's
    )
    assert service.stdout is not None
    try:
        service.stdout.readline()
        below = {process for process in descendants(service.pid) if HOSTILE.module in command_of(process)}
    finally:
        service.kill()
        service.wait()
        service.stdout.close()

    assert below
    assert ended_soon(below)


SERVICE = """
import sys, time
from pathlib import Path
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.enclave.sandbox_profile import SandboxProfile
from tests.privacy.enclave.sandbox.conftest import HOSTILE, Sandbox
platform = EmulatedPlatform.open(Path(sys.argv[1]))
Sandbox(EmulatedBackend(HOSTILE, platform, SandboxProfile(Isolation(sys.argv[2])))).begin("hold")
time.sleep(0.5)
print(flush=True)
time.sleep(60)
"""


def test_oversized_answer_is_refused(sandbox: Sandbox) -> None:
    for length in (MOST_BYTES + 1, 2**63):
        enclave = sandbox.begin("announce", length=length, sent=1)
        started = time.monotonic()
        with pytest.raises(EnclaveFailed):
            enclave.receive(seconds=30)
        assert time.monotonic() - started < 10


def test_answer_that_never_ends_is_cut_at_the_time_limit(sandbox: Sandbox) -> None:
    enclave = sandbox.begin("announce", length=1000, sent=999)

    with pytest.raises(EnclaveFailed):
        enclave.receive(seconds=0.5)


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 5, 255])
def test_frames_that_are_not_a_programs_to_send_end_it(sandbox: Sandbox, kind: int) -> None:
    words_of(sandbox, "send_kind", kind=kind)


def test_host_takes_no_files(sandbox: Sandbox) -> None:
    """Sending one is refused inside, and the host would not look."""
    before = len(os.listdir("/proc/self/fd"))

    words_of(sandbox, "send_file")

    assert len(os.listdir("/proc/self/fd")) <= before


def test_rarely_used_parts_of_the_kernel_are_out_of_reach(sandbox: Sandbox) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the attack knows the numbers of system calls on x86-64 only")
    assert set(sandbox.run("dangerous_calls").values()) == {"EPERM"}


def test_program_has_nothing_of_the_services(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither environment nor open files nor, under bubblewrap, its user."""
    monkeypatch.setenv("MIXROOM_SECRET", "a secret")
    with open("/etc/hostname") as file:
        os.set_inheritable(file.fileno(), True)
        found = sandbox.run("about_itself")

    allowed = {*ENVIRONMENT, "LD_LIBRARY_PATH", "PWD", "LC_CTYPE"}
    assert set(found["environment"]) <= allowed
    assert set(found["descriptors"]) == {0, 1, 2, found["channel"]}


def test_root_is_an_ordinary_user_inside_and_outside(full_sandbox: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    enclave = full_sandbox.begin("loop")
    try:
        time.sleep(0.2)
        users = {Path(f"/proc/{process}").stat().st_uid for process in processes_of(enclave)}
        inside = full_sandbox.run("about_itself")["user"]
    finally:
        enclave.close()

    assert inside != 0
    assert any(user != 0 for user in users)


def test_bytecode_next_to_modules_is_never_run(sandbox: Sandbox) -> None:
    found = sandbox.run("about_itself")

    assert found["cache"].endswith("/bytecode")
    assert all(path.startswith(found["cache"]) for path in found["cached"] if path not in {"", "None"})


def test_libraries_that_were_not_measured_cannot_be_imported(sandbox: Sandbox) -> None:
    assert [sandbox.run("import_library", name=name) for name in ("pytest", "fastapi", "cryptography")] == [
        "ModuleNotFoundError",
        "ModuleNotFoundError",
        WORKED,
    ]


def test_limits_are_whole_numbers_above_zero() -> None:
    with pytest.raises(Exception, match="whole numbers"):
        ResourceLimits(**{**asdict(ResourceLimits()), "threads": 0})


def command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
    except OSError:  # it has ended
        return ""


def processes_of(enclave: EmulatedEnclave) -> set[int]:
    """Of its sandbox: others of the tests run meanwhile, such as whatever compiles its modules."""
    started = enclave._process.pid
    return {started} | descendants(started)


def ended_soon(processes: set[int]) -> bool:
    """Whether all of them end within five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(map(is_running, processes)):
            return True
        time.sleep(0.02)
    return False
