"""What the release stage must know of a plan and of the rules: plain values, no SQL, no policy logic.

The contributions it works on are a table with one row per (grouping set, cell, person, shadow):

    g         INTEGER   index into `ReleaseTerms.grouping_sets`
    k0, k1..  the cell: one column per key, NULL where the grouping set rolls the key up
    person    UUID      never NULL
    shadow    BOOLEAN   true: the person's rows fail a filter that keeps the absent ("never exposed"); such a row
                        contributes to nothing and only shows that somebody stands on the other side
    m0, m1..  the person's contribution to each measure, NULL when there is none: 1 (COUNT_PEOPLE), a number of rows
              or references (BIGINT), or a sum (DOUBLE)
    n0, n1..  only for AVG: the number of values behind the sum m (BIGINT)
    p<i>      BOOLEAN, for every optional scan i named by a key or measure: one of the person's rows in the
              cell comes from that table (an outer join leaves it false where the person is absent there)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cleanroom.rules.analysis_rule import Mode

WHOLE_NUMBERS = "rows"  # the unit of sums of whole numbers; with its step it is that of counts
ROWS_COUNTED = "rows in 10^0"
SHARES = "shares"  # the unit of sums of 1 / count


class MeasureFunction(StrEnum):
    """What is released per cell."""

    COUNT_PEOPLE = "count_people"
    COUNT_ROWS = "count_rows"
    COUNT_REFERENCES = "count_references"
    SUM = "sum"
    AVG = "avg"


@dataclass(frozen=True)
class KeyTerms:
    """One key of a release. `presence`: optional scans on which its value depends.

    public_values: in dp mode, every value the key may take when they are public; empty when they are not.
    computed: whether it is made by the query (a frequency, a number of days) and no column of a table.
    """

    public_values: tuple[str, ...] = ()
    presence: tuple[int, ...] = ()
    computed: bool = False


@dataclass(frozen=True)
class MeasureTerms:
    """One measure of a release.

    unit: what is added up ("people", "rows of crm+exposures", "sum of conversions.value"); only numbers of the
        same unit can be subtracted from each other.
    presence: optional scans whose people are behind the number: at least k of each must be present.
    bound: a person's sum in one cell is clipped to [-bound, bound]; None for counts.
    decimals: digits after the point; dp releases are whole multiples of 10^-decimals.
    beside_people: the query itself may have seen to it that nearly everybody adds the same (a first row each, a count
        per person): then the number is audited with numbers of people too, from which it would differ by a few.
    everybody: a COUNT_PEOPLE that no condition of its own narrows: in dp mode the count that shows a cell's keys is it.
    """

    function: MeasureFunction
    unit: str
    presence: tuple[int, ...] = ()
    bound: float | None = None
    decimals: int = 0
    everybody: bool = False
    beside_people: bool = False


@dataclass(frozen=True)
class ReleaseTerms:
    """How one release node is protected, the strictest of all involved owners' rules.

    max_groups, max_rows: in dp mode, cells per person in each grouping set, and rows per person and cell.
    epsilon, delta: what this release node may spend in dp mode; unit: one person, add or remove.
    optional_tables: datasets that some of the people need not be in, by an outer join or a UNION.
    """

    mode: Mode
    min_group_size: int
    largest_share: float
    keys: tuple[KeyTerms, ...]
    grouping_sets: tuple[tuple[int, ...], ...]
    measures: tuple[MeasureTerms, ...]
    epsilon: float = 0.0
    delta: float = 0.0
    max_groups: int = 1
    max_rows: int = 1
    optional_tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One released cell: its grouping set, key values (None where rolled up) and measures (None: withheld)."""

    grouping_set: int
    keys: tuple[object, ...]
    values: tuple[float | int | None, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What was withheld, one rule name per number. Never part of a release; only an owner's own replay reads it.

    thin_buckets: whether buckets of computed keys were left out because too few people are in them. The tail of a
        distribution always thins out, so by itself this is no sign that a question asked too much.
    """

    withheld: tuple[str, ...] = ()
    thin_buckets: bool = False
