"""The demo as a new user starts it: a fresh process, from command to report; seconds and peak memory.

Compared with nothing but its limits. Installation is not in it. At toy size a small scenario is compared
instead, through the same command line.
"""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import child_usage
from benchmarks.line import Bar, Line, Setting

SECONDS, GIGABYTES = Bar(120.0), Bar(2.0)
MIXROOM = "from mixroom.cli import main; main()"


def measure(setting: Setting) -> tuple[Line, ...]:
    """Two lines. Raises RuntimeError with the demo's last words when it fails."""
    log = setting.scratch / "demo.log"
    launcher = [sys.executable, child_usage.__file__, str(log), sys.executable, "-c", MIXROOM]
    ran = subprocess.run([*launcher, *_arguments(setting)], capture_output=True, text=True, check=True)
    used = json.loads(ran.stdout)
    if used["exit_code"]:
        raise RuntimeError(f"the demo failed: {log.read_text(encoding='utf-8')[-2000:]}")
    return (
        Line("mixroom demo, start to report", used["seconds"], "s", SECONDS),
        Line("mixroom demo, peak memory", used["peak_bytes"] / 1e9, "GB", GIGABYTES),
    )


def _arguments(setting: Setting) -> list[str]:
    out = str(setting.scratch / "demo")
    if not setting.quick:
        return ["demo", "--out", out]
    return ["compare", str(_toy_scenario(setting.scratch)), "--out", out, "--rounds", "2"]


def _toy_scenario(directory: Path) -> Path:
    from benchmarks.known_worlds import scenario
    from simulations.world_files import scenario_toml

    path = directory / "toy.toml"
    path.write_text(scenario_toml(scenario(quick=True, seed=1)), encoding="utf-8")
    return path
