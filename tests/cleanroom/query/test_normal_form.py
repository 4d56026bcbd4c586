"""Queries that mean the same have one digest; queries that do not have two."""

from __future__ import annotations

import pytest

from cleanroom.query.plan import Scan
from cleanroom.query.reader import read_query
from tests.cleanroom.query.small_room import RULES


def digest(sql: str) -> str:
    return read_query(sql, RULES).digest()


ROWS = "SELECT COUNT(*) AS n FROM crm"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{ROWS} WHERE region = 'south'", f"{ROWS} AS c WHERE 'south' = c.region AND 1 = 1"),
        (f"{ROWS} WHERE region = 'a' AND segment = 'b'", f"{ROWS} WHERE (segment = 'b') AND region = 'a'"),
        (f"{ROWS} WHERE region IN ('a', 'b')", f"{ROWS} WHERE region IN ('b', 'a', 'a')"),
        (f"{ROWS} WHERE NOT region = 'a'", f"{ROWS} WHERE region <> 'a'"),
        (f"{ROWS} WHERE region < 'b'", f"{ROWS} WHERE NOT (NOT ('b' > region))"),
        (ROWS, "select count(1) as N from CRM -- all"),
        (
            "SELECT SUM(CASE WHEN region = 'a' THEN 1 ELSE 0 END) AS n FROM crm",
            "SELECT COUNT(*) FILTER (WHERE region = 'a') AS n FROM crm",
        ),
        (ROWS, "SELECT COUNT(*) AS n FROM (SELECT user_hash, segment FROM crm) t"),
    ],
)
def test_other_spellings_are_the_same_question(one: str, other: str) -> None:
    assert read_query(one, RULES).releases_digest() == read_query(other, RULES).releases_digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT COUNT(*) FROM crm WHERE region = 'a'", "SELECT COUNT(*) FROM crm WHERE region = 'b'"),
        ("SELECT COUNT(*) FROM crm WHERE region = 'a'", "SELECT COUNT(*) FROM crm WHERE region <> 'a'"),
        ("SELECT COUNT(*) FROM crm WHERE region < 'a'", "SELECT COUNT(*) FROM crm WHERE 'a' < region"),
        ("SELECT COUNT(*) FROM crm WHERE NULL = 'a'", "SELECT COUNT(*) FROM crm"),
        ("SELECT COUNT(*) FROM crm WHERE region IS NULL", "SELECT COUNT(*) FROM crm WHERE region = NULL"),
    ],
)
def test_different_questions_stay_different(one: str, other: str) -> None:
    assert digest(one) != digest(other)


def test_only_columns_that_are_used_are_read() -> None:
    (release,) = read_query(
        "SELECT region, COUNT(*) FROM crm WHERE age_band = 'x' GROUP BY region", RULES
    ).releases
    source = release.source
    while not isinstance(source, Scan):
        source = source.source  # type: ignore[union-attr]
    assert [column for _, column in source.columns] == ["age_band", "region"]
