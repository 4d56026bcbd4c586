"""Joins, filters and memberships of people's rows: plan nodes together with what is known of them."""

from __future__ import annotations

from collections.abc import Callable

from cleanroom.query.absence import may_keep_absent
from cleanroom.query.combined_schema import joined
from cleanroom.query.expressions import Column, Expression, Function, ValueType, Window, WindowName, call
from cleanroom.query.plan import Compute, Filter, Join, JoinKind, Named, PersonStep
from cleanroom.query.refusal import Refused
from cleanroom.query.relation_schema import computed, filtered, stepped
from cleanroom.query.sources import CellSource, PersonSource, Source

Fresh = Callable[[], str]


def joined_people(
    kind: JoinKind,
    left: PersonSource,
    right: PersonSource,
    conditions: tuple[Expression, ...],
    required: tuple[str, ...],
) -> PersonSource:
    """The join; conditions of an inner join become filters, which say whom they keep for being absent."""
    inner = kind is JoinKind.INNER
    node = Join(
        kind=kind,
        left=left.relation,
        right=right.relation,
        conditions=() if inner else conditions,
        required=required,
    )
    source = PersonSource(node, joined(node, left.schema, right.schema), {**left.columns, **right.columns})
    for condition in conditions if inner else ():
        source = kept(source, condition)
    return source


def kept(source: PersonSource, condition: Expression) -> PersonSource:
    """The rows for which a condition is true. Raises Refused when it is none."""
    schema = source.schema
    absent = may_keep_absent(condition, schema.fields, schema.optional)
    node = Filter(source=source.relation, condition=condition, keeps_absent=absent)
    return PersonSource(node, filtered(node, schema), source.columns)


def members(found: Source, fresh: Fresh) -> PersonSource:
    """One row per person of a subquery that selects its identity column. Raises Refused for any other."""
    if isinstance(found, CellSource):
        raise Refused(
            "layers_mixed", "a subquery of people releases cells", "select the identity column alone"
        )
    names = list(found.columns.values())
    if len(names) != 1 or found.schema.fields[names[0]].type is not ValueType.IDENTITY:
        raise Refused(
            "membership",
            "a subquery selects more than its identity column",
            "select the identity column alone",
        )
    return members_by(found, names[0], fresh)


def members_by(found: PersonSource, identity: str, fresh: Fresh) -> PersonSource:
    """One row per person of some rows, by one of their identity columns."""
    key = Named(name=fresh(), expression=Column(name=identity))
    # People whose identity is missing (the absent side of an outer join) are members of nothing.
    present = kept(found, call(Function.NOT, call(Function.IS_NULL, Column(name=identity))))
    step = PersonStep(source=present.relation, keys=(key,))
    return PersonSource(step, stepped(step, present.schema), {"member": key.name})


def with_members(source: PersonSource, identity: str, people: PersonSource, *, negated: bool) -> PersonSource:
    """The rows whose person is, or is not, among the members."""
    (member,) = people.columns.values()
    kind = JoinKind.LEFT if negated else JoinKind.INNER
    whole = joined_people(kind, source, people, (), required_keys(source, identity))
    whole = PersonSource(whole.relation, whole.schema, source.columns)
    return kept(whole, call(Function.IS_NULL, Column(name=member))) if negated else whole


def with_matches(
    source: PersonSource,
    identity: str,
    inner: PersonSource,
    conditions: Callable[[PersonSource], tuple[Expression, ...]],
    fresh: Fresh,
) -> PersonSource:
    """The rows for which the same person has a row in `inner` that meets the conditions, each row once."""
    number = Named(
        name=fresh(),
        expression=Window(function=WindowName.ROW_NUMBER, partition=(Column(name=identity),)),
    )
    node = Compute(source=source.relation, columns=(number,))
    numbered = PersonSource(node, computed(node, source.schema), source.columns)
    both = joined_people(JoinKind.INNER, numbered, inner, (), required_keys(source, identity))
    for condition in conditions(both):
        both = kept(both, condition)
    keys = tuple(Named(name=name, expression=Column(name=name)) for name in numbered.schema.fields)
    step = PersonStep(source=both.relation, keys=keys)
    return PersonSource(step, stepped(step, both.schema), source.columns)


def required_keys(source: PersonSource, identity: str) -> tuple[str, ...]:
    """The identity, if an outer join may have left it open."""
    schema = source.schema
    return (identity,) if schema.fields[identity].scans & schema.optional else ()
