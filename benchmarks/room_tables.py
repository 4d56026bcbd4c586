"""Large invented tables for the clean room: exposures and customers, with identities that overlap by half."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

BATCH = 500_000


@dataclass(frozen=True)
class RoomTables:
    """`plain`: folder of unprotected files with hexadecimal identities. `hashed`: the same people as tokens.

    Tokens are invented here: hashing millions of identifiers is another benchmark's subject.
    """

    plain: Path
    hashed: Path


def write_room_tables(folder: Path, tag: str, exposures: int, customers: int) -> RoomTables:
    """Both tables, plain and with tokens of the key with this tag; the same people in both."""
    tables = RoomTables(folder / "plain", folder / "hashed")
    for place in (tables.plain, tables.hashed):
        place.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    people = random.bytes(16 * customers * 3 // 2).hex()
    everybody = pa.array([people[32 * i : 32 * i + 32] for i in range(customers * 3 // 2)])
    _write(tables, tag, "exposures", exposures, lambda rows: _exposures(random, everybody[:customers], rows))
    starts = iter(range(0, customers, BATCH))
    known = everybody[customers // 2 :]
    _write(tables, tag, "crm", customers, lambda rows: _customers(random, known.slice(next(starts), rows)))
    return tables


def _write(tables: RoomTables, tag: str, name: str, rows: int, make: Callable[[int], pa.Table]) -> None:
    writers: list[pq.ParquetWriter] = []
    for start in range(0, rows, BATCH):
        batch = make(min(BATCH, rows - start))
        tokens = pc.binary_join_element_wise(tag, batch.column("user_hash"), ".")
        hashed = batch.set_column(0, "user_hash", tokens)
        if not writers:
            places = ((tables.plain, batch), (tables.hashed, hashed))
            writers = [pq.ParquetWriter(folder / f"{name}.parquet", table.schema) for folder, table in places]
        for writer, table in zip(writers, (batch, hashed), strict=True):
            writer.write_table(table)
    for writer in writers:
        writer.close()


def _exposures(random: np.random.Generator, people: pa.Array, rows: int) -> pa.Table:
    start = np.datetime64("2026-03-01", "us")
    seconds: NDArray[np.int64] = random.integers(0, 30 * 86_400, rows)
    return pa.table(
        {
            "user_hash": people.take(pa.array(random.integers(0, len(people), rows))),
            "campaign": _chosen(random, ["spring", "launch", "brand"], rows),
            "channel": _chosen(random, ["tv", "social", "search", "display"], rows),
            "ts": pa.array(start + seconds.astype("timedelta64[s]")),
            "cost": pa.array(np.round(random.uniform(0.05, 1.5, rows), 2)),
        }
    )


def _customers(random: np.random.Generator, people: pa.Array) -> pa.Table:
    rows = len(people)
    return pa.table(
        {
            "user_hash": people,
            "segment": _chosen(random, ["loyal", "vip", "new", "lapsed", "prospect"], rows),
            "region": _chosen(random, ["north", "south", "east", "west"], rows),
            "age_band": _chosen(random, ["18-29", "30-44", "45-59", "60-89"], rows),
        }
    )


def _chosen(random: np.random.Generator, values: list[str], rows: int) -> pa.Array:
    return pa.array(values).take(pa.array(random.integers(0, len(values), rows)))
