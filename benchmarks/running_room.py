"""A real service in a process of its own, and the parties who use it from here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.room_parties import RoomParties, room_parties
from cleanroom.governance.secret_text import Secret


@dataclass(frozen=True)
class RunningRoom:
    """The service's process, and everybody's clients."""

    process_id: int
    parties: RoomParties


@contextmanager
def running_room(folder: Path) -> Iterator[RunningRoom]:
    """Start the service on a free port, gather everybody under the reference rules, stop it at the end."""
    command = [
        sys.executable,
        "-m",
        "mixroom",
        "room",
        "serve",
        "--data",
        str(folder),
        "--port",
        "0",
        "--json",
    ]
    folder.mkdir(parents=True)
    log = folder / "service.log"
    with log.open("wb") as narration, ExitStack() as closing:
        service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=narration)
        closing.callback(_stop, service)
        opened = json.loads(_document(service, log))
        gathered = room_parties(folder / "homes", opened["url"], Secret(opened["founding_code"]))
        yield RunningRoom(service.pid, closing.enter_context(gathered))


def _document(service: subprocess.Popen[bytes], log: Path) -> str:
    """One JSON document, which may take several lines."""
    assert service.stdout is not None
    text = ""
    for line in service.stdout:
        text += line.decode()
        if line.startswith(b"}") or text.count("{") == text.count("}"):
            return text
    raise RuntimeError(f"the service ended before it listened: {log.read_text()[-2000:]}")


def _stop(service: subprocess.Popen[bytes]) -> None:
    service.send_signal(signal.SIGTERM)
    try:
        service.wait(30)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
    assert service.stdout is not None
    service.stdout.close()
