"""The stage that sees people never fails because of what the tables hold, be it missing, empty or enormous."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import duckdb
import pytest

from cleanroom.engine.person_sql import contributions_sql
from cleanroom.query.reader import read_query
from tests.cleanroom.query.small_room import RULES, answer, small_tables
from tests.cleanroom.query.test_analyst_queries import QUERIES

EXTREME_TIMES = ["1900-01-01", "2199-12-31 23:59:59.999999", "infinity", "-infinity", None]
EXTREME_NUMBERS = [0.0, -1e308, 1e308, None]
EXTREME_TEXTS = ["", "%", "\\", "'", "\x00", "🙂" * 500, None]


@pytest.fixture(scope="module")
def extremes() -> Iterator[duckdb.DuckDBPyConnection]:
    """The small room, and one person for every combination of extremes."""
    engine = small_tables()
    person = 10_000
    for time in EXTREME_TIMES:
        for amount in EXTREME_NUMBERS:
            for text in EXTREME_TEXTS:
                person += 1
                who = str(UUID(int=person))
                engine.execute("INSERT INTO crm VALUES (?, ?, ?, ?)", [who, text, text, text])
                for _ in range(2):
                    engine.execute(
                        "INSERT INTO exposures VALUES (?, ?, ?, ?, ?)", [who, text, text, time, amount]
                    )
                    engine.execute("INSERT INTO conversions VALUES (?, ?, ?, ?)", [who, text, time, amount])
    yield engine
    engine.close()


@pytest.mark.parametrize("title", QUERIES)
def test_a_question_about_extreme_values_does_not_fail(
    extremes: duckdb.DuckDBPyConnection, title: str
) -> None:
    for release in read_query(QUERIES[title], RULES).releases:
        extremes.execute(contributions_sql(release, RULES)).fetchall()


@pytest.mark.parametrize(
    "expression",
    [
        "date_trunc('week', ts + INTERVAL 99 YEAR + INTERVAL 99 YEAR + INTERVAL 99 YEAR)",
        "date_diff('day', ts - INTERVAL 99 YEAR, ts + INTERVAL 36000 DAY)",
        "LEAST(date_diff('month', ts, DATE '1900-01-01'), 5) * 1000000",
        "date_part('week', ts) // 7",
        "FLOOR(date_diff('day', DATE '2026-01-01', ts) / 7)",
        "ROUND(year(ts) * 0.001, 9) > 2",
        "CASE WHEN ts IS NULL THEN 'never' ELSE channel || campaign END",
        "channel LIKE '%_%' OR campaign ILIKE '%a%'",
        "TRIM(LOWER(channel)) = UPPER(campaign)",
        "cost IS NULL",
    ],
)
def test_a_key_of_extreme_values_does_not_fail(extremes: duckdb.DuckDBPyConnection, expression: str) -> None:
    plan = read_query(
        f"SELECT {expression} AS k, COUNT(*), SUM(cost), AVG(cost) FROM exposures GROUP BY k", RULES
    )
    extremes.execute(contributions_sql(plan.releases[0], RULES)).fetchall()


def test_released_numbers_divided_by_zero_give_nothing(room: duckdb.DuckDBPyConnection) -> None:
    zero = "(COUNT(*) - COUNT(*))"
    sql = f"SELECT COUNT(*) / {zero} AS a, COUNT(*) // {zero} AS b, COUNT(*) % {zero} AS c FROM crm"
    assert answer(room, sql) == [(None, None, None)]


def test_zeros_that_a_query_makes_up_are_no_contribution(room: duckdb.DuckDBPyConnection) -> None:
    """Who is not in the segment adds nothing, so is not one of the people that the gate counts."""
    step = "SELECT user_hash, CASE WHEN segment = 'vip' THEN 1 ELSE 0 END AS f FROM crm"
    plan = read_query(f"WITH u AS ({step}) SELECT SUM(f) AS n FROM u", RULES)
    people = room.execute(f"SELECT COUNT(m0) FROM ({contributions_sql(plan.releases[0], RULES)})").fetchone()
    assert people == room.execute("SELECT COUNT(*) FROM crm WHERE segment = 'vip'").fetchone()
