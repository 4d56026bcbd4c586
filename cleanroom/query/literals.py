"""Literals of the text as constants of the plan. Days are days: a time of day does not get in."""

from __future__ import annotations

from datetime import datetime

from sqlglot import exp

from cleanroom.query.constant_rules import FIRST_DAY, LARGEST_NUMBER, LAST_DAY, LONGEST_TEXT
from cleanroom.query.expressions import Constant, ValueType
from cleanroom.query.refusal import Refused


def constant(value: bool | int | float | str | None) -> Constant:
    """The value with its own type."""
    match value:
        case None:
            return Constant(type=ValueType.NULL, value=None)
        case bool():
            return Constant(type=ValueType.BOOLEAN, value=value)
        case int():
            return Constant(type=ValueType.INTEGER, value=value)
        case float():
            return Constant(type=ValueType.NUMBER, value=value)
        case str():
            if len(value) > LONGEST_TEXT:
                raise Refused("literal", f"a literal is longer than {LONGEST_TEXT} characters", "shorten it")
            return Constant(type=ValueType.TEXT, value=value)


def literal(node: exp.Literal) -> Constant:
    """A text or number of the query."""
    if node.is_string:
        return constant(str(node.this))
    text = str(node.this)
    try:
        value = int(text) if text.isdecimal() else float(text)
    except ValueError as error:
        raise Refused("literal", "a number cannot be read", "write it in digits") from error
    if abs(value) > LARGEST_NUMBER:
        raise Refused("literal", "a number is too large", "use numbers below 10^15")
    return constant(value)


def day(text: object) -> Constant:
    """An ISO date, or a timestamp at midnight. Raises Refused for anything finer or unreadable."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Refused("date", "a date cannot be read", "write it as '2026-03-31'") from error
    if moment.tzinfo is not None or moment.time() != datetime.min.time():
        raise Refused(
            "finer_than_a_day",
            "a time column is compared with a time of day",
            "times may be compared with days only: write '2026-03-31'",
        )
    if not FIRST_DAY <= moment.date() <= LAST_DAY:
        raise Refused("date", "a date lies outside the years 1900 to 2200", "use a nearer date")
    return Constant(type=ValueType.DAY, value=moment.date().isoformat())


def whole_number(node: exp.Expr | None, what: str) -> int:
    """A literal whole number, signed."""
    sign = 1
    while isinstance(node, exp.Neg | exp.Paren):
        sign, node = (-sign if isinstance(node, exp.Neg) else sign), node.this
    if isinstance(node, exp.Literal):
        digits = str(node.this).strip()
        if digits.isascii() and digits.isdecimal() and len(digits) < 10:
            return sign * int(digits)
    raise Refused("literal", f"{what} is not a literal whole number", "write digits")
