"""The sketches of a result's numbers, added up in the engine and read back in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cleanroom.release.contribution_table import (
    CELLS,
    TABLE,
    ContributionTable,
    is_summed,
    sketch_decimals,
    steps_sql,
)
from cleanroom.release.history import History
from cleanroom.release.release_terms import ROWS_COUNTED, SHARES, WHOLE_NUMBERS, MeasureFunction, MeasureTerms
from cleanroom.release.sketch_span import Sketch, UnitSketch

BATCH_NUMBERS = 8_000_000  # at most so many 64-bit numbers of sketches in memory
PEOPLE = "people"


@dataclass(frozen=True)
class CellSketches:
    """Of one cell: for each measure, its contributors and all that is added up, each in its unit."""

    measures: tuple[tuple[UnitSketch, ...], ...]


@dataclass(frozen=True)
class _Column:
    measure: int
    unit: str
    sql: str


def cell_sketches(
    table: ContributionTable, history: History, cells: Sequence[int]
) -> Iterator[list[CellSketches]]:
    """For each cell number, in the order given, the sketches of all measures; in batches that memory holds."""
    measures = range(len(table.terms.measures))
    columns = [column for index in measures for column in _columns(index, table.terms.measures[index])]
    batch = max(1, BATCH_NUMBERS // (history.length * len(columns)))
    for start in range(0, len(cells), batch):
        numbers = list(cells[start : start + batch])
        filled = _read(table, history, numbers, columns)
        yield [
            CellSketches(tuple(_of_measure(index, columns, filled[:, place]) for index in measures))
            for place in range(len(numbers))
        ]


def _of_measure(index: int, columns: list[_Column], filled: Sketch) -> tuple[UnitSketch, ...]:
    return tuple(
        UnitSketch(column.unit, filled[row]) for row, column in enumerate(columns) if column.measure == index
    )


def _columns(index: int, measure: MeasureTerms) -> list[_Column]:
    # A sum of flags counts the people who have one; in a sum of money a zero is a value like others.
    contributes = f"m{index} IS NOT NULL" if measure.bound is not None else f"m{index} <> 0"
    columns = [_Column(index, PEOPLE, f"count(*) FILTER ({contributes})")]
    money = ""
    if is_summed(measure):
        # Steps of another size are another unit.
        unit = f"{measure.unit} in 10^{-sketch_decimals(measure)}"
        money = unit if measure.unit not in (WHOLE_NUMBERS, SHARES) else ""
        columns.append(_Column(index, unit, f"sum({steps_sql(measure, f'm{index}')})"))
    elif measure.unit != PEOPLE:
        columns.append(_Column(index, measure.unit, f"sum(m{index})"))
    if measure.function is MeasureFunction.AVG:
        columns.append(_Column(index, ROWS_COUNTED, f"sum(n{index})"))
    if measure.beside_people:
        # Money is no number of people; the values behind its average are.
        columns += [replace(column, unit=PEOPLE) for column in columns[1:] if column.unit != money]
    return columns


def _read(table: ContributionTable, history: History, cells: list[int], columns: list[_Column]) -> Sketch:
    filled = np.zeros((len(columns), len(cells), history.length), np.int64)
    place_of = np.zeros(max(cells) + 1, np.int64)
    place_of[cells] = np.arange(len(cells))
    sums = ", ".join(f"coalesce({column.sql}, 0)::BIGINT AS s{row}" for row, column in enumerate(columns))
    for half in range(2):
        found = table.connection.execute(
            f"SELECT c.cell, t.b{half} AS bucket, {sums} FROM {TABLE} t JOIN {CELLS} c "
            f"ON {table.same_cell('t', 'c')} WHERE NOT t.shadow AND list_contains($cells, c.cell) "
            f"GROUP BY c.cell, t.b{half}",
            {"cells": cells},
        ).fetchnumpy()
        at = place_of[np.asarray(found["cell"])], half * history.buckets + np.asarray(found["bucket"])
        for row in range(len(columns)):
            filled[row][at] = found[f"s{row}"]
    return filled
