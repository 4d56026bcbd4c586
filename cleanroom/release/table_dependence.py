"""How many people's parts of a number depend on one table: those whose part changes when the table is emptied.

"k people of every protected table" is asked of the data themselves. It does not matter by what join, filter, CASE or
count a table got into the question, nor how many others pad the number: whoever put rows of their own making into one
table learns from the number about the other table's people only, and those must be k or none.
"""

from __future__ import annotations

from collections import defaultdict

from cleanroom.release.contribution_table import (
    CELLS,
    TABLE,
    ContributionTable,
    clipped_sql,
    is_summed,
    steps_sql,
)
from cleanroom.release.release_terms import MeasureFunction

_WITHOUT = "room_without"


def dependent_people(table: ContributionTable, contributions_sql: str) -> dict[int, list[int]]:
    """By cell number, for each measure: the fewest people of any optional table that it depends on at all; 0 for none.

    Tables that nobody can be missing from need no look: without them there would be no number.
    Call after `cell_statistics`, which numbers the cells.
    """
    fewest: dict[int, list[int]] = defaultdict(lambda: [0] * len(table.terms.measures))
    for dataset in table.terms.optional_tables:
        for cell, counts in _without(table, contributions_sql, dataset).items():
            known = fewest[cell]
            for index, count in enumerate(counts):
                known[index] = min(filter(None, (known[index], count)), default=0)
    return dict(fewest)


def _without(table: ContributionTable, contributions_sql: str, dataset: str) -> dict[int, tuple[int, ...]]:
    """By cell, people whose contribution to each measure is another one without the dataset's rows."""
    connection = table.connection
    connection.execute(f"DROP TABLE IF EXISTS temp.{_WITHOUT}")
    # A temporary table hides the dataset of the same name from the plan's SQL.
    connection.execute(f'CREATE TEMP TABLE "{dataset}" AS SELECT * FROM main."{dataset}" LIMIT 0')
    try:
        clipped = clipped_sql(contributions_sql, table.terms)
        connection.execute(f"CREATE TEMP TABLE {_WITHOUT} AS {clipped}")
    finally:
        connection.execute(f'DROP TABLE temp."{dataset}"')
    try:
        rows = connection.execute(_compared_sql(table)).fetchall()
    finally:
        connection.execute(f"DROP TABLE temp.{_WITHOUT}")
    return {int(cell): tuple(int(count) for count in counts) for cell, *counts in rows}


def _compared_sql(table: ContributionTable) -> str:
    """Both tables side by side, person by person and cell by cell; a part that is missing on one side is NULL."""
    parts = [_part(table, index) for index in range(len(table.terms.measures))]
    cell = ", ".join(["g", *table.key_columns])
    names = [f"v{index}" for index in range(len(parts))]
    with_ = ", ".join(f"{part} AS a{index}, NULL AS b{index}" for index, part in enumerate(parts))
    without = ", ".join(f"NULL AS a{index}, {part} AS b{index}" for index, part in enumerate(parts))
    changed = ", ".join(f"max(a{i}) IS DISTINCT FROM max(b{i}) AS {name}" for i, name in enumerate(names))
    both = (
        f"SELECT {cell}, person, {with_} FROM {TABLE} WHERE NOT shadow UNION ALL "
        f"SELECT {cell}, person, {without} FROM {_WITHOUT} WHERE NOT shadow"
    )
    counted = ", ".join(f"count(*) FILTER (d.{name}) AS {name}" for name in names)
    return (
        f"SELECT c.cell, {counted} FROM (SELECT {cell}, {changed} FROM ({both}) GROUP BY {cell}, person) d "
        f"JOIN {CELLS} c ON {table.same_cell('d', 'c')} GROUP BY c.cell"
    )


def _part(table: ContributionTable, index: int) -> str:
    """A person's part as text: in whole steps, as floating point may add up differently the second time."""
    measure = table.terms.measures[index]
    amount = steps_sql(measure, f"m{index}") if is_summed(measure) else f"m{index}"
    rows = f" || '/' || coalesce(n{index}, 0)" if measure.function is MeasureFunction.AVG else ""
    return f"CAST({amount} AS VARCHAR){rows}"
