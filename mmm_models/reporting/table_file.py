"""A figure's table as CSV: raw values, unrounded."""

import csv
import io
import math
from collections.abc import Iterator

from mmm_models.reporting.figure import Cell, Table
from mmm_models.results import Interval


def table_csv(table: Table) -> str:
    """An interval becomes two columns, low and high, named after the number before it; unknown numbers are empty."""
    wide = [
        any(isinstance(row[index], Interval) for row in table.rows) for index in range(len(table.columns))
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_head(table, wide))
    for row in (*table.rows, *table.totals):
        writer.writerow(
            value for cell, two in zip(row, wide, strict=True) for value in _values(cell, two=two)
        )
    return text.getvalue()


def _head(table: Table, wide: list[bool]) -> Iterator[str]:
    name = ""
    for column, two in zip(table.columns, wide, strict=True):
        if two:
            yield from (f"{name} low", f"{name} high")
        else:
            name = column.name
            yield name


def _values(cell: Cell, *, two: bool) -> Iterator[str]:
    if isinstance(cell, Interval):
        yield from (_value(cell.low), _value(cell.high))
    elif two:
        yield from ("", "")
    else:
        yield cell if isinstance(cell, str) else _value(cell)


def _value(number: float | None) -> str:
    return repr(float(number)) if number is not None and math.isfinite(number) else ""
