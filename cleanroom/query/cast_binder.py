"""CAST: to dates, and between numbers; anything that may fail for some person only after release."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.query.date_binder import cast_to_day
from cleanroom.query.expressions import Constant, Expression, Function, ValueType, call
from cleanroom.query.literals import constant, day, whole_number
from cleanroom.query.refusal import Refused
from cleanroom.query.scope import Scope
from cleanroom.query.traits import NUMERIC, TIMES

_DATE = exp.DataType.Type.DATE
_DECIMAL = exp.DataType.Type.DECIMAL
_TIMESTAMPS = {
    exp.DataType.Type.TIMESTAMP,
    exp.DataType.Type.TIMESTAMPNTZ,
    exp.DataType.Type.DATETIME,
}


def bind_cast(node: exp.Expr, scope: Scope) -> Expression:
    """CAST and TRY_CAST."""
    target = node.args["to"]
    kind = target.this
    if kind == _DATE:
        return cast_to_day(node.this, scope)
    value = scope.bind(node.this)
    if kind in _TIMESTAMPS:
        return _to_time(value, scope)
    if kind == _DECIMAL and scope.after_release and target.expressions:
        return call(Function.ROUND, call(Function.TO_NUMBER, value), constant(_decimals(target)))
    if scope.after_release:
        return _released(kind, value)
    known = scope.kind(value)
    if known is ValueType.INTEGER and kind in exp.DataType.INTEGER_TYPES:
        return value
    if known in {*NUMERIC, ValueType.MEASURE} and kind in exp.DataType.FLOAT_TYPES:
        return call(Function.MULTIPLY, value, constant(1.0))
    if known is ValueType.TEXT and kind in exp.DataType.TEXT_TYPES:
        return value
    raise _unfit()


def _to_time(value: Expression, scope: Scope) -> Expression:
    if isinstance(value, Constant):
        return day(value.value)
    if scope.kind(value) in TIMES:
        return value
    raise _unfit()


def _decimals(target: exp.Expr) -> int:
    sizes = [whole_number(item.this, "a precision") for item in target.expressions]
    return sizes[1] if len(sizes) == 2 else 0


def _released(kind: object, value: Expression) -> Expression:
    if kind in exp.DataType.INTEGER_TYPES:
        return call(Function.TO_INTEGER, value)
    if kind in exp.DataType.FLOAT_TYPES or kind == _DECIMAL:
        return call(Function.TO_NUMBER, value)
    if kind in exp.DataType.TEXT_TYPES:
        return call(Function.TO_TEXT, value)
    raise Refused("cast", "a CAST to this type is not available", "use INTEGER, DOUBLE, VARCHAR or DATE")


def _unfit() -> Refused:
    return Refused(
        "cast",
        "a CAST before release could fail for some person",
        "cast released numbers, or a time to a date; FLOOR makes whole numbers",
    )
