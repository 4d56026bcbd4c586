"""What may stand in a release: keys that may leave, and measures that are sums over people."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.query.expression_traits import require_condition, row_traits
from cleanroom.query.expressions import Expression, ValueType
from cleanroom.query.plan import Join, Measure, Relation, Release, Scan, Stack, scans_of
from cleanroom.query.refusal import Refused
from cleanroom.query.schema import Schema
from cleanroom.query.traits import Traits, require_summable
from cleanroom.release.release_terms import MeasureFunction

_KEYS = {ValueType.TEXT, ValueType.DAY, ValueType.INTEGER, ValueType.BOOLEAN}
_FIXES = {
    ValueType.TIME: "group by date_trunc('day', ...), a week or a month",
    ValueType.MEASURE: "a measure may only be summed or averaged",
    ValueType.REFERENCE: "a reference may only be counted",
    ValueType.IDENTITY: "group by the identity in an inner step, and release numbers of its rows",
}


@dataclass(frozen=True)
class MeasureParts:
    """What is known of a measure's argument and condition; None where it has none."""

    argument: Traits | None
    where: Traits | None


def require_releasable(release: Release, schema: Schema) -> None:
    """Raises Refused for a release that the gate cannot take, whatever the owners' rules."""
    for key in release.keys:
        key_traits(key, schema)
    for chosen in release.grouping_sets:
        if any(not 0 <= index < len(release.keys) for index in chosen) or len(set(chosen)) != len(chosen):
            raise Refused("plan", "a grouping set names a key that is not there")
    if not release.measures or not release.grouping_sets:
        raise Refused("plan", "a release has no measure or no grouping set")
    if len(set(release.grouping_sets)) != len(release.grouping_sets):
        raise Refused("plan", "a grouping set occurs twice")
    for measure in release.measures:
        measure_parts(measure, release.source, schema)


def key_traits(key: Expression, schema: Schema) -> Traits:
    """A key that may leave. Raises Refused for any other."""
    found = row_traits(key, schema.fields)
    if found.literal or found.type not in _KEYS:
        raise Refused(
            "group_key",
            f"the result is grouped by a {'literal' if found.literal else found.type.value}",
            _FIXES.get(found.type, "group by dimensions, days, or whole numbers"),
        )
    return found


def measure_parts(measure: Measure, source: Relation, schema: Schema) -> MeasureParts:
    """A measure that is a sum over people. Raises Refused for any other."""
    argument = row_traits(measure.argument, schema.fields) if measure.argument is not None else None
    where = require_condition(measure.where, schema.fields) if measure.where is not None else None
    match measure.function:
        case MeasureFunction.COUNT_PEOPLE:
            _require_kind(argument, ValueType.IDENTITY)
        case MeasureFunction.COUNT_REFERENCES:
            _require_kind(argument, ValueType.REFERENCE)
        case MeasureFunction.SUM | MeasureFunction.AVG:
            _require_added(measure.function, argument)
    if measure.function is not MeasureFunction.COUNT_PEOPLE:
        _require_no_copies(source)
    return MeasureParts(argument, where)


def _require_kind(found: Traits | None, kind: ValueType) -> None:
    if found is None or found.type is not kind:
        raise Refused("plan", "a release counts something that is neither people nor references")


def _require_added(function: MeasureFunction, argument: Traits | None) -> None:
    if argument is None:
        raise Refused("plan", "a sum or an average has no argument")
    require_summable(argument)
    if function is MeasureFunction.AVG and not argument.nonzero:
        # Who adds a zero of the query's making must not count as one of the people behind the average.
        raise Refused(
            "average", "an average takes in zeros that the query makes up", "divide a sum by a count"
        )


def _require_no_copies(relation: Relation) -> None:
    """Rows that a query copies are weights of its making: twice everybody minus everybody but one is that one."""
    match relation:
        case Scan():
            return
        case Join(left=left, right=right):
            _require_no_copies(left)
            _require_no_copies(right)
        case Stack(branches=branches):
            read = [{scan.dataset for scan in scans_of(branch)} for branch in branches]
            if sum(map(len, read)) > len(frozenset[str]().union(*read)):
                raise Refused(
                    "copied_rows",
                    "parts of a UNION read the same dataset, and their rows are counted or summed",
                    "count distinct people, or release each part and add up the released numbers",
                )
            for branch in branches:
                _require_no_copies(branch)
        case _:
            _require_no_copies(relation.source)
