"""The small room, made once."""

from __future__ import annotations

import duckdb
import pytest

from tests.cleanroom.query.small_room import small_tables


@pytest.fixture(scope="session")
def room() -> duckdb.DuckDBPyConnection:
    """Unprotected tables to compare with; tests only read them."""
    return small_tables()
