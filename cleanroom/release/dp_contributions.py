"""Each person's bounded contributions, added up per cell in whole steps: all that dp mode reads of the data."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.release.contribution_table import TABLE, ContributionTable
from cleanroom.release.dp_budget import SetBudget, bound_in_steps, decimals_of
from cleanroom.release.history import History
from cleanroom.release.release_terms import MeasureFunction, MeasureTerms
from privacy.mechanisms import LARGEST_VALUE


@dataclass(frozen=True)
class CellSums:
    """One cell: distinct people, and per measure its sum in steps and, for averages, the values behind it."""

    keys: tuple[object, ...]
    people: int
    sums: tuple[int, ...]
    rows: tuple[int, ...]


def cell_sums(table: ContributionTable, budget: SetBudget, history: History) -> list[CellSums]:
    """The cells of one grouping set after bounding.

    Guarantee: adding or removing one person changes at most `budget.max_groups` cells, each by at most 1 person and
        `bound_in_steps` (of rows behind an average: max_rows) per measure; it changes nobody else's choice of cells.
    The cells are chosen by a keyed hash, so that no party can steer which of a person's cells count.
    Contributions above a bound are clipped, not refused: an error would leak.
    """
    keys = table.key_columns
    salt = int.from_bytes(history.salt[:8], "little")
    order = ", ".join([f"hash({', '.join(['person', f'{salt}::UBIGINT', *keys])})", *keys])
    sums = [sql for index, measure in enumerate(table.terms.measures) for sql in _sums(table, index, measure)]
    listed = {
        f"public{key}": list(table.terms.keys[key].public_values) for key in _public_keys(table, budget)
    }
    public = [f"list_contains(${name}, k{name.removeprefix('public')}::VARCHAR)" for name in listed]
    where = " AND ".join([f"g = {budget.grouping_set}", "NOT shadow", *public])
    rows = table.connection.execute(
        f"SELECT {', '.join([*keys, 'count(*)', *sums])} FROM (SELECT * FROM {TABLE} WHERE {where} "
        f"QUALIFY row_number() OVER (PARTITION BY person ORDER BY {order}) <= {budget.max_groups}) "
        f"{'GROUP BY ' + ', '.join(keys) if keys else ''}",
        listed,
    ).fetchall()
    return [_cell(row, len(keys)) for row in rows]


def _public_keys(table: ContributionTable, budget: SetBudget) -> list[int]:
    keys = table.terms.grouping_sets[budget.grouping_set]
    return [key for key in keys if table.terms.keys[key].public_values]


def _sums(table: ContributionTable, index: int, measure: MeasureTerms) -> list[str]:
    bound = bound_in_steps(measure, table.terms.max_rows)
    steps = f"round(m{index} * {10.0 ** decimals_of(measure)!r})"
    least = -bound if decimals_of(measure) or measure.bound is not None else 0
    rows = f"n{index}" if measure.function is MeasureFunction.AVG else "0"
    return [_total(steps, least, bound), _total(rows, 0, table.terms.max_rows)]


def _total(sql: str, least: int, most: int) -> str:
    # The total is clipped too, far beyond any real one: it stays within the mechanisms' range without an error.
    # Only of values that are there: least() and greatest() skip NULL, and would put a bound in its place.
    there = f"FILTER (WHERE {sql} IS NOT NULL)"
    total = f"coalesce(sum(least(greatest({sql}, {least}), {most})::BIGINT) {there}, 0)"
    return f"least(greatest({total}, -{LARGEST_VALUE}), {LARGEST_VALUE})::BIGINT"


def _cell(row: tuple[object, ...], keys: int) -> CellSums:
    people, *totals = (int(str(value)) for value in row[keys:])
    return CellSums(row[:keys], people, tuple(totals[::2]), tuple(totals[1::2]))
