"""Aggregates as they are written: inside one person's rows, over released cells, or as a measure to be released."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.query.expression_traits import traits_of
from cleanroom.query.expressions import (
    TRUE,
    Aggregate,
    AggregateName,
    Call,
    Constant,
    Expression,
    Function,
    ValueType,
    call,
)
from cleanroom.query.plan import Measure
from cleanroom.query.refusal import Refused
from cleanroom.query.scope import Scope
from cleanroom.query.traits import require_summable
from cleanroom.release.release_terms import MeasureFunction


def read_aggregate(node: exp.Expr, scope: Scope) -> Aggregate:
    """An aggregate over rows of the scope, as it stands. Raises Refused."""
    node, where = _unfiltered(node, scope)
    order = node.this if isinstance(node.this, exp.Order) else None
    if type(node) in {exp.First, exp.Last} and order is not None and len(order.expressions) == 1:
        by = order.expressions[0]
        backwards = bool(by.args.get("desc")) != isinstance(node, exp.Last)
        name = AggregateName.MAX_BY if backwards else AggregateName.MIN_BY
        return Aggregate(
            function=name,
            argument=scope.bind(order.this),
            by=scope.bind(by.this),
            where=where,
        )
    if isinstance(node, exp.ArgMin | exp.ArgMax):
        if node.args.get("count") is not None:
            raise Refused("aggregate", "this aggregate takes two arguments", "name the value and its order")
        name = AggregateName.MIN_BY if isinstance(node, exp.ArgMin) else AggregateName.MAX_BY
        return Aggregate(
            function=name,
            argument=scope.bind(node.this),
            by=scope.bind(node.expression),
            where=where,
        )
    if isinstance(node, exp.Count):
        return _count(node, scope, where)
    if isinstance(node, exp.CountIf):
        return Aggregate(function=AggregateName.COUNT_ROWS, where=_both(where, scope.bind(node.this)))
    plain: dict[type, AggregateName] = {
        exp.Sum: AggregateName.SUM,
        exp.Avg: AggregateName.AVG,
        exp.Min: AggregateName.MIN,
        exp.Max: AggregateName.MAX,
        exp.AnyValue: AggregateName.MIN,  # any will do, so take the same every time
        exp.LogicalOr: AggregateName.MAX,
        exp.LogicalAnd: AggregateName.MIN,
    }
    if type(node) not in plain or isinstance(node.this, exp.Distinct | exp.Order) or node.expressions:
        raise Refused(
            "aggregate",
            f"the aggregate {node.key[:30].upper()} is not available",
            "use COUNT, COUNT(DISTINCT), SUM or AVG; inside one person's rows MIN, MAX, ARG_MIN, ARG_MAX too",
        )
    return Aggregate(function=plain[type(node)], argument=scope.bind(node.this), where=where)


def read_measure(node: exp.Expr, scope: Scope) -> Measure:
    """An aggregate that is to be released. Raises Refused."""
    aggregate = read_aggregate(node, scope)
    argument, where = aggregate.argument, aggregate.where
    if aggregate.function in {AggregateName.COUNT_DISTINCT, AggregateName.SUM, AggregateName.COUNT}:
        argument, where = _condition_outside(argument, where, aggregate.function is AggregateName.SUM)
    known = scope.kind(argument) if argument is not None else None
    match aggregate.function:
        case AggregateName.COUNT_ROWS:
            return Measure(function=MeasureFunction.COUNT_ROWS, where=where)
        case AggregateName.COUNT:
            if known is ValueType.NULL:
                raise Refused("aggregate", "COUNT of NULL", "count rows, people or a column")
            bare = None if isinstance(argument, Constant) else argument
            return Measure(function=MeasureFunction.COUNT_ROWS, argument=bare, where=where)
        case AggregateName.COUNT_DISTINCT if known is ValueType.IDENTITY:
            return Measure(function=MeasureFunction.COUNT_PEOPLE, argument=argument, where=where)
        case AggregateName.COUNT_DISTINCT if known is ValueType.REFERENCE:
            return Measure(function=MeasureFunction.COUNT_REFERENCES, argument=argument, where=where)
        case AggregateName.COUNT_DISTINCT:
            if argument is not None:
                traits_of(argument, scope.fields)  # says what is wrong with it, if anything is
            raise Refused(
                "count_distinct",
                "COUNT(DISTINCT) of something that is neither an identity nor a reference column",
                "count distinct people; the number of distinct values would tell of rare ones",
            )
        case AggregateName.SUM if isinstance(argument, Constant) and argument.value == 1:
            return Measure(function=MeasureFunction.COUNT_ROWS, where=where)
        case AggregateName.SUM | AggregateName.AVG:
            assert argument is not None
            require_summable(traits_of(argument, scope.fields))
            name = MeasureFunction(aggregate.function.value.lower())
            return Measure(function=name, argument=argument, where=where)
    raise Refused(
        "aggregate",
        f"{aggregate.function} would release one person's value",
        "release COUNT, SUM or AVG; use it inside one person's rows, in a step that groups by the identity",
    )


def _count(node: exp.Count, scope: Scope, where: Expression | None) -> Aggregate:
    inner = node.this
    if isinstance(inner, exp.Star):
        if any(inner.args.values()) or node.expressions:
            raise Refused("aggregate", "this COUNT is not available", "use COUNT(*) or COUNT(column)")
        return Aggregate(function=AggregateName.COUNT_ROWS, where=where)
    if node.expressions:
        raise Refused("aggregate", "COUNT has more than one argument", "count one column")
    if isinstance(inner, exp.Distinct):
        if len(inner.expressions) != 1 or isinstance(inner.expressions[0], exp.Tuple):
            raise Refused("count_distinct", "COUNT(DISTINCT) has more than one argument", "count one column")
        argument = scope.bind(inner.expressions[0])
        return Aggregate(function=AggregateName.COUNT_DISTINCT, argument=argument, where=where)
    argument = scope.bind(inner)
    if isinstance(argument, Constant) and argument.value is not None:
        return Aggregate(function=AggregateName.COUNT_ROWS, where=where)
    return Aggregate(function=AggregateName.COUNT, argument=argument, where=where)


def _unfiltered(node: exp.Expr, scope: Scope) -> tuple[exp.Expr, Expression | None]:
    where: Expression | None = None
    while isinstance(node, exp.Filter | exp.IgnoreNulls):
        if isinstance(node, exp.Filter):
            where = _both(where, scope.bind(node.expression.this))
        node = node.this
    return node, where


def _condition_outside(
    argument: Expression | None, where: Expression | None, zero_too: bool
) -> tuple[Expression | None, Expression | None]:
    """AGG(CASE WHEN c THEN x END) as AGG(x) WHERE c: who does not meet c is no contributor."""
    if not (
        isinstance(argument, Call) and argument.function is Function.CASE and len(argument.arguments) == 3
    ):
        return argument, where
    condition, value, otherwise = argument.arguments
    nothing = isinstance(otherwise, Constant) and (
        otherwise.value is None
        or (zero_too and otherwise.value == 0 and otherwise.type is not ValueType.TEXT)
    )
    return (value, _both(where, condition)) if nothing else (argument, where)


def _both(first: Expression | None, second: Expression) -> Expression:
    return second if first is None or first == TRUE else call(Function.AND, first, second)
