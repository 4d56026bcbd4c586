"""Stored runs, opened once each: read again when their files change, never kept when they are damaged."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmm_models.planning.open_planner import By, open_planner
from mmm_models.planning.planner import Planner
from mmm_models.planning.stored_basis import FILE_NAME as PLANNING
from mmm_models.reporting.result_files import RESULTS, read_results
from mmm_models.results import Results
from mmm_models.stored_model import FILE_NAME as MODEL
from server.errors import ServerError

FILES = (RESULTS, MODEL, PLANNING)
PLANNERS_KEPT = 8  # per run: each period and way to part money has its own

Signature = tuple[tuple[int, int, int] | None, ...]


class RunUnknown(ServerError):
    """The service was asked about a run that it was not started with."""

    def __init__(self, name: str, known: Mapping[str, Path]) -> None:
        super().__init__(
            f"there is no run {name[:80]!r} here",
            hint=f"the runs are {', '.join(known) or 'none'}; GET /runs",
        )


@dataclass(frozen=True)
class Period:
    """Which planner of a run: how many weeks, a year when None, and what money is moved between."""

    weeks: int | None = None
    by: By = By.NOTHING


@dataclass(eq=False)
class _Open:
    """What one run's files held when they had `signature`."""

    signature: Signature
    results: Results
    planners: OrderedDict[Period, Planner] = field(default_factory=OrderedDict)


class StoredRuns:
    """Runs by name. Names are looked up, never joined to a path, so no name leads elsewhere."""

    def __init__(self, directories: Mapping[str, Path]) -> None:
        self.directories = dict(directories)
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def directory(self, name: str) -> Path:
        """Raises RunUnknown."""
        if name not in self.directories:
            raise RunUnknown(name, self.directories)
        return self.directories[name]

    def results(self, name: str) -> Results:
        """Raises RunUnknown, ResultsUnreadable."""
        with self._lock:
            return self._current(name).results

    def planner(self, name: str, period: Period) -> Planner:
        """Ready to answer. Raises RunUnknown, ResultsUnreadable and what `open_planner` raises."""
        if (ready := self.ready(name, period)) is not None:
            return ready
        with self._lock:
            planners = self._current(name).planners
            if period not in planners:
                made = open_planner(self.directory(name), weeks=period.weeks, by=period.by)
                _ = made.measures  # measured now, so that the first question is as quick as the others
                planners[period] = made
                while len(planners) > PLANNERS_KEPT:
                    planners.popitem(last=False)
            return planners[period]

    def ready(self, name: str, period: Period) -> Planner | None:
        """The planner if its run is open and its files are as they were; this never waits."""
        found = self._open.get(name)
        if found is None or found.signature != _signature(self.directory(name)):
            return None
        return found.planners.get(period)

    def _current(self, name: str) -> _Open:
        directory = self.directory(name)
        now = _signature(directory)  # before reading: a change in between is seen next time
        found = self._open.get(name)
        if found is None or found.signature != now:
            self._open.pop(name, None)
            found = self._open[name] = _Open(now, read_results(directory))
        return found


def _signature(directory: Path) -> Signature:
    """Changes with every file that is replaced, as runs replace theirs whole."""
    return tuple(_stamp(directory / name) for name in FILES)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
