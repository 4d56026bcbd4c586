"""SHA-384 of many files, on all cores, remembered while the process lives."""

from __future__ import annotations

import hashlib
import heapq
import os
import stat
import threading
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from privacy.errors import EnclaveUnavailable


@dataclass(frozen=True)
class FileState:
    """What changes when a file does: writers can set back the time of writing, but not that of the last change."""

    size: int
    inode: int
    written: int
    changed: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileState:
        """Times in nanoseconds."""
        return cls(found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


class FileDigests:
    """Digests by path, read again only for files whose state changed. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[FileState, str]] = {}
        self._lock = threading.Lock()

    def of(self, paths: Collection[Path]) -> Mapping[Path, str]:
        """Path -> SHA-384 in hex. Raises EnclaveUnavailable for what is no readable file or changes meanwhile."""
        with self._lock:
            states = {path: _state(path) for path in paths}
            unread = {
                path: state for path, state in states.items() if self._known.get(path, (None,))[0] != state
            }
            self._known.update(_read_all(unread))
            return {path: self._known[path][1] for path in paths}


def _state(path: Path) -> FileState:
    try:
        found = os.stat(path)
    except OSError as error:
        raise _unreadable(path) from error
    if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
        raise _unreadable(path)
    return FileState.of(found)


def _read_all(states: Mapping[Path, FileState]) -> dict[Path, tuple[FileState, str]]:
    """Shared out so that each core reads about the same number of bytes; hashing does not hold Python's lock."""
    cores = os.cpu_count() or 1
    shares: list[tuple[int, int, list[Path]]] = [(0, number, []) for number in range(cores)]
    for path in sorted(states, key=lambda path: -states[path].size):
        taken, number, share = heapq.heappop(shares)
        share.append(path)
        heapq.heappush(shares, (taken + states[path].size, number, share))
    with ThreadPoolExecutor(cores) as pool:
        read = pool.map(lambda share: [(path, _digest(path, states[path])) for path in share[2]], shares)
        return {path: (states[path], digest) for share in read for path, digest in share}


def _digest(path: Path, expected: FileState) -> str:
    try:
        with path.open("rb", buffering=0) as file:
            digest = hashlib.file_digest(file, "sha384").hexdigest()
            state = FileState.of(os.fstat(file.fileno()))
    except OSError as error:
        raise _unreadable(path) from error
    if state != expected:
        raise EnclaveUnavailable(
            f"{path} changed while it was measured",
            hint="wait until the installation has ended, and measure again",
        )
    return digest


def _unreadable(path: Path) -> EnclaveUnavailable:
    return EnclaveUnavailable(
        f"{path} is not a file that can be read; nothing was measured",
        hint="install what it belongs to again",
    )
