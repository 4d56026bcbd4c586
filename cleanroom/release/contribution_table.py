"""The contributions of one release as a table of this connection: clipped, with each person's two hidden buckets.

All SQL of the release stage names columns only; no value of an analyst or of a table ever stands in its text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from cleanroom.release.history import History
from cleanroom.release.release_terms import WHOLE_NUMBERS, MeasureFunction, MeasureTerms, ReleaseTerms

TABLE = "room_contributions"
CELLS = "room_cells"
_SUMMED = (MeasureFunction.SUM, MeasureFunction.AVG)
LARGEST_STEPS = 10**12  # per person and cell: a million of them in one bucket still fit 64 bits
FINEST_DECIMALS = 6


@dataclass(frozen=True)
class ContributionTable:
    """A filled table `TABLE` with columns g, k*, person, shadow, m* (clipped), n*, p*, b0, b1."""

    connection: duckdb.DuckDBPyConnection
    terms: ReleaseTerms

    @property
    def key_columns(self) -> list[str]:
        """Names of the key columns."""
        return [f"k{index}" for index in range(len(self.terms.keys))]

    def same_cell(self, left: str, right: str) -> str:
        """SQL: two table aliases are in the same cell; NULL keys are keys like others."""
        same = [f"{left}.{key} IS NOT DISTINCT FROM {right}.{key}" for key in self.key_columns]
        return " AND ".join([f"{left}.g = {right}.g", *same])


@contextmanager
def contribution_table(
    connection: duckdb.DuckDBPyConnection, contributions_sql: str, terms: ReleaseTerms, history: History
) -> Iterator[ContributionTable]:
    """Run the plan's SQL once, into a temporary table that is gone afterwards."""
    buckets = ", ".join(f"{sql} AS b{half}" for half, sql in enumerate(bucket_sql(history)))
    _drop(connection)
    try:
        clipped = clipped_sql(contributions_sql, terms)
        connection.execute(f"CREATE TEMP TABLE {TABLE} AS SELECT *, {buckets} FROM ({clipped})")
        yield ContributionTable(connection, terms)
    finally:
        _drop(connection)


def clipped_sql(contributions_sql: str, terms: ReleaseTerms) -> str:
    """SQL of the contributions with every person's sums cut to their bounds."""
    clipped = ", ".join(
        # Not least() alone: DuckDB's skip NULL, and who adds nothing would add a whole bound.
        f"CASE WHEN m{index} IS NOT NULL THEN "
        f"least(greatest(m{index}, -{measure.bound!r}), {measure.bound!r}) END AS m{index}"
        for index, measure in enumerate(terms.measures)
        if is_summed(measure)
    )
    return f"SELECT * {f'REPLACE ({clipped})' if clipped else ''} FROM ({contributions_sql})"


def is_summed(measure: MeasureTerms) -> bool:
    """Whether contributions are sums of a bounded column, not counts."""
    return measure.function in _SUMMED


def bucket_sql(history: History) -> tuple[str, str]:
    """SQL of a person's bucket in each half.

    Multilinear hashing of the identifier's four 32-bit words with 64-bit keys is strongly universal (Lemire, Kaser
    2014, "Strongly universal string hashing is fast"): without the salt nobody can choose identifiers that share a
    bucket. DuckDB's own hash() will not do: who collides under one salt collides under all.
    """
    shift = 64 - (history.buckets.bit_length() - 1)
    digest = hashlib.shake_256(b"mixroom release buckets 1\n" + history.salt).digest(80)
    keys = [int.from_bytes(digest[start : start + 8], "little") for start in range(0, 80, 8)]
    return _multilinear_sql(keys[:5], shift), _multilinear_sql(keys[5:], shift)


def steps_sql(measure: MeasureTerms, column: str) -> str:
    """SQL of a clipped contribution in whole steps. A sum is released as the sum of these, so nothing finer leaves."""
    return f"round({column} * {10.0 ** sketch_decimals(measure)!r})::BIGINT"


def sketch_decimals(measure: MeasureTerms) -> int:
    """Digits after the point of a step: none for whole numbers, else six, fewer for very large bounds.

    The same whatever an owner declares: finer than money is, as a query may sum small parts of it, and a column that
    is declared anew can be subtracted from its former self.
    """
    if measure.unit == WHOLE_NUMBERS:
        return 0
    decimals, bound = FINEST_DECIMALS, float(measure.bound or 0)
    while bound * 10.0**decimals > LARGEST_STEPS:
        decimals -= 1
    return decimals


def in_units(steps: int, measure: MeasureTerms) -> float:
    """Whole steps of a sum as the number that is released."""
    decimals = sketch_decimals(measure)
    return float(steps / 10**decimals if decimals >= 0 else steps * 10**-decimals)


def _multilinear_sql(keys: list[int], shift: int) -> str:
    word, number = "4294967295::UHUGEINT", "person::UHUGEINT"
    terms = [f"{keys[0]}::UHUGEINT"]
    terms += [
        f"(({number} >> {32 * place}) & {word}) * {key}::UHUGEINT" for place, key in enumerate(keys[1:])
    ]
    return f"((({' + '.join(terms)}) & 18446744073709551615::UHUGEINT) >> {shift})::INTEGER"


def _drop(connection: duckdb.DuckDBPyConnection) -> None:
    for table in (CELLS, TABLE):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
