"""SQLite for the store: durable, owner-only, deleted bytes overwritten, transactions begun by us."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from cleanroom.errors import StoreUnavailable

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a charge survives a loss of power
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
)


def sqlite_engine(url: URL, *, busy_seconds: float) -> Engine:
    """Connections to the file, which is made with mode 0600. A ledger in memory is refused."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StoreUnavailable(
            "a ledger that is gone after a restart is no ledger",
            hint="name a file: sqlite:////path/to/room.db",
        )
    _create_file(Path(url.database))
    engine = create_engine(
        url, hide_parameters=True, pool_size=10, max_overflow=30, pool_timeout=busy_seconds
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # The driver's own BEGIN comes too late and is never IMMEDIATE; `_begin` says it instead.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
        for pragma in PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("room_begin", "BEGIN"))

    return engine


def _create_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"the database's file cannot be written: {error.strerror}",
            hint="see that the folder exists and that the service may write to it",
        ) from error
