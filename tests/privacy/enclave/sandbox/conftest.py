"""Sandboxes that tests run hostile programs in, one for each isolation, and their victims outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from privacy.enclave.availability import require
from privacy.enclave.boot import BOOT
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_enclave import EmulatedEnclave
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.isolation import Isolation
from privacy.enclave.resource_limits import ResourceLimits
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.errors import EnclaveUnavailable

MB = 2**20
HOSTILE = EnclaveProgram("hostile", "tests.privacy.enclave.sandbox.programs.hostile")
# Small, so that an attack ends soon and a sandbox that does not hold does no harm.
SMALL = ResourceLimits(memory_bytes=768 * MB, spill_bytes=64 * MB, cpu_seconds=20, threads=40)
SECONDS = 60.0  # on a busy machine

Start = Callable[..., EmulatedBackend]


@dataclass(frozen=True)
class Sandbox:
    """Runs attacks, each in an enclave of its own."""

    backend: EmulatedBackend

    def run(self, attack: str, *files: int, **aim: object) -> Any:
        """What came of an attack. Raises EnclaveFailed when it did not survive it."""
        enclave = self.begin(attack, *files, **aim)
        try:
            return json.loads(enclave.receive(seconds=SECONDS))
        finally:
            enclave.close()

    def begin(self, attack: str, *files: int, **aim: object) -> EmulatedEnclave:
        """An enclave that has been told to attack."""
        enclave = self.backend.start()
        enclave.send(json.dumps({"attack": attack, **aim}).encode(), files)
        return enclave


@dataclass(frozen=True)
class Victim:
    """A process of the host with a secret in its memory and in its environment."""

    process: int
    address: int


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> EmulatedPlatform:
    return EmulatedPlatform.open(tmp_path_factory.mktemp("platform"))


@pytest.fixture(scope="session")
def start_backend(platform: EmulatedPlatform) -> Iterator[Start]:
    """Makes backends of the hostile program, one for each profile; skips where the isolation cannot be had."""
    backends: dict[SandboxProfile, EmulatedBackend] = {}

    def start(isolation: Isolation, **limits: int) -> EmulatedBackend:
        profile = SandboxProfile(isolation, replace(SMALL, **limits))
        if profile not in backends:
            require_or_skip(isolation)
            debug = isolation is Isolation.NONE
            backends[profile] = EmulatedBackend(HOSTILE, platform, profile, debug=debug)
        return backends[profile]

    yield start
    for backend in backends.values():
        backend.close()


@pytest.fixture(scope="session", params=[Isolation.FULL, Isolation.REDUCED])
def sandbox(request: pytest.FixtureRequest, start_backend: Start) -> Sandbox:
    """A sandbox that must hold."""
    return Sandbox(start_backend(request.param))


@pytest.fixture(scope="session")
def full_sandbox(start_backend: Start) -> Sandbox:
    """For what only bubblewrap can do."""
    return Sandbox(start_backend(Isolation.FULL))


@pytest.fixture(scope="session")
def reduced_sandbox(start_backend: Start) -> Sandbox:
    """For what is done in another way there."""
    return Sandbox(start_backend(Isolation.REDUCED))


@pytest.fixture(scope="session")
def nothing(start_backend: Start) -> Sandbox:
    """No sandbox: shows that an attack is one."""
    return Sandbox(start_backend(Isolation.NONE))


@pytest.fixture
def victim() -> Iterator[Victim]:
    code = (
        "import ctypes; row = ctypes.create_string_buffer(b'secret row')\n"
        "print(ctypes.addressof(row), flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"SECRET": "row"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Victim(process.pid, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture(scope="session")
def require_isolation() -> Callable[[Isolation], None]:
    """Skips a test where the isolation cannot be had, and says why."""
    return require_or_skip


@pytest.fixture(params=[Isolation.FULL, Isolation.REDUCED])
def sandboxed(request: pytest.FixtureRequest) -> Isolation:
    """An isolation that can be had here."""
    require_or_skip(request.param)
    isolation: Isolation = request.param
    return isolation


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go: a folder with nothing in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def change_boot(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has every process that is started run a line of Python just before it confines itself."""
    first = "from privacy.enclave.lockdown import confine\n"
    return lambda line: monkeypatch.setattr(
        "privacy.enclave.boot.BOOT", BOOT.replace(first, f"{first}{line}\n")
    )


def require_or_skip(isolation: Isolation) -> None:
    """A machine without bubblewrap cannot show that it holds."""
    try:
        require(isolation)
    except EnclaveUnavailable as error:
        pytest.skip(str(error))


def descendants(process: int) -> set[int]:
    """All processes below one, as far as they still are."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process}


def is_running(process: int) -> bool:
    """Whether it runs; one that has ended and whose parent has not noticed does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def home_file() -> Iterator[Path]:
    """A file with a secret in the user's home."""
    path = Path.home() / f".mixroom-test-{os.getpid()}"
    path.write_text("a row")
    try:
        yield path
    finally:
        path.unlink()
