"""What is known of a column or expression of the person stage: its type, and where its value comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cleanroom.query.expressions import ValueType
from cleanroom.query.refusal import Refused

NUMERIC = frozenset({ValueType.INTEGER, ValueType.FRACTION, ValueType.NUMBER})
TIMES = frozenset({ValueType.TIME, ValueType.DAY})


@dataclass(frozen=True)
class Traits:
    """The type, and where the value comes from.

    scans: indices of the scans it depends on. columns: (dataset, column) pairs it is made of.
    measure: the one measure behind a MEASURE. comparable: its owner allows comparisons.
    positive: a whole number of at least 1, or NULL. filled: never NULL. literal: no column at all.
    plain: may be summed: a count, a 0/1 flag, days between two times, a share 1/count, or one of them for some
        rows and 0 for the others. Weights chosen by the analyst are not plain: the sum of
        CASE WHEN x THEN 1 ELSE 1000 END carries the size of the group x in its last digits.
        Of a time: no literal moved it, so that days between two such times are no weight of the analyst's.
    nonzero: no zero of the analyst's making: whoever has a value here is somebody the number is about.
    digits: bound on the digits of a number, so that no arithmetic overflows for some person.
    steps: bound on how often a time was shifted or a text put together, so that neither outgrows the engine.
    bare: a dataset's own column, unchanged: NULL wherever its scan is absent.
    """

    type: ValueType
    scans: frozenset[int] = frozenset()
    columns: frozenset[tuple[str, str]] = frozenset()
    measure: tuple[str, str] | None = None
    comparable: bool = False
    positive: bool = False
    filled: bool = False
    literal: bool = False
    plain: bool = False
    nonzero: bool = False
    digits: int = 10
    steps: int = 1
    bare: bool = False

    def derived(self, scans: frozenset[int], columns: frozenset[tuple[str, str]]) -> Traits:
        """The same kind of value, taken from other rows: perhaps none, so nothing is certain of it any more."""
        return replace(
            self, scans=scans, columns=columns, positive=False, filled=False, literal=False, bare=False
        )


def origin(parts: Iterable[Traits]) -> tuple[frozenset[int], frozenset[tuple[str, str]]]:
    """Scans and columns that any of the parts depends on."""
    scans: frozenset[int] = frozenset()
    columns: frozenset[tuple[str, str]] = frozenset()
    for part in parts:
        scans, columns = scans | part.scans, columns | part.columns
    return scans, columns


def family(kind: ValueType) -> ValueType:
    """Types that compare with each other are one family."""
    if kind in NUMERIC or kind is ValueType.MEASURE:
        return ValueType.NUMBER
    return ValueType.TIME if kind in TIMES else kind


def require_type(what: object, part: Traits, allowed: Iterable[ValueType]) -> None:
    """Raises Refused when a part has another type."""
    if part.type not in set(allowed):
        raise not_for(what, part)


def require_comparable(part: Traits) -> None:
    """Raises Refused for identities, and for measures that their owner does not allow to compare."""
    if part.type is ValueType.IDENTITY:
        raise Refused(
            "identity_compared",
            "the identity column is compared with something other than another identity column",
            "it may be joined, counted distinct, or grouped by in an inner step",
        )
    if part.type is ValueType.MEASURE and not part.comparable:
        raise Refused(
            "measure_compared",
            "a measure is compared or bucketed",
            "filter on dimensions, days or counts; the owner may declare the measure comparable",
        )


def require_summable(part: Traits) -> None:
    """Raises Refused unless the value may be added up: a measure, or a plain number."""
    if part.type is ValueType.MEASURE:
        return
    if part.type not in NUMERIC:
        raise not_for("a sum or an average", part)
    if not part.plain:
        raise Refused(
            "weighted_sum",
            "a sum or an average of numbers that the query makes up",
            "sum a measure, a count, 0/1 flags, days between two columns, or shares 1/count; compute with the "
            "released sums",
        )


def not_for(what: object, part: Traits) -> Refused:
    """The refusal of a function on a type."""
    return Refused(
        "wrong_type", f"{what} is not available for a {said(part)}", "use it on another kind of column"
    )


def said(part: Traits) -> str:
    """A type in an analyst's words."""
    names = {ValueType.TEXT: "dimension", ValueType.IDENTITY: "identity column", ValueType.INTEGER: "number"}
    return names.get(part.type, part.type.value)
