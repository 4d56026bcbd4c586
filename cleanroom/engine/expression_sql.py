"""Expressions of the plan as SQL text: names are internal, literals are quoted here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cleanroom.query.expressions import (
    Aggregate,
    AggregateName,
    Call,
    Column,
    Constant,
    Expression,
    Frame,
    Function,
    Order,
    ValueType,
    Window,
    WindowName,
)

_INFIX = {
    Function.AND: "AND",
    Function.OR: "OR",
    Function.EQUAL: "=",
    Function.NOT_EQUAL: "<>",
    Function.LESS: "<",
    Function.LESS_EQUAL: "<=",
    Function.GREATER: ">",
    Function.GREATER_EQUAL: ">=",
    Function.LIKE: "LIKE",
    Function.ADD: "+",
    Function.SUBTRACT: "-",
    Function.MULTIPLY: "*",
    Function.CONCAT: "||",
}
_PREFIX = {
    Function.COALESCE: "COALESCE",
    Function.NULLIF: "NULLIF",
    Function.LEAST: "LEAST",
    Function.GREATEST: "GREATEST",
    Function.FLOOR: "FLOOR",
    Function.CEIL: "CEIL",
    Function.ROUND: "ROUND",
    Function.ABS: "ABS",
    Function.LOWER: "LOWER",
    Function.UPPER: "UPPER",
    Function.TRIM: "TRIM",
    Function.SQRT: "SQRT",
    Function.LN: "LN",
    Function.LOG10: "LOG10",
    Function.EXP: "EXP",
    Function.POWER: "POWER",
    Function.SIGN: "SIGN",
}
_CASTS = {
    Function.TO_INTEGER: "BIGINT",
    Function.TO_NUMBER: "DOUBLE",
    Function.TO_TEXT: "VARCHAR",
}
_AGGREGATES = {
    AggregateName.SUM: "SUM",
    AggregateName.AVG: "AVG",
    AggregateName.MIN: "MIN",
    AggregateName.MAX: "MAX",
    AggregateName.COUNT: "COUNT",
    AggregateName.MIN_BY: "ARG_MIN",
    AggregateName.MAX_BY: "ARG_MAX",
}


def name(text: str) -> str:
    """A quoted identifier."""
    return '"' + text.replace('"', '""') + '"'


def text(value: str) -> str:
    """A quoted literal."""
    return "'" + value.replace("'", "''") + "'"


def sql(expression: Expression) -> str:
    """The expression in parentheses wherever precedence could matter."""
    match expression:
        case Constant():
            return _constant(expression)
        case Column(name=internal):
            return name(internal)
        case Call(function=function, arguments=arguments):
            return _call(function, arguments)
        case Aggregate():
            return aggregate_sql(expression)
        case Window():
            return window_sql(expression, partition=[sql(item) for item in expression.partition])


def condition_sql(expression: Expression) -> str:
    """A condition in which unknown means false."""
    return f"COALESCE({sql(expression)}, FALSE)"


def aggregate_sql(aggregate: Aggregate) -> str:
    """An aggregate with its filter."""
    where = f" FILTER (WHERE {sql(aggregate.where)})" if aggregate.where is not None else ""
    if aggregate.function is AggregateName.COUNT_ROWS:
        return f"COUNT(*){where}"
    assert aggregate.argument is not None
    argument = sql(aggregate.argument)
    if aggregate.function is AggregateName.COUNT_DISTINCT:
        return f"COUNT(DISTINCT {argument}){where}"
    if aggregate.by is not None:
        # Ties are broken by the value itself, so that the same data give the same answer.
        by = sql(aggregate.by)
        known = [f"{by} IS NOT NULL", *([sql(aggregate.where)] if aggregate.where is not None else [])]
        pair = f"{argument}, ROW({by}, {argument})"
        return f"{_AGGREGATES[aggregate.function]}({pair}) FILTER (WHERE {' AND '.join(known)})"
    return f"{_AGGREGATES[aggregate.function]}({argument}){where}"


def window_sql(window: Window, *, partition: Sequence[str], ties: Sequence[str] = ()) -> str:
    """A window function. `ties`: further sort keys that make the order the same every time."""
    order = [order_sql(item) for item in window.order]
    if order:
        order += ties
    parts = [f"PARTITION BY {', '.join(partition)}"] if partition else []
    parts += [f"ORDER BY {', '.join(order)}"] if order else []
    ranks = {WindowName.ROW_NUMBER, WindowName.RANK, WindowName.DENSE_RANK, WindowName.LAG, WindowName.LEAD}
    if window.function not in ranks:
        parts.append(_frame(window, bool(order)))
    return f"{_window_call(window)} OVER ({' '.join(part for part in parts if part)})"


def order_sql(order: Order) -> str:
    """One sort key with its NULLs where the plan says."""
    direction = "DESC" if order.descending else "ASC"
    return f"{sql(order.expression)} {direction} NULLS {'FIRST' if order.nulls_first else 'LAST'}"


def _window_call(window: Window) -> str:
    if window.function is WindowName.COUNT_ROWS:
        return "COUNT(*)"
    if window.argument is None:
        return f"{window.function}()"
    offset = f", {window.offset}" if window.function in {WindowName.LAG, WindowName.LEAD} else ""
    return f"{window.function}({sql(window.argument)}{offset})"


def _frame(window: Window, ordered: bool) -> str:
    if window.frame is Frame.WHOLE or not ordered:
        return "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
    if window.frame is Frame.RUNNING:
        return "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    start = f"{window.preceding}" if window.preceding else "UNBOUNDED"
    return f"ROWS BETWEEN {start} PRECEDING AND CURRENT ROW"


def _constant(constant: Constant) -> str:
    value = constant.value
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if constant.type is ValueType.DAY:
        return f"DATE {text(str(value))}"
    if isinstance(value, float):
        return f"CAST({value!r} AS DOUBLE)"
    return f"({value})" if isinstance(value, int) else text(value)


def _call(function: Function, arguments: tuple[Expression, ...]) -> str:
    if function in _SPECIAL:
        return _SPECIAL[function](arguments)
    parts = [sql(argument) for argument in arguments]
    if function in _INFIX:
        return f"({f' {_INFIX[function]} '.join(parts)})"
    if function in _CASTS:
        return f"TRY_CAST({parts[0]} AS {_CASTS[function]})"
    return f"{_PREFIX[function]}({', '.join(parts)})"


def _case(arguments: tuple[Expression, ...]) -> str:
    pairs = zip(arguments[:-1:2], arguments[1:-1:2], strict=True)
    branches = " ".join(f"WHEN {sql(condition)} THEN {sql(value)}" for condition, value in pairs)
    return f"(CASE {branches} ELSE {sql(arguments[-1])} END)"


def _in_list(arguments: tuple[Expression, ...]) -> str:
    value, *options = (sql(argument) for argument in arguments)
    return f"({value} IN ({', '.join(options)}))"


def _date_trunc(arguments: tuple[Expression, ...]) -> str:
    return f"CAST(DATE_TRUNC({sql(arguments[0])}, {sql(arguments[1])}) AS DATE)"


def _date_part(arguments: tuple[Expression, ...]) -> str:
    return f"DATE_PART({sql(arguments[0])}, {sql(arguments[1])})"


def _date_diff(arguments: tuple[Expression, ...]) -> str:
    moments = [f"CAST({sql(argument)} AS TIMESTAMP)" for argument in arguments[1:]]
    return f"DATE_DIFF({sql(arguments[0])}, {', '.join(moments)})"


def _division(function: Function) -> Callable[[tuple[Expression, ...]], str]:
    """Division by zero gives NULL: the engine would fail for whole numbers."""
    sign = {Function.DIVIDE: "/", Function.FLOOR_DIVIDE: "//", Function.MODULO: "%"}[function]
    return lambda arguments: f"({sql(arguments[0])} {sign} NULLIF({sql(arguments[1])}, 0))"


def _shift(interval: str) -> Callable[[tuple[Expression, ...]], str]:
    return lambda arguments: f"({sql(arguments[0])} + {interval}(CAST({sql(arguments[1])} AS INTEGER)))"


_SPECIAL: dict[Function, Callable[[tuple[Expression, ...]], str]] = {
    **{
        function: _division(function)
        for function in (Function.DIVIDE, Function.FLOOR_DIVIDE, Function.MODULO)
    },
    Function.NOT: lambda arguments: f"(NOT {sql(arguments[0])})",
    Function.IS_NULL: lambda arguments: f"({sql(arguments[0])} IS NULL)",
    Function.NEGATE: lambda arguments: f"(- {sql(arguments[0])})",
    Function.CASE: _case,
    Function.IN: _in_list,
    Function.DATE_TRUNC: _date_trunc,
    Function.DATE_PART: _date_part,
    Function.DATE_DIFF: _date_diff,
    Function.ADD_DAYS: _shift("to_days"),
    Function.ADD_MONTHS: _shift("to_months"),
}
