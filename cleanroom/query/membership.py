"""identity IN (SELECT ...), EXISTS and their negations as joins on the person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from cleanroom.query.expression_binder import conjuncts
from cleanroom.query.expressions import Column, Expression, ValueType
from cleanroom.query.people_joins import Fresh, members, with_matches, with_members
from cleanroom.query.refusal import Refused
from cleanroom.query.sources import Names, NamesScope, PersonSource, Source

BindQuery = Callable[[exp.Expr], Source]
_INSIDE = "exists inside"  # an alias that no query can hold
_TIED = Refused(
    "exists",
    "EXISTS is not tied to the outer query by exactly one identity = identity",
    "write WHERE inner.identity = outer.identity AND ..., or join the tables",
)


def bind_membership(
    part: exp.Expr, names: Names, source: PersonSource, bind: BindQuery, fresh: Fresh
) -> PersonSource | None:
    """The source with a condition of membership applied; None when the condition is of another kind."""
    negated = False
    while isinstance(part, exp.Not | exp.Paren):
        negated, part = negated != isinstance(part, exp.Not), part.this
    if isinstance(part, exp.In) and part.args.get("query") is not None:
        left = _identity(part.this, names, source)
        return with_members(source, left, members(bind(part.args["query"]), fresh), negated=negated)
    if isinstance(part, exp.Exists):
        tie = _tie(part, names)
        left = _identity(tie.outer, names, source)
        if not tie.conditions:
            return with_members(source, left, members(bind(tie.inner()), fresh), negated=negated)
        if negated:
            raise Refused(
                "exists",
                "NOT EXISTS compares more than identities with the outer query",
                "count the matches in a step per person and row, with a LEFT JOIN, and keep those with none",
            )
        return _matching(tie, left, names, source, bind, fresh)
    return None


@dataclass(frozen=True)
class _Tie:
    """How EXISTS hangs on the outer query: an identity on each side, and conditions that read both."""

    outer: exp.Expr
    own: exp.Expr
    conditions: tuple[exp.Expr, ...]
    select: exp.Select
    rest: tuple[exp.Expr, ...]

    def inner(self, columns: tuple[exp.Expr, ...] = ()) -> exp.Select:
        """The inner SELECT without what ties it: its identity, and further columns."""
        remaining = self.select.copy()
        remaining.set("expressions", [self.own.copy(), *columns])
        where = exp.and_(*(part.copy() for part in self.rest)) if self.rest else None
        remaining.set("where", exp.Where(this=where) if where is not None else None)
        remaining.set("limit", None)
        remaining.set("distinct", None)
        return remaining


def _identity(node: exp.Expr, names: Names, source: PersonSource) -> str:
    scope = NamesScope(names, source.schema.fields)
    found = scope.bind(node)
    if not isinstance(found, Column) or scope.kind(found) is not ValueType.IDENTITY:
        raise Refused(
            "membership", "IN (SELECT ...) tests something that is no identity column", "test the identity"
        )
    return found.name


def _tie(node: exp.Exists, outer: Names) -> _Tie:
    inner = node.this
    while isinstance(inner, exp.Subquery | exp.Paren):
        inner = inner.this
    odd = ("group", "having", "qualify", "offset", "windows")
    if not isinstance(inner, exp.Select) or inner.args.get("from_") is None or any(map(inner.args.get, odd)):
        raise Refused("exists", "this EXISTS is not available", "use identity IN (SELECT identity ...)")
    where = inner.args.get("where")
    parts = conjuncts(where.this if where is not None else None)
    outside = {id(part): _outside(part, inner, outer) for part in parts}
    tied = [part for part in parts if outside[id(part)]]
    links = [part for part in tied if _is_link(part, outside[id(part)])]
    if not links:
        raise _TIED
    link = links[0]
    left, right = link.this, link.expression
    outer_side, own = (left, right) if left is outside[id(link)][0] else (right, left)
    conditions = tuple(part for part in tied if part is not link)
    return _Tie(outer_side, own, conditions, inner, tuple(part for part in parts if not outside[id(part)]))


def _outside(part: exp.Expr, inner: exp.Select, outer: Names) -> list[exp.Column]:
    """Columns of the outer query in a condition; they must name their table."""
    own = {table.alias_or_name.lower() for table in inner.find_all(exp.Table, exp.Subquery)}
    return [
        column
        for column in part.find_all(exp.Column)
        if column.table.lower() in outer.tables and column.table.lower() not in own
    ]


def _is_link(part: exp.Expr, outside: list[exp.Column]) -> bool:
    sides = (part.this, part.expression) if isinstance(part, exp.EQ) else ()
    return len(outside) == 1 and len(sides) == 2 and all(isinstance(side, exp.Column) for side in sides)


def _matching(
    tie: _Tie, left: str, names: Names, source: PersonSource, bind: BindQuery, fresh: Fresh
) -> PersonSource:
    """EXISTS with further conditions on both sides, a comparison of times for example."""
    outer = {id(column) for part in tie.conditions for column in _outside(part, tie.select, names)}
    mine: dict[str, exp.Expr] = {}

    def renamed(column: exp.Expr) -> exp.Expr:
        alias = f"inside_{len(mine)}"
        mine[alias] = exp.alias_(column.copy(), alias)
        return exp.column(alias, exp.to_identifier(_INSIDE, quoted=True))

    conditions = []
    for part in tie.conditions:
        copy = part.copy()
        pairs = list(zip(part.find_all(exp.Column), copy.find_all(exp.Column), strict=True))
        for original, column in pairs:
            if id(original) not in outer:
                if column is copy:
                    raise _TIED
                column.replace(renamed(original))
        conditions.append(copy)
    own_alias = exp.alias_(tie.own.copy(), "inside_identity")
    select = tie.inner()
    select.set("expressions", [own_alias, *mine.values()])
    inner = bind(select)
    if not isinstance(inner, PersonSource):
        raise Refused(
            "layers_mixed", "a subquery of people releases cells", "select the identity column alone"
        )
    if inner.schema.fields[inner.columns["inside_identity"]].type is not ValueType.IDENTITY:
        raise _TIED

    def bound(both: PersonSource) -> tuple[Expression, ...]:
        tables: dict[str, Mapping[str, str]] = {**names.tables, _INSIDE: inner.columns}
        scope = NamesScope(Names(tables), both.schema.fields)
        return tuple(scope.bind(part) for part in conditions)

    return with_matches(source, left, inner, bound, fresh)
