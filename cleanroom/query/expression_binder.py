"""Syntax trees of scalar expressions to the plan's expressions. What is not listed here is refused."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from cleanroom.query.cast_binder import bind_cast
from cleanroom.query.date_binder import (
    bind_add,
    bind_anonymous,
    bind_date,
    bind_date_add,
    bind_difference,
    bind_extract,
    bind_subtract,
    bind_trunc,
    part,
)
from cleanroom.query.expressions import Constant, Expression, Function, call
from cleanroom.query.literals import constant, literal, whole_number
from cleanroom.query.refusal import Refused
from cleanroom.query.scope import Scope, as_days, repeatable, unavailable
from cleanroom.query.window_binder import bind_window

Binder = Callable[[exp.Expr, Scope], Expression]


class BindingScope(Scope):
    """A scope that binds with the functions of this file."""

    def bind(self, node: exp.Expr | None) -> Expression:
        return bind_expression(node, self)


def bind_expression(node: exp.Expr | None, scope: Scope) -> Expression:
    """The expression a tree stands for. Raises Refused; also for None, which COUNT(+) is parsed to hold."""
    if node is None:
        raise Refused(
            "not_sql", "an expression lacks a part", "give every function and operator its arguments"
        )
    found = scope.instead(node)
    if found is not None:
        return found
    binder = _BINDERS.get(type(node))
    if binder is None:
        raise unavailable(node)
    return binder(node, scope)


def conjuncts(node: exp.Expr | None) -> list[exp.Expr]:
    """The parts of a condition that are joined by AND, from left to right."""
    return _chain(node, exp.And) if node is not None else []


def _chain(node: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """The parts of a chain of one operator. Without recursion: chains may be long."""
    open_nodes, parts = [node], []
    while open_nodes:
        current = open_nodes.pop()
        if isinstance(current, kind):
            open_nodes += [current.expression, current.this]
        elif isinstance(current, exp.Paren):
            open_nodes.append(current.this)
        else:
            parts.append(current)
    return parts


def _logic(function: Function, kind: type[exp.Expr]) -> Binder:
    def bind(node: exp.Expr, scope: Scope) -> Expression:
        parts = [scope.bind(item) for item in _chain(node, kind)]
        if len(parts) > 90:
            raise Refused("too_large", "more than 90 conditions are joined", "use IN with a list")
        return call(function, *parts)

    return bind


def _each(function: Function) -> Binder:
    """A binder for a function of one argument."""

    def bind(node: exp.Expr, scope: Scope) -> Expression:
        _require_only(node, "this")
        return call(function, scope.bind(node.this))

    return bind


def _binary(function: Function) -> Binder:
    def bind(node: exp.Expr, scope: Scope) -> Expression:
        _require_only(node, "this", "expression")
        return call(function, scope.bind(node.this), scope.bind(node.expression))

    return bind


def _compared(function: Function) -> Binder:
    def bind(node: exp.Expr, scope: Scope) -> Expression:
        _require_only(node, "this", "expression")
        return call(function, *as_days((scope.bind(node.this), scope.bind(node.expression)), scope))

    return bind


def _several(function: Function) -> Binder:
    def bind(node: exp.Expr, scope: Scope) -> Expression:
        nodes = [node.this, *node.expressions] if node.args.get("this") is not None else node.expressions
        return call(function, *as_days(tuple(scope.bind(item) for item in nodes), scope))

    return bind


def _require_only(node: exp.Expr, *names: str) -> None:
    """Refuse an argument that would otherwise be dropped in silence, or one that is missing."""
    more = [value for name, value in node.args.items() if name not in names]
    if any(isinstance(value, exp.Expr) or (isinstance(value, list) and value) for value in more):
        raise unavailable(node)
    if not all(isinstance(node.args.get(name), exp.Expr) for name in names):
        raise unavailable(node)


def _column(node: exp.Expr, scope: Scope) -> Expression:
    if node.args.get("db") or node.args.get("catalog") or isinstance(node.this, exp.Star):
        raise Refused("unknown_column", "a column has a path of more than a table", "write table.column")
    table = node.args.get("table")
    return scope.column(node.name.lower(), str(table.name).lower() if table else "")


def _literal(node: exp.Expr, scope: Scope) -> Expression:
    assert isinstance(node, exp.Literal)
    return literal(node)


def _is(node: exp.Expr, scope: Scope) -> Expression:
    value, other = scope.bind(node.this), node.expression
    if isinstance(other, exp.Null):
        return call(Function.IS_NULL, value)
    if isinstance(other, exp.Boolean):
        plain = call(Function.COALESCE, value, constant(not other.this))
        return plain if other.this else call(Function.NOT, plain)
    raise Refused("comparison", "IS is followed by something other than NULL, TRUE or FALSE", "use =")


def _distinct_from(node: exp.Expr, scope: Scope) -> Expression:
    left, right = as_days((scope.bind(node.this), scope.bind(node.expression)), scope)
    same = call(Function.COALESCE, call(Function.EQUAL, repeatable(left), repeatable(right)), constant(False))
    both = call(Function.AND, call(Function.IS_NULL, left), call(Function.IS_NULL, right))
    equal = call(Function.OR, same, both)
    return equal if isinstance(node, exp.NullSafeEQ) else call(Function.NOT, equal)


def _in(node: exp.Expr, scope: Scope) -> Expression:
    if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
        raise Refused(
            "subquery",
            "IN (SELECT ...) stands where it cannot be joined",
            "use it as a condition of WHERE of its own, on the identity column",
        )
    parts = [scope.bind(item) for item in node.expressions]
    return call(Function.IN, *as_days((scope.bind(node.this), *parts), scope))


def _between(node: exp.Expr, scope: Scope) -> Expression:
    if node.args.get("symmetric"):
        raise Refused("comparison", "BETWEEN SYMMETRIC is not available", "write the smaller bound first")
    value = repeatable(scope.bind(node.this))
    low, high = (scope.bind(node.args[name]) for name in ("low", "high"))
    return call(
        Function.AND,
        call(Function.GREATER_EQUAL, *as_days((value, low), scope)),
        call(Function.LESS_EQUAL, *as_days((value, high), scope)),
    )


def _case(node: exp.Expr, scope: Scope) -> Expression:
    operand = repeatable(scope.bind(node.this)) if node.this is not None else None
    parts: list[Expression] = []
    for branch in node.args["ifs"]:
        condition = scope.bind(branch.this)
        if operand is not None:
            condition = call(Function.EQUAL, *as_days((operand, condition), scope))
        parts += [condition, scope.bind(branch.args["true"])]
    default = node.args.get("default")
    return call(Function.CASE, *parts, scope.bind(default) if default is not None else constant(None))


def _if(node: exp.Expr, scope: Scope) -> Expression:
    otherwise = node.args.get("false")
    return call(
        Function.CASE,
        scope.bind(node.this),
        scope.bind(node.args["true"]),
        scope.bind(otherwise) if otherwise is not None else constant(None),
    )


def _concat(node: exp.Expr, scope: Scope) -> Expression:
    parts = [scope.bind(item) for item in node.expressions]
    return call(Function.CONCAT, *(call(Function.COALESCE, item, constant("")) for item in parts))


def _ilike(node: exp.Expr, scope: Scope) -> Expression:
    pattern = scope.bind(node.expression)
    if not isinstance(pattern, Constant):
        raise Refused("like", "LIKE compares with something other than a literal", "write the pattern")
    value = call(Function.LOWER, scope.bind(node.this))
    return call(Function.LIKE, value, constant(str(pattern.value).lower()))


def _negate(node: exp.Expr, scope: Scope) -> Expression:
    value = scope.bind(node.this)
    if isinstance(value, Constant) and not isinstance(value.value, bool | str | None):
        return constant(-value.value)
    return call(Function.NEGATE, value)


def _round(node: exp.Expr, scope: Scope) -> Expression:
    digits = node.args.get("decimals")
    value = scope.bind(node.this)
    if digits is None:
        return call(Function.ROUND, value)
    return call(Function.ROUND, value, constant(whole_number(digits, "the digits of ROUND")))


def _log(node: exp.Expr, scope: Scope) -> Expression:
    """LOG(x) and LOG10(x), which the parser writes as LOG(10, x)."""
    if node.expression is None:
        return call(Function.LOG10, scope.bind(node.this))
    base = whole_number(node.this, "the base of a logarithm")
    value = scope.bind(node.expression)
    if base == 10:
        return call(Function.LOG10, value)
    return call(Function.DIVIDE, call(Function.LN, value), call(Function.LN, constant(base)))


_BINDERS: dict[type, Binder] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: lambda node, scope: constant(bool(node.this)),
    exp.Null: lambda node, scope: constant(None),
    exp.Paren: lambda node, scope: scope.bind(node.this),
    exp.And: _logic(Function.AND, exp.And),
    exp.Or: _logic(Function.OR, exp.Or),
    exp.Not: _each(Function.NOT),
    exp.EQ: _compared(Function.EQUAL),
    exp.NEQ: _compared(Function.NOT_EQUAL),
    exp.LT: _compared(Function.LESS),
    exp.LTE: _compared(Function.LESS_EQUAL),
    exp.GT: _compared(Function.GREATER),
    exp.GTE: _compared(Function.GREATER_EQUAL),
    exp.NullSafeEQ: _distinct_from,
    exp.NullSafeNEQ: _distinct_from,
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _several(Function.COALESCE),
    exp.Least: _several(Function.LEAST),
    exp.Greatest: _several(Function.GREATEST),
    exp.Nullif: _compared(Function.NULLIF),
    exp.Like: _binary(Function.LIKE),
    exp.ILike: _ilike,
    exp.DPipe: _binary(Function.CONCAT),
    exp.Concat: _concat,
    exp.Lower: _each(Function.LOWER),
    exp.Upper: _each(Function.UPPER),
    exp.Trim: _each(Function.TRIM),
    exp.DateTrunc: bind_trunc,
    exp.TimestampTrunc: bind_trunc,
    exp.Date: bind_date,
    exp.TsOrDsToDate: bind_date,
    exp.Cast: bind_cast,
    exp.TryCast: bind_cast,
    exp.Extract: bind_extract,
    exp.Year: part("year"),
    exp.Quarter: part("quarter"),
    exp.Month: part("month"),
    exp.WeekOfYear: part("week"),
    exp.Week: part("week"),
    exp.Day: part("day"),
    exp.DayOfMonth: part("day"),
    exp.DayOfWeek: part("dow"),
    exp.DayOfWeekIso: part("isodow"),
    exp.DayOfYear: part("doy"),
    exp.DateDiff: bind_difference,
    exp.DateAdd: bind_date_add(1),
    exp.DateSub: bind_date_add(-1),
    exp.Add: bind_add,
    exp.Sub: bind_subtract,
    exp.Mul: _binary(Function.MULTIPLY),
    exp.Div: _binary(Function.DIVIDE),
    exp.IntDiv: _binary(Function.FLOOR_DIVIDE),
    exp.Mod: _binary(Function.MODULO),
    exp.Neg: _negate,
    exp.Floor: _each(Function.FLOOR),
    exp.Ceil: _each(Function.CEIL),
    exp.Round: _round,
    exp.Abs: _each(Function.ABS),
    exp.Sqrt: _each(Function.SQRT),
    exp.Ln: _each(Function.LN),
    exp.Log: _log,
    exp.Exp: _each(Function.EXP),
    exp.Sign: _each(Function.SIGN),
    exp.Pow: _binary(Function.POWER),
    exp.Anonymous: bind_anonymous,
    exp.Window: bind_window,
}
