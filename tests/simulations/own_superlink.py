"""A Flower SuperLink of a test's own: its own port, home and working directory, and gone afterwards, Ray included.

`flwr run` without it starts one in the background that outlives the test.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(sys.executable).parent  # not resolved: that would leave the virtual environment
COMPLETED = "finished:completed"
UP_SECONDS, RUN_SECONDS, STOP_SECONDS = 60, 240, 30
CONFIG = '[superlink]\ndefault = "own"\n\n[superlink.own]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'


@dataclass(frozen=True)
class SuperLink:
    """Where `flwr` commands run: an empty folder, so that apps come from the bundle and not from the checkout."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, app: Path, run_config: Mapping[str, str | int | float | bool], silos: int) -> str:
        """`flwr run` to its end; COMPLETED, or how it ended with the reason. Its own exit status does not tell."""
        overrides = self.folder / "overrides.toml"
        lines = (f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in run_config.items())
        overrides.write_text("".join(lines), encoding="utf-8")
        size = f"num-supernodes={silos} client-resources-num-cpus=1 init-args-num-cpus=2"
        arguments = ("--run-config", str(overrides), "--federation-config", size)
        started = self._flwr("run", str(app), "own", "--stream", "--format", "json", *arguments)
        run_id = str(json.loads(started)["run-id"])
        deadline = time.monotonic() + STOP_SECONDS
        while True:
            listed = json.loads(self._flwr("list", "own", "--run-id", run_id, "--format", "json"))["runs"][0]
            if str(listed["status"]).startswith("finished") or time.monotonic() > deadline:
                status = str(listed["status"])
                return status if status == COMPLETED else f"{status}: {listed.get('status-details')}"
            time.sleep(0.5)

    def _flwr(self, *arguments: str) -> str:
        done = subprocess.run(
            ["flwr", *arguments],
            env=dict(self.environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def own_superlink(folder: Path) -> Iterator[SuperLink]:
    """A SuperLink that runs simulations, for as long as the block lasts."""
    port, home, empty = _free_port(), folder / "flower-home", folder / "empty"
    home.mkdir()
    empty.mkdir()
    (home / "config.toml").write_text(CONFIG.format(port=port), encoding="utf-8")
    link = SuperLink(empty, _environment(home))
    log = folder / "superlink.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["flower-superlink", "--insecure", "--simulation", "--isolation", "subprocess",
             "--host", "127.0.0.1", "--port", str(port), "--disable-runtime-dependency-installation"],
            cwd=empty, env=dict(link.environment), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_until_up(process, port, log)
            yield link
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return inherited | {
        "FLWR_HOME": str(home),
        "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }


def _wait_until_up(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            return
        time.sleep(0.1)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Its helpers lead sessions of their own, in which an unfinished simulation would live on."""
    helpers = _children(process.pid) if process.poll() is None else []
    process.terminate()
    process.wait(STOP_SECONDS)
    for leader in helpers:
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
