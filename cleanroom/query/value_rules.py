"""Conditions, choices and texts of the person stage: which types they take, and what comes out.

Every rule here stands for a function that is total on the types it accepts.
"""

from __future__ import annotations

from dataclasses import replace

from cleanroom.query.expressions import Constant, Expression, Function, ValueType
from cleanroom.query.refusal import Refused
from cleanroom.query.traits import (
    NUMERIC,
    TIMES,
    Traits,
    family,
    require_comparable,
    require_type,
    said,
)

MOST_WILDCARDS = 8
MOST_STEPS = 16
Arguments = tuple[Expression, ...]
Parts = list[Traits]


def logic(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """AND, OR, NOT."""
    for part in parts:
        if part.type not in {ValueType.BOOLEAN, ValueType.NULL}:
            raise Refused("not_a_condition", f"{function} joins conditions, and one part is no condition")
    return Traits(ValueType.BOOLEAN)


def comparison(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """Two values of one family."""
    for part in parts:
        require_comparable(part)
    kinds = {family(part.type) for part in parts} - {ValueType.NULL}
    if len(kinds) > 1:
        raise Refused(
            "types_differ",
            "values of different types are compared: " + ", ".join(sorted({said(part) for part in parts})),
            "compare like with like; dates are written '2026-03-31'",
        )
    if ValueType.REFERENCE in kinds and (
        any(part.literal for part in parts) or function not in {Function.EQUAL, Function.NOT_EQUAL}
    ):
        raise Refused(
            "reference_compared",
            "a reference column is compared with a literal or by order",
            "references may only be equal or unequal to another reference",
        )
    return Traits(ValueType.BOOLEAN)


def membership(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """IN a list of literals."""
    if not all(part.literal for part in parts[1:]):
        raise Refused("in_list", "IN compares with something other than literals", "list literals")
    return comparison(Function.EQUAL, arguments, parts)


def is_null(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """Anything may be missing."""
    return Traits(ValueType.BOOLEAN, filled=True)


def like(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """A dimension and a short literal pattern."""
    pattern = arguments[1]
    if parts[0].type is not ValueType.TEXT or not isinstance(pattern, Constant):
        raise Refused("like", "LIKE compares a dimension with a literal pattern", "name a dimension")
    text = str(pattern.value)
    if parts[1].type is not ValueType.TEXT or "\\" in text or text.count("%") > MOST_WILDCARDS:
        raise Refused(
            "like", "a LIKE pattern holds a backslash or many wildcards", "use % and _ only, a few times"
        )
    return Traits(ValueType.BOOLEAN)


def case(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """CASE: condition, value, condition, value, ..., else."""
    for condition in parts[:-1:2]:
        if condition.type is not ValueType.BOOLEAN:
            raise Refused("not_a_condition", "CASE WHEN is followed by something that is no condition")
    return _chosen((*arguments[1:-1:2], arguments[-1]), [*parts[1:-1:2], parts[-1]])


def coalesce(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """COALESCE."""
    return replace(_chosen(arguments, parts), filled=any(part.filled for part in parts))


def nullif(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """NULLIF."""
    comparison(Function.EQUAL, arguments, parts)
    return replace(parts[0], literal=False, filled=False)


def extreme(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """LEAST and GREATEST, which skip NULLs.

    A cap keeps a count plain. A floor above 0, or a cap beside something that may be NULL, would put a number
    of the analyst's into everybody's place.
    """
    for part in parts:
        require_comparable(part)
    found = one_of(parts)
    others = [part for part in parts if not part.literal]
    bounds: list[object] = [
        getattr(argument, "value", None)
        for argument, part in zip(arguments, parts, strict=True)
        if part.literal
    ]
    at_zero = all(_is_number(bound) and bound == 0 for bound in bounds)
    cap = function is Function.LEAST and all(
        isinstance(bound, int | float) and bound >= 0 for bound in bounds
    )
    fair = len(others) == 1 and (at_zero or (cap and others[0].filled))
    if found.type is ValueType.MEASURE and not fair:
        raise Refused(
            "measure_mixed",
            "a measure is mixed with another number",
            "cap it as LEAST(COALESCE(measure, 0), cap), or bound it from below by 0",
        )
    numbers = found.type in {ValueType.INTEGER, ValueType.MEASURE}
    plain = numbers and fair and all(part.plain or part.type is ValueType.MEASURE for part in others)
    return replace(found, plain=plain, nonzero=False, filled=any(part.filled for part in parts))


def text(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """Functions of dimensions that give a text."""
    for part in parts:
        require_type(function, part, {ValueType.TEXT, ValueType.NULL})
    steps = sum(part.steps for part in parts)
    if steps > MOST_STEPS:
        raise Refused("text_length", "a text is put together from too many parts", "use fewer")
    return Traits(ValueType.TEXT, steps=steps)


def one_of(values: Parts) -> Traits:
    """The common type of values of which one is taken."""
    known = [value for value in values if value.type is not ValueType.NULL]
    kinds = {value.type for value in known}
    if not kinds:
        return Traits(ValueType.NULL, plain=True)
    kind = _common(kinds)
    measured = [value for value in known if value.type is ValueType.MEASURE]
    if len({value.measure for value in measured}) > 1:
        raise Refused("measure_mixed", "two measures are mixed in one expression", "sum them apart")
    if kind is ValueType.MEASURE and any(value.type is not kind and not value.literal for value in known):
        raise Refused("measure_mixed", "a measure is mixed with another number", "use the measure or 0")
    return Traits(
        kind,
        measure=measured[0].measure if measured else None,
        comparable=bool(measured) and all(value.comparable for value in measured),
        positive=kind is ValueType.INTEGER and all(value.positive for value in values),
        filled=all(value.filled for value in values),
        digits=max(value.digits for value in known),
        steps=max(value.steps for value in known),
    )


def _common(kinds: set[ValueType]) -> ValueType:
    if len(kinds) == 1:
        return next(iter(kinds))
    if ValueType.MEASURE in kinds and kinds <= {ValueType.MEASURE, *NUMERIC}:
        return ValueType.MEASURE
    if kinds <= NUMERIC:
        return ValueType.NUMBER
    if kinds <= TIMES:
        return ValueType.TIME
    raise Refused("types_differ", "the values of one expression have different types", "use one type")


def _chosen(arguments: Arguments, values: Parts) -> Traits:
    """One of several values: plain when it is a single plain value or 0, or when all are 0 and 1."""
    found = one_of(values)
    distinct = {
        argument: value for argument, value in zip(arguments, values, strict=True) if not value.literal
    }
    constants = [
        getattr(argument, "value", argument)
        for argument, value in zip(arguments, values, strict=True)
        if value.literal
    ]
    only_zero = all(constant is None or (_is_number(constant) and constant == 0) for constant in constants)
    if found.type is ValueType.MEASURE and (len(distinct) > 1 or not only_zero):
        raise Refused(
            "measure_mixed", "a measure is mixed with another number or itself", "sum apart, with ELSE 0"
        )
    if distinct:
        plain = len(distinct) == 1 and only_zero and all(value.plain for value in distinct.values())
    else:
        plain = all(value.plain for value in values)
    if found.type in TIMES:
        plain = not constants and all(value.plain for value in values)
    nonzero = not any(_is_number(constant) and constant == 0 for constant in constants) and all(
        value.nonzero for value in values if value.type is not ValueType.NULL
    )
    return replace(found, plain=plain and found.type is not ValueType.TEXT, nonzero=nonzero)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
