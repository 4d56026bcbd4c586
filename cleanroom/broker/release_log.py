"""A party's own log of every key that was released or refused, and of what was done with its keys.

Lines as `privacy.ledger.chained_line` writes them: each has its own SHA-256 and that of the line before it. What the
party spent and committed to is read from nowhere else, so a release and its charge are one line: both or neither.
Readers remember how far they came and read on from there, so that a long log costs nothing per question.

Detects a changed, removed or reordered line; removed newest lines as far as `state_register` knows of them.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cleanroom.errors import HomeUnusable, LogBroken
from privacy.ledger.chained_line import LineRefused, Record, next_line, read_line
from privacy.ledger.chained_log import ChainedLog


class Entry(StrEnum):
    """What a line says."""

    STARTED = "started"
    KEPT = "key kept"
    RELEASED = "key released"
    REFUSED = "refused"
    UNWRITTEN = "further refusals not written"
    COMMITTED = "state committed"
    DESTROYED = "key destroyed"
    ROTATED = "keys rotated"
    CONSENT = "consent"
    CODE = "code rules"
    REPAIRED = "repaired"  # a line that its writer did not live to finish was cut off


Take = Callable[[Record], None]


class ReleaseLog:
    """The file at `path`, made with its first line when it is not there. Safe for threads and several processes."""

    def __init__(self, path: Path, take: Take = lambda record: None) -> None:
        """`take` is given every line once, in order. Raises LogBroken, HomeUnusable."""
        self._path = path
        self._take = take
        self._thread = threading.Lock()
        self._newest: Record | None = None  # only before the first reading
        self._read_bytes = 0
        self._inode = 0
        if not path.exists():
            ChainedLog(path).create(Entry.STARTED, {})
        with self.turn():
            pass

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Everything written so far has been taken, and nobody else writes until this ends."""
        with self._thread:
            descriptor = _opened(self._path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._read_on(descriptor)
                yield Turn(self, descriptor)
            finally:
                os.close(descriptor)

    def append(self, entry: Entry, body: Mapping[str, Any], *, now: datetime) -> Record:
        """One more line, in a turn of its own."""
        with self.turn() as turn:
            return turn.append(entry, body, now=now)

    def _append(self, descriptor: int, entry: Entry, body: Mapping[str, Any]) -> Record:
        line = next_line(entry, body, self._newest)
        try:
            if os.write(descriptor, line.content) != len(line.content):
                raise OSError("short write")
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, self._read_bytes)
            raise HomeUnusable(
                f"{self._path} cannot be written: {error.strerror or error}; no key was released",
                hint="free disk space or fix the permissions",
            ) from error
        self._taken(line.record, len(line.content))
        return line.record

    def _read_on(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if (self._inode or found.st_ino) != found.st_ino or found.st_size < self._read_bytes:
            raise _broken(self._path, "was replaced or shortened while it was in use")
        self._inode = found.st_ino
        *lines, rest = _rest_of(descriptor, self._read_bytes).split(b"\n")
        for line in lines:
            self._taken(_next(self._path, line + b"\n", self._newest), len(line) + 1)
        if self._newest is None:
            raise _broken(self._path, "is empty")
        if rest:
            self._end(descriptor, rest)

    def _end(self, descriptor: int, rest: bytes) -> None:
        """A line without its end: whoever wrote it did not live to act on it. It counts if only its end is missing."""
        try:
            record = read_line(rest + b"\n", self._newest)
        except LineRefused:
            os.ftruncate(descriptor, self._read_bytes)
            self._append(descriptor, Entry.REPAIRED, {"removed": rest[:2000].decode("utf-8", "replace")})
            return
        os.write(descriptor, b"\n")
        os.fsync(descriptor)
        self._taken(record, len(rest) + 1)

    def _taken(self, record: Record, size: int) -> None:
        self._newest = record
        self._read_bytes += size
        try:
            self._take(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _broken(self._path, f"has a line {record.sequence + 1} of another version") from error


class Turn:
    """The log while nobody else may write."""

    def __init__(self, log: ReleaseLog, descriptor: int) -> None:
        self._log = log
        self._descriptor = descriptor

    @property
    def newest(self) -> Record:
        """The line that the next one follows."""
        newest = self._log._newest
        assert newest is not None  # a log that was read has a line
        return newest

    def append(self, entry: Entry, body: Mapping[str, Any], *, now: datetime) -> Record:
        """One more line, on the disk once this returns. HomeUnusable leaves the file as it was."""
        return self._log._append(self._descriptor, entry, {"at": now.isoformat(), **body})


def verify_release_log(path: Path) -> tuple[Record, ...]:
    """All lines, if they are the chain that was written. Changes nothing. Raises LogBroken."""
    records: list[Record] = []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _broken(path, f"cannot be read ({error.strerror})") from error
    *lines, rest = content.split(b"\n")
    for line in lines:
        records.append(_next(path, line + b"\n", records[-1] if records else None))
    if rest or not records:
        raise _broken(path, "is cut off in the middle of a line" if rest else "is empty")
    return tuple(records)


def _next(path: Path, line: bytes, newest: Record | None) -> Record:
    number = newest.sequence + 2 if newest else 1
    try:
        return read_line(line, newest)
    except (LineRefused, RecursionError) as error:
        raise _broken(path, f"is not whole: line {number} {error}") from error


def _opened(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _broken(path, f"cannot be opened ({error.strerror})") from error
    if os.fstat(descriptor).st_mode & 0o077:
        os.close(descriptor)
        raise HomeUnusable(f"{path} may be read by other users; it was not used", hint=f"chmod 600 {path}")
    return descriptor


def _rest_of(descriptor: int, start: int) -> bytes:
    parts = []
    while part := os.pread(descriptor, 1 << 20, start):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _broken(path: Path, what: str) -> LogBroken:
    return LogBroken(
        f"the broker's log {path} {what}; no key was released",
        hint="restore the newest copy of the broker's whole folder; do not repair or delete the log",
    )
