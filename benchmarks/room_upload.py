"""A clean-room table on its way: checked and sealed by a partner, then opened and loaded by the worker.

Three million rows of Parquet: a 41-character token, a dimension, an amount, a time, an order number. Each way runs
in a process of its own, so that its peak memory is its own.
"""

import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import child_usage
from benchmarks.line import Bar, Line, Setting
from benchmarks.stopwatch import median

ROWS_PER_SECOND = Bar(300_000, at_least=True)
GROWTH = Bar(64.0)
TAG = "deadbeef"
KEY = bytes(range(32))
COLUMNS = {
    "person": {"role": "identity"},
    "campaign": {"role": "dimension"},
    "spend": {"role": "measure"},
    "seen": {"role": "time"},
    "order_id": {"role": "reference"},
}
_PIECE = 250_000
_CHILD = "import sys; from benchmarks.room_upload import {way}; {way}(*sys.argv[1:])"


def measure(setting: Setting) -> tuple[Line, ...]:
    """Five lines. Raises RuntimeError with a child's last words when it fails."""
    rows = 8_000 if setting.quick else 3_000_000
    whole, quarter = setting.scratch / "whole", setting.scratch / "quarter"
    _write_visits(whole.with_suffix(".parquet"), rows)
    _write_visits(quarter.with_suffix(".parquet"), rows // 4)
    repetitions = range(1 if setting.quick else 3)
    sealed = [_run("seal", whole) for _ in repetitions]
    small = [_run("seal", quarter) for _ in repetitions]
    loaded = [_run("load", whole) for _ in repetitions]
    rates = tuple(rows / used["own_seconds"] for used in sealed)
    seconds = tuple(used["own_seconds"] for used in loaded)
    growth = _peak(sealed) - _peak(small)
    return (
        Line(f"check and seal {rows:,} rows x 5 columns", median(rates), "rows/s", ROWS_PER_SECOND, rates),
        Line("check and seal, peak memory", _peak(sealed), "MB"),
        Line("check and seal, peak memory beyond that of a quarter of the rows", growth, "MB", GROWTH),
        Line(f"open and load {rows:,} rows x 5 columns", median(seconds), "s", values=seconds),
        Line("open and load, peak memory", _peak(loaded), "MB"),
    )


def seal(table: str) -> None:
    """Seal `table`.parquet, print the seconds it took, and leave its manifest beside it."""
    from cleanroom.datasets.sealed_table import TableContext
    from cleanroom.datasets.table_sealing import TableSealing, seal_table
    from cleanroom.rules.analysis_rule import RuleDocument

    path = Path(table)
    rules = RuleDocument.of({"dataset": "visits", "columns": COLUMNS})
    context = TableContext("col-a", "visits", "ver-a", "acme", TAG)
    sealing = TableSealing(rules, context, date(2026, 1, 1))
    began = time.perf_counter()
    result = seal_table(path.with_suffix(".parquet"), path.with_suffix(".sealed"), sealing, key=KEY)
    print(time.perf_counter() - began)
    path.with_suffix(".json").write_text(json.dumps(result.manifest.to_plain()), encoding="utf-8")


def load(table: str) -> None:
    """Open `table`.sealed, load all columns into DuckDB, and print the seconds it took."""
    import duckdb

    from cleanroom.datasets.opened_table import SealedSource, load_table
    from cleanroom.datasets.sealed_table import SealedTableManifest

    path = Path(table)
    manifest = SealedTableManifest.of(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
    with (
        path.with_suffix(".sealed").open("rb") as file,
        duckdb.connect(config={"enable_external_access": False}) as connection,
    ):
        began = time.perf_counter()
        source = SealedSource(file, manifest, KEY)
        load_table(source, connection, name="visits", columns=tuple(COLUMNS))
        print(time.perf_counter() - began)


def _run(way: str, table: Path) -> dict[str, Any]:
    """What the child used, and the seconds it measured itself: without the start of Python and its imports."""
    log = table.with_suffix(".log")
    child = [sys.executable, "-c", _CHILD.format(way=way), str(table)]
    launcher = [sys.executable, child_usage.__file__, str(log), *child]
    ran = subprocess.run(launcher, capture_output=True, text=True, check=True)
    used: dict[str, Any] = json.loads(ran.stdout)
    said = log.read_text(encoding="utf-8")
    if used["exit_code"]:
        raise RuntimeError(f"{way} failed: {said[-2000:]}")
    return {**used, "own_seconds": float(said)}


def _peak(runs: list[dict[str, Any]]) -> float:
    return median(tuple(used["peak_bytes"] / 1e6 for used in runs))


def _write_visits(path: Path, rows: int) -> None:
    """Made piece by piece; every token and nearly every order number is another."""
    random = np.random.default_rng(1)
    writer: pq.ParquetWriter | None = None
    for first in range(0, rows, _PIECE):
        piece = _visits(random, min(_PIECE, rows - first), rows)
        writer = writer or pq.ParquetWriter(path, piece.schema)
        writer.write_table(piece)
    if writer is not None:
        writer.close()


def _visits(random: np.random.Generator, count: int, people: int) -> pa.Table:
    digits = random.bytes(16 * count).hex()
    seconds = random.integers(0, 90 * 86_400, count).astype("m8[s]")
    return pa.table(
        {
            "person": [f"{TAG}.{digits[32 * row : 32 * row + 32]}" for row in range(count)],
            "campaign": [f"campaign {number}" for number in random.integers(0, 40, count)],
            "spend": random.gamma(2.0, 30.0, count).round(2),
            "seen": pa.array((np.datetime64("2026-01-01", "s") + seconds).astype("M8[us]")),
            "order_id": [f"o-{number}" for number in random.integers(0, people, count)],
        }
    )
