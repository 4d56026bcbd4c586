"""What owners allow in a release: joins, dimensions, comparisons, functions, aggregates and measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from cleanroom.errors import Reason
from cleanroom.query.expression_traits import row_traits, traits_of
from cleanroom.query.expressions import (
    COMPARISONS,
    Aggregate,
    AggregateName,
    Call,
    Expression,
    Function,
    Node,
)
from cleanroom.query.plan import Compute, Filter, Join, Measure, PersonStep, Relation, Release, Scan, Stack
from cleanroom.query.refusal import Reasons
from cleanroom.query.relation_schema import schema_of
from cleanroom.query.schema import Catalog, Schema
from cleanroom.query.traits import Traits
from cleanroom.release.release_terms import MeasureFunction
from cleanroom.rules.analysis_rule import ANY, AggregateFunction, Role

_ALWAYS = {*COMPARISONS, Function.AND, Function.OR, Function.NOT, Function.IN, Function.IS_NULL}
# Functions that tell how a value stands to another.
_COMPARING = {*COMPARISONS, Function.IN, Function.LIKE, Function.NULLIF, Function.LEAST, Function.GREATEST}
_RELEASED = {
    MeasureFunction.COUNT_PEOPLE: AggregateFunction.COUNT_DISTINCT,
    MeasureFunction.COUNT_REFERENCES: AggregateFunction.COUNT_DISTINCT,
    MeasureFunction.COUNT_ROWS: AggregateFunction.COUNT,
    MeasureFunction.SUM: AggregateFunction.SUM,
    MeasureFunction.AVG: AggregateFunction.AVG,
}
_INSIDE = {
    AggregateName.COUNT: AggregateFunction.COUNT,
    AggregateName.COUNT_ROWS: AggregateFunction.COUNT,
    AggregateName.COUNT_DISTINCT: AggregateFunction.COUNT_DISTINCT,
    AggregateName.SUM: AggregateFunction.SUM,
    AggregateName.AVG: AggregateFunction.AVG,
}


def check_release(release: Release, schema: Schema, catalog: Catalog, reasons: Reasons) -> None:
    """Add every reason against a release. Raises Refused where it cannot even be typed."""
    names = sorted(set(schema.scans.values()))
    _check_joins(names, schema, catalog, reasons)
    for key in release.keys:
        _check_columns(row_traits(key, schema.fields), "dimensions", catalog, reasons)
    for measure in release.measures:
        _check_measure(measure, schema, names, catalog, reasons)
    _check_expressions([*release.keys, *release.measures], schema.fields, catalog, reasons)
    _check_relation(release.source, catalog, reasons)
    for function in sorted({part.function for part in _calls(release)} - _ALWAYS):
        _check_listed(
            names, function.value, "scalar_functions", ("function", str(function)), catalog, reasons
        )
    for inside in sorted({_INSIDE[a.function] for a in _aggregates(release) if a.function in _INSIDE}):
        _check_listed(names, inside, "aggregate_functions", ("aggregate", str(inside)), catalog, reasons)


def _check_joins(names: Sequence[str], schema: Schema, catalog: Catalog, reasons: Reasons) -> None:
    for one, other in combinations(names, 2):
        for mine, theirs in ((one, other), (other, one)):
            allowed = catalog[mine].rule.joins
            if ANY not in allowed and theirs not in allowed:
                message = f"{mine} may not be joined with {theirs}"
                reasons.add(Reason("join", message, f"its owner allows: {_listed(allowed)}"))
    for name in names:
        # A table that may be absent from a row, or a copy of the same, does not narrow anything down.
        others = {index for index, dataset in schema.scans.items() if dataset != name} - schema.optional
        if catalog[name].rule.join_required and not others:
            reasons.add(
                Reason("join_required", f"{name} may only be asked joined", "join another dataset, with JOIN")
            )


def _check_relation(relation: Relation, catalog: Catalog, reasons: Reasons) -> None:
    """Comparisons in every step, each against the columns it sees."""
    match relation:
        case Scan():
            return
        case Stack(branches=branches):
            for branch in branches:
                _check_relation(branch, catalog, reasons)
            return
        case Join(left=left, right=right, conditions=conditions):
            fields = schema_of(relation, catalog).fields
            _check_expressions(conditions, fields, catalog, reasons)
            _check_relation(left, catalog, reasons)
            _check_relation(right, catalog, reasons)
            return
        case Filter(condition=condition):
            inside: Iterable[Node] = (condition,)
        case Compute(columns=columns):
            inside = columns
        case PersonStep(keys=keys, aggregates=aggregates):
            inside = (*keys, *aggregates)
        case _:
            raise AssertionError(relation)
    _check_expressions(inside, schema_of(relation.source, catalog).fields, catalog, reasons)
    _check_relation(relation.source, catalog, reasons)


def _check_expressions(
    nodes: Iterable[Node], fields: Mapping[str, Traits], catalog: Catalog, reasons: Reasons
) -> None:
    """Columns that are compared with a literal, however they were computed from the dataset's own."""
    for node in nodes:
        for part in _calls(node):
            if part.function in _COMPARING:
                _check_compared(part.arguments, fields, catalog, reasons)


