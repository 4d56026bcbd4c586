"""Names in a grouped SELECT: inside one person's rows, or released through the gate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping

from sqlglot import exp

from cleanroom.query.aggregate_reader import read_aggregate, read_measure
from cleanroom.query.aggregate_rules import aggregate_traits
from cleanroom.query.expression_binder import BindingScope
from cleanroom.query.expression_traits import traits_of
from cleanroom.query.expressions import (
    Aggregate,
    Column,
    Expression,
    Function,
    ValueType,
    call,
)
from cleanroom.query.plan import Measure, Named
from cleanroom.query.refusal import Refused
from cleanroom.query.released_values import released_kind
from cleanroom.query.scope import Scope, repeatable
from cleanroom.query.select_items import Item, aggregates_in
from cleanroom.query.traits import Traits
from cleanroom.release.release_terms import MeasureFunction


class GroupedScope(BindingScope):
    """Names in a grouped SELECT: keys and aggregates become columns, aliases of the SELECT may be used."""

    def __init__(self, source: Scope, keys: tuple[Expression, ...], items: list[Item]) -> None:
        self._source = source
        self._group = keys
        self._aliases = {item.name: item.node for item in items if item.bound is None}
        self._resolving: set[str] = set()

    @abstractmethod
    def key_column(self, index: int) -> Column:
        """The column that holds a key."""

    @abstractmethod
    def aggregate_column(self, node: exp.Expr) -> Expression:
        """The column that holds an aggregate, which is registered if it is new."""

    def instead(self, node: exp.Expr) -> Expression | None:
        if isinstance(node, exp.AggFunc | exp.Filter | exp.IgnoreNulls):
            return self.aggregate_column(node)
        if isinstance(node, exp.Literal | exp.Boolean | exp.Null | exp.Window) or any(aggregates_in(node)):
            return None
        try:
            bound = self._source.bind(node)
        except Refused:
            return None
        return self.key_column(self._group.index(bound)) if bound in self._group else None

    def column(self, name: str, table: str) -> Expression:
        node = self._aliases.get(name) if not table else None
        if node is None or name in self._resolving:
            self._source.column(name, table)  # says so when there is no such column at all
            raise Refused(
                "not_grouped",
                "a column stands beside aggregates without being grouped by",
                "add it to GROUP BY, or aggregate it",
            )
        self._resolving.add(name)
        try:
            return repeatable(self.bind(node))
        finally:
            self._resolving.discard(name)

    def window(self, name: str) -> exp.Window | None:
        return self._source.window(name)


class PersonAggregates(GroupedScope):
    """An inner step: one row per person and keys."""

    def __init__(
        self, source: Scope, keys: tuple[Expression, ...], items: list[Item], fresh: Callable[[], str]
    ) -> None:
        super().__init__(source, keys, items)
        self._fresh = fresh
        self.keys = tuple(Named(name=fresh(), expression=key) for key in keys)
        self._aggregates: dict[Aggregate, str] = {}

    @property
    def aggregates(self) -> tuple[Named, ...]:
        """All aggregates that were asked for."""
        return tuple(Named(name=name, expression=item) for item, name in self._aggregates.items())

    @property
    def fields(self) -> Mapping[str, Traits]:
        source = self._source.fields
        keys = {key.name: traits_of(key.expression, source) for key in self.keys}
        return keys | {name: aggregate_traits(item, source) for item, name in self._aggregates.items()}

    def key_column(self, index: int) -> Column:
        return Column(name=self.keys[index].name)

    def aggregate_column(self, node: exp.Expr) -> Expression:
        aggregate = read_aggregate(node, self._source)
        aggregate_traits(aggregate, self._source.fields)
        if aggregate not in self._aggregates:
            self._aggregates[aggregate] = self._fresh()
        return Column(name=self._aggregates[aggregate])


class ReleaseMeasures(GroupedScope):
    """A release: what is bound in this scope is post-processing over its keys and measures."""

    after_release = True

    def __init__(self, source: Scope, keys: tuple[Expression, ...], items: list[Item], prefix: str) -> None:
        super().__init__(source, keys, items)
        self._prefix = prefix
        self._measures: dict[Measure, int] = {}

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All measures that were asked for."""
        return tuple(self._measures)

    @property
    def fields(self) -> Mapping[str, Traits]:
        kinds = [self._source.kind(key) or ValueType.TEXT for key in self._group]
        keys = {f"{self._prefix}k{index}": Traits(kind) for index, kind in enumerate(kinds)}
        whole = {MeasureFunction.SUM, MeasureFunction.AVG}
        return keys | {
            f"{self._prefix}m{index}": Traits(
                ValueType.NUMBER if measure.function in whole else ValueType.INTEGER
            )
            for measure, index in self._measures.items()
        }

    def kind(self, expression: Expression) -> ValueType | None:
        return released_kind(expression, self.fields)

    def key_column(self, index: int) -> Column:
        return Column(name=f"{self._prefix}k{index}")

    def aggregate_column(self, node: exp.Expr) -> Expression:
        measure = read_measure(node, self._source)
        if measure.function is not MeasureFunction.AVG or self._nonzero(measure):
            return self._measure_column(measure)
        # Zeros that the query makes up do not contribute to a sum; so the average is made after release.
        total = measure.model_copy(update={"function": MeasureFunction.SUM})
        count = measure.model_copy(update={"function": MeasureFunction.COUNT_ROWS})
        return call(Function.DIVIDE, self._measure_column(total), self._measure_column(count))

    def _nonzero(self, measure: Measure) -> bool:
        return measure.argument is not None and traits_of(measure.argument, self._source.fields).nonzero

    def _measure_column(self, measure: Measure) -> Column:
        index = self._measures.setdefault(measure, len(self._measures))
        return Column(name=f"{self._prefix}m{index}")
