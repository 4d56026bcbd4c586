"""The largest resident set that any child of a process has reached while one looked; Linux only, NaN elsewhere."""

import math
import threading
from pathlib import Path
from types import TracebackType

PROC = Path("/proc")
SECONDS_BETWEEN = 0.02


class PeakOfChildren:
    """`with PeakOfChildren(process_id) as peak: ...; peak.bytes`"""

    def __init__(self, process_id: int) -> None:
        self._parent = process_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.bytes: float = 0.0 if PROC.is_dir() else math.nan

    def __enter__(self) -> "PeakOfChildren":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        listing = PROC / str(self._parent) / "task"
        while not self._stop.wait(SECONDS_BETWEEN):
            children = set()
            for task in listing.glob("*/children"):
                try:
                    children |= set(task.read_text().split())
                except OSError:  # the thread has ended
                    continue
            for child in children:
                self.bytes = max(self.bytes, _high_water(child))


def _high_water(process: str) -> float:
    try:
        status = (PROC / process / "status").read_text()
    except OSError:  # the process has ended
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1024
    return 0.0
