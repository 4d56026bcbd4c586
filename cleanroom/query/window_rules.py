"""Window functions of the person stage: each partition lies within one person."""

from __future__ import annotations

from collections.abc import Sequence

from cleanroom.query.expressions import ValueType, Window, WindowName
from cleanroom.query.refusal import Refused
from cleanroom.query.traits import Traits, not_for, origin, require_comparable, require_summable

_RANKS = {WindowName.ROW_NUMBER, WindowName.RANK, WindowName.DENSE_RANK}
_EXTREMES = {WindowName.MIN, WindowName.MAX}


def window_traits(
    window: Window,
    *,
    argument: Traits | None,
    partition: Sequence[Traits],
    order: Sequence[Traits],
    every: frozenset[int],
) -> Traits:
    """Type and lineage. `every`: scans of the relation, which decide how many rows there are. Raises Refused."""
    _require_within_person(partition, order)
    scans, columns = origin([*partition, *order, *([argument] if argument is not None else [])])
    scans |= every
    if window.function in _RANKS or window.function is WindowName.COUNT_ROWS:
        return Traits(ValueType.INTEGER, scans, columns, positive=True, filled=True, plain=True, nonzero=True)
    if argument is None:
        raise Refused("window_argument", f"{window.function} needs an argument")
    if window.function is WindowName.COUNT:
        return Traits(ValueType.INTEGER, scans, columns, filled=True, plain=True)
    if argument.type is ValueType.IDENTITY or (
        window.function in _EXTREMES and argument.type is ValueType.REFERENCE
    ):
        raise not_for(window.function, argument)
    whole = argument.derived(scans, columns)
    return _added(window, argument, whole) if window.function in {WindowName.SUM, WindowName.AVG} else whole


def _added(window: Window, argument: Traits, whole: Traits) -> Traits:
    require_summable(argument)
    if argument.type is ValueType.MEASURE:
        return whole
    average = window.function is WindowName.AVG
    return Traits(
        ValueType.NUMBER if average or argument.type is not ValueType.INTEGER else ValueType.INTEGER,
        whole.scans,
        whole.columns,
        plain=not average and argument.plain,
        digits=whole.digits + 2,
    )


def _require_within_person(partition: Sequence[Traits], order: Sequence[Traits]) -> None:
    if not any(part.type is ValueType.IDENTITY for part in partition):
        raise Refused(
            "window_across_people",
            "a window function runs over several people's rows",
            "add PARTITION BY the identity column, or use it on released cells",
        )
    for part in [*partition, *order]:
        if part.type is ValueType.MEASURE:
            require_comparable(part)
