"""Nothing of the host can be read but code, and nothing that a program writes is left."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from tests.privacy.enclave.sandbox.conftest import MB, Sandbox, Victim
from tests.privacy.enclave.sandbox.programs.outcomes import WORKED

REFUSED = {"ENOENT", "EACCES", "EPERM", "EROFS"}


@pytest.fixture
def planted(tmp_path: Path) -> str:
    """A file with a row in a folder for temporary files, readable by all."""
    path = tmp_path / "planted.parquet"
    path.write_text("a row")
    return str(path)


def test_planted_file_cannot_be_read(sandbox: Sandbox, planted: str) -> None:
    assert sandbox.run("read", paths=[planted])[planted] in REFUSED


def test_other_sealed_tables_cannot_be_read(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nor can their folder be listed, though one file of it was given."""
    given = tmp_path / "sealed" / "given"
    given.parent.mkdir()
    for path in (given, other := given.with_name("other")):
        path.write_bytes(b"sealed")

    with given.open("rb") as file:
        read = sandbox.run("read", file.fileno(), paths=[str(other), str(given.parent)])

    assert set(read.values()) <= REFUSED


def test_password_file_cannot_be_read(sandbox: Sandbox) -> None:
    paths = ["/etc/shadow", "/etc/passwd", "/etc/ssl"]

    assert set(sandbox.run("read", paths=paths).values()) <= REFUSED


def test_repository_cannot_be_read(sandbox: Sandbox, repository: Path) -> None:
    paths = [str(repository / name) for name in ("", "pyproject.toml", "cleanroom", "privacy/errors.py")]

    assert set(sandbox.run("read", paths=paths).values()) <= REFUSED


def test_home_cannot_be_read(sandbox: Sandbox, home_file: Path) -> None:
    read = sandbox.run("read", paths=[str(home_file), str(home_file.parent)])

    assert set(read.values()) <= REFUSED


def test_environment_of_the_first_process_cannot_be_read(sandbox: Sandbox) -> None:
    paths = ["/proc/1/environ", "/proc/1/root", "/proc/self/environ", "/proc/self/maps", "/proc"]

    assert set(sandbox.run("read", paths=paths).values()) <= REFUSED


def test_nothing_but_code_and_spill_space_is_there(full_sandbox: Sandbox) -> None:
    """Without even /proc and /dev, there are no names of processes, devices or mounts to ask for."""
    hidden = [
        "/proc",
        "/dev",
        "/sys",
        "/etc",
        "/home",
        "/root",
        "/var",
        "/run",
        "/bin",
        "/usr/bin",
        "/usr/local",
    ]

    assert full_sandbox.run("exist", paths=[*hidden, "/enclave/app", "/tmp"]) == ["/enclave/app", "/tmp"]


def test_given_file_cannot_be_changed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither its content nor anything else that somebody on the host could read from it."""
    path = tmp_path / "sealed"
    path.write_bytes(b"sealed")
    path.chmod(0o644)
    before = path.stat()

    with path.open("rb") as file:
        changed = sandbox.run("change_given", file.fileno())

    after = path.stat()
    assert WORKED not in changed.values()
    assert changed["reopen"] in REFUSED
    assert changed["mode"] == changed["times"] == changed["attribute"] == changed["lock"] == "EPERM"
    assert path.read_bytes() == b"sealed"
    assert (before.st_mode, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_mode,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def test_file_names_leave_nothing_on_the_host(sandbox: Sandbox, repository: Path) -> None:
    name = f"row-{uuid4()}"
    folders = [
        "/",
        tempfile.gettempdir(),
        "/var/tmp",
        "/dev/shm",
        str(repository),
        str(Path.home()),
        "/enclave/app",
    ]

    written = sandbox.run("write", folders=folders, name=name)

    left = [folder for folder in folders if Path(folder, name).exists()]
    assert left == []
    assert all(how in REFUSED for folder, how in written.items() if folder != "/tmp")


def test_what_is_spilled_does_not_reach_the_host(full_sandbox: Sandbox) -> None:
    name = f"row-{uuid4()}"

    assert full_sandbox.run("write", folders=["/tmp"], name=name) == {"/tmp": WORKED}
    assert not Path("/tmp", name).exists()


def test_next_enclave_finds_nothing_of_the_one_before(full_sandbox: Sandbox) -> None:
    full_sandbox.run("write", folders=["/tmp"], name="row")

    assert full_sandbox.run("read", paths=["/tmp/row"]) == {"/tmp/row": "ENOENT"}


def test_disk_cannot_be_filled(full_sandbox: Sandbox) -> None:
    """Spill space is of a size, in memory, and its own."""
    filled = full_sandbox.run("fill", folder="/tmp", most=256 * MB)

    assert filled["why"] == "ENOSPC"
    assert 48 * MB <= filled["written"] <= 64 * MB


def test_disk_cannot_be_filled_where_isolation_is_reduced(reduced_sandbox: Sandbox) -> None:
    """Its spill space is in memory too where the kernel allows that, and may not be written to elsewhere."""
    app = Path(reduced_sandbox.run("about_itself")["path"][0])
    spill = str(app.with_name("spill"))
    free = os.statvfs(spill).f_bavail * os.statvfs(spill).f_frsize

    filled = reduced_sandbox.run("fill", folder=spill, most=256 * MB)

    assert filled["written"] <= 64 * MB
    assert list(Path(spill).iterdir()) == []
    assert free - os.statvfs(spill).f_bavail * os.statvfs(spill).f_frsize < 48 * MB


def test_without_a_sandbox_files_are_read_and_written(
    nothing: Sandbox, planted: str, home_file: Path, repository: Path, victim: Victim, tmp_path: Path
) -> None:
    paths = [planted, str(home_file), str(repository), f"/proc/{victim.process}/environ", "/etc/passwd"]

    assert set(nothing.run("read", paths=paths).values()) == {WORKED}
    assert nothing.run("write", folders=[str(tmp_path)], name="x") == {str(tmp_path): WORKED}
    assert nothing.run("fill", folder=str(tmp_path), most=80 * MB)["why"] == WORKED
    with open(planted, "rb") as file:
        changed = nothing.run("change_given", file.fileno())
    assert changed["reopen"] == changed["mode"] == changed["times"] == changed["lock"] == WORKED
