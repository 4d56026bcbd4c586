"""The worker's process: loads its libraries, waits for one job on stdin, answers one line on stdout, and ends.

Nothing else leaves: errors are one of a few codes, stderr is closed by whoever starts it, what a library prints goes
nowhere, and a crash leaves no core file. It ends, whatever it is at, when the service does.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from cleanroom.errors import QueryFailed, RoomError, SealedTableBroken
from cleanroom.worker.job import Job
from cleanroom.worker.run_job import WorkerLimits, run_job
from cleanroom.worker.worker_home import WorkerHome

READY = b"ready\n"


def main(folder: str, memory: str, threads: str) -> None:
    """Serve one job with the keys in `folder`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = _answers_alone()
    out.write(READY)
    out.flush()
    line = sys.stdin.buffer.readline()
    if not line:
        return
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    try:
        home = WorkerHome.load(Path(folder))
        answer = run_job(Job.of(line), home, WorkerLimits(memory, int(threads))).outcome.to_bytes()
    except (QueryFailed, SealedTableBroken) as error:
        answer = _refusal(error)
    except Exception:  # whatever it was may quote a row: it is told to nobody
        answer = _refusal(QueryFailed("the worker stopped; nothing was released", hint="ask the operator"))
    out.write(answer)
    out.flush()


def _answers_alone() -> BinaryIO:
    """Standard output for answers; what anybody else prints would stand between them."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _end_with_the_service() -> None:
    """Nobody is left to take an answer once the other end of stdin is closed."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def _refusal(error: RoomError) -> bytes:
    plain = {"error": error.code, "message": str(error), "hint": error.hint}
    return json.dumps(plain).encode() + b"\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
