"""The person stage as SQL. Every subquery carries the person; joins, groups and windows are within one.

Hidden columns: `person`; `p<i>` for each scan that may be absent (an outer join, a UNION): is a row of it here?
`shadow`, only where some filter keeps people for being absent: the row failed it and shows the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.engine.expression_sql import condition_sql, name, sql, window_sql
from cleanroom.query.expression_traits import traits_of
from cleanroom.query.expressions import Expression, Frame, ValueType, Window, WindowName
from cleanroom.query.plan import (
    Compute,
    Filter,
    Join,
    JoinKind,
    Measure,
    PersonStep,
    Relation,
    Release,
    Scan,
    Stack,
    scans_of,
)
from cleanroom.query.relation_schema import schema_of
from cleanroom.query.schema import Catalog, Schema
from cleanroom.query.traits import Traits
from cleanroom.release.release_terms import MeasureFunction

_ORDERED = {
    WindowName.ROW_NUMBER, WindowName.LAG, WindowName.LEAD, WindowName.FIRST_VALUE, WindowName.LAST_VALUE,
}  # fmt: skip
_SOURCE = '"the source"'  # no dataset can be called so
_TYPES = {
    ValueType.TEXT: "VARCHAR",
    ValueType.DAY: "DATE",
    ValueType.INTEGER: "BIGINT",
    ValueType.BOOLEAN: "BOOLEAN",
}


@dataclass(frozen=True)
class _Hidden:
    """Which hidden columns this release needs."""

    tracked: frozenset[int]
    shadow: bool
    catalog: Catalog


def contributions_sql(release: Release, catalog: Catalog) -> str:
    """The table that the release stage works on; see `release_terms`."""
    schema = schema_of(release.source, catalog)
    hidden = _Hidden(_tracked(release.source), schema.shadows, catalog)
    types = key_types(release, schema)
    sets = [
        _grouping_set(release, schema, hidden, types, number) for number in range(len(release.grouping_sets))
    ]
    return f"WITH {_SOURCE} AS ({_relation(release.source, hidden)}) " + " UNION ALL ".join(sets)


def key_types(release: Release, schema: Schema) -> tuple[str, ...]:
    """The engine's type of every key."""
    return tuple(_TYPES[traits_of(key, schema.fields).type] for key in release.keys)


def _grouping_set(
    release: Release, schema: Schema, hidden: _Hidden, types: tuple[str, ...], number: int
) -> str:
    members = release.grouping_sets[number]
    keys = [sql(key) if index in members else "NULL" for index, key in enumerate(release.keys)]
    shown = [
        f"TRY_CAST({key} AS {kind}) AS k{index}"
        for index, (key, kind) in enumerate(zip(keys, types, strict=True))
    ]
    same = [*(keys[index] for index in members), *(["shadow"] if hidden.shadow else [])]
    cell = f"PARTITION BY {', '.join(same)}" if same else ""
    measures = [
        f"{'CASE WHEN NOT shadow THEN ' if hidden.shadow else ''}{value}{' END' if hidden.shadow else ''} AS {title}"
        for index, measure in enumerate(release.measures)
        for value, title in _measure(measure, index, schema, cell)
    ]
    presence = [f"BOOL_OR(p{index}) AS p{index}" for index in sorted(hidden.tracked & schema.scans.keys())]
    shadow = "shadow" if hidden.shadow else "FALSE AS shadow"
    columns = ", ".join([f"{number} AS g", *shown, "person", shadow, *measures, *presence])
    grouped = [keys[index] for index in members]
    by = ", ".join([*grouped, "person", *(["shadow"] if hidden.shadow else [])])
    return f"SELECT {columns} FROM {_SOURCE} GROUP BY {by}"


