"""Which constants a plan may hold: each of a type that an analyst can write, small, and of that very type."""

from __future__ import annotations

from datetime import date

from cleanroom.query.expressions import Constant, ValueType
from cleanroom.query.refusal import Refused

LONGEST_TEXT = 200
LARGEST_NUMBER = 1e15
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2200, 1, 1)


def require_literal(constant: Constant) -> None:
    """Raises Refused for a constant that no literal of a query could have become."""
    if not _fits(constant.type, constant.value):
        raise Refused("plan", "a constant of the plan is not a literal that a query may hold")


def _fits(kind: ValueType, value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case ValueType.NULL:
            return value is None
        case ValueType.BOOLEAN:
            return isinstance(value, bool)
        case ValueType.INTEGER:
            return number and isinstance(value, int) and abs(value) <= LARGEST_NUMBER
        case ValueType.NUMBER:
            return isinstance(value, float) and abs(value) <= LARGEST_NUMBER
        case ValueType.TEXT:
            return isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value
        case ValueType.DAY:
            return isinstance(value, str) and _is_day(value)
    return False


def _is_day(text: str) -> bool:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return False
    return FIRST_DAY <= found <= LAST_DAY and found.isoformat() == text
