"""The key holder in a process of its own, and the way to speak to it: `python -m privacy.paillier.holder_process DIR`.

Only this process ever loads the private key. It reads messages from its standard input and answers on its standard
output (`paillier/holder_pipe.py`); it ends when its input ends, so also when whoever started it is killed.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from privacy.errors import HolderGone, MalformedMessage
from privacy.paillier.holder_answers import answer_as
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.holder_pipe import Answer, accepted, read_frame, write_frame

END_SECONDS = 10.0


class HolderProcess:
    """A running key holder. One message at a time; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        packages = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (packages, os.environ.get("PYTHONPATH", ""))))
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "privacy.paillier.holder_process", str(directory.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )

    def ask(self, message: Any, kind: type[Answer]) -> Answer:
        """The key holder's answer; its refusals are raised here. Raises HolderGone when it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                write_frame(self._process.stdin, message)
                answer = read_frame(self._process.stdout)
            except (EOFError, OSError, ValueError) as error:
                raise HolderGone(
                    "the key holder's process ended without an answer; no sum was opened",
                    hint="look at its own words above, start it again and resume the run",
                ) from error
        return accepted(answer, kind)

    def close(self) -> None:
        """End it and wait until it has ended."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # it ended before it read what was left in the pipe
                    continue
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(home: HolderHome) -> None:
    """Answer messages until the input ends."""
    while True:
        try:
            message = read_frame(sys.stdin.buffer)
        except EOFError:
            return
        except MalformedMessage as error:
            message = error
        write_frame(sys.stdout.buffer, answer_as(home, message))


if __name__ == "__main__":
    # Ctrl-C reaches every process of a terminal; this one ends when its parent, which may still ask, has ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(HolderHome(Path(sys.argv[1])))