def _measure(measure: Measure, index: int, schema: Schema, cell: str) -> list[tuple[str, str]]:
    """The columns of one measure: m, and n for an average.

    A zero of the query's making is no contribution: SUM(CASE WHEN x THEN 1 ELSE 0 END) is about those with x.
    """
    where = f" FILTER (WHERE {sql(measure.where)})" if measure.where is not None else ""
    argument = sql(measure.argument) if measure.argument is not None else "*"
    match measure.function:
        case MeasureFunction.COUNT_PEOPLE:
            return [(f"CASE WHEN COUNT({argument}){where} > 0 THEN 1 END", f"m{index}")]
        case MeasureFunction.COUNT_ROWS:
            return [(f"NULLIF(COUNT({argument}){where}, 0)", f"m{index}")]
        case MeasureFunction.COUNT_REFERENCES:
            return [(f"NULLIF(COUNT(DISTINCT {argument}){where}, 0)", f"m{index}")]
        case MeasureFunction.SUM:
            total = f"CAST(SUM({argument}){where} AS DOUBLE)"
            assert measure.argument is not None
            known = traits_of(measure.argument, schema.fields)
            return [(total if known.nonzero else _without_zeros(total, known, cell), f"m{index}")]
        case MeasureFunction.AVG:
            return [
                (f"CAST(SUM({argument}){where} AS DOUBLE)", f"m{index}"),
                (f"NULLIF(COUNT({argument}){where}, 0)", f"n{index}"),
            ]


def _without_zeros(total: str, known: Traits, cell: str) -> str:
    """A sum without those who add nothing; sums of a measure that are zero for everybody in the cell stay zero."""
    if known.type is not ValueType.MEASURE:
        return f"NULLIF({total}, 0)"
    return f"CASE WHEN MAX(ABS({total})) OVER ({cell}) > 0 THEN NULLIF({total}, 0) ELSE {total} END"


def _relation(relation: Relation, hidden: _Hidden) -> str:
    match relation:
        case Scan():
            return _scan(relation, hidden)
        case Join():
            return _join(relation, hidden)
        case Filter():
            return _filter(relation, hidden)
        case Compute():
            return _compute(relation, hidden)
        case PersonStep():
            return _step(relation, hidden)
        case Stack():
            return _stack(relation, hidden)


def _scan(scan: Scan, hidden: _Hidden) -> str:
    identity = hidden.catalog[scan.dataset].identity
    columns = [f"{name(identity)} AS person"]
    columns += [f"{name(column)} AS {name(internal)}" for internal, column in scan.columns]
    columns += [f"TRUE AS p{scan.index}"] if scan.index in hidden.tracked else []
    columns += ["FALSE AS shadow"] if hidden.shadow else []
    return f"SELECT {', '.join(columns)} FROM {name(scan.dataset)}"


def _join(join: Join, hidden: _Hidden) -> str:
    left, right = _relation(join.left, hidden), _relation(join.right, hidden)
    if hidden.shadow and join.kind is not JoinKind.INNER:
        # A row that already failed a filter may not stand in for one that is there.
        right = f"SELECT * FROM ({right}) WHERE NOT shadow"
        if join.kind is JoinKind.FULL:
            left = f"SELECT * FROM ({left}) WHERE NOT shadow"
    conditions = ["l.person = r.person", *(f"{name(key)} IS NOT NULL" for key in join.required)]
    conditions += [sql(condition) for condition in join.conditions]
    columns = ["COALESCE(l.person, r.person) AS person" if join.kind is JoinKind.FULL else "l.person"]
    if hidden.shadow:
        columns.append("(COALESCE(l.shadow, FALSE) OR COALESCE(r.shadow, FALSE)) AS shadow")
    tracked = sorted(hidden.tracked & {scan.index for scan in scans_of(join)})
    columns += [f"COALESCE(p{index}, FALSE) AS p{index}" for index in tracked]
    left_schema, right_schema = (schema_of(side, hidden.catalog) for side in (join.left, join.right))
    columns += [name(field) for schema in (left_schema, right_schema) for field in schema.fields]
    return (
        f"SELECT {', '.join(columns)} FROM ({left}) AS l {join.kind.value.upper()} JOIN ({right}) AS r "
        f"ON {' AND '.join(conditions)}"
    )


