"""`mixroom room serve` in a process of its own, that a test may kill and start again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cleanroom.governance.secret_text import Secret
from cleanroom.partner.room_link import RoomLink
from cleanroom.service.key_bodies import KeyIssuedBody


class ServingProcess:
    """One service: its folder, and at most one process that serves it, always on the same port."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data, self.log, self.temporary = folder / "data", folder / "service.log", folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._options = options
        self._operator_key = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    @property
    def database(self) -> Path:
        """SQLite's file, unless another database was named."""
        return self.data / "room.db"

    def start(self) -> None:
        """Until it listens."""
        place = ["--data", str(self.data), "--port", self.url.rpartition(":")[2], "--json"]
        command = [sys.executable, "-m", "mixroom", "room", "serve", *place, *self._options]
        with self.log.open("ab") as log:
            environment = {**os.environ, "TMPDIR": str(self.temporary)}
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)
        opened = _document(self._process)
        assert opened["url"] == self.url
        self._operator_key = opened.get("operator_key", self._operator_key)

    def founding_code(self) -> Secret:
        """A fresh one, from the operator."""
        with RoomLink(self.url, Secret(self._operator_key)) as link:
            return Secret(link.post("/v1/founding-codes", KeyIssuedBody, {"days": 7}).key)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """SIGTERM lets it finish, SIGKILL does not."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def workers(self) -> list[int]:
        """Every process below it: its enclaves, waiting and busy, and what they consist of."""
        return descendants(self.pid)


def children(pid: int) -> list[int]:
    """Processes that this one started and that are still there, zombies included."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            # after the name, which may hold anything, in parentheses: state, parent
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    below = children(pid)
    return sorted({*below, *(each for child in below for each in descendants(child))})


def is_running(pid: int) -> bool:
    """Whether there is such a process; a zombie is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(met: Callable[[], bool], *, seconds: float = 20) -> None:
    """Fails when it does not become true."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _document(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """What the service says of itself once it listens: one JSON document."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line.decode()
        with suppress(ValueError):
            opened: dict[str, str] = json.loads(text)
            return opened
    raise AssertionError("the service ended before it listened")
