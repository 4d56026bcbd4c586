"""Files for their owner's eyes only: 0600 in folders of 0700, written whole or not at all, overwritten before they go.

Not covered: what a journaling, copying or flash-based disk keeps of overwritten blocks, and backups.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cleanroom.errors import HomeUnusable
from privacy.ledger.chained_log import sync_directory

OWNER_ONLY = 0o600
_DRAFT = ".draft-"


def private_folder(folder: Path) -> Path:
    """The folder, made if it is not there. Raises HomeUnusable when others may look into it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_private(folder.stat(), folder, hint=f"chmod 700 {folder}")
    return folder


def read_private(path: Path) -> bytes:
    """What `write_private` wrote. Raises HomeUnusable when others may read it, FileNotFoundError when it is gone."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _require_private(os.fstat(file.fileno()), path, hint=f"chmod 600 {path}")
        return file.read()


def write_private(path: Path, content: bytes) -> None:
    """The new content or what was there before, whatever happens meanwhile; on the disk once this returns."""
    draft = path.with_name(f"{_DRAFT}{path.name}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def destroy_file(path: Path) -> None:
    """Overwrite with zeros, then remove; a file that is not there is gone already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.write(descriptor, bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    sync_directory(path.parent)


def destroy_drafts(folder: Path) -> None:
    """What writers left that did not live to finish. Only for whoever keeps all writers of `folder` out."""
    for draft in folder.glob(f"{_DRAFT}*"):
        destroy_file(draft)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Alone with this lock, across processes and threads. Raises BlockingIOError unless it may `wait`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _require_private(found: os.stat_result, path: Path, *, hint: str) -> None:
    if found.st_mode & 0o077:
        raise HomeUnusable(f"{path} may be read by other users; it was not used", hint=hint)
