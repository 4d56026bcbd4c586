"""Whether a filter can keep a person for being absent from a table that an outer join made optional.

"Never exposed" is personal data as much as "exposed" is. The question is answered from the expression alone:
with all columns of the optional scans NULL, can the condition still be true? Three-valued logic, and anything
not understood counts as yes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import product

from cleanroom.query.expressions import (
    COMPARISONS,
    Call,
    Column,
    Constant,
    Expression,
    Function,
)
from cleanroom.query.traits import Traits

_TRUE, _FALSE, _NULL, _OTHER = "true", "false", "null", "other"
_ANYTHING = frozenset({_TRUE, _FALSE, _NULL, _OTHER})
# NULL in, NULL out.
_STRICT = frozenset(
    {
        *COMPARISONS, Function.LIKE, Function.DATE_TRUNC, Function.DATE_PART, Function.DATE_DIFF,
        Function.ADD_DAYS, Function.ADD_MONTHS, Function.ADD, Function.SUBTRACT, Function.MULTIPLY,
        Function.DIVIDE, Function.FLOOR_DIVIDE, Function.MODULO, Function.NEGATE, Function.FLOOR, Function.CEIL,
        Function.ROUND, Function.ABS, Function.LOWER, Function.UPPER, Function.TRIM,
    }
)  # fmt: skip


def may_keep_absent(condition: Expression, fields: Mapping[str, Traits], optional: frozenset[int]) -> bool:
    """Whether the condition may be true of a row in which one of the optional scans it reads is absent."""
    return any(_TRUE in _outcomes(condition, fields, index) for index in _scans(condition, fields) & optional)


def _scans(expression: Expression, fields: Mapping[str, Traits]) -> frozenset[int]:
    match expression:
        case Column(name=name):
            return fields[name].scans
        case Call(arguments=arguments):
            return frozenset[int]().union(*(_scans(argument, fields) for argument in arguments))
    return frozenset()


def _outcomes(expression: Expression, fields: Mapping[str, Traits], absent: int) -> frozenset[str]:
    """What an expression may come to when the scan is absent."""
    match expression:
        case Constant(value=value):
            kind = {True: _TRUE, False: _FALSE}.get(value, _OTHER) if isinstance(value, bool) else _OTHER
            return frozenset({_NULL if value is None else kind})
        case Column(name=name):
            # Only a column straight from the scan is known to be NULL; counts become 0, CASE anything.
            straight = fields[name].bare and fields[name].scans == {absent}
            return frozenset({_NULL}) if straight else _ANYTHING
        case Call(function=function, arguments=arguments):
            return _call(function, [_outcomes(argument, fields, absent) for argument in arguments])
    return _ANYTHING


def _call(function: Function, parts: list[frozenset[str]]) -> frozenset[str]:
    if function is Function.IS_NULL:
        return frozenset({_TRUE if kind == _NULL else _FALSE for kind in parts[0]})
    if function is Function.NOT:
        turned = {_TRUE: _FALSE, _FALSE: _TRUE}
        return frozenset(turned.get(kind, kind) for kind in parts[0])
    if function in {Function.AND, Function.OR}:
        return reduce(
            lambda sofar, part: frozenset(_logic(function, pair) for pair in product(sofar, part)), parts
        )
    if function is Function.IN:
        return frozenset({_NULL}) if parts[0] == {_NULL} else _ANYTHING
    if function in _STRICT:
        return frozenset({_NULL}) if any(part == {_NULL} for part in parts) else _ANYTHING
    return _ANYTHING


def _logic(function: Function, kinds: tuple[str, ...]) -> str:
    ends, neutral = (_FALSE, _TRUE) if function is Function.AND else (_TRUE, _FALSE)
    if ends in kinds:
        return ends
    if _NULL in kinds:
        return _NULL
    return neutral if all(kind == neutral for kind in kinds) else _OTHER
