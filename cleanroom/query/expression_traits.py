"""Type and lineage of expressions of the person stage: what the plan holds is judged here, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from cleanroom.query.arithmetic_rules import arithmetic, rounding
from cleanroom.query.constant_rules import require_literal
from cleanroom.query.expressions import (
    AFTER_RELEASE,
    COMPARISONS,
    Aggregate,
    Call,
    Column,
    Constant,
    Expression,
    Function,
    ValueType,
    Window,
    arity_fits,
    has_window,
)
from cleanroom.query.refusal import Refused
from cleanroom.query.time_rules import add_time, date_diff, date_part, date_trunc
from cleanroom.query.traits import Traits, origin
from cleanroom.query.value_rules import (
    case,
    coalesce,
    comparison,
    extreme,
    is_null,
    like,
    logic,
    membership,
    nullif,
    text,
)
from cleanroom.query.window_rules import window_traits

WINDOW_INSIDE = Refused(
    "window_inside",
    "a window function stands inside a condition or an aggregate",
    "compute it in a SELECT of its own and use its column",
)


def traits_of(expression: Expression, fields: Mapping[str, Traits]) -> Traits:
    """Type and lineage of a person-stage expression; a window function may only be all of it. Raises Refused."""
    match expression:
        case Constant():
            return _constant(expression)
        case Column(name=name):
            if name not in fields:
                raise Refused("unknown_column", "a column is not part of its relation", "name its table")
            return fields[name]
        case Call(function=function, arguments=arguments):
            if has_window(expression):
                raise WINDOW_INSIDE
            return _call(function, arguments, [traits_of(item, fields) for item in arguments])
        case Window():
            return _window(expression, fields)
        case Aggregate():
            raise Refused(
                "aggregate_inside",
                "an aggregate stands where each row has its own value",
                "compute it in a step of its own that groups by the identity column",
            )


def row_traits(expression: Expression, fields: Mapping[str, Traits]) -> Traits:
    """The same of an expression that may not be a window function. Raises Refused."""
    if has_window(expression):
        raise WINDOW_INSIDE
    return traits_of(expression, fields)


def require_condition(expression: Expression, fields: Mapping[str, Traits]) -> Traits:
    """Traits of a condition. Raises Refused when it is none."""
    if has_window(expression):
        raise Refused("window_inside", "a filter holds a window function", "filter in a SELECT around it")
    found = traits_of(expression, fields)
    if found.type is not ValueType.BOOLEAN:
        raise Refused("not_a_condition", "a filter is no condition", "compare a column with something")
    return found


def _constant(constant: Constant) -> Traits:
    require_literal(constant)
    kind, value = constant.type, constant.value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Traits(
        kind,
        literal=True,
        positive=kind is ValueType.INTEGER and number and value >= 1,  # type: ignore[operator]
        filled=value is not None,
        plain=value is None or (number and value in (0, 1)),
        nonzero=value is None or (number and value == 1),
        digits=7 if number and abs(value) <= 1_000_000 else 16,  # type: ignore[arg-type]
    )


def _call(function: Function, arguments: tuple[Expression, ...], parts: list[Traits]) -> Traits:
    if function in AFTER_RELEASE:
        raise Refused(
            "function_before_release",
            f"{function} may only be used on released numbers",
            "apply it to the result of an aggregate",
        )
    if not arity_fits(function, len(arguments)):
        raise Refused("arguments", f"{function} has too few or too many arguments", "see docs/clean-room.md")
    scans, columns = origin(parts)
    literal = all(part.literal for part in parts)
    found = _RULES[function](function, arguments, parts)
    return replace(found, scans=scans, columns=columns, literal=literal, bare=False)


def _window(window: Window, fields: Mapping[str, Traits]) -> Traits:
    inside = [window.argument, *window.partition, *(order.expression for order in window.order)]
    if any(map(has_window, inside)):
        raise Refused("window_inside", "a window function stands inside another", "use two SELECTs")
    return window_traits(
        window,
        argument=traits_of(window.argument, fields) if window.argument is not None else None,
        partition=[traits_of(item, fields) for item in window.partition],
        order=[traits_of(item.expression, fields) for item in window.order],
        every=origin(fields.values())[0],
    )


_RULES: dict[Function, Callable[[Function, tuple[Expression, ...], list[Traits]], Traits]] = {
    **dict.fromkeys((Function.AND, Function.OR, Function.NOT), logic),
    **dict.fromkeys(COMPARISONS, comparison),
    Function.IN: membership,
    Function.IS_NULL: is_null,
    Function.LIKE: like,
    Function.CASE: case,
    Function.COALESCE: coalesce,
    Function.NULLIF: nullif,
    **dict.fromkeys((Function.LEAST, Function.GREATEST), extreme),
    Function.DATE_TRUNC: date_trunc,
    Function.DATE_PART: date_part,
    Function.DATE_DIFF: date_diff,
    **dict.fromkeys((Function.ADD_DAYS, Function.ADD_MONTHS), add_time),
    **dict.fromkeys(
        (
            Function.ADD, Function.SUBTRACT, Function.MULTIPLY, Function.DIVIDE, Function.FLOOR_DIVIDE,
            Function.MODULO,
        ),
        arithmetic,
    ),
    **dict.fromkeys(
        (Function.NEGATE, Function.FLOOR, Function.CEIL, Function.ROUND, Function.ABS), rounding
    ),
    **dict.fromkeys((Function.LOWER, Function.UPPER, Function.TRIM, Function.CONCAT), text),
}  # fmt: skip
