"""A database per test, on SQLite and on a private PostgreSQL server that lives as long as the session; key brokers."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.cleanroom.owners_brokers import StartBroker, broker_starter


@dataclass(frozen=True)
class PostgresServer:
    """A server of ours, that listens in its own folder only."""

    folder: Path

    def new_database(self) -> str:
        """The URL of a user with an empty schema of its own, which takes a tenth of a database's time to make."""
        name = f"room_{uuid4().hex}"
        with psycopg.connect(f"host={self.folder} user=room dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN".encode())
            connection.execute(f"CREATE SCHEMA AUTHORIZATION {name}".encode())
        return f"postgresql://{name}@/postgres?host={self.folder}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Started with the first test that needs it; such tests are skipped where PostgreSQL is not installed."""
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("PostgreSQL is not installed: initdb and pg_ctl are not on PATH")
    # Not pytest's folder: PostgreSQL's user must be able to enter it, and a socket's path is short.
    # In memory where there is such a place: removing its thousands of files takes a disk many seconds.
    with tempfile.TemporaryDirectory(prefix="room-pg-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        user = _ordinary_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = Path(folder, "data")
        _as(user, ["initdb", "-D", str(data), "-U", "room", "-A", "trust", "-E", "UTF8", "--no-sync"])
        options = f"-k {folder} -c listen_addresses= -c max_connections=200 -c fsync=off"
        _as(user, ["pg_ctl", "-D", str(data), "-l", f"{folder}/log", "-w", "-o", options, "start"])
        try:
            yield PostgresServer(Path(folder))
        finally:
            _as(user, ["pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop"])


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database; every test that takes it runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'room.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
def broker() -> Iterator[StartBroker]:
    """Starts the key broker of a home, until the test ends."""
    with broker_starter() as start:
        yield start


@pytest.fixture(scope="module")
def module_broker() -> Iterator[StartBroker]:
    """Starts the key broker of a home, until the module's last test ends."""
    with broker_starter() as start:
        yield start


def _memory() -> str | None:
    roomy = os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 2**30
    return "/dev/shm" if roomy else None


def _ordinary_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; elsewhere it runs as whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no other user here")


def _as(user: pwd.struct_passwd | None, command: list[str]) -> None:
    if user is None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
        return
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        env={"PATH": os.environ["PATH"], "HOME": "/"},
    )
