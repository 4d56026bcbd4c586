"""The only way out for numbers about people: contributions in, released cells out. Runs in the worker alone."""

from __future__ import annotations

import duckdb

from cleanroom.release.dp_release import noised_cells
from cleanroom.release.history import History
from cleanroom.release.release_outcome import ReleaseOutcome
from cleanroom.release.release_terms import ReleaseTerms
from cleanroom.release.threshold_release import threshold_cells
from cleanroom.rules.analysis_rule import Mode


def release_cells(
    connection: duckdb.DuckDBPyConnection, contributions_sql: str, terms: ReleaseTerms, history: History
) -> ReleaseOutcome:
    """Release one node of a plan in the mode its terms name.

    contributions_sql: a SELECT whose table is the one `release_terms` describes; it is run once.
    Guarantee: that of `threshold_cells` or of `noised_cells`. Unit: one person, all rows of all tables.
    """
    if terms.mode is Mode.DP:
        return noised_cells(connection, contributions_sql, terms, history)
    return threshold_cells(connection, contributions_sql, terms, history)
