"""Types after release. Everything here was safe before it was typed: a wrong guess is no leak."""

from __future__ import annotations

from collections.abc import Mapping

from cleanroom.query.expressions import (
    COMPARISONS,
    Aggregate,
    AggregateName,
    Call,
    Column,
    Constant,
    Expression,
    Function,
    ValueType,
    Window,
    WindowName,
)
from cleanroom.query.traits import Traits

_CONDITIONS = {
    *COMPARISONS,
    Function.AND,
    Function.OR,
    Function.NOT,
    Function.IN,
    Function.IS_NULL,
    Function.LIKE,
}
_TEXTS = {Function.LOWER, Function.UPPER, Function.TRIM, Function.CONCAT, Function.TO_TEXT}
_CHOICES = {Function.COALESCE, Function.NULLIF, Function.LEAST, Function.GREATEST}
_WHOLE = {Function.DATE_PART, Function.DATE_DIFF, Function.TO_INTEGER, Function.FLOOR_DIVIDE, Function.MODULO}
_COUNTS = {AggregateName.COUNT, AggregateName.COUNT_ROWS, AggregateName.COUNT_DISTINCT}
_RANKS = {
    WindowName.ROW_NUMBER, WindowName.RANK, WindowName.DENSE_RANK, WindowName.COUNT, WindowName.COUNT_ROWS,
}  # fmt: skip
_ARITHMETIC = {Function.ADD, Function.SUBTRACT, Function.MULTIPLY, Function.NEGATE, Function.ABS}


def released_kind(expression: Expression, fields: Mapping[str, Traits]) -> ValueType | None:
    """The type of an expression over released cells."""
    match expression:
        case Constant(type=kind):
            return kind
        case Column(name=name):
            return fields[name].type if name in fields else None
        case Aggregate(function=function, argument=argument):
            if function in _COUNTS:
                return ValueType.INTEGER
            return released_kind(argument, fields) if argument is not None else None
        case Window(function=window, argument=argument):
            if window in _RANKS:
                return ValueType.INTEGER
            return released_kind(argument, fields) if argument is not None else None
        case Call(function=function, arguments=arguments):
            return _call_kind(function, [released_kind(argument, fields) for argument in arguments])


def _call_kind(function: Function, kinds: list[ValueType | None]) -> ValueType | None:
    if function in _CONDITIONS:
        return ValueType.BOOLEAN
    if function in _TEXTS:
        return ValueType.TEXT
    if function in _WHOLE:
        return ValueType.INTEGER
    if function in {Function.DATE_TRUNC, Function.ADD_DAYS, Function.ADD_MONTHS}:
        return ValueType.DAY
    if function is Function.CASE:
        kinds = [*kinds[1:-1:2], kinds[-1]]
    if function is Function.CASE or function in _CHOICES:
        known = [kind for kind in kinds if kind not in {None, ValueType.NULL}]
        return known[0] if known else ValueType.NULL
    if function in _ARITHMETIC and all(kind is ValueType.INTEGER for kind in kinds):
        return ValueType.INTEGER
    return ValueType.NUMBER
