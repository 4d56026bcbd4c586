"""One clean-room service in a process of its own, on a free port of this machine, with its enclaves beside it.

`python -m simulations.room_service FOLDER ISOLATION` is that process; it prints its URL and first credentials as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom.governance.secret_text import Secret
from privacy.enclave.isolation import Isolation
from simulations.errors import ServiceNotStarted

STOP_SECONDS = 20


@dataclass(frozen=True)
class RunningService:
    """Where it listens, and the code that founds one collaboration there."""

    url: str
    founding_code: Secret


@contextmanager
def running_service(data: Path, log: Path, *, isolation: Isolation) -> Iterator[RunningService]:
    """A fresh service with its state in `data`; it ends with the block. Raises ServiceNotStarted."""
    command = [sys.executable, "-m", __name__, str(data), isolation.value]
    with (
        log.open("wb") as noise,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            yield _started(process.stdout.readline(), log)
        finally:
            _stop(process)


def _started(line: str, log: Path) -> RunningService:
    try:
        said = json.loads(line)
        return RunningService(said["url"], Secret(said["founding_code"]))
    except (ValueError, KeyError) as error:
        raise ServiceNotStarted("the clean room's service did not start", hint=f"see {log}") from error


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _serve(data: Path, isolation: Isolation) -> None:
    from cleanroom.service.serving import Opened, serve
    from cleanroom.service.settings import RoomSettings

    def tell(opened: Opened) -> None:
        code = opened.first.founding_code.reveal() if opened.first else ""
        sys.stdout.write(json.dumps({"url": opened.url, "founding_code": code}) + "\n")
        sys.stdout.flush()

    serve(RoomSettings(data=data, port=0, isolation=isolation), opened=tell)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Isolation(sys.argv[2]))
