"""A folder for as long as this process lives, and the removal of those that ended processes left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

_LOCK, _UNLOCKED = "in-use", "in-use.new"


class TemporaryFolder:
    """A new folder that any user may read, as it holds code and settings only; `close` removes it.

    A lock on a file in it, which the kernel gives back when this process ends however it ends, tells others that it is
    in use. Making one removes those of this user that nobody uses any more, and touches nothing without such a lock.
    """

    def __init__(self, kind: str) -> None:
        """`kind`: the start of its name, and of those it may remove."""
        _remove_abandoned(kind)
        self.path = Path(tempfile.mkdtemp(prefix=kind))
        try:
            self.path.chmod(0o755)
            self._lock = os.open(
                self.path / _UNLOCKED, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.rename(self.path / _UNLOCKED, self.path / _LOCK)  # nobody finds it before it is locked

    def close(self) -> None:
        """Remove it. May be called again."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _remove_abandoned(kind: str) -> None:
    for found in Path(tempfile.gettempdir()).glob(f"{kind}*"):
        try:
            _remove_if_abandoned(found)
        except OSError:  # in use, removed meanwhile, or no folder of this kind
            continue


def _remove_if_abandoned(folder: Path) -> None:
    """Raises OSError when it is not this user's own, or in use."""
    state = os.lstat(folder)
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        return
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
