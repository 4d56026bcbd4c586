"""What a machine can do is found out by trying, and told in plain words."""

from __future__ import annotations

import os

import pytest

from privacy.enclave.availability import isolation_available, require
from privacy.enclave.ordinary_user import FIRST_USER, LAST_USER, free_user, is_open_to_all
from privacy.enclave.sandbox_profile import Isolation
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


def test_only_root_can_become_a_user_that_nobody_has() -> None:
    user = free_user()

    if os.geteuid() == 0:
        assert FIRST_USER <= user <= LAST_USER
    else:
        assert user == 0


def test_folder_that_others_may_not_enter_is_not_open_to_all(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    closed = tmp_path_factory.mktemp("closed")
    (closed / "file").write_text("x")
    closed.chmod(0o700)

    assert not is_open_to_all(closed / "file")
    assert is_open_to_all(type(closed)("/usr"))
