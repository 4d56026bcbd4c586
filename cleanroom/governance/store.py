"""The service's database, SQLite or PostgreSQL: one reader's view, one writer at a time.

Guarantee: what `write` returned is on the disk, whole; when it raised, nothing of it is. Writers take turns on
both databases (SQLite's BEGIN IMMEDIATE; a table lock before PostgreSQL's snapshot), and PostgreSQL's
transactions are serialisable besides, so a writer never decides on what another is changing.
Not covered: backups, the write-ahead log and the disk's own copies of what was deleted.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from alembic.util import CommandError
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from cleanroom.errors import ProposalInvalid, StoreUnavailable
from cleanroom.governance.migration import migrate
from cleanroom.governance.postgres_engine import postgres_engine
from cleanroom.governance.sqlite_engine import sqlite_engine

Answer = TypeVar("Answer")
LONGEST_PAUSE_SECONDS = 0.25
_BUSY_SQLITE = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_BUSY_POSTGRES = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available


def open_store(url: str, *, busy_seconds: float = 30.0) -> Store:
    """Connect, create or migrate the tables. Raises StoreUnavailable; a newer version's database is left as it is."""
    engine = _engine(url, busy_seconds)
    try:
        _try_again(lambda: migrate(engine), busy_seconds=busy_seconds)
    except CommandError as error:
        engine.dispose()
        raise StoreUnavailable(
            "the database was written by another version of the service",
            hint="start the version that wrote it, or a newer one",
        ) from error
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, busy_seconds=busy_seconds)


class Store:
    """Runs work in transactions. Work may run more than once: it may change nothing but the session."""

    def __init__(self, engine: Engine, *, busy_seconds: float) -> None:
        self._engine = engine
        self._busy_seconds = busy_seconds
        self._postgres = engine.dialect.name == "postgresql"
        self._reading = engine.execution_options(**_options("read", postgres=self._postgres))
        self._writing = engine.execution_options(**_options("write", postgres=self._postgres))
        # Threads of one process queue here; SQLite's own waiting polls and is not fair.
        self._turn = threading.Lock()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def read(self, work: Callable[[Session], Answer]) -> Answer:
        """What `work` sees in one unchanging view."""
        return _try_again(lambda: self._read_once(work), busy_seconds=self._busy_seconds)

    def write(self, work: Callable[[Session], Answer]) -> Answer:
        """What `work` returns, once its changes are on the disk.

        Tried again while the database asks for it, until `busy_seconds` have passed: then StoreUnavailable.
        """
        return _try_again(lambda: self._write_once(work), busy_seconds=self._busy_seconds)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _read_once(self, work: Callable[[Session], Answer]) -> Answer:
        with Session(self._reading, expire_on_commit=False) as session, session.begin():
            return work(session)

    def _write_once(self, work: Callable[[Session], Answer]) -> Answer:
        if self._postgres:
            return self._in_transaction(work)
        if not self._turn.acquire(timeout=self._busy_seconds):
            raise _BusyError
        try:
            return self._in_transaction(work)
        finally:
            self._turn.release()

    def _in_transaction(self, work: Callable[[Session], Answer]) -> Answer:
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            session.connection()  # begins now, not at the work's first statement
            if self._postgres:
                # Before the first query, hence before the snapshot is taken.
                session.execute(text("LOCK TABLE write_turn IN EXCLUSIVE MODE"))
            return work(session)


class _BusyError(Exception):
    """The database asks to try again."""


def _try_again(once: Callable[[], Answer], *, busy_seconds: float) -> Answer:
    end = time.monotonic() + busy_seconds
    pause = 0.005
    while True:
        try:
            with _plain_failures():
                return once()
        except _BusyError as error:
            if time.monotonic() > end:
                raise StoreUnavailable(
                    "the database is busy; nothing was changed", hint="try again in a moment"
                ) from error
        time.sleep(pause * (0.5 + random.random()))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _engine(url: str, busy_seconds: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            return postgres_engine(parsed, busy_seconds=busy_seconds)
        if parsed.get_backend_name() == "sqlite":
            return sqlite_engine(parsed, busy_seconds=busy_seconds)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise _not_a_url() from error
    raise _not_a_url()


def _not_a_url() -> StoreUnavailable:
    return StoreUnavailable(
        "the database's address is not one of SQLite or PostgreSQL",
        hint="use sqlite:////path/to/room.db or postgresql://user@host/name",
    )


def _options(kind: str, *, postgres: bool) -> dict[str, object]:
    if not postgres:
        return {"room_begin": "BEGIN IMMEDIATE" if kind == "write" else "BEGIN"}
    if kind == "write":
        return {"isolation_level": "SERIALIZABLE"}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@contextmanager
def _plain_failures() -> Iterator[None]:
    """Translate the database's failures; its own words may hold what was stored."""
    try:
        yield
    except PoolTimeout as error:
        raise _BusyError from error
    except (DataError, UnicodeEncodeError, OverflowError):
        # without `from`: the error at hand would print the value
        raise ProposalInvalid(
            "a text or number in the request cannot be stored; nothing was changed",
            hint="send text without control characters, and numbers of at most 64 bits",
        ) from None
    except DBAPIError as error:
        if _asks_to_try_again(error):
            raise _BusyError from error
        raise StoreUnavailable(
            "the database did not take the change or cannot be reached",
            hint="see that it runs, has room on its disk, and that the service may write to it",
        ) from error


def _asks_to_try_again(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in _BUSY_POSTGRES:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _BUSY_SQLITE
