"""The second line of defence: even SQL that no plan makes reaches nothing outside the engine's memory."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cleanroom.engine.locked_engine import locked_engine

secret_rows = [("a", 1)]  # a Python variable that DuckDB would otherwise find by its name


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/other.db'",
        "EXPORT DATABASE '{folder}/dump'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET temp_directory = '{folder}'",
        "SELECT * FROM secret_rows",
        "SELECT * FROM glob('{folder}/*')",
    ],
)
def test_nothing_outside_is_reached(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")

    with locked_engine(memory="100MB", threads=1) as engine, pytest.raises(duckdb.Error):
        engine.execute(statement.format(file=file, folder=tmp_path)).fetchall()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]


def test_a_query_that_needs_more_memory_fails_and_spills_nowhere(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with locked_engine(memory="20MB", threads=1) as engine, pytest.raises(duckdb.Error):
        engine.execute(
            "SELECT count(*) FROM (SELECT DISTINCT md5(range::VARCHAR) || range FROM range(3000000))"
        ).fetchall()

    assert list(tmp_path.iterdir()) == []
