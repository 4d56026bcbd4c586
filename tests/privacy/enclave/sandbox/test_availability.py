"""What a machine can do is found out by trying, and told in plain words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from privacy.enclave.availability import TRIAL, isolation_available, require
from privacy.enclave.isolation import Isolation
from privacy.enclave.ordinary_user import FIRST_USER, LAST_USER, _has_users, free_user, is_open_to_all
from privacy.enclave.program_files import files_of
from privacy.errors import EnclaveUnavailable


def test_most_that_works_is_available() -> None:
    available = isolation_available()

    assert available is not Isolation.NONE
    require(available)


def test_without_bubblewrap_reduced_isolation_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privacy.enclave.bubblewrap._PROGRAMS", "/nowhere")

    assert isolation_available() is Isolation.REDUCED
    with pytest.raises(EnclaveUnavailable, match="bubblewrap is not installed"):
        require(Isolation.FULL)


def test_sandbox_that_does_not_start_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    require(Isolation.REDUCED)
    monkeypatch.setattr("privacy.enclave.boot.FLAGS", ("--no-such-flag",))

    with pytest.raises(EnclaveUnavailable, match="no-such-flag") as refused:
        require(Isolation.REDUCED)

    assert refused.value.hint


def test_without_landlock_reduced_isolation_is_none(change_boot: Callable[[str], None]) -> None:
    """It does not start with less."""
    require(Isolation.REDUCED)
    change_boot("import privacy.enclave.landlock as changed; changed.landlock_version = lambda: 0")

    with pytest.raises(EnclaveUnavailable, match="has no Landlock") as refused:
        require(Isolation.REDUCED)

    assert "lsm=landlock" in refused.value.hint


def test_user_that_cannot_be_had_is_not_passed_over(change_boot: Callable[[str], None]) -> None:
    """Who is told to become somebody else does not stay root, or whoever it is."""
    change_boot(
        "import os; os.setgroups = os.setresgid = lambda *_: None; os.setresuid = lambda *_: os.open('/refused', 0); "
        "import privacy.enclave.lockdown as changed; separate = changed.separate; "
        "changed.separate = lambda *a, **_: separate(*a, ordinary=61999)"
    )

    with pytest.raises(EnclaveUnavailable, match="refused"):
        require(Isolation.REDUCED)


def test_what_runs_inside_does_not_hold_what_starts_it() -> None:
    """Nothing of the command line of a sandbox is part of the measured code."""
    names = {name.removeprefix("privacy/enclave/") for name, _ in files_of(TRIAL).first_party}

    assert {"lockdown.py", "isolation.py"} <= names
    assert not names & {"bubblewrap.py", "boot.py", "sandbox_profile.py", "system_calls.py"}


def test_only_root_can_become_a_user_that_nobody_has() -> None:
    user = free_user()

    if os.geteuid() == 0 and _has_users(Path("/proc/self/uid_map").read_text()):
        assert FIRST_USER <= user <= LAST_USER
    else:
        assert user == 0


@pytest.mark.parametrize(
    "uid_map, has_them",
    [
        ("         0          0 4294967295\n", True),
        ("0 100000 65536\n", True),
        ("0 1000 1\n1 100000 65536\n", True),
        ("0 1000 1\n", False),
        ("0 100000 65519\n", False),
        ("61185 0 100000\n", False),
    ],
)
def test_container_may_have_no_such_users(uid_map: str, has_them: bool) -> None:
    assert _has_users(uid_map) is has_them


def test_folder_that_others_may_not_enter_is_not_open_to_all(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    closed = tmp_path_factory.mktemp("closed")
    (closed / "file").write_text("x")
    closed.chmod(0o700)

    assert not is_open_to_all(closed / "file")
    assert is_open_to_all(type(closed)("/usr"))