def _filter(node: Filter, hidden: _Hidden) -> str:
    source = _relation(node.source, hidden)
    if not node.keeps_absent:
        return f"SELECT * FROM ({source}) WHERE {sql(node.condition)}"
    schema = schema_of(node.source, hidden.catalog)
    doubtful = traits_of(node.condition, schema.fields).scans & schema.optional
    passes = condition_sql(node.condition)
    stays = " OR ".join([passes, *(f"p{index}" for index in sorted(doubtful))])
    return f"SELECT * REPLACE (shadow OR NOT {passes} AS shadow) FROM ({source}) WHERE {stays}"


def _compute(node: Compute, hidden: _Hidden) -> str:
    schema = schema_of(node.source, hidden.catalog)
    columns = [f"{_computed(item.expression, schema, hidden)} AS {name(item.name)}" for item in node.columns]
    return f"SELECT *, {', '.join(columns)} FROM ({_relation(node.source, hidden)})"


def _computed(expression: Expression, schema: Schema, hidden: _Hidden) -> str:
    """An expression, or a window within the person; windows stand at the top of a computed column or in calls."""
    if isinstance(expression, Window):
        return _window(expression, schema, hidden)
    return sql(expression)


def _window(window: Window, schema: Schema, hidden: _Hidden) -> str:
    partition = ["person", *(["shadow"] if hidden.shadow else [])]
    partition += [
        sql(item)
        for item in window.partition
        if traits_of(item, schema.fields).type is not ValueType.IDENTITY
    ]
    used = {sql(item.expression) for item in window.order}
    ties = [name(field) for field in sorted(schema.fields) if name(field) not in used]
    by_place = window.function in _ORDERED or window.frame is Frame.ROWS
    return window_sql(window, partition=partition, ties=ties if by_place else ())


def _step(node: PersonStep, hidden: _Hidden) -> str:
    tracked = sorted(hidden.tracked & {scan.index for scan in scans_of(node)})
    columns = ["person", *(["shadow"] if hidden.shadow else [])]
    columns += [f"BOOL_OR(p{index}) AS p{index}" for index in tracked]
    columns += [f"{sql(key.expression)} AS {name(key.name)}" for key in node.keys]
    columns += [f"{sql(item.expression)} AS {name(item.name)}" for item in node.aggregates]
    by = ["person", *(["shadow"] if hidden.shadow else []), *(sql(key.expression) for key in node.keys)]
    return f"SELECT {', '.join(columns)} FROM ({_relation(node.source, hidden)}) GROUP BY {', '.join(by)}"


def _stack(node: Stack, hidden: _Hidden) -> str:
    scans = {scan.index for scan in scans_of(node)}
    branches = []
    for position, branch in enumerate(node.branches):
        own = {scan.index for scan in scans_of(branch)}
        columns = ["person", *(["shadow"] if hidden.shadow else [])]
        columns += [
            f"p{index}" if index in own else f"FALSE AS p{index}" for index in sorted(hidden.tracked & scans)
        ]
        columns += [f"{name(sources[position])} AS {name(title)}" for title, sources in node.columns]
        branches.append(f"SELECT {', '.join(columns)} FROM ({_relation(branch, hidden)})")
    return " UNION ALL ".join(branches)


def _tracked(relation: Relation) -> frozenset[int]:
    """Scans that some part of the relation may leave absent."""
    match relation:
        case Join(kind=kind, left=left, right=right):
            below = _tracked(left) | _tracked(right)
            outer = scans_of(right) if kind is not JoinKind.INNER else ()
            both = scans_of(left) if kind is JoinKind.FULL else ()
            return below | {scan.index for scan in (*outer, *both)}
        case Stack():
            return frozenset(scan.index for scan in scans_of(relation))
        case Filter(source=source) | Compute(source=source) | PersonStep(source=source):
            return _tracked(source)
    return frozenset()
