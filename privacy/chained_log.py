"""An append-only file of JSON lines, each with its own SHA-256 and that of the line before it.

Detects a changed, removed, reordered or half-written line. Does not detect the removal of the newest lines or
of the whole file by someone who may write it: compare `head` with a copy kept elsewhere for that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.errors import LedgerDamaged, LedgerUnwritable

SCHEMA = 1
_START = "0" * 64
_FIELDS = {"schema", "sequence", "kind", "body", "previous", "digest"}


@dataclass(frozen=True)
class Record:
    """One verified line; `digest` becomes the `previous` of the next one."""

    sequence: int
    kind: str
    body: Mapping[str, Any]
    digest: str


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
                _write_durably(descriptor, _line(_record(0, kind, body, _START), _START))
            finally:
                os.close(descriptor)
            try:
                # Fails where the name exists; a rename would erase the charges of whoever came first.
                os.link(draft, self._path)
            except FileExistsError:
                return
            _sync_directory(self._path.parent)
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
                f"{self._path} cannot be opened: {error.strerror}", hint="restore the file from a backup"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield LockedLog(self._path, descriptor)
        finally:
            os.close(descriptor)


class LockedLog:
    """The log while this process alone may read and append."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self.records = _verify(path, os.pread(descriptor, self._size, 0))

    def append(self, kind: str, body: Mapping[str, Any]) -> Record:
        """Add one record and force it to the disk; LedgerUnwritable leaves the file as it was."""
        last = self.records[-1]
        record = _record(last.sequence + 1, kind, body, last.digest)
        line = _line(record, last.digest)
        try:
            _write_durably(self._descriptor, line)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise _unwritable(self._path, error) from error
        self._size += len(line)
        self.records = (*self.records, record)
        return record


def _verify(path: Path, content: bytes) -> tuple[Record, ...]:
    if not content.endswith(b"\n"):
        raise _damaged(path, content.count(b"\n") + 1, "is cut off")
    records: list[Record] = []
    previous = _START
    for sequence, line in enumerate(content.splitlines(keepends=True)):
        record = _decode(path, sequence, line, previous)
        records.append(record)
        previous = record.digest
    return tuple(records)


def _decode(path: Path, sequence: int, line: bytes, previous: str) -> Record:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise _damaged(path, sequence + 1, "is not JSON") from error
    if not isinstance(fields, dict) or set(fields) != _FIELDS or not isinstance(fields["body"], dict):
        raise _damaged(path, sequence + 1, "lacks fields or has unknown ones")
    if fields["schema"] != SCHEMA:
        raise _damaged(path, sequence + 1, f"has schema {fields['schema']!r}, this program writes {SCHEMA}")
    if fields["sequence"] != sequence or fields["previous"] != previous:
        raise _damaged(path, sequence + 1, "does not follow from the line before it")
    record = _record(sequence, str(fields["kind"]), fields["body"], previous)
    if _line(record, previous) != line:
        raise _damaged(path, sequence + 1, "was changed after it was written")
    return record


def _record(sequence: int, kind: str, body: Mapping[str, Any], previous: str) -> Record:
    content = json.dumps([SCHEMA, sequence, kind, dict(body), previous], sort_keys=True, allow_nan=False)
    return Record(sequence, kind, body, hashlib.sha256(content.encode()).hexdigest())


def _line(record: Record, previous: str) -> bytes:
    fields = {
        "schema": SCHEMA,
        "sequence": record.sequence,
        "kind": record.kind,
        "body": dict(record.body),
        "previous": previous,
        "digest": record.digest,
    }
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _write_durably(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) != len(content):
        raise OSError("short write")
    os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path, line: int, what: str) -> LedgerDamaged:
    return LedgerDamaged(
        f"{path} line {line} {what}; nothing was charged and no data were read",
        hint="restore the file from a backup that holds every charge ever made; do not repair or delete it",
    )


def _unwritable(path: Path, error: OSError) -> LedgerUnwritable:
    return LedgerUnwritable(
        f"{path} cannot be written: {error.strerror or error}; nothing was charged and no data were read",
        hint="free disk space or fix the permissions, then start the run again",
    )
