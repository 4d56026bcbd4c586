"""Arithmetic of the person stage: no overflow, no division by zero, and no weights of the analyst's in sums."""

from __future__ import annotations

from cleanroom.query.expressions import Constant, Expression, Function, ValueType
from cleanroom.query.refusal import Refused
from cleanroom.query.traits import NUMERIC, Traits, require_type

LARGEST_LITERAL = 1_000_000
LARGEST_DIGITS = 17  # below what 64 bits hold
MOST_DECIMALS = 9
Arguments = tuple[Expression, ...]
Parts = list[Traits]
_DIVISIONS = {Function.DIVIDE, Function.FLOOR_DIVIDE, Function.MODULO}


def arithmetic(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """+ - * / // and %."""
    if any(part.type is ValueType.MEASURE for part in parts):
        return _part_of_a_measure(function, arguments, parts)
    for argument, part in zip(arguments, parts, strict=True):
        require_type(function, part, {*NUMERIC, ValueType.NULL})
        if part.literal and part.type is not ValueType.NULL:
            small_literal(argument)
    if function in _DIVISIONS:
        _require_divisor(arguments[1], parts[1])
    elif function is Function.MULTIPLY and not any(
        part.literal or part.type is ValueType.FRACTION for part in parts
    ):
        # Two columns may only be multiplied when one is a fraction: no product can grow out of bounds.
        raise Refused("product", "two columns are multiplied before release", "multiply released numbers")
    unchanged = _times_one(function, arguments, parts)
    if unchanged is not None:
        return Traits(
            ValueType.NUMBER, plain=unchanged.plain, nonzero=unchanged.nonzero, digits=unchanged.digits
        )
    digits = _digits(function, arguments, parts)
    if digits > LARGEST_DIGITS:
        raise Refused(
            "arithmetic_depth", "arithmetic before release is too deep", "compute with released numbers"
        )
    kind = _type(function, arguments, parts)
    plain = kind is ValueType.FRACTION and _one_by_count(function, arguments, parts)
    return Traits(kind, plain=plain, nonzero=plain, digits=digits)


def rounding(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """FLOOR, CEIL, ROUND, ABS and the sign."""
    require_type(function, parts[0], {*NUMERIC, ValueType.NULL})
    for argument in arguments[1:]:
        decimals = getattr(argument, "value", None)
        if not isinstance(decimals, int) or not 0 <= decimals <= MOST_DECIMALS:
            raise Refused("literal", "ROUND has too many digits", f"use 0 to {MOST_DECIMALS} digits")
    if function in {Function.ABS, Function.NEGATE}:
        return Traits(parts[0].type, digits=parts[0].digits)
    whole = function in {Function.FLOOR, Function.CEIL} or len(arguments) == 1
    return Traits(ValueType.INTEGER if whole else ValueType.NUMBER, digits=parts[0].digits)


def small_literal(expression: Expression) -> None:
    """Raises Refused for anything but a literal number of at most a million."""
    value = getattr(expression, "value", None)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST_LITERAL:
        raise Refused(
            "literal",
            "arithmetic before release takes literals of at most one million",
            "use a smaller literal, or compute with released numbers",
        )


def _require_divisor(below: Expression, part: Traits) -> None:
    if isinstance(below, Constant):
        value = below.value
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) < 1:
            raise Refused("division", "a division by a literal below 1", "multiply, or divide by 1 or more")
    elif not part.positive:
        raise Refused(
            "division",
            "a division whose divisor may be zero for some person",
            "divide released numbers, or by a count that is at least 1",
        )


def _digits(function: Function, arguments: Arguments, parts: Parts) -> int:
    if function in _DIVISIONS:
        return max(part.digits for part in parts)  # divisors are at least 1
    if function is Function.MULTIPLY:
        return sum(part.digits for part in parts if part.type is not ValueType.FRACTION)
    return max(part.digits for part in parts) + 1


def _type(function: Function, arguments: Arguments, parts: Parts) -> ValueType:
    if function is Function.DIVIDE:
        top = arguments[0]
        small = parts[0].type is ValueType.FRACTION or (
            isinstance(top, Constant) and isinstance(top.value, int | float) and abs(top.value) <= 1
        )
        return ValueType.FRACTION if small else ValueType.NUMBER  # divisors are at least 1
    if function is Function.MULTIPLY and all(part.type is ValueType.FRACTION for part in parts):
        return ValueType.FRACTION
    if all(part.type in {ValueType.INTEGER, ValueType.NULL} for part in parts):
        return ValueType.INTEGER
    return ValueType.NUMBER


def _times_one(function: Function, arguments: Arguments, parts: Parts) -> Traits | None:
    """The number that is multiplied by 1.0, as casts to a floating-point number are; None for anything else."""
    for argument, other in zip(arguments, reversed(parts), strict=True):
        if function is Function.MULTIPLY and isinstance(argument, Constant) and argument.value == 1:
            return None if other.type is ValueType.FRACTION or other.literal else other
    return None


def _one_by_count(function: Function, arguments: Arguments, parts: Parts) -> bool:
    """1 / count. Sums of counts are not plain: x + x + x + y would carry y in the last digit."""
    one = isinstance(arguments[0], Constant) and arguments[0].value == 1
    return function is Function.DIVIDE and one and parts[1].plain and not parts[1].literal


def _part_of_a_measure(function: Function, arguments: Arguments, parts: Parts) -> Traits:
    """A measure may only be divided into parts: by a count of at least 1, or times a share."""
    first = next(index for index, part in enumerate(parts) if part.type is ValueType.MEASURE)
    other = parts[1 - first]
    if other.type is not ValueType.MEASURE:
        argument = arguments[1 - first]
        one = isinstance(argument, Constant) and argument.value == 1
        share = other.type is ValueType.FRACTION and other.plain
        count = other.positive and other.plain and not other.literal
        if (function is Function.MULTIPLY and (one or share)) or (
            function is Function.DIVIDE and first == 0 and (one or count)
        ):
            whole = parts[first]
            return Traits(
                ValueType.MEASURE,
                measure=whole.measure,
                comparable=whole.comparable,
                nonzero=whole.nonzero,
                filled=whole.filled and one,
            )
    raise Refused(
        "measure_arithmetic",
        "arithmetic on a measure before release",
        "sum or average the bare measure and compute with the released number; only a share of it, "
        "measure / count of at least 1, may be summed",
    )
