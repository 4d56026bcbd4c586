"""One measured number beside the bar it must reach, and the table and file that hold them all."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "flwr", "opacus", "numpy", "pandas", "cryptography")


@dataclass(frozen=True)
class Setting:
    """Where a benchmark may write, and whether it runs at toy size, which measures nothing of interest."""

    scratch: Path
    quick: bool = False


@dataclass(frozen=True)
class Bar:
    """What a number must reach: at most `limit`, or at least."""

    limit: float
    at_least: bool = False

    def is_met(self, measured: float) -> bool:
        """False for NaN: what was not measured was not met."""
        return measured >= self.limit if self.at_least else measured <= self.limit

    def ratio(self, measured: float) -> float:
        """Measured over limit."""
        return measured / self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True)
class Band:
    """What a number must lie in, bounds included: too much is as wrong as too little."""

    low: float
    high: float

    def is_met(self, measured: float) -> bool:
        """False for NaN: what was not measured was not met."""
        return self.low <= measured <= self.high

    def ratio(self, measured: float) -> float:
        """Measured over the middle of the band."""
        return 2.0 * measured / (self.low + self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Line:
    """`measured` in `unit`; `values` are the single measurements behind it, in the order they were taken."""

    what: str
    measured: float
    unit: str
    bar: Bar | Band | None = None
    values: tuple[float, ...] = ()

    @property
    def ratio(self) -> float:
        """Measured over limit, or over the middle of a band; NaN without a bar."""
        return self.bar.ratio(self.measured) if self.bar else math.nan

    @property
    def verdict(self) -> str:
        """met, MISSED, not measured, or nothing when there is no bar."""
        if math.isnan(self.measured):
            return "not measured"
        if self.bar is None:
            return ""
        return "met" if self.bar.is_met(self.measured) else "MISSED"


@dataclass(frozen=True)
class Measured:
    """One benchmark's lines, the seconds it took and the machine's load before it began."""

    benchmark: str
    lines: tuple[Line, ...]
    seconds: float
    load_before: float


def table(results: Sequence[Measured]) -> str:
    """All lines, one row each."""
    rows = _rows(results)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(results: Sequence[Measured]) -> str:
    """The same table for docs/benchmarks.md."""
    head, *rows = ["| " + " | ".join(row) + " |" for row in _rows(results)]
    return "\n".join([head, "|---" * 6 + "|", *rows])


def write_json(results: Sequence[Measured], path: Path, *, quick: bool) -> None:
    """Everything measured with the machine it was measured on; a number that does not exist is null."""
    content = {
        "format": "mixroom-benchmarks/1",
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": _machine(),
        "benchmarks": [_plain(result) for result in results],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _rows(results: Sequence[Measured]) -> list[tuple[str, ...]]:
    """The heading, then one row a line."""
    rows: list[tuple[str, ...]] = [("benchmark", "what", "bar", "measured", "ratio", "")]
    for result in results:
        rows += [_row(result.benchmark, line) for line in result.lines]
    return rows


def _row(benchmark: str, line: Line) -> tuple[str, ...]:
    ratio = "" if math.isnan(line.ratio) else f"{line.ratio:.3g}"
    measured = "-" if math.isnan(line.measured) else f"{line.measured:.4g} {line.unit}"
    return (benchmark, line.what, str(line.bar or ""), measured, ratio, line.verdict)


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _plain(result: Measured) -> dict[str, Any]:
    lines = [{**asdict(line), "ratio": line.ratio, "verdict": line.verdict} for line in result.lines]
    return {
        "benchmark": result.benchmark,
        "seconds": result.seconds,
        "load_before": result.load_before,
        "lines": [{key: None if value != value else value for key, value in line.items()} for line in lines],
    }
