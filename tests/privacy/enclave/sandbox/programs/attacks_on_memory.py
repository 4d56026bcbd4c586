"""Using up the machine's memory, one way of having memory each. They stop at `most` bytes: not to bring down a machine
whose sandbox does not hold."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from typing import Any

from tests.privacy.enclave.sandbox.programs.outcomes import WORKED, outcome

_BLOCK = 32 * 2**20


def private(most: int) -> dict[str, int | str]:
    """Ordinary memory."""
    return _take(lambda: b"x" * _BLOCK, most)


def shared(most: int) -> dict[str, int | str]:
    """Memory that could be shared with other processes."""

    def attempt() -> mmap.mmap:
        block = mmap.mmap(-1, _BLOCK, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        block.write(b"x" * _BLOCK)
        return block

    return _take(attempt, most)


def unnamed_file(most: int) -> dict[str, int | str]:
    """A file without a name, which is in memory and in no folder."""

    def attempt() -> int:
        file = os.memfd_create("x")
        os.write(file, b"x" * _BLOCK)
        return file

    return _take(attempt, most)


def unnamed_spill(most: int) -> dict[str, int | str]:
    """Files that were deleted but are still open, in the folder for spilled data."""

    def attempt() -> int:
        file = os.open("/tmp/x", os.O_RDWR | os.O_CREAT)
        os.unlink("/tmp/x")
        written = 0
        while written < _BLOCK:
            written += os.write(file, b"x" * (_BLOCK - written))
        return file

    return _take(attempt, most)


def _take(attempt: Callable[[], Any], most: int) -> dict[str, int | str]:
    kept: list[Any] = []
    why = WORKED
    while why == WORKED and len(kept) * _BLOCK < most:
        why = outcome(lambda: kept.append(attempt()))
    return {"taken": len(kept) * _BLOCK, "why": why}
