"""Aggregates over one person's rows: their type and lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cleanroom.query.expression_traits import WINDOW_INSIDE, require_condition, row_traits
from cleanroom.query.expressions import Aggregate, AggregateName, ValueType, has_window
from cleanroom.query.refusal import Refused
from cleanroom.query.traits import Traits, not_for, origin, require_comparable, require_summable

_COUNTS = {AggregateName.COUNT, AggregateName.COUNT_DISTINCT}
_SUMS = {AggregateName.SUM, AggregateName.AVG}
_BY = {AggregateName.MIN_BY, AggregateName.MAX_BY}


def aggregate_traits(
    aggregate: Aggregate, fields: Mapping[str, Traits], every: frozenset[int] = frozenset()
) -> Traits:
    """Type and lineage. `every`: scans of the relation, which decide how many rows there are. Raises Refused."""
    if has_window(aggregate):
        raise WINDOW_INSIDE
    argument = row_traits(aggregate.argument, fields) if aggregate.argument is not None else None
    where = require_condition(aggregate.where, fields) if aggregate.where is not None else None
    by = row_traits(aggregate.by, fields) if aggregate.by is not None else None
    scans, columns = origin([part for part in (argument, where, by) if part is not None])
    scans |= every | origin(fields.values())[0]
    if aggregate.function is AggregateName.COUNT_ROWS:
        always = where is None
        return Traits(
            ValueType.INTEGER, scans, columns, positive=always, filled=True, plain=True, nonzero=always
        )
    if argument is None or (by is None) is (aggregate.function in _BY):
        raise Refused("plan", "an aggregate has too few or too many arguments")
    if aggregate.function in _COUNTS:
        return Traits(ValueType.INTEGER, scans, columns, filled=True, plain=True)
    whole = argument.derived(scans, columns)
    if aggregate.function in _SUMS:
        return _added(aggregate, argument, whole)
    if argument.type is ValueType.IDENTITY or (
        aggregate.function not in _BY and argument.type is ValueType.REFERENCE
    ):
        raise not_for(aggregate.function, argument)
    if by is not None:
        if by.type is ValueType.REFERENCE:
            raise not_for(aggregate.function, by)
        require_comparable(by)
    return whole


def _added(aggregate: Aggregate, argument: Traits, whole: Traits) -> Traits:
    require_summable(argument)
    if argument.type is ValueType.MEASURE:
        return whole
    average = aggregate.function is AggregateName.AVG
    whole_number = argument.type is ValueType.INTEGER and not average
    return replace(
        whole,
        type=ValueType.INTEGER if whole_number else ValueType.NUMBER,
        plain=not average,
        digits=whole.digits + 2,
    )
