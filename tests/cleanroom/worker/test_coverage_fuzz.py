"""Twenty seconds of coverage-guided fuzzing, where Atheris is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="Atheris is not installed (it has wheels for some Python versions on Linux only): pip install atheris",
)
def test_coverage_guided_fuzzing_finds_no_crash() -> None:
    command = [sys.executable, "-m", "tests.cleanroom.worker.coverage_fuzz", "--seconds", "20"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr[-3_000:]
