"""Other processes are neither seen, read, stopped nor traced, and no more are made."""

from __future__ import annotations

import sys

from tests.privacy.enclave.sandbox.conftest import SMALL, Sandbox, Victim
from tests.privacy.enclave.sandbox.programs.outcomes import WORKED

UNREADABLE = {"ENOENT", "EACCES", "EPERM"}


def test_memory_of_another_process_cannot_be_read(sandbox: Sandbox, victim: Victim) -> None:
    read = sandbox.run("read_process", process=victim.process, address=victim.address)

    assert read["mem"] in UNREADABLE
    assert read["process_vm_readv"] == "EPERM"


def test_environment_of_another_process_cannot_be_read(sandbox: Sandbox, victim: Victim) -> None:
    read = sandbox.run("read_process", process=victim.process, address=victim.address)

    assert read["environ"] in UNREADABLE


def test_tracing_is_refused(sandbox: Sandbox, victim: Victim) -> None:
    assert set(sandbox.run("trace", process=victim.process).values()) == {"EPERM"}


def test_signals_are_refused(sandbox: Sandbox, victim: Victim) -> None:
    assert sandbox.run("stop_process", process=victim.process) == "EPERM"


def test_fork_bomb_does_not_make_one_process(sandbox: Sandbox) -> None:
    made = sandbox.run("make_processes", program=sys.executable)

    assert made == {"fork": "EPERM", "clone3": "ENOSYS", "posix_spawn": "EPERM", "unshare": "EPERM"}


def test_other_programs_cannot_be_run(sandbox: Sandbox) -> None:
    programs = ["/python/bin/python3", "/bin/sh", "/usr/bin/env", sys.executable]

    assert {sandbox.run("become", program=program) for program in programs} == {"EPERM"}


def test_threads_are_limited(full_sandbox: Sandbox) -> None:
    assert 1 < full_sandbox.run("many_threads", most=500) <= SMALL.threads


def test_without_a_sandbox_each_of_these_works(nothing: Sandbox, victim: Victim) -> None:
    aim = {"process": victim.process, "address": victim.address}

    assert set(nothing.run("read_process", **aim).values()) == {WORKED}
    assert nothing.run("trace", process=victim.process)["host"] == WORKED
    made = nothing.run("make_processes", program=sys.executable)
    assert (made["fork"], made["clone3"], made["posix_spawn"]) == (WORKED, WORKED, WORKED)
    assert nothing.run("many_threads", most=100) == 100
    assert nothing.run("stop_process", process=victim.process) == WORKED
