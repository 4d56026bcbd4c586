"""The command line of the sandbox, without running it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from privacy.enclave.bubblewrap import TEMPLATE, BubblewrapSettings, Mount, bubblewrap_command
from privacy.errors import EnclaveUnavailable

SETTINGS = BubblewrapSettings((Mount(Path("/opt/x"), "/enclave/x"),), {"TZ": "UTC"}, "/tmp", 1000, 7)


@pytest.fixture
def _bubblewrap() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")


@pytest.mark.usefixtures("_bubblewrap")
def test_ordinary_user_starts_one_stage() -> None:
    command = bubblewrap_command(SETTINGS, ["python", "-c", "x"])

    assert command.count(command[0]) == 1
    assert command[-4:] == ["--", "python", "-c", "x"]
    assert has(command, "--ro-bind", "/opt/x", "/enclave/x")
    assert has(command, "--seccomp", "7")
    assert has(command, "--size", "1000", "--tmpfs", "/tmp")
    assert has(command, *TEMPLATE["inner"])


@pytest.mark.usefixtures("_bubblewrap")
def test_root_becomes_an_ordinary_user_before_the_sandbox_is_made() -> None:
    command = bubblewrap_command(replace(SETTINGS, ordinary=61999), ["python"])
    first, second = [place for place, word in enumerate(command) if word == command[0]]
    outer, inner = command[first:second], command[second:]

    assert has(outer, "--reuid", "61999", "--regid", "61999", *TEMPLATE["drop"])
    assert has(outer, "--ro-bind", "/opt/x", "/enclave/x")
    assert has(inner, "--ro-bind", "/enclave", "/enclave")
    assert not has(inner, "/opt/x")
    assert has(inner, *TEMPLATE["inner"])


def test_missing_program_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privacy.enclave.bubblewrap._PROGRAMS", "/nowhere")

    with pytest.raises(EnclaveUnavailable, match="bubblewrap is not installed") as refused:
        bubblewrap_command(SETTINGS, ["python"])

    assert "apt-get install bubblewrap" in refused.value.hint


def has(command: list[str], *words: str) -> bool:
    return any(tuple(command[start : start + len(words)]) == words for start in range(len(command)))
