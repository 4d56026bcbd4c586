"""How a command ends: unforeseen errors, a reader that left, real interruptions, a full disk."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from mixroom import cli
from mixroom.errors import explain
from privacy.errors import PrivacyError
from tests.mixroom.terminal import run_process


def _mistaken(*_, **__):
    raise KeyError("missing\nkey")


def test_an_unforeseen_error_is_two_lines_too(terminal, monkeypatch, tmp_path):
    monkeypatch.setattr("simulations.scenario.load_scenario", _mistaken)

    error, hint = terminal.refused("world", "demo", "--out", tmp_path / "w", code=1)

    assert error.startswith("unforeseen KeyError: ")
    assert "MIXROOM_TRACEBACK=1" in hint


def test_the_traceback_is_shown_on_request(terminal, monkeypatch, tmp_path):
    monkeypatch.setenv("MIXROOM_TRACEBACK", "1")
    monkeypatch.setattr("simulations.scenario.load_scenario", _mistaken)

    seen = terminal("world", "demo", "--out", tmp_path / "w")

    assert seen.err.startswith("Traceback (most recent call last):")
    assert seen.refusal[0].startswith("unforeseen KeyError")


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (PrivacyError("two\nlines", hint="do\nthis"), "error: two lines\nhint: do this"),
        (PrivacyError("no hint"), "error: no hint\nhint: see `mixroom --help`"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            "error: /x/y: No space left on device\nhint: check the path, its permissions and the free space",
        ),
    ],
)
def test_every_error_is_exactly_two_lines(error, lines):
    assert explain(error).lines == lines


def test_ctrl_c_anywhere_is_said_in_two_lines(terminal, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("simulations.scenario.load_scenario", interrupted)

    assert terminal.refused("world", "demo", "--out", tmp_path / "w", code=130) == (
        "interrupted",
        "run the same command again",
    )


def test_a_reader_that_leaves_is_no_error(tmp_path, repository):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "mixroom", "--help"]
    ran = subprocess.run(
        command, cwd=repository, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)

    assert (ran.stderr, ran.returncode) == ("", 141)


def test_a_process_speaks_like_the_function(silos, tmp_path):
    seen = run_process("silo", "check", silos[0].name, folder=silos[0].parent)

    assert (seen.err, seen.code) == ("", 0)
    assert seen.out.startswith("silo-1.toml: 0 problems")


@pytest.mark.slow
def test_a_real_interrupt_leaves_a_run_that_resume_finishes(silos, tmp_path):
    arguments = ["train", *map(str, silos), "--out", "run", "--rounds", "20", "--holdout-weeks", "12"]
    command = [sys.executable, "-m", "mixroom", *arguments]
    surroundings = {**os.environ, "PYTHONPATH": str(cli.__file__).rsplit("/", 2)[0]}
    with subprocess.Popen(
        command, cwd=tmp_path, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert first.startswith("mixroom: round 1/20")
    assert (out, process.returncode) == ("", 130)
    assert err.splitlines()[-2:] == [
        "error: interrupted; finished rounds are kept",
        f"hint: mixroom {' '.join(arguments)} --resume",
    ]
    assert run_process(*arguments, "--resume", folder=tmp_path).code == 0
