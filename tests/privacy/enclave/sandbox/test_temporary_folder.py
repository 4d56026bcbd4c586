"""Folders of processes that ended are removed by the next one, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from privacy.enclave.temporary_folder import TemporaryFolder

KIND = "mixroom-test-"
MAKE = f"""
import time
from privacy.enclave.temporary_folder import TemporaryFolder
folder = TemporaryFolder({KIND!r})
(folder.path / "spill").mkdir(mode=0o555)
print(folder.path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(temporary: Path, repository: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that made one."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKE], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_folder_of_a_killed_process_is_removed_by_the_next(
    other: subprocess.Popen[str], temporary: Path
) -> None:
    assert other.stdout is not None
    left = Path(other.stdout.readline().strip())
    first = TemporaryFolder(KIND)
    assert left.is_dir()  # while it is in use

    other.kill()
    other.wait()
    second = TemporaryFolder(KIND)

    assert set(temporary.iterdir()) == {first.path, second.path}
    first.close()
    second.close()
    second.close()
    assert list(temporary.iterdir()) == []


def test_what_only_looks_like_one_stays(temporary: Path) -> None:
    """A folder without a lock, one of another kind, and links."""
    (temporary / f"{KIND}unlocked").mkdir()
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / "in-use").touch()
    (temporary / f"{KIND}link").symlink_to(temporary / "elsewhere")
    (temporary / f"{KIND}inner").mkdir()
    (temporary / f"{KIND}inner" / "in-use").symlink_to(temporary / "elsewhere" / "in-use")
    before = set(temporary.rglob("*"))

    TemporaryFolder(KIND).close()

    assert set(temporary.rglob("*")) == before
