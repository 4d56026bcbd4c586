"""Reading what is not shown, and leaving something behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.privacy.enclave.sandbox.programs.outcomes import WORKED, outcome


def read(paths: list[str], files: Sequence[int] = ()) -> dict[str, str]:
    """Each path -> whether its content, or a folder's list of names, was had."""

    def attempt(path: str) -> None:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            with open(path, "rb") as file:
                file.read(1)

    return {path: outcome(partial(attempt, path)) for path in paths}


def exist(paths: list[str]) -> list[str]:
    """Those that are there."""
    return [path for path in paths if os.path.lexists(path)]


def write(folders: list[str], name: str) -> dict[str, str]:
    """Each folder -> whether a file of that name could be made in it."""
    return {folder: outcome(partial(Path(folder, name).write_text, name)) for folder in folders}


def fill(folder: str, most: int) -> dict[str, int | str]:
    """Write files into a folder until it fails or `most` bytes are written."""
    block = b"x" * 2**20
    written = number = 0
    why = WORKED
    while written < most and why == WORKED:
        number += 1

        def attempt(number: int = number) -> None:
            nonlocal written
            with open(f"{folder}/{number}", "wb", buffering=0) as file:
                for _ in range(16):
                    written += file.write(block)

        why = outcome(attempt)
    return {"written": written, "why": why}


def change_given(files: list[int]) -> dict[str, str]:
    """Change a file that was given for reading: its content, mode, times, attributes or locks."""
    import fcntl

    given = files[0]
    return {
        "write": outcome(lambda: os.write(given, b"x")),
        "reopen": outcome(lambda: os.close(os.open(f"/proc/self/fd/{given}", os.O_RDWR))),
        "truncate": outcome(lambda: os.ftruncate(given, 0)),
        "mode": outcome(lambda: os.fchmod(given, 0o777)),
        "times": outcome(lambda: os.utime(given, (1, 1))),
        "attribute": outcome(lambda: os.setxattr(given, "user.row", b"x")),
        "lock": outcome(lambda: fcntl.flock(given, fcntl.LOCK_SH | fcntl.LOCK_NB)),
    }
