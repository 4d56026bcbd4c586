"""SELECTs to plan nodes: decides for each SELECT which of the three layers it belongs to, and maps it there."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.query.cell_binder import bind_cells, bind_release_tail, fresh_cells, stack_cells
from cleanroom.query.combined_schema import stacked
from cleanroom.query.environment import Environment, renamed
from cleanroom.query.expressions import Expression, ValueType
from cleanroom.query.from_binder import FromClause
from cleanroom.query.grouped_scopes import PersonAggregates, ReleaseMeasures
from cleanroom.query.grouping import Grouping, read_grouping
from cleanroom.query.membership import bind_membership
from cleanroom.query.people_joins import kept
from cleanroom.query.plan import PersonStep, Release, Released, Scan, Stack
from cleanroom.query.plan_limits import MOST_RELEASED_USES, MOST_RELEASES, MOST_SCANS, require_few_scans
from cleanroom.query.refusal import Reasons, Refused
from cleanroom.query.relation_schema import schema_of, stepped
from cleanroom.query.release_rules import key_traits, require_releasable
from cleanroom.query.row_columns import distinct_rows, with_columns
from cleanroom.query.schema import Catalog
from cleanroom.query.scope import Scope
from cleanroom.query.select_items import Item, has_aggregate, select_items
from cleanroom.query.sources import CellSource, NamesScope, PersonSource, Source

_SELECT_PARTS = {
    "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct",
    "windows", "with_",
}  # fmt: skip


class SelectBinder:
    """Binds one query. `releases` collects what leaves through the gate; `reasons` all that is wrong."""

    def __init__(self, catalog: Catalog, reasons: Reasons) -> None:
        self.catalog = catalog
        self.reasons = reasons
        self.releases: list[Release] = []
        self._scans = 0
        self._names = 0
        self._uses = 0

    def fresh(self, letter: str = "x") -> str:
        """A new internal name."""
        self._names += 1
        return f"{letter}{self._names}"

    def bind(self, node: exp.Expr, environment: Environment) -> Source:
        """People's rows or released cells. Raises Refused."""
        while isinstance(node, exp.Paren | exp.Subquery):
            if any(value for part, value in node.args.items() if part not in {"this", "alias"}):
                raise Refused("construct", "a subquery has more than a SELECT inside", "write a plain SELECT")
            node = node.this
        environment = self._with(node, environment)
        if isinstance(node, exp.SetOperation):
            return self._union(node, environment)
        if isinstance(node, exp.Select):
            return self._select(node, environment)
        raise Refused("construct", f"{node.key[:30].upper()} is not available", "write SELECT or UNION ALL")

    def _with(self, node: exp.Expr, outer: Environment) -> Environment:
        clause = node.args.get("with_")
        if clause is None:
            return outer
        if clause.args.get("recursive"):
            raise Refused("recursion", "WITH RECURSIVE is not available", "use plain WITH")
        inner = Environment(dict(outer.tables), outer.released)
        for table in clause.expressions:
            name = table.alias.lower()
            columns = tuple(c.name.lower() for c in table.args["alias"].args.get("columns") or ())
            inner.tables[name] = (table.this, Environment(dict(inner.tables), {}), columns)
            inner.released.pop(name, None)
        return inner

    def _table(self, node: exp.Expr, environment: Environment) -> tuple[str, Source]:
        if isinstance(node, exp.Subquery):
            alias = node.args.get("alias")
            columns = (
                tuple(c.name.lower() for c in (alias.args.get("columns") or ()) if alias) if alias else ()
            )
            name = alias.name.lower() if alias is not None and alias.this is not None else self.fresh("s")
            if any(value for part, value in node.args.items() if part not in {"this", "alias"}):
                raise Refused("construct", "a subquery has more than a SELECT inside", "write a plain SELECT")
            return name, renamed(self.bind(node.this, environment), columns)
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise Refused(
                "unknown_table",
                "FROM names something that is no dataset of this collaboration",
                "table functions, files, VALUES and LATERAL are not available",
            )
        parts = {key for key, value in node.args.items() if value} - {"this", "alias"}
        if parts:
            raise Refused(
                "unknown_table", "a table has a path, a sample or a pivot", "name the dataset alone"
            )
        alias = node.args.get("alias")
        columns = tuple(c.name.lower() for c in (alias.args.get("columns") or ())) if alias else ()
        shown = node.alias.lower() or node.name.lower()
        return shown, renamed(self._named(node.name.lower(), environment), columns)

    def _named(self, name: str, environment: Environment) -> Source:
        if name in environment.tables:
            body, inner, columns = environment.tables[name]
            known = environment.released.get(name)
            if known is None:
                source = renamed(self.bind(body, inner), columns)
                if isinstance(source, PersonSource):
                    return source
                known = environment.released[name] = source
            self._uses += known.uses
            if self._uses > MOST_RELEASED_USES:
                raise Refused("too_large", "released tables are used too often", "use each fewer times")
            return fresh_cells(known, self.fresh)
        if name not in self.catalog:
            raise Refused(
                "unknown_table",
                "FROM names something that is no dataset of this collaboration",
                "the datasets are: " + (", ".join(sorted(self.catalog)) or "none"),
            )
        index, self._scans = self._scans, self._scans + 1
        if index >= MOST_SCANS * MOST_RELEASES:
            raise Refused("too_many_tables", "the query reads too many tables", "join fewer tables")
        own = {column: f"t{index}_{column}" for column in self.catalog[name].columns}
        scan = Scan(index=index, dataset=name, columns=tuple((v, k) for k, v in own.items()))
        return PersonSource(scan, schema_of(scan, self.catalog), own)

    def _select(self, select: exp.Select, environment: Environment) -> Source:
        self._require_known_parts(select)
        clause = FromClause(select, lambda node: self._table(node, environment), self.fresh)
        windows = {
            window.this.name.lower(): window for window in select.args.get("windows") or () if window.this
        }
        if isinstance(clause.source, CellSource):
            return bind_cells(select, clause, windows, self.fresh)
        source = self._where(clause, clause.source, environment)
        scope = NamesScope(clause.names, source.schema.fields, windows)
        items = select_items(select, clause.names)
        if has_aggregate(select, items):
            return self._grouped(select, source, scope, items)
        return self._rows(select, source, scope, items)

    def _require_known_parts(self, select: exp.Select) -> None:
        for part, value in select.args.items():
            if value and part not in _SELECT_PARTS:
                raise Refused(
                    "construct",
                    f"{part.strip('_')[:20].upper()} is not available",
                    "filter released numbers with HAVING or in an outer SELECT",
                )
        if select.args.get("from_") is None:
            raise Refused("no_from", "a SELECT reads no table", "name a dataset in FROM")
        distinct = select.args.get("distinct")
        if select.args.get("limit") is not None and not isinstance(select.args["limit"], exp.Limit):
            raise Refused("limit", "this LIMIT is not available", "use LIMIT n")
        if distinct is not None and distinct.args.get("on") is not None:
            raise Refused("construct", "DISTINCT ON is not available", "use ROW_NUMBER() per person")

    def _where(self, clause: FromClause, source: PersonSource, environment: Environment) -> PersonSource:
        """Each condition on its own, so that every one that is wrong is told."""
        for part in clause.rest:
            try:
                found = bind_membership(
                    part, clause.names, source, lambda n: self.bind(n, environment), self.fresh
                )
                if found is None:
                    scope = NamesScope(clause.names, source.schema.fields)
                    found = kept(source, scope.bind(part))
                source = found
            except Refused as error:
                self.reasons.add(error.reason)
        return source

    def _rows(
        self, select: exp.Select, source: PersonSource, scope: NamesScope, items: list[Item]
    ) -> PersonSource:
        """No aggregate: every row stays a row of its person."""
        if select.args.get("limit") is not None or select.args.get("offset") is not None:
            raise Refused(
                "limit_before_release", "LIMIT picks people's rows", "limit the released table instead"
            )
        bound = [(item.name, self._item(item, scope)) for item in items]
        rows = with_columns(source, bound, self.fresh)
        if select.args.get("distinct") is None:
            return rows
        return distinct_rows(rows, self.fresh)

    def _item(self, item: Item, scope: Scope) -> Expression:
        return item.bound if item.bound is not None else scope.bind(item.node)

    def _grouped(
        self, select: exp.Select, source: PersonSource, scope: NamesScope, items: list[Item]
    ) -> Source:
        grouping = read_grouping(select, scope, items)
        kinds = [scope.kind(key) for key in grouping.keys]
        if ValueType.IDENTITY in kinds:
            return self._step(select, source, scope, items, grouping)
        return self._release(select, source, scope, items, grouping)

    def _step(
        self,
        select: exp.Select,
        source: PersonSource,
        scope: NamesScope,
        items: list[Item],
        grouping: Grouping,
    ) -> PersonSource:
        """GROUP BY the person: an inner step."""
        if len(grouping.sets) != 1 or select.args.get("limit") is not None:
            raise Refused("construct", "an inner step has ROLLUP or LIMIT", "use them on released cells")
        inside = PersonAggregates(scope, grouping.keys, items, self.fresh)
        bound = self._bound_items(items, inside)
        having = select.args.get("having")
        condition = inside.bind(having.this) if having is not None else None
        node = PersonStep(source=source.relation, keys=inside.keys, aggregates=inside.aggregates)
        stepped_source = PersonSource(node, stepped(node, source.schema), {})
        if condition is not None:
            stepped_source = kept(stepped_source, condition)
        return with_columns(stepped_source, bound, self.fresh)

    def _release(
        self,
        select: exp.Select,
        source: PersonSource,
        scope: NamesScope,
        items: list[Item],
        grouping: Grouping,
    ) -> CellSource:
        """GROUP BY anything else: numbers leave through the gate, and the rest is made of them."""
        for key in grouping.keys:
            key_traits(key, source.schema)
        prefix = self.fresh("r") + "_"
        inside = ReleaseMeasures(scope, grouping.keys, items, prefix)
        bound = self._bound_items(items, inside)
        if not inside.measures:
            raise Refused(
                "no_aggregate",
                "dimensions are listed without a number",
                "select at least one COUNT, SUM or AVG beside them",
            )
        require_few_scans(source.relation)
        index = len(self.releases)
        if index >= MOST_RELEASES:
            raise Refused(
                "too_many_releases",
                f"the query releases more than {MOST_RELEASES} tables",
                "count several things in one SELECT, or ask several queries",
            )
        released = Released(release=index, prefix=prefix)
        # HAVING and ORDER BY may ask for further measures: they are released like any other.
        tail = bind_release_tail(select, released, bound, inside, self.fresh)
        release = Release(
            source=source.relation,
            keys=grouping.keys,
            grouping_sets=grouping.sets,
            measures=inside.measures,
        )
        require_releasable(release, source.schema)
        self.releases.append(release)
        return tail

    def _bound_items(self, items: list[Item], scope: Scope) -> list[tuple[str, Expression]]:
        bound = []
        failed: Refused | None = None
        for item in items:
            try:
                bound.append((item.name, self._item(item, scope)))
            except Refused as error:
                self.reasons.add(error.reason)
                failed = error
        if failed is not None:
            raise failed
        return bound

    def _union(self, node: exp.SetOperation, environment: Environment) -> Source:
        if any(node.args.get(part) for part in ("by_name", "side", "kind", "on")):
            raise Refused(
                "union", "this kind of UNION is not available", "list the columns in the same order"
            )
        left, right = self.bind(node.this, environment), self.bind(node.expression, environment)
        if isinstance(left, CellSource) and isinstance(right, CellSource):
            return stack_cells(node, left, right, self.fresh)
        if not (isinstance(left, PersonSource) and isinstance(right, PersonSource)):
            raise Refused(
                "layers_mixed",
                "a UNION mixes released cells with people's rows",
                "each part must be released by itself",
            )
        if not isinstance(node, exp.Union) or any(
            node.args.get(part) for part in ("distinct", "order", "limit", "offset")
        ):
            raise Refused(
                "union",
                "a UNION, EXCEPT or INTERSECT of people's rows, or one with ORDER BY or LIMIT",
                "write UNION ALL, and SELECT DISTINCT around it; use IN or NOT IN for differences",
            )
        if len(left.columns) != len(right.columns):
            raise Refused("union", "the parts of a UNION have different numbers of columns")
        pairs = zip(left.columns.items(), right.columns.values(), strict=True)
        columns = {name: (self.fresh(), (mine, other)) for (name, mine), other in pairs}
        stack = Stack(branches=(left.relation, right.relation), columns=tuple(columns.values()))
        schema = stacked(stack, [left.schema, right.schema])
        return PersonSource(stack, schema, {name: internal for name, (internal, _) in columns.items()})
