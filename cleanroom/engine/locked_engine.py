"""A DuckDB connection that reaches nothing but its own memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


@contextmanager
def locked_engine(*, memory: str, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty in-memory database: no files, no network, no extensions, no Python variables, no spilling.

    This is a second line of defence. The first is that only SQL made from a plan gets here.
    """
    engine = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "enable_external_access": False,
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": "",
            "preserve_insertion_order": False,
        },
    )
    try:
        engine.execute("SET lock_configuration = true")
        yield engine
    finally:
        engine.close()
