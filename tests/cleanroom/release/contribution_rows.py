"""Contributions by hand: one line per person and cell, as the release stage expects them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import duckdb
import pyarrow as pa

from cleanroom.release.history import History
from cleanroom.release.release_outcome import ReleaseOutcome
from cleanroom.release.release_stage import release_cells
from cleanroom.release.release_terms import KeyTerms, MeasureFunction, MeasureTerms, ReleaseTerms
from cleanroom.rules.analysis_rule import Mode

PEOPLE = MeasureTerms(MeasureFunction.COUNT_PEOPLE, "people")
ROWS = MeasureTerms(MeasureFunction.COUNT_ROWS, "rows of orders")
SPEND = MeasureTerms(MeasureFunction.SUM, "sum of orders.value", bound=1000.0, decimals=2)
MEAN = MeasureTerms(MeasureFunction.AVG, "sum of orders.value", bound=1000.0, decimals=2)


@dataclass(frozen=True)
class Line:
    """One row of contributions; `rows` are the n columns of averages, by measure."""

    person: int
    values: tuple[float | int | None, ...] = (1,)
    keys: tuple[object, ...] = ()
    grouping_set: int = 0
    shadow: bool = False
    present: tuple[bool, ...] = ()
    rows: tuple[int | None, ...] = ()


def terms_of(
    measures: Sequence[MeasureTerms] = (PEOPLE,),
    keys: Sequence[KeyTerms] = (),
    grouping_sets: Sequence[tuple[int, ...]] | None = None,
    *,
    k: int = 50,
    largest_share: float = 0.5,
) -> ReleaseTerms:
    """Threshold terms; one grouping set of all keys unless others are named."""
    sets = tuple(grouping_sets) if grouping_sets is not None else (tuple(range(len(keys))),)
    return ReleaseTerms(Mode.THRESHOLD, k, largest_share, tuple(keys), sets, tuple(measures))


def new_history(buckets: int = 2048) -> History:
    """A history with a fixed secret, so that tests repeat."""
    return History.new(bytes(range(32)), buckets=buckets)


def release(lines: Iterable[Line], terms: ReleaseTerms, history: History | None = None) -> ReleaseOutcome:
    """The lines as a table of a fresh engine, released."""
    connection = contributions(lines, terms)
    return release_cells(connection, "SELECT * FROM lines", terms, history or new_history())


def contributions(lines: Iterable[Line], terms: ReleaseTerms) -> duckdb.DuckDBPyConnection:
    """A fresh engine with the lines as its table `lines`."""
    table = list(lines)
    connection = duckdb.connect()
    counts = [f"m{index} {_type(measure)}" for index, measure in enumerate(terms.measures)]
    rows = [f"n{index} BIGINT" for index in range(len(terms.measures))]
    present = [f"p{index} BOOLEAN" for index in range(max((len(line.present) for line in table), default=0))]
    keys = [f"k{index} VARCHAR" for index in range(len(terms.keys))]
    columns = ["g INTEGER", *keys, "person UUID", "shadow BOOLEAN", *counts, *rows, *present]
    stacked = zip(*(_row(line, terms) for line in table), strict=True) if table else [[] for _ in columns]
    names = [f"c{index}" for index in range(len(columns))]
    given = pa.table({name: list(values) for name, values in zip(names, stacked, strict=True)})
    connection.register("given", given)
    typed = ", ".join(
        f"{name}::{column.split()[1]} AS {column.split()[0]}"
        for name, column in zip(names, columns, strict=True)
    )
    connection.execute(f"CREATE TABLE lines AS SELECT {typed} FROM given")
    return connection


def _type(measure: MeasureTerms) -> str:
    return "BIGINT" if measure.bound is None else "DOUBLE"


def _row(line: Line, terms: ReleaseTerms) -> list[object]:
    rows = line.rows or (None,) * len(terms.measures)
    person = str(UUID(int=(line.person * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128))
    return [line.grouping_set, *line.keys, person, line.shadow, *line.values, *rows, *line.present]
