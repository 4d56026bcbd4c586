"""An append-only file of JSON lines, each with its own SHA-256 and that of the line before it.

Detects a changed, removed or reordered line. Does not detect the removal of the newest lines or of the whole
file by someone who may write it: `ledger_witness` keeps a copy of the head elsewhere for that.

A process that dies while it appends leaves a line without an end. If only the end is missing, the line counts
and is ended: what it says was charged stays charged. If more is missing, nobody was told that the line was
written, because `append` had not returned. Whether that may be believed of a file that anybody could have
shortened is for the caller to decide: the log stands as `unfinished` and takes no line until `cut_off`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from privacy.errors import LedgerDamaged, LedgerUnwritable
from privacy.ledger.chained_line import LineRefused, Record, next_line, read_line

REPAIRED = "repaired"


class ChainedLog:
    """The file at `path`. Every use takes an exclusive lock, so that reading and appending is one step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write the file with its first record, whole or not at all; an existing file is left as it is."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                _write_durably(descriptor, next_line(kind, body, None).content)
            finally:
                os.close(descriptor)
            try:
                # Fails where the name exists; a rename would erase the charges of whoever came first.
                os.link(draft, self._path)
            except FileExistsError:
                return
            sync_directory(self._path.parent)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[LockedLog]:
        """Hold the lock and a verified view of the records. LedgerDamaged when the chain does not verify."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
        except OSError as error:
            raise LedgerDamaged(
                f"the privacy ledger cannot be opened: {error.strerror}",
                path=self._path,
                hint="restore the file from a backup",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield LockedLog(self._path, descriptor)
        finally:
            os.close(descriptor)


class LockedLog:
    """The log while this process alone may read and append; `unfinished` is a last line that was cut off."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        *lines, rest = content.split(b"\n")
        self.records = _verified(path, lines)
        self.unfinished = rest
        self._size = len(content) - len(rest)
        if rest:
            self._end_whole_line()

    def append(self, kind: str, body: Mapping[str, Any]) -> Record:
        """Add one record and force it to the disk; LedgerUnwritable leaves the file as it was."""
        if self.unfinished:
            raise damaged(self._path, len(self.records) + 1, "is cut off")
        line = next_line(kind, body, self.records[-1])
        self._write(line.content)
        self.records = (*self.records, line.record)
        return line.record

    def cut_off(self, body: Mapping[str, Any]) -> Record:
        """Remove the unfinished line and say so in the chain, with `body` and the text that was removed."""
        removed, self.unfinished = self.unfinished, b""
        os.ftruncate(self._descriptor, self._size)
        return self.append(REPAIRED, {**body, "removed": removed.decode("utf-8", "replace")})

    def _end_whole_line(self) -> None:
        """Keep a record of which nothing but the end of its line is missing."""
        try:
            record = read_line(self.unfinished + b"\n", self.records[-1])
        except LineRefused:
            return
        self._size += len(self.unfinished)
        self._write(b"\n")
        self.records, self.unfinished = (*self.records, record), b""

    def _write(self, content: bytes) -> None:
        try:
            _write_durably(self._descriptor, content)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise _unwritable(self._path, error) from error
        self._size += len(content)


def damaged(path: Path, line: int, what: str) -> LedgerDamaged:
    """The refusal of a log whose line `line`, counted from 1, is not as it was written."""
    return LedgerDamaged(
        f"line {line} of the privacy ledger {what}; nothing was charged and no data were read",
        path=path,
        hint="restore the file from a backup that holds every charge ever made; do not repair or delete it",
    )


def sync_directory(path: Path) -> None:
    """Make a name that was just given or changed in `path` survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verified(path: Path, lines: list[bytes]) -> tuple[Record, ...]:
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(read_line(line + b"\n", records[-1] if records else None))
        except LineRefused as error:
            raise damaged(path, number, str(error)) from error
    if not records:  # the first line appears together with the file
        raise damaged(path, 1, "is missing")
    return tuple(records)


def _write_durably(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) != len(content):
        raise OSError("short write")
    os.fsync(descriptor)


def _unwritable(path: Path, error: OSError) -> LedgerUnwritable:
    return LedgerUnwritable(
        f"the privacy ledger cannot be written: {error.strerror or error}; "
        "nothing was charged and no data were read",
        path=path,
        hint="free disk space or fix the permissions, then start the run again",
    )
