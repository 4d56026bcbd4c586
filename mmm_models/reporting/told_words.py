"""How figures of an explanation name its period and its intervals."""

import math
from collections.abc import Callable

from mmm_models.explaining.explanation import Explanation
from mmm_models.reporting.figure import Cell, Column
from mmm_models.reporting.interval_words import NO_INTERVALS
from mmm_models.reporting.number_format import percent

Show = Callable[[float | None], str]


def money(told: Explanation) -> str:
    """One unit of it: `EUR`."""
    return told.currency or "unit of money"


def bounded(told: Explanation) -> bool:
    """Whether the run says how sure it is."""
    return math.isfinite(told.interval_level)


def interval(told: Explanation) -> str:
    """`90 % interval`."""
    return f"{percent(told.interval_level, 0)} interval"


def intervals_are(told: Explanation, what: str) -> str:
    """`Bands are 90 % intervals.`"""
    return f"{what} are {interval(told)}s." if bounded(told) else NO_INTERVALS


def in_unit(name: str, unit: str) -> str:
    """`Revenue (EUR)`."""
    return f"{name} ({unit})" if unit else name


def with_interval(told: Explanation, column: Column, show: Show | None = None) -> tuple[Column, ...]:
    """The column, and one for its interval under it where the run has any; `show` writes its ends otherwise."""
    return (column, Column(interval(told), show or column.show, below=True)) if bounded(told) else (column,)


def cells(told: Explanation, value: Cell, between: Cell) -> tuple[Cell, ...]:
    """What goes into `with_interval`."""
    return (value, between) if bounded(told) else (value,)
