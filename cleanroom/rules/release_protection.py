"""How a release is protected: keys and measures of the plan as the release stage's terms, strictest rule first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cleanroom.query.expressions import Expression, ValueType, Window
from cleanroom.query.plan import Compute, Filter, Join, Measure, PersonStep, Relation, Release, Scan
from cleanroom.query.release_rules import key_traits, measure_parts, require_releasable
from cleanroom.query.schema import Catalog, Schema
from cleanroom.query.traits import Traits, origin
from cleanroom.release.release_terms import (
    ROWS_COUNTED,
    KeyTerms,
    MeasureFunction,
    MeasureTerms,
    ReleaseTerms,
)
from cleanroom.rules.analysis_rule import Mode, Rule

SHARE_DECIMALS = 6
# Numbers of rows, of references and sums of whole numbers may be subtracted from each other: one unit for all.
# The release stage adds the step to the unit of a sum; a count's step is 1.
ROWS = "rows"
MOST_ROWS, MOST_SHARES = 1e9, 1e6  # bounds that only an overflow would reach


@dataclass(frozen=True)
class Protection:
    """What holds for one release: all involved rules, and its part of the price."""

    catalog: Catalog
    rules: Sequence[Rule]
    mode: Mode
    epsilon: float
    delta: float

    @property
    def max_rows(self) -> int:
        """Rows per person and cell in dp mode."""
        return min(rule.dp_terms.max_rows_per_person for rule in self.rules)

    @property
    def max_groups(self) -> int:
        """Cells per person in dp mode."""
        return min(rule.dp_terms.max_groups_per_person for rule in self.rules)


def release_terms(release: Release, schema: Schema, protection: Protection) -> ReleaseTerms:
    """The terms of a release. Raises Refused for keys and measures that the gate cannot take."""
    require_releasable(release, schema)
    return ReleaseTerms(
        mode=protection.mode,
        min_group_size=max(rule.min_group_size for rule in protection.rules),
        largest_share=min(rule.largest_share for rule in protection.rules),
        keys=tuple(_key(key, schema, protection) for key in release.keys),
        grouping_sets=release.grouping_sets,
        measures=tuple(_measure(measure, release.source, schema, protection) for measure in release.measures),
        epsilon=protection.epsilon,
        delta=protection.delta,
        max_groups=protection.max_groups,
        max_rows=protection.max_rows,
        optional_tables=tuple(sorted({schema.scans[scan] for scan in schema.optional})),
    )


def _key(key: Expression, schema: Schema, protection: Protection) -> KeyTerms:
    found = key_traits(key, schema)
    values: tuple[str, ...] = ()
    if protection.mode is Mode.DP and found.bare and found.type is ValueType.TEXT:
        ((dataset, column),) = found.columns
        values = protection.catalog[dataset].columns[column].values
    return KeyTerms(values, tuple(sorted(found.scans & schema.optional)), computed=not found.bare)


def _measure(measure: Measure, source: Relation, schema: Schema, protection: Protection) -> MeasureTerms:
    parts = measure_parts(measure, source, schema)
    argument = parts.argument
    scans = origin([part for part in (argument, parts.where) if part is not None])[0] | schema.tainted
    if measure.function is not MeasureFunction.COUNT_PEOPLE:
        scans |= schema.multiplying
    presence = tuple(sorted(scans & schema.optional))
    match measure.function:
        case MeasureFunction.COUNT_PEOPLE:
            own = argument is not None and argument.bare and not argument.scans & schema.optional
            return MeasureTerms(measure.function, "people", presence, everybody=own and parts.where is None)
        case MeasureFunction.COUNT_ROWS | MeasureFunction.COUNT_REFERENCES:
            shaped = _shapes_rows(source)
            return MeasureTerms(measure.function, ROWS_COUNTED, presence, beside_people=shaped)
    assert argument is not None
    terms = _summed(measure.function, argument, presence, protection)
    return replace(terms, beside_people=_shapes_rows(source))


def _summed(
    function: MeasureFunction, argument: Traits, presence: tuple[int, ...], protection: Protection
) -> MeasureTerms:
    noisy = protection.mode is Mode.DP
    if argument.measure is not None:
        dataset, name = argument.measure
        column = protection.catalog[dataset].columns[name]
        limit = column.dp_bound if noisy else column.max_per_person
        return MeasureTerms(function, f"sum of {dataset}.{name}", presence, limit, column.decimals)
    if argument.type is ValueType.INTEGER:
        return MeasureTerms(function, ROWS, presence, float(protection.max_rows) if noisy else MOST_ROWS, 0)
    bound = float(protection.max_rows) if noisy else MOST_SHARES
    return MeasureTerms(function, "shares", presence, bound, SHARE_DECIMALS)


def _shapes_rows(relation: Relation) -> bool:
    """Whether a step, a window or a union may have left nearly everybody with one row, or with the same number."""
    match relation:
        case Scan():
            return False
        case Join(left=left, right=right):
            return any(_shapes_rows(side) for side in (left, right) if not _is_membership(side))
        case Compute(columns=columns) if any(isinstance(item.expression, Window) for item in columns):
            return True
        case Filter(source=source) | Compute(source=source):
            return _shapes_rows(source)
    return True


def _is_membership(relation: Relation) -> bool:
    """The people of an IN or EXISTS: they keep or drop a person's rows, and change nothing about them."""
    return isinstance(relation, PersonStep) and len(relation.keys) == 1 and not relation.aggregates