def _check_compared(
    arguments: Sequence[Expression], fields: Mapping[str, Traits], catalog: Catalog, reasons: Reasons
) -> None:
    parts = [traits_of(argument, fields) for argument in arguments]
    if all(part.columns and not part.literal for part in parts):
        return  # one column with another: no literal tells a value apart
    for part in parts:
        _check_columns(part, "comparisons", catalog, reasons)


def _check_measure(
    measure: Measure, schema: Schema, names: Sequence[str], catalog: Catalog, reasons: Reasons
) -> None:
    function = _RELEASED[measure.function]
    _check_listed(names, function, "aggregate_functions", ("aggregate", str(function)), catalog, reasons)
    source = row_traits(measure.argument, schema.fields).measure if measure.argument is not None else None
    if source is not None:
        allowed = catalog[source[0]].rule.measures
        if ANY not in allowed and source[1] not in allowed:
            message = f"{source[0]}.{source[1]} may not be released"
            reasons.add(Reason("measure", message, f"allowed: {_listed(allowed)}"))


def _check_columns(found: Traits, listing: str, catalog: Catalog, reasons: Reasons) -> None:
    roles = (
        {Role.DIMENSION, Role.TIME} if listing == "dimensions" else {Role.DIMENSION, Role.TIME, Role.MEASURE}
    )
    for dataset, column in sorted(found.columns):
        allowed = getattr(catalog[dataset].rule, listing)
        if catalog[dataset].columns[column].role in roles and ANY not in allowed and column not in allowed:
            message = f"{dataset}.{column} is not among the {listing} that its owner allows"
            reasons.add(Reason(listing.removesuffix("s"), message, f"allowed: {_listed(allowed)}"))


def _check_listed(
    names: Sequence[str], value: str, listing: str, told: tuple[str, str], catalog: Catalog, reasons: Reasons
) -> None:
    code, shown = told
    for name in names:
        allowed = getattr(catalog[name].rule, listing)
        if ANY not in allowed and value not in allowed:
            reasons.add(Reason(code, f"{name} does not allow {shown}", f"it allows: {_listed(allowed)}"))


def _calls(node: object) -> Iterator[Call]:
    return (part for part in _parts(node) if isinstance(part, Call))


def _aggregates(node: object) -> Iterator[Aggregate]:
    return (part for part in _parts(node) if isinstance(part, Aggregate))


def _parts(node: object) -> Iterator[Node]:
    if isinstance(node, Node):
        yield node
        for name in type(node).model_fields:
            yield from _parts(getattr(node, name))
    elif isinstance(node, tuple):
        for item in node:
            yield from _parts(item)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(str(name) for name in names) or "nothing"
