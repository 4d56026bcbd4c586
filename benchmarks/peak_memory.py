"""The largest resident set of any process below another one while one looked; Linux only, NaN elsewhere."""

import math
import threading
from pathlib import Path
from types import TracebackType

PROC = Path("/proc")
SECONDS_BETWEEN = 0.02


class PeakBelow:
    """`with PeakBelow(process_id) as peak: ...; peak.bytes`"""

    def __init__(self, process_id: int) -> None:
        self._parent = process_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.bytes: float = 0.0 if PROC.is_dir() else math.nan

    def __enter__(self) -> "PeakBelow":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN):
            for process in _below(str(self._parent)):
                self.bytes = max(self.bytes, _high_water(process))


def _below(process: str) -> set[str]:
    """Children, their children, and so on: an enclave stands below what lays out its sandbox."""
    children: set[str] = set()
    for task in (PROC / process / "task").glob("*/children"):
        try:
            children |= set(task.read_text().split())
        except OSError:  # the thread has ended
            continue
    return children.union(*map(_below, children))


def _high_water(process: str) -> float:
    try:
        status = (PROC / process / "status").read_text()
    except OSError:  # the process has ended
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1024
    return 0.0
