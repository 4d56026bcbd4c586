"""Memory of every sort ends at the limit, and the machine goes on."""

from __future__ import annotations

import pytest

from tests.privacy.enclave.sandbox.conftest import MB, SMALL, Sandbox
from tests.privacy.enclave.sandbox.programs.outcomes import WORKED

MOST = 2 * SMALL.memory_bytes


@pytest.mark.parametrize("sort", ["private", "shared"])
def test_memory_bomb_ends_at_the_limit(sandbox: Sandbox, sort: str) -> None:
    taken = sandbox.run(sort, most=MOST)

    assert taken["why"] in {"MemoryError", "ENOMEM"}
    assert SMALL.memory_bytes // 4 < taken["taken"] < SMALL.memory_bytes


def test_memory_in_files_without_names_is_refused(sandbox: Sandbox) -> None:
    assert sandbox.run("unnamed_file", most=MOST) == {"taken": 0, "why": "EPERM"}


def test_memory_in_deleted_files_ends_at_the_size_of_the_spill_space(full_sandbox: Sandbox) -> None:
    taken = full_sandbox.run("unnamed_spill", most=MOST)

    assert taken["why"] == "ENOSPC"
    assert taken["taken"] <= SMALL.spill_bytes


@pytest.mark.parametrize("sort", ["private", "shared", "unnamed_file"])
def test_without_a_sandbox_there_is_no_limit(nothing: Sandbox, sort: str) -> None:
    assert nothing.run(sort, most=SMALL.memory_bytes + 32 * MB)["why"] == WORKED
