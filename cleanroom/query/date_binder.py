"""Dates: units, parts, differences and intervals, all in whole days."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from cleanroom.query.expressions import Call, Constant, Expression, Function, ValueType, call
from cleanroom.query.literals import constant, day, whole_number
from cleanroom.query.refusal import Refused
from cleanroom.query.scope import Scope, as_days, unavailable
from cleanroom.query.traits import TIMES

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def bind_trunc(node: exp.Expr, scope: Scope) -> Expression:
    """DATE_TRUNC(unit, time)."""
    return call(Function.DATE_TRUNC, _unit(node.args.get("unit")), _moment(node.this, scope))


def bind_date(node: exp.Expr, scope: Scope) -> Expression:
    """DATE(time)."""
    return cast_to_day(node.this, scope)


def cast_to_day(node: exp.Expr, scope: Scope) -> Expression:
    """CAST(... AS DATE): of a literal, or of a time."""
    value = scope.bind(node)
    if isinstance(value, Constant):
        return day(value.value)
    return call(Function.DATE_TRUNC, constant("day"), value)


def part(unit: str) -> Callable[[exp.Expr, Scope], Expression]:
    """A binder for YEAR(time) and the like."""
    return lambda node, scope: call(Function.DATE_PART, constant(unit), _moment(node.this, scope))


def bind_extract(node: exp.Expr, scope: Scope) -> Expression:
    """EXTRACT(unit FROM time)."""
    return call(Function.DATE_PART, _unit(node.this), _moment(node.expression, scope))


def bind_difference(node: exp.Expr, scope: Scope) -> Expression:
    """DATE_DIFF(unit, from, to)."""
    moments = as_days((scope.bind(node.expression), scope.bind(node.this)), scope)
    return call(Function.DATE_DIFF, _unit(node.args.get("unit")), *moments)


def bind_anonymous(node: exp.Expr, scope: Scope) -> Expression:
    """DATE_PART(unit, time), which the parser does not know."""
    if str(node.this).lower() in {"date_part", "datepart"} and len(node.expressions) == 2:
        return call(Function.DATE_PART, _unit(node.expressions[0]), _moment(node.expressions[1], scope))
    raise unavailable(node)


def bind_add(node: exp.Expr, scope: Scope) -> Expression:
    """Numbers, or a time and an interval."""
    found = _shifted(node, scope, 1)
    if found is not None:
        return found
    left, right = scope.bind(node.this), scope.bind(node.expression)
    if scope.kind(right) is ValueType.DAY and scope.kind(left) is ValueType.INTEGER:
        left, right = right, left
    if scope.kind(left) is ValueType.DAY and scope.kind(right) is ValueType.INTEGER:
        return call(Function.ADD_DAYS, left, right)
    return call(Function.ADD, left, right)


def bind_subtract(node: exp.Expr, scope: Scope) -> Expression:
    """Numbers, two days, or an interval from a time."""
    found = _shifted(node, scope, -1)
    if found is not None:
        return found
    left, right = scope.bind(node.this), scope.bind(node.expression)
    kinds = [scope.kind(left), scope.kind(right)]
    if kinds == [ValueType.DAY, ValueType.DAY]:
        return call(Function.DATE_DIFF, constant("day"), right, left)
    if kinds == [ValueType.DAY, ValueType.INTEGER] and isinstance(right, Constant):
        return call(Function.ADD_DAYS, left, constant(-int(right.value or 0)))
    if any(kind in TIMES for kind in kinds):
        raise Refused("time_difference", "a time is subtracted", "use date_diff('day', earlier, later)")
    return call(Function.SUBTRACT, left, right)


def bind_date_add(sign: int) -> Callable[[exp.Expr, Scope], Expression]:
    """A binder for DATE_ADD(time, interval) and DATE_SUB."""

    def bind(node: exp.Expr, scope: Scope) -> Expression:
        found = _shifted(node, scope, sign)
        if found is None:
            raise unavailable(node)
        return found

    return bind


def _unit(node: exp.Expr | None) -> Constant:
    text = node.name if node is not None else "day"
    return constant(text.lower().removesuffix("s")[:20])


def _moment(node: exp.Expr, scope: Scope) -> Expression:
    value = scope.bind(node)
    return day(value.value) if isinstance(value, Constant) and value.type is ValueType.TEXT else value


def _shifted(node: exp.Expr, scope: Scope, sign: int) -> Call | None:
    """A time moved by an interval; None when there is no interval."""
    amount, moment = node.expression, node.this
    if isinstance(moment, exp.Interval | exp.ToDays) and sign == 1:
        amount, moment = moment, amount
    if not isinstance(amount, exp.Interval | exp.ToDays):
        return None
    unit = "day" if isinstance(amount, exp.ToDays) else str(_unit(amount.args.get("unit")).value)
    number = sign * whole_number(amount.this, "an interval")
    value = _moment(moment, scope)
    if unit == "hour" and number % 24 == 0:
        unit, number = "day", number // 24
    if unit in {"day", "week"}:
        return call(Function.ADD_DAYS, value, constant(number * (7 if unit == "week" else 1)))
    if unit in _MONTHS:
        return call(Function.ADD_MONTHS, value, constant(number * _MONTHS[unit]))
    raise Refused("finer_than_a_day", "an interval is not of whole days", "use days, weeks or months")
