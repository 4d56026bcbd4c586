"""Window functions with their partitions, orders and frames."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from cleanroom.query.expressions import Expression, Frame, Order, Window, WindowName
from cleanroom.query.literals import whole_number
from cleanroom.query.refusal import Refused
from cleanroom.query.scope import Scope, unavailable

_RANKS = {WindowName.ROW_NUMBER, WindowName.RANK, WindowName.DENSE_RANK}
_WINDOWS: dict[type, WindowName] = {
    exp.RowNumber: WindowName.ROW_NUMBER,
    exp.Rank: WindowName.RANK,
    exp.DenseRank: WindowName.DENSE_RANK,
    exp.Lag: WindowName.LAG,
    exp.Lead: WindowName.LEAD,
    exp.FirstValue: WindowName.FIRST_VALUE,
    exp.LastValue: WindowName.LAST_VALUE,
    exp.Count: WindowName.COUNT,
    exp.Sum: WindowName.SUM,
    exp.Avg: WindowName.AVG,
    exp.Min: WindowName.MIN,
    exp.Max: WindowName.MAX,
}


@dataclass(frozen=True)
class _Called:
    function: WindowName
    argument: Expression | None = None
    offset: int = 1


@dataclass(frozen=True)
class _Seen:
    """The rows of its partition that a function sees."""

    frame: Frame
    preceding: int = 0


def bind_window(node: exp.Expr, scope: Scope) -> Window:
    """A window function. Raises Refused."""
    named = _definition(node, scope)
    called = _called(node.this, scope)
    order = named.args.get("order")
    seen = _seen(named.args.get("spec"), bool(order))
    return Window(
        function=called.function,
        argument=called.argument,
        offset=called.offset,
        partition=tuple(scope.bind(item) for item in named.args.get("partition_by") or ()),
        order=tuple(bind_order(item, scope) for item in (order.expressions if order else ())),
        frame=seen.frame,
        preceding=seen.preceding,
    )


def bind_order(node: exp.Expr, scope: Scope) -> Order:
    """One ORDER BY item."""
    return Order(
        expression=scope.bind(node.this),
        descending=bool(node.args.get("desc")),
        nulls_first=bool(node.args.get("nulls_first")),
    )


def _definition(node: exp.Expr, scope: Scope) -> exp.Expr:
    """The OVER clause, or the window that it names."""
    alias = node.args.get("alias")
    if alias is None:
        return node
    found = scope.window(alias.name.lower())
    if found is None:
        raise Refused("window", "a window has no definition", "write OVER (PARTITION BY ...)")
    if any(node.args.get(part) for part in ("partition_by", "order", "spec")) or found.args.get("alias"):
        raise Refused("window", "a window adds to one that is named", "write it out in OVER (...)")
    return found


def _called(node: exp.Expr, scope: Scope) -> _Called:
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        raise Refused(
            "window", "a window function has a filter or ignores NULLs", "compute it in a step before"
        )
    name = _WINDOWS.get(type(node))
    if name is None:
        raise unavailable(node)
    if isinstance(node.this, exp.Distinct | exp.Order) or node.args.get("expressions"):
        raise Refused(
            "window", "a window function has DISTINCT or further arguments", "use a step that groups"
        )
    if name is WindowName.COUNT and isinstance(node.this, exp.Star | exp.Literal):
        return _Called(WindowName.COUNT_ROWS)
    if name in _RANKS:
        return _Called(name)
    if node.args.get("default") is not None:
        raise Refused("window", "a window function has a default value", "use COALESCE around it")
    offset = node.args.get("offset")
    number = whole_number(offset, "an offset") if offset is not None else 1
    if not 1 <= number <= 1000 or not isinstance(node.this, exp.Expr):
        raise Refused("window", "a window function has no argument, or looks too far", "use an offset from 1")
    return _Called(name, scope.bind(node.this), number)


def _seen(spec: exp.Expr | None, ordered: bool) -> _Seen:
    if spec is None:
        return _Seen(Frame.RUNNING if ordered else Frame.WHOLE)
    start, end = spec.args.get("start"), spec.args.get("end") or "CURRENT ROW"
    rows = str(spec.args.get("kind")).upper() == "ROWS"
    before = str(spec.args.get("start_side")).upper() == "PRECEDING"
    if before and not spec.args.get("exclude"):
        if start == "UNBOUNDED" and end == "UNBOUNDED":
            return _Seen(Frame.WHOLE)
        if start == "UNBOUNDED" and end == "CURRENT ROW":
            return _Seen(Frame.ROWS if rows else Frame.RUNNING)
        if end == "CURRENT ROW" and rows and isinstance(start, exp.Expr):
            preceding = whole_number(start, "a frame")
            if 1 <= preceding <= 10_000:
                return _Seen(Frame.ROWS, preceding)
    raise Refused(
        "window", "this window frame is not available", "use ROWS n PRECEDING or UNBOUNDED PRECEDING"
    )
