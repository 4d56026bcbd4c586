"""One call of the command line, as a person sees it: what went to stdout, what to stderr, and the exit code."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mixroom.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Transcript:
    """What one command printed, and how it ended."""

    out: str
    err: str
    code: int

    @property
    def refusal(self) -> tuple[str, str]:
        """The texts of the last two lines of stderr: error and hint. Fails when they are anything else."""
        error, hint = self.err.splitlines()[-2:]
        assert error.startswith("error: ")
        assert hint.startswith("hint: ")
        return error.removeprefix("error: "), hint.removeprefix("hint: ")


class Terminal:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Transcript:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Transcript(printed.out, printed.err, left.value.code)

    def refused(self, *arguments: object, code: int) -> tuple[str, str]:
        """Error and hint of a command that prints nothing else."""
        seen = self(*arguments)
        assert (seen.out, len(seen.err.splitlines()), seen.code) == ("", 2, code), seen
        return seen.refusal


def run_process(*arguments: object, folder: Path, width: int = 100) -> Transcript:
    """The same in a process of its own, as a shell starts it."""
    command = [sys.executable, "-m", "mixroom", *map(str, arguments)]
    surroundings = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": str(width)}
    ran = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    return Transcript(ran.stdout, ran.stderr, ran.returncode)
