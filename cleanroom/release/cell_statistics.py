"""What the threshold rules must know of each cell and measure: people, presence, largest share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cleanroom.release.contribution_table import (
    CELLS,
    TABLE,
    ContributionTable,
    in_units,
    is_summed,
    steps_sql,
)
from cleanroom.release.release_terms import MeasureFunction, MeasureTerms


@dataclass(frozen=True)
class PresenceCount:
    """Of one optional scan: contributors who are present in it, and people present on the other side."""

    present: int
    opposite: int


@dataclass(frozen=True)
class MeasureStatistics:
    """Of one measure in one cell. `value` is what would be released; `largest` of `total` is one person's.

    people: those who contribute something other than zero: a sum to which one person of thousands adds is about that
        one. valued: those with any contribution, zeros too.
    """

    people: int
    value: float | int | None
    presence: tuple[PresenceCount, ...] = ()
    largest: float = 0.0
    total: float = 0.0
    largest_rows: int = 0
    total_rows: int = 0
    valued: int = 0


@dataclass(frozen=True)
class CellStatistics:
    """One cell that has at least one measure with enough people. `number` names it in the table of cells.

    others: whether the release has further cells, too small to be here.
    hidden_wholly: whether some of them share the values of all their keys that come straight from a table with no
        cell that is here.
    """

    number: int
    grouping_set: int
    keys: tuple[object, ...]
    measures: tuple[MeasureStatistics, ...]
    others: bool = False
    hidden_wholly: bool = False


def cell_statistics(table: ContributionTable) -> list[CellStatistics]:
    """All cells in canonical order (grouping set, then keys with NULL last) that some measure may be released for."""
    terms, keys = table.terms, table.key_columns
    columns = [sql for index, measure in enumerate(terms.measures) for sql in _columns(table, index, measure)]
    enough = " OR ".join(f"valued{index} >= {terms.min_group_size}" for index in range(len(terms.measures)))
    order = ", ".join(["g", *(f"{key} NULLS LAST" for key in keys)])
    cell = ", ".join(["g", *keys])
    straight = [key for key, of in zip(keys, terms.keys, strict=True) if not of.computed]
    same = ", ".join(["g", *straight])
    table.connection.execute(
        f"CREATE TEMP TABLE {CELLS} AS SELECT row_number() OVER (ORDER BY {order}) AS cell, * FROM ("
        f"SELECT *, count(*) FILTER (live) OVER () AS live_cells, bool_or(live AND NOT here) OVER () AS hidden FROM ("
        f"SELECT *, bool_or({enough}) OVER (PARTITION BY {same}) AS here FROM ("
        f"SELECT {', '.join([cell, *columns])}, bool_or(NOT shadow) AS live FROM {TABLE} GROUP BY {cell}))) "
        f"WHERE {enough}"
    )
    cursor = table.connection.execute(f"SELECT * FROM {CELLS} ORDER BY cell")
    names = [column[0] for column in cursor.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    opposites = {scan: _opposites(table, scan) for scan in _scans(table)}
    others = len(found) > 0 and found[0]["live_cells"] > len(found)
    return [
        replace(_cell(table, row, opposites), others=others, hidden_wholly=row["hidden"]) for row in found
    ]


def presence_of(table: ContributionTable, grouping_set: int, measure: MeasureTerms) -> tuple[int, ...]:
    """Optional scans that must hold enough people: the measure's, and those its cell's keys come from."""
    keys = (table.terms.keys[index] for index in table.terms.grouping_sets[grouping_set])
    return tuple(sorted({*measure.presence, *(scan for key in keys for scan in key.presence)}))


def _scans(table: ContributionTable) -> tuple[int, ...]:
    sets = range(len(table.terms.grouping_sets))
    return tuple(
        sorted({scan for g in sets for m in table.terms.measures for scan in presence_of(table, g, m)})
    )


def _columns(table: ContributionTable, index: int, measure: MeasureTerms) -> list[str]:
    there = f"NOT shadow AND m{index} IS NOT NULL"
    columns = [
        f"count(*) FILTER ({there} AND m{index} <> 0) AS people{index}",
        f"count(*) FILTER ({there}) AS valued{index}",
    ]
    for scan in _scans(table):
        columns += [
            f"count(*) FILTER ({there} AND m{index} <> 0 AND p{scan}) AS present{index}_{scan}",
            f"count(*) FILTER ({there} AND p{scan}) AS there{index}_{scan}",
        ]
    if is_summed(measure):
        columns += [
            f"sum({steps_sql(measure, f'm{index}')}) FILTER ({there}) AS sum{index}",
            f"sum(abs(m{index})) FILTER ({there}) AS total{index}",
            f"max(abs(m{index})) FILTER ({there}) AS largest{index}",
        ]
    elif measure.function is not MeasureFunction.COUNT_PEOPLE:
        columns += [
            f"(sum(m{index}) FILTER ({there}))::BIGINT AS sum{index}",
            f"max(m{index}) FILTER ({there}) AS largest{index}",
        ]
    if measure.function is MeasureFunction.AVG:
        columns += [
            f"(sum(n{index}) FILTER ({there}))::BIGINT AS rows{index}",
            f"max(n{index}) FILTER ({there}) AS largest_rows{index}",
        ]
    return columns


def _opposites(table: ContributionTable, scan: int) -> dict[int, int]:
    """People with a row in the scan over all sibling cells, rows kept for a failed filter included, by cell.

    Siblings share every key whose value does not come from that scan; NULL keys from it are what absence looks like.
    """
    fixed = [
        key
        for key, terms in zip(table.key_columns, table.terms.keys, strict=True)
        if scan not in terms.presence
    ]
    group = ", ".join(["g", *fixed])
    same = " AND ".join(["c.g = o.g", *(f"c.{key} IS NOT DISTINCT FROM o.{key}" for key in fixed)])
    rows = table.connection.execute(
        f"SELECT c.cell, o.people FROM {CELLS} c JOIN (SELECT {group}, count(DISTINCT person) AS people "
        f"FROM {TABLE} WHERE p{scan} GROUP BY {group}) o ON {same}"
    ).fetchall()
    return {int(cell): int(people) for cell, people in rows}


def _cell(
    table: ContributionTable, row: dict[str, Any], opposites: dict[int, dict[int, int]]
) -> CellStatistics:
    number, grouping_set = int(row["cell"]), int(row["g"])
    measures = []
    for index, measure in enumerate(table.terms.measures):
        # Of a sum of zeros it is asked who could have added to it.
        counted = "present" if row[f"people{index}"] else "there"
        presence = tuple(
            PresenceCount(int(row[f"{counted}{index}_{scan}"]), opposites[scan].get(number, 0))
            for scan in presence_of(table, grouping_set, measure)
        )
        measures.append(_measure(row, index, measure, presence))
    keys = tuple(row[key] for key in table.key_columns)
    return CellStatistics(number, grouping_set, keys, tuple(measures))


def _measure(
    row: dict[str, Any], index: int, measure: MeasureTerms, presence: tuple[PresenceCount, ...]
) -> MeasureStatistics:
    people, valued = int(row[f"people{index}"]), int(row[f"valued{index}"])
    if not valued:
        return MeasureStatistics(0, None, presence)
    if measure.function is MeasureFunction.COUNT_PEOPLE:
        return MeasureStatistics(people, people, presence, valued=valued)
    value: float | int = row[f"sum{index}"]
    if not is_summed(measure):
        spread = (float(row[f"largest{index}"]), float(value))
        return MeasureStatistics(people, value, presence, *spread, valued=valued)
    value = in_units(int(value), measure)
    rows, largest_rows = (row.get(f"{name}{index}") or 0 for name in ("rows", "largest_rows"))
    if measure.function is MeasureFunction.AVG:
        value = value / rows if rows else 0.0
    spread = (float(row[f"largest{index}"]), float(row[f"total{index}"]))
    return MeasureStatistics(people, value, presence, *spread, int(largest_rows), int(rows), valued)
