"""One question through HTTP, from the client's call to the signed release, beside plain DuckDB on the same rows.

Plain DuckDB reads unprotected Parquet files with the same identities in hexadecimal, in a fresh connection on the
same number of threads. Both take turns. The worker's memory is the peak of its process as the kernel counts it.
"""

import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.line import Bar, Line, Setting
from benchmarks.peak_memory import PeakBelow
from benchmarks.room_parties import RoomParties
from benchmarks.room_tables import RoomTables, write_room_tables
from benchmarks.running_room import running_room
from benchmarks.stopwatch import interleaved, seconds_of

QUERIES = {
    "overlap": "SELECT c.segment, COUNT(DISTINCT e.user_hash) AS matched FROM exposures e "
    "JOIN crm c ON e.user_hash = c.user_hash GROUP BY c.segment",
    "reach, impressions and cost": "SELECT campaign, channel, COUNT(DISTINCT user_hash) AS reach, "
    "COUNT(*) AS impressions, SUM(cost) AS cost FROM exposures GROUP BY campaign, channel",
    "frequency": "WITH f AS (SELECT user_hash, COUNT(*) AS n FROM exposures GROUP BY user_hash) "
    "SELECT LEAST(n, 6) AS times, COUNT(DISTINCT user_hash) AS people FROM f GROUP BY LEAST(n, 6)",
}
THREADS = 2
UPLOAD = Bar(300_000, at_least=True)


@dataclass(frozen=True)
class Size:
    """Rows of the exposures and of the crm table, the seconds allowed on top of twice plain DuckDB's, and a name."""

    exposures: int
    customers: int
    extra_seconds: float
    name: str


SIZES = (Size(1_000_000, 200_000, 0.5, "1 M x 200 k"), Size(10_000_000, 1_000_000, 1.0, "10 M x 1 M"))
TOY = (Size(30_000, 8_000, 0.5, "30 k x 8 k"),)


def measure(setting: Setting) -> tuple[Line, ...]:
    """Three queries at each size."""
    lines: list[Line] = []
    for size in TOY if setting.quick else SIZES:
        folder = setting.scratch / f"room-query-{size.exposures}"
        with running_room(folder / "room") as room, PeakBelow(room.process_id) as peak:
            tables = write_room_tables(folder, room.parties.tag, size.exposures, size.customers)
            seconds = seconds_of(partial(room.parties.upload, tables.hashed))
            rate = (size.exposures + size.customers) / seconds
            lines.append(Line(f"{size.name}: check, seal, upload through HTTP", rate, "rows/s", UPLOAD))
            for name, sql in QUERIES.items():
                lines += _one(size, name, sql, room.parties, tables, repetitions=2 if setting.quick else 5)
        memory = peak.bytes / 1e9
        lines.append(Line(f"{size.name}: worker's peak memory", memory, "GB", Bar(4.0)))
    return tuple(lines)


def _one(
    size: Size, name: str, sql: str, parties: RoomParties, tables: RoomTables, *, repetitions: int
) -> list[Line]:
    expected = _plain(sql, tables.plain)
    got = [tuple(row) for row in parties.ask(sql)]  # a first time, with everything cold, is not counted
    if not _same(expected, got):
        raise AssertionError(f"the room's answer to {name} is not plain DuckDB's")
    seconds = interleaved(
        {"plain": lambda: _plain(sql, tables.plain), "room": lambda: parties.ask(sql)},
        repetitions=repetitions,
    )
    plain, through = (statistics.median(seconds[way]) for way in ("plain", "room"))
    what = f"{size.name}: {name}"
    return [
        Line(f"{what}, plain DuckDB", plain, "s", values=seconds["plain"]),
        Line(f"{what}, through the room", through, "s", Bar(2 * plain + size.extra_seconds), seconds["room"]),
    ]


def _plain(sql: str, folder: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(config={"threads": THREADS}) as engine:
        for name in ("exposures", "crm"):
            engine.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder / name}.parquet')")
        return engine.execute(sql).fetchall()


def _same(left: list[tuple[object, ...]], right: list[tuple[object, ...]]) -> bool:
    def rounded(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        return sorted(
            (tuple(round(v, 3) if isinstance(v, float) else v for v in row) for row in rows), key=str
        )

    return rounded(left) == rounded(right)
