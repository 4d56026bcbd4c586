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
from cleanroom.release.release_terms import MeasureFunction, MeasureTerms, ReleaseTerms

TABLE = "room_contributions"
CELLS = "room_cells"
_SUMMED = (MeasureFunction.SUM, MeasureFunction.AVG)
LARGEST_STEPS = 10**12  # per person and cell: a million of them in one bucket still fit 64 bits


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
    clipped = ", ".join(
        f"least(greatest(m{index}, -{measure.bound!r}), {measure.bound!r}) AS m{index}"
        for index, measure in enumerate(terms.measures)
        if is_summed(measure)
    )
    replaced = f"REPLACE ({clipped})" if clipped else ""
    buckets = ", ".join(f"{sql} AS b{half}" for half, sql in enumerate(bucket_sql(history)))
    _drop(connection)
    try:
        connection.execute(
            f"CREATE TEMP TABLE {TABLE} AS SELECT * {replaced}, {buckets} FROM ({contributions_sql})"
        )
        yield ContributionTable(connection, terms)
    finally:
        _drop(connection)


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
    """SQL of a clipped contribution in whole steps of 10^-decimals, coarser where they would not fit 64 bits."""
    return f"round({column} * {10.0 ** sketch_decimals(measure)!r})::BIGINT"


def sketch_decimals(measure: MeasureTerms) -> int:
    """Digits after the point that a sketch keeps of a measure; below 0 for very large bounds."""
    decimals, bound = measure.decimals, float(measure.bound or 0)
    while bound * 10.0**decimals > LARGEST_STEPS:
        decimals -= 1
    return decimals


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
