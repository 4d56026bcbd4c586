"""Times of the person stage: they are compared, shifted and cut by whole days, and stay inside the calendar."""

from __future__ import annotations

from cleanroom.query.expressions import Expression, Function, ValueType
from cleanroom.query.refusal import Refused
from cleanroom.query.traits import TIMES, Traits, require_type

DAY_UNITS = ("day", "week", "month", "quarter", "year")
PART_UNITS = ("year", "quarter", "month", "week", "day", "dow", "isodow", "doy")
MOST_DAYS, MOST_MONTHS = 36_525, 1_200  # a century
MOST_SHIFTS = 8
Arguments = tuple[Expression, ...]
Parts = list[Traits]


def date_trunc(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """The first day of a unit."""
    _require_unit(arguments, DAY_UNITS)
    require_type(function, parts[1], TIMES)
    return Traits(ValueType.DAY, plain=parts[1].plain, filled=parts[1].filled, steps=parts[1].steps)


def date_part(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """A number of the calendar."""
    _require_unit(arguments, PART_UNITS)
    require_type(function, parts[1], TIMES)
    return Traits(ValueType.INTEGER)


def date_diff(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """Whole units from one time to another."""
    _require_unit(arguments, DAY_UNITS)
    for part in parts[1:]:
        require_type(function, part, TIMES)
    plain = all(part.plain for part in parts[1:])
    return Traits(ValueType.INTEGER, plain=plain, nonzero=plain)


def add_time(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """A time moved by a literal number of days or months."""
    require_type(function, parts[0], TIMES)
    amount = getattr(arguments[1], "value", None)
    most = MOST_DAYS if function is Function.ADD_DAYS else MOST_MONTHS
    steps = parts[0].steps + 1
    if isinstance(amount, bool) or not isinstance(amount, int) or abs(amount) > most or steps > MOST_SHIFTS:
        raise Refused("interval", "a time is moved by more than a century", "use shorter intervals")
    return Traits(parts[0].type, filled=parts[0].filled, steps=steps)


def _require_unit(arguments: Arguments, allowed: tuple[str, ...]) -> None:
    if getattr(arguments[0], "value", None) not in allowed:
        raise Refused(
            "finer_than_a_day",
            "a unit of time is not available",
            f"times leave at day granularity: use {', '.join(allowed)}",
        )
