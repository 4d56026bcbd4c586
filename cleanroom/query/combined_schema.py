"""Joins and unions: what of which side may be absent from a row of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cleanroom.query.absence import may_keep_absent
from cleanroom.query.expression_traits import require_condition
from cleanroom.query.expressions import Expression, ValueType
from cleanroom.query.plan import Join, JoinKind, Stack
from cleanroom.query.refusal import Refused
from cleanroom.query.schema import Schema, require_names
from cleanroom.query.traits import Traits, origin
from cleanroom.query.value_rules import one_of

MOST_ROWS_OF_A_PERSON = 6  # tables whose rows may meet each other without a step that groups
MOST_TIMES = 3  # of them, uses of one table: a person with 500 rows has 500 to that power


def joined(join: Join, left: Schema, right: Schema) -> Schema:
    """Both sides' columns; what an outer join may leave out becomes optional. Raises Refused."""
    if left.scans.keys() & right.scans.keys() or left.fields.keys() & right.fields.keys():
        raise Refused("plan", "two parts of the plan have the same name")
    fields = _fields(join.kind, left, right)
    _require_conditions(join, fields, left.optional | right.optional)
    multiplying = left.multiplying | right.multiplying
    multiplying |= frozenset() if right.single else frozenset(right.scans)
    multiplying |= frozenset() if left.single else frozenset(left.scans)
    scans = {**left.scans, **right.scans}
    _require_few_rows(multiplying, scans)
    whole = Schema(
        fields,
        scans,
        _optional(join.kind, left, right),
        multiplying,
        left.single and right.single,
        left.tainted | right.tainted,
        left.shadows or right.shadows,
    )
    if join.kind is not JoinKind.INNER:
        return whole
    # A computed identity (COALESCE of two) that is there does not say which of its scans is.
    required = [fields[name].scans for name in join.required if fields[name].bare]
    present = frozenset[int]().union(*required, *(present_scans(item, whole) for item in join.conditions))
    return replace(whole, optional=whole.optional - present)


def _require_few_rows(multiplying: frozenset[int], scans: Mapping[int, str]) -> None:
    """Raises Refused for joins in which one person's rows could outgrow the worker."""
    times = Counter(scans[index] for index in multiplying)
    if len(multiplying) > MOST_ROWS_OF_A_PERSON or max(times.values(), default=0) > MOST_TIMES:
        raise Refused(
            "join_size",
            f"the rows of more than {MOST_ROWS_OF_A_PERSON} tables meet each other, or of one more than "
            f"{MOST_TIMES} times",
            "group by the identity column in a step of its own before joining",
        )


def present_scans(condition: Expression, source: Schema) -> frozenset[int]:
    """Optional scans that are there in every row that passes."""
    scans = require_condition(condition, source.fields).scans & source.optional
    return frozenset(
        index for index in scans if not may_keep_absent(condition, source.fields, frozenset({index}))
    )


def stacked(node: Stack, branches: Sequence[Schema]) -> Schema:
    """Rows of all branches. A scan is in the rows of its own branch only, so every value tells of all of them."""
    scans: dict[int, str] = {}
    for branch in branches:
        if scans.keys() & branch.scans.keys():
            raise Refused("plan", "two parts of the plan have the same name")
        scans |= branch.scans
    if len(branches) < 2:
        raise Refused("plan", "a UNION has fewer than two parts")
    require_names(name for name, _ in node.columns)
    return Schema(
        {name: _stacked_field(sources, branches, frozenset(scans)) for name, sources in node.columns},
        scans,
        optional=frozenset(scans),
        multiplying=frozenset(scans),
        tainted=frozenset[int]().union(*(branch.tainted for branch in branches)),
        shadows=any(branch.shadows for branch in branches),
    )


def _fields(kind: JoinKind, left: Schema, right: Schema) -> dict[str, Traits]:
    first = {
        name: replace(part, filled=part.filled and kind is not JoinKind.FULL)
        for name, part in left.fields.items()
    }
    second = {
        name: replace(part, filled=part.filled and kind is JoinKind.INNER)
        for name, part in right.fields.items()
    }
    return {**first, **second}


def _optional(kind: JoinKind, left: Schema, right: Schema) -> frozenset[int]:
    optional = left.optional | right.optional
    if kind is not JoinKind.INNER:
        optional |= frozenset(right.scans)
    if kind is JoinKind.FULL:
        optional |= frozenset(left.scans)
    return optional


def _require_conditions(join: Join, fields: dict[str, Traits], optional: frozenset[int]) -> None:
    for condition in join.conditions:
        require_condition(condition, fields)
        if may_keep_absent(condition, fields, optional):
            raise Refused(
                "join_on_absence",
                "a join condition may hold because somebody is absent from a table",
                "join first, and test IS NULL in WHERE or in a step around it",
            )
    for name in join.required:
        if name not in fields or fields[name].type is not ValueType.IDENTITY:
            raise Refused("join_key", "a join requires something that is no identity column")


def _stacked_field(sources: Sequence[str], branches: Sequence[Schema], scans: frozenset[int]) -> Traits:
    if len(sources) != len(branches):
        raise Refused("union", "the parts of a UNION have different numbers of columns")
    if any(source not in branch.fields for branch, source in zip(branches, sources, strict=True)):
        raise Refused("plan", "a UNION names a column that a part of it lacks")
    parts = [branch.fields[source] for branch, source in zip(branches, sources, strict=True)]
    known = [part for part in parts if part.type is not ValueType.NULL]
    if len({(part.type, part.measure) for part in known}) > 1:
        raise Refused(
            "union", "the parts of a UNION have different types in one column", "select the same kinds"
        )
    return replace(
        one_of(parts),
        scans=scans,
        columns=origin(parts)[1],
        plain=all(part.plain for part in parts),
        nonzero=all(part.nonzero for part in known),
    )
