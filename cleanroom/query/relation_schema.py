"""The schema of every relation of the person stage; the rules of the plan's language are enforced here."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.query.absence import may_keep_absent
from cleanroom.query.aggregate_rules import aggregate_traits
from cleanroom.query.combined_schema import joined, present_scans, stacked
from cleanroom.query.expression_traits import require_condition, row_traits, traits_of
from cleanroom.query.expressions import Aggregate, ValueType, Window, has_window
from cleanroom.query.plan import Compute, Filter, Join, PersonStep, Relation, Scan, Stack
from cleanroom.query.refusal import Refused
from cleanroom.query.schema import Catalog as Catalog
from cleanroom.query.schema import Schema, require_names, scanned


def schema_of(relation: Relation, catalog: Catalog) -> Schema:
    """The schema of a relation. Raises Refused where the relation breaks a rule of the plan's language."""
    match relation:
        case Scan():
            return scanned(relation, catalog)
        case Join():
            return joined(relation, schema_of(relation.left, catalog), schema_of(relation.right, catalog))
        case Filter():
            return filtered(relation, schema_of(relation.source, catalog))
        case Compute():
            return computed(relation, schema_of(relation.source, catalog))
        case PersonStep():
            return stepped(relation, schema_of(relation.source, catalog))
        case Stack():
            return stacked(relation, [schema_of(branch, catalog) for branch in relation.branches])


def filtered(node: Filter, source: Schema) -> Schema:
    """The same columns. A filter that only the present pass makes a scan present again."""
    condition = require_condition(node.condition, source.fields)
    if not node.keeps_absent:
        if may_keep_absent(node.condition, source.fields, source.optional):
            raise Refused("plan", "a filter keeps people for being absent and does not say so")
        return replace(source, optional=source.optional - present_scans(node.condition, source))
    doubtful = condition.scans & source.optional
    return replace(source, tainted=source.tainted | doubtful, shadows=True)


def computed(node: Compute, source: Schema) -> Schema:
    """The source's columns and the computed ones."""
    require_names([*source.fields, *(column.name for column in node.columns)])
    fields = dict(source.fields)
    for column in node.columns:
        if not isinstance(column.expression, Window) and has_window(column.expression):
            raise Refused(
                "window_inside",
                "a window function stands inside a condition or an aggregate",
                "compute it in a SELECT of its own and use its column",
            )
        found = traits_of(column.expression, source.fields)
        if isinstance(column.expression, Window):
            # How many rows there are depends on scans of which no column may be left.
            found = replace(found, scans=found.scans | frozenset(source.scans))
        fields[column.name] = found
    return replace(source, fields=fields)


def stepped(node: PersonStep, source: Schema) -> Schema:
    """Keys and aggregates, one row per person and keys."""
    require_names([*(key.name for key in node.keys), *(item.name for item in node.aggregates)])
    fields = {}
    for key in node.keys:
        fields[key.name] = row_traits(key.expression, source.fields)
        if fields[key.name].type is ValueType.MEASURE and not fields[key.name].comparable and node.aggregates:
            raise Refused(
                "measure_grouped",
                "an inner step groups by a measure",
                "group by dimensions, days or references; sum the measure",
            )
    for item in node.aggregates:
        if not isinstance(item.expression, Aggregate):
            raise Refused("plan", "a step aggregates with something that is no aggregate")
        fields[item.name] = aggregate_traits(item.expression, source.fields, frozenset(source.scans))
    # Only a dataset's own identity is the same in all of a person's rows; a computed one may be NULL in some.
    keys = [fields[key.name] for key in node.keys]
    single = all(
        key.type is ValueType.IDENTITY and key.bare and not key.scans & source.optional for key in keys
    )
    by_key = frozenset[int]().union(*(key.scans for key in keys))
    multiplying = frozenset[int]() if single else source.multiplying & by_key
    return replace(source, fields=fields, single=single, multiplying=multiplying)
