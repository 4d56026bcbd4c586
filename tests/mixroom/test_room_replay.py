"""`mixroom room replay`: transcripts on three small tables."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CORPUS = """
- id: Q1
  sql: SELECT region, COUNT(DISTINCT user_hash) AS n FROM crm GROUP BY region ORDER BY region
  expected: allowed
- id: Q2
  sql: SELECT COUNT(DISTINCT user_hash) AS n FROM crm WHERE region <> 'north' OR segment <> 'solo'
  expected: suppressed
  after: Q1
- id: Q3
  sql: SELECT user_hash FROM crm WHERE user_hash = '{TARGET}'
  expected: refused
- id: Q4
  sql: SELECT COUNT(DISTINCT user_hash) AS n FROM exposures
  expected: noised
  mode: dp
  repeat: 3
- id: Q5
  sql: SELECT COUNT(DISTINCT user_hash) AS n FROM exposures
  expected: refused
  mode: dp
  fixture: remaining epsilon = 0
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """200 customers, of whom one is alone in her segment; 120 saw ads, 60 of them bought."""
    start = datetime(2026, 3, 1)
    crm = {
        "user_hash": [f"u{n}" for n in range(200)],
        "segment": ["solo", *["loyal"] * 199],
        "region": ["north"] * 120 + ["south"] * 80,
        "age_band": ["30-44"] * 200,
    }
    exposures = {
        "user_hash": [f"u{n}" for n in range(120)],
        "campaign": ["spring"] * 120,
        "channel": ["tv"] * 120,
        "ts": [start + timedelta(hours=n) for n in range(120)],
        "cost": [0.5] * 120,
    }
    conversions = {
        "user_hash": [f"u{n}" for n in range(60)],
        "order_id": [str(n) for n in range(60)],
        "ts": [start + timedelta(days=9, hours=n) for n in range(60)],
        "value": [20.0] * 60,
    }
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, columns in (("crm", crm), ("exposures", exposures), ("conversions", conversions)):
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.yaml"
    path.write_text(CORPUS, encoding="utf-8")
    return path


def test_every_query_comes_to_its_verdict(terminal, corpus, tables):
    seen = terminal("room", "replay", corpus, "--tables", tables, "--json")

    results = json.loads(seen.out)
    assert seen.code == 0
    assert [(item["id"], item["verdict"]) for item in results] == [
        ("Q1", "allowed"),
        ("Q2", "suppressed"),
        ("Q3", "refused"),
        ("Q4", "noised"),
        ("Q5", "refused"),
    ]
    assert all(set(item) >= {"id", "expected", "verdict", "rows", "withheld", "reasons"} for item in results)
    assert results[0]["rows"] == [["north", 120], ["south", 80]]
    assert results[1]["rows"] == []  # it would be all 200 but one
    assert results[1]["withheld"] == 1
    assert results[4]["reasons"][0].startswith("budget_spent: ")
    assert seen.err.splitlines()[-1] == "mixroom: 5 of 5 as expected"


def test_a_verdict_that_differs_is_named_and_fails(terminal, corpus, tables):
    corpus.write_text(CORPUS.replace("expected: suppressed", "expected: allowed"), encoding="utf-8")

    seen = terminal("room", "replay", corpus, "--tables", tables)

    assert seen.code == 1
    assert "mixroom: Q2: expected allowed, came to suppressed" in seen.err.splitlines()
    assert seen.out.splitlines()[2].split() == ["Q2", "allowed", "suppressed", "differs"]
    assert seen.refusal[0] == "1 of 5 queries came to something else than expected"


def test_an_owner_tries_stricter_rules(terminal, tables, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[crm.columns]\nuser_hash = { role = "identity" }\nregion = { role = "dimension" }\n'
        "[crm.rule]\nmin_group_size = 100\n",
        encoding="utf-8",
    )
    corpus = tmp_path / "one.yaml"
    corpus.write_text(
        "- {id: Q1, expected: suppressed,"
        " sql: 'SELECT region, COUNT(DISTINCT user_hash) AS n FROM crm GROUP BY region'}\n",
        encoding="utf-8",
    )

    seen = terminal("room", "replay", corpus, "--tables", tables, "--rules", rules, "--json")

    assert seen.code == 0
    assert json.loads(seen.out)[0]["rows"] == [["north", 120]]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nonsense: [", "no readable YAML"),
        ("- {id: Q1, sql: SELECT 1}", "lacks expected"),
        ("- {id: Q1, sql: SELECT 1, expected: fine}", "unknown `expected`"),
        ("- {id: Q1, sql: SELECT 1, expected: refused, after: Q0}", "goes on after 'Q0'"),
    ],
)
def test_a_corpus_that_is_none_is_refused(terminal, tables, tmp_path, text, error):
    path = tmp_path / "corpus.yaml"
    path.write_text(text, encoding="utf-8")

    told, hint = terminal.refused("room", "replay", path, "--tables", tables, code=1)

    assert error in told
    assert hint


def test_missing_tables_and_columns_are_named_together(terminal, corpus, tables):
    (tables / "conversions.parquet").unlink()
    pq.write_table(pa.table({"user_hash": ["a"]}), tables / "exposures.parquet")

    seen = terminal("room", "replay", corpus, "--tables", tables)

    error, _ = seen.refusal
    assert seen.code == 1
    assert "conversions.parquet is missing" in error
    assert "exposures.parquet lacks campaign, channel, cost, ts" in error
