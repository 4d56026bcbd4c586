"""Post-processing: SELECTs over released cells. It only sees what was already safe, so much is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from cleanroom.query.aggregate_reader import read_aggregate
from cleanroom.query.expression_binder import BindingScope
from cleanroom.query.expressions import Column, Expression, Function, Order, ValueType, call
from cleanroom.query.from_binder import FromClause
from cleanroom.query.grouped_scopes import ReleaseMeasures
from cleanroom.query.grouping import read_grouping
from cleanroom.query.literals import whole_number
from cleanroom.query.plan import Cells, CellSelect, CellStack, Named, Released, SetOperation
from cleanroom.query.refusal import Refused
from cleanroom.query.released_values import released_kind
from cleanroom.query.scope import Scope, repeatable
from cleanroom.query.select_items import Item, has_aggregate, select_items
from cleanroom.query.sources import CellSource, Names
from cleanroom.query.traits import Traits

Fresh = Callable[[], str]
_OPERATIONS: dict[type, SetOperation] = {
    exp.Union: SetOperation.UNION,
    exp.Except: SetOperation.EXCEPT,
    exp.Intersect: SetOperation.INTERSECT,
}


class CellScope(BindingScope):
    """Columns of released tables; aggregates and windows run over cells."""

    after_release = True

    def __init__(
        self, names: Names, fields: Mapping[str, Traits], windows: Mapping[str, exp.Window], items: list[Item]
    ) -> None:
        self._names, self._fields, self._windows = names, fields, windows
        self._aliases = {item.name: item.node for item in items if item.bound is None}
        self._resolving: set[str] = set()

    @property
    def fields(self) -> Mapping[str, Traits]:
        return self._fields

    def kind(self, expression: Expression) -> ValueType | None:
        return released_kind(expression, self._fields)

    def instead(self, node: exp.Expr) -> Expression | None:
        if isinstance(node, exp.AggFunc | exp.Filter | exp.IgnoreNulls):
            return read_aggregate(node, self)
        return None

    def column(self, name: str, table: str) -> Expression:
        if table or self._names.has(name) or name in self._resolving or name not in self._aliases:
            return Column(name=self._names.internal(name, table))
        self._resolving.add(name)
        try:
            return repeatable(self.bind(self._aliases[name]))
        finally:
            self._resolving.discard(name)

    def window(self, name: str) -> exp.Window | None:
        return self._windows.get(name)


@dataclass(frozen=True)
class Tail:
    """What follows the columns of a SELECT over cells."""

    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0


def bind_cells(
    select: exp.Select, clause: FromClause, windows: Mapping[str, exp.Window], fresh: Fresh
) -> CellSource:
    """A SELECT whose FROM holds released cells only."""
    source = clause.source
    assert isinstance(source, CellSource)
    items = select_items(select, clause.names)
    scope = CellScope(clause.names, source.fields, windows, items)
    where: Expression | None = None
    for part in clause.rest:
        bound = scope.bind(part)
        where = bound if where is None else call(Function.AND, where, bound)
    group: tuple[Expression, ...] | None = None
    if has_aggregate(select, items):
        grouping = read_grouping(select, scope, items)
        if len(grouping.sets) != 1:
            raise Refused("grouping", "released cells are grouped by ROLLUP or CUBE", "use it when releasing")
        group = grouping.keys
    having = select.args.get("having")
    return _select(
        select,
        source.cells,
        [(item.name, item.bound or scope.bind(item.node)) for item in items],
        scope,
        fresh,
        where=where,
        group=group,
        having=scope.bind(having.this) if having is not None else None,
        uses=source.uses,
    )


def bind_release_tail(
    select: exp.Select,
    released: Released,
    bound: list[tuple[str, Expression]],
    scope: ReleaseMeasures,
    fresh: Fresh,
) -> CellSource:
    """What a SELECT makes of its own release: HAVING, ORDER BY and expressions see released numbers only."""
    having = select.args.get("having")
    where = scope.bind(having.this) if having is not None else None
    return _select(select, released, bound, scope, fresh, where=where)


def fresh_cells(source: CellSource, fresh: Fresh) -> CellSource:
    """The same cells under new internal names, so that one table may be used twice."""
    names = {internal: fresh() for internal in source.columns.values()}
    node = CellSelect(
        source=source.cells,
        columns=tuple(Named(name=new, expression=Column(name=old)) for old, new in names.items()),
    )
    fields = {new: source.fields[old] for old, new in names.items()}
    return CellSource(node, fields, {name: names[old] for name, old in source.columns.items()}, source.uses)


def stack_cells(node: exp.SetOperation, left: CellSource, right: CellSource, fresh: Fresh) -> CellSource:
    """UNION or UNION ALL of released tables."""
    if len(left.columns) != len(right.columns):
        raise Refused("union", "the parts of a UNION have different numbers of columns")
    branches = tuple(_in_order(part, fresh) for part in (left, right))
    names = {name: fresh() for name in left.columns}
    fields = {names[name]: left.fields[internal] for name, internal in left.columns.items()}
    scope = CellScope(Names({"": names}), fields, {}, [])
    tail = _tail(node, scope, [(name, Column(name=internal)) for name, internal in names.items()])
    stack = CellStack(
        branches=branches,
        columns=tuple(names.values()),
        operation=_OPERATIONS[type(node)],
        distinct=bool(node.args.get("distinct")),
        order=tail.order,
        limit=tail.limit,
        offset=tail.offset,
    )
    return CellSource(stack, fields, names, left.uses + right.uses)


def _in_order(source: CellSource, fresh: Fresh) -> CellSelect | CellStack:
    """The cells with exactly the output columns, in their order."""
    node = fresh_cells(source, fresh).cells
    assert isinstance(node, CellSelect)
    return node


def _select(
    select: exp.Select,
    cells: Cells,
    bound: list[tuple[str, Expression]],
    scope: Scope,
    fresh: Fresh,
    *,
    where: Expression | None = None,
    group: tuple[Expression, ...] | None = None,
    having: Expression | None = None,
    uses: int = 1,
) -> CellSource:
    tail = _tail(select, scope, bound)
    names = {name: fresh() for name, _ in bound}
    node = CellSelect(
        source=cells,
        columns=tuple(Named(name=names[name], expression=expression) for name, expression in bound),
        where=where,
        group=group,
        having=having,
        distinct=select.args.get("distinct") is not None,
        order=tail.order,
        limit=tail.limit,
        offset=tail.offset,
    )
    kinds = {name: scope.kind(expression) or ValueType.NUMBER for name, expression in bound}
    return CellSource(node, {names[name]: Traits(kind) for name, kind in kinds.items()}, names, uses)


def _tail(node: exp.Expr, scope: Scope, bound: list[tuple[str, Expression]]) -> Tail:
    clause = node.args.get("order")
    order = tuple(_order(item, scope, bound) for item in (clause.expressions if clause else ()))
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is not None and not isinstance(limit, exp.Limit):
        raise Refused("limit", "this LIMIT is not available", "use LIMIT n")
    return Tail(
        order,
        _row_count(limit.expression, "LIMIT") if limit is not None else None,
        _row_count(offset.expression, "OFFSET") if offset is not None else 0,
    )


def _row_count(node: exp.Expr | None, what: str) -> int:
    """How many rows. Raises Refused for fewer than none."""
    count = whole_number(node, what)
    if count < 0:
        raise Refused("limit", f"{what} is less than nothing", "use 0 or more")
    return count


def _order(item: exp.Expr, scope: Scope, bound: list[tuple[str, Expression]]) -> Order:
    """One sort key: a position, an output column, or an expression."""
    target = item.this
    by_name = dict(bound)
    if isinstance(target, exp.Literal) and not target.is_string:
        position = whole_number(target, "a position in ORDER BY")
        if not 1 <= position <= len(bound):
            raise Refused("order", "ORDER BY names a position that is not there", "name the column")
        expression = bound[position - 1][1]
    elif isinstance(target, exp.Column) and not target.args.get("table") and target.name.lower() in by_name:
        expression = by_name[target.name.lower()]
    else:
        expression = scope.bind(target)
    return Order(
        expression=expression,
        descending=bool(item.args.get("desc")),
        nulls_first=bool(item.args.get("nulls_first")),
    )
