"""FROM and JOIN: people's rows are joined on the person, released cells on whatever they show."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from cleanroom.query.expression_binder import conjuncts
from cleanroom.query.expressions import Column, Expression, Function, ValueType, call
from cleanroom.query.people_joins import Fresh, joined_people, members_by, with_members
from cleanroom.query.plan import CellJoin, JoinKind
from cleanroom.query.refusal import Refused
from cleanroom.query.schema import Schema
from cleanroom.query.sources import CellSource, Names, NamesScope, PersonSource, Source

_KINDS = {"": JoinKind.INNER, "LEFT": JoinKind.LEFT, "RIGHT": JoinKind.LEFT, "FULL": JoinKind.FULL}
BindTable = Callable[[exp.Expr], tuple[str, Source]]


class FromClause:
    """The tables of one SELECT, joined from left to right. `rest`: conditions of WHERE still to be applied."""

    def __init__(self, select: exp.Select, bind_table: BindTable, fresh: Fresh) -> None:
        where = select.args.get("where")
        self.rest = conjuncts(where.this if where is not None else None)
        self.names = Names()
        self._bind_table = bind_table
        self._fresh = fresh
        alias, self.source = bind_table(select.args["from_"].this)
        self.names.add(alias, self.source.columns)
        for join in select.args.get("joins") or ():
            self._join(join)

    def _join(self, node: exp.Join) -> None:
        method, side, kind = (str(node.args.get(part) or "").upper() for part in ("method", "side", "kind"))
        known = {"this", "on", "using", "method", "side", "kind"}
        odd = any(value for part, value in node.args.items() if part not in known)
        if odd or method or kind not in {"", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"} or side not in _KINDS:
            raise Refused(
                "join_kind",
                f"{(method or kind or 'this')[:20]} JOIN is not available",
                "join with ON identity = identity, or use IN (SELECT identity ...)",
            )
        alias, right = self._bind_table(node.this)
        if kind in {"SEMI", "ANTI"}:
            self.source = self._membership(node, right, alias, negated=kind == "ANTI")
            return
        if isinstance(self.source, CellSource) != isinstance(right, CellSource):
            raise Refused(
                "layers_mixed",
                "released cells are joined with people's rows",
                "join released tables with released tables, on their dimensions",
            )
        left, left_names = self.source, Names(dict(self.names.tables))
        self.names.add(alias, right.columns)
        if isinstance(left, CellSource) and isinstance(right, CellSource):
            self.source = self._cells(node, side, left, right, left_names, alias)
        elif isinstance(left, PersonSource) and isinstance(right, PersonSource):
            self.source = self._people(node, side, left, right, left_names, alias)

    def _people(
        self,
        node: exp.Join,
        side: str,
        left: PersonSource,
        right: PersonSource,
        left_names: Names,
        alias: str,
    ) -> PersonSource:
        kind = _KINDS[side]
        parts = conjuncts(node.args.get("on"))
        parts += self._using(node, left_names, alias)
        if node.args.get("on") is None and not node.args.get("using"):
            parts += self._implicit(left, right)
        if side == "RIGHT":
            left, right = right, left
        fields = {**left.schema.fields, **right.schema.fields}
        scope = NamesScope(self.names, fields)
        keys: list[str] = []
        others: list[Expression] = []
        for part in parts:
            key = _identity_pair(part, scope, left.schema, right.schema)
            if key:
                keys += key
            else:
                others.append(scope.bind(part))
        if not keys:
            raise Refused(
                "join_key",
                "two tables are joined without their identity columns being equal",
                "write ON a.identity = b.identity, joined to everything else with AND",
            )
        optional = left.schema.optional | right.schema.optional
        required = tuple(sorted({key for key in keys if fields[key].scans & optional}))
        return joined_people(kind, left, right, tuple(others), required)

    def _membership(self, node: exp.Join, right: Source, alias: str, *, negated: bool) -> PersonSource:
        """SEMI and ANTI JOIN on the identity: the left side's rows, and none of the right side's columns."""
        left = self.source
        if not isinstance(left, PersonSource) or not isinstance(right, PersonSource) or node.side:
            raise Refused("join_kind", "SEMI and ANTI JOIN are for people's rows", "use JOIN or LEFT JOIN")
        names = Names({**self.names.tables, alias: right.columns})
        if alias in self.names.tables:
            raise Refused("alias", "two tables have the same alias", "give each its own")
        parts = conjuncts(node.args.get("on"))
        for column in node.args.get("using") or ():
            holder = next((t for t, c in self.names.tables.items() if column.name.lower() in c), alias)
            parts.append(
                exp.EQ(this=exp.column(column.name, holder), expression=exp.column(column.name, alias))
            )
        scope = NamesScope(names, {**left.schema.fields, **right.schema.fields})
        pairs = [_identity_pair(part, scope, left.schema, right.schema) for part in parts]
        if len(pairs) != 1 or pairs[0] is None:
            raise Refused(
                "join_key",
                "a SEMI or ANTI JOIN has another condition than identity = identity",
                "filter the right side in a subquery, or use EXISTS",
            )
        mine, theirs = sorted(pairs[0], key=lambda name: name not in left.schema.fields)
        return with_members(left, mine, members_by(right, theirs, self._fresh), negated=negated)

    def _using(self, node: exp.Join, left_names: Names, alias: str) -> list[exp.Expr]:
        parts: list[exp.Expr] = []
        for column in node.args.get("using") or ():
            name = column.name.lower()
            holders = [table for table, columns in left_names.tables.items() if name in columns]
            if not holders:
                raise Refused("unknown_column", "USING names a column that one side lacks", "write ON")
            parts.append(exp.EQ(this=exp.column(name, holders[0]), expression=exp.column(name, alias)))
            # Unqualified, the name means the left side's from now on.
            self.names.merged[name] = self.names.tables[holders[0]][name]
        return parts

    def _implicit(self, left: PersonSource, right: PersonSource) -> list[exp.Expr]:
        """For `FROM a, b WHERE a.id = b.id`: the equalities of identities, taken out of WHERE."""
        fields = {**left.schema.fields, **right.schema.fields}
        scope = NamesScope(self.names, fields)
        found = [part for part in self.rest if _identity_pair(part, scope, left.schema, right.schema)]
        self.rest = [part for part in self.rest if part not in found]
        return found

    def _cells(
        self, node: exp.Join, side: str, left: CellSource, right: CellSource, left_names: Names, alias: str
    ) -> CellSource:
        fields = {**left.fields, **right.fields}
        scope = NamesScope(self.names, fields, after_release=True)
        parts = [*conjuncts(node.args.get("on")), *self._using(node, left_names, alias)]
        condition: Expression | None = None
        for part in parts:
            bound = scope.bind(part)
            condition = bound if condition is None else call(Function.AND, condition, bound)
        kind = _KINDS[side]
        if side == "RIGHT":
            left, right = right, left
        cells = CellJoin(kind=kind, left=left.cells, right=right.cells, condition=condition)
        return CellSource(cells, fields, {**left.columns, **right.columns}, left.uses + right.uses)


def _identity_pair(node: exp.Expr, scope: NamesScope, left: Schema, right: Schema) -> tuple[str, ...] | None:
    """Internal names when a condition is identity = identity across the two sides."""
    if not (
        isinstance(node, exp.EQ)
        and isinstance(node.this, exp.Column)
        and isinstance(node.expression, exp.Column)
    ):
        return None
    try:
        pair = scope.bind(node.this), scope.bind(node.expression)
    except Refused:
        return None
    names = tuple(part.name for part in pair if isinstance(part, Column))
    if len(names) != 2 or any(scope.kind(part) is not ValueType.IDENTITY for part in pair):
        return None
    sides = {name in left.fields for name in names}
    return names if sides == {True, False} else None
