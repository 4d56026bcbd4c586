"""Three small tables of made-up people, the same every time, and an answer to a query with and without the plan."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import duckdb

from cleanroom.engine.cell_sql import result_sql
from cleanroom.engine.person_sql import contributions_sql
from cleanroom.engine.rehearsal import rehearse, released_table_sql
from cleanroom.query.parameters import with_parameters
from cleanroom.query.plan import Plan
from cleanroom.query.reader import read_query
from cleanroom.query.sql_text import parse_sql
from cleanroom.release.release_terms import MeasureFunction
from cleanroom.rules.reference_rules import reference_rules

RULES = reference_rules()
PEOPLE = 600
START = datetime(2026, 3, 2)
Value = str | float | bool | None
_CELL_VALUES = {
    MeasureFunction.COUNT_PEOPLE: "COUNT(m{0})",
    MeasureFunction.COUNT_ROWS: "SUM(m{0})",
    MeasureFunction.COUNT_REFERENCES: "SUM(m{0})",
    MeasureFunction.SUM: "SUM(m{0})",
    MeasureFunction.AVG: "SUM(m{0}) / SUM(n{0})",
}
_TABLES = {
    "crm": "user_hash UUID, segment VARCHAR, region VARCHAR, age_band VARCHAR",
    "exposures": "user_hash UUID, campaign VARCHAR, channel VARCHAR, ts TIMESTAMP, cost DOUBLE",
    "conversions": "user_hash UUID, order_id VARCHAR, ts TIMESTAMP, value DOUBLE",
}


def small_tables(seed: int = 11) -> duckdb.DuckDBPyConnection:
    """crm, exposures and conversions of 600 people over six weeks; about half of each are in each other."""
    draw = random.Random(seed)
    engine = duckdb.connect()
    for table, columns in _TABLES.items():
        engine.execute(f"CREATE TABLE {table} ({columns})")
    orders = 0
    for number in range(PEOPLE):
        person = str(UUID(int=number + 1))
        if draw.random() < 0.7:
            row = [
                draw.choice(["loyal", "new", "vip"]),
                draw.choice(["north", "south"]),
                draw.choice(["18-29", "30-59", "60+"]),
            ]
            _insert(engine, "crm", [person, *row])
        exposed = draw.random() < 0.6
        for _ in range(draw.choice([1, 2, 3, 5, 8]) if exposed else 0):
            row = [draw.choice(["spring", "brand"]), draw.choice(["tv", "social", "search"])]
            _insert(engine, "exposures", [person, *row, _moment(draw), draw.randrange(5, 150) / 100])
        for _ in range(draw.choice([0, 1, 1, 2, 3]) if draw.random() < (0.5 if exposed else 0.3) else 0):
            orders += 1
            _insert(
                engine,
                "conversions",
                [person, f"o{orders}", _moment(draw, 5), draw.randrange(500, 20_000) / 100],
            )
    return engine


def answer(
    engine: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, str | int | float] | None = None
) -> list[tuple[Value, ...]]:
    """What the plan of a query gives when the gate withholds nothing, sorted."""
    plan = read_query(sql, RULES, parameters)
    rehearse(plan, RULES)
    return answer_of(engine, plan)


def answer_of(engine: duckdb.DuckDBPyConnection, plan: Plan) -> list[tuple[Value, ...]]:
    """The same of a plan."""
    after = duckdb.connect()
    for index, release in enumerate(plan.releases):
        keys = [f"k{number}" for number in range(len(release.keys))]
        values = [_CELL_VALUES[item.function].format(number) for number, item in enumerate(release.measures)]
        rows = engine.execute(
            f"SELECT {', '.join([*keys, *values])} FROM ({contributions_sql(release, RULES)}) "
            f"WHERE NOT shadow GROUP BY {', '.join(['g', *keys])}"
        ).fetchall()
        after.execute(released_table_sql(index, release, RULES))
        for row in rows:
            after.execute(f"INSERT INTO r{index} VALUES ({', '.join('?' * len(row))})", row)
    return comparable(after.execute(result_sql(plan)).fetchall())


def plain_answer(
    engine: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, str | int | float] | None = None
) -> list[tuple[Value, ...]]:
    """What plain DuckDB gives on the unprotected tables, sorted."""
    text = with_parameters(parse_sql(sql), parameters).sql(dialect="duckdb") if parameters else sql
    return comparable(engine.execute(text).fetchall())


def comparable(rows: Iterable[tuple[object, ...]]) -> list[tuple[Value, ...]]:
    """Rows in one order, with numbers rounded to six digits and midnights as days."""
    return sorted((tuple(map(_plain, row)) for row in rows), key=repr)


def _plain(value: object) -> Value:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return float(f"{float(value):.6g}")
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    return str(value)


def _insert(engine: duckdb.DuckDBPyConnection, table: str, row: list[object]) -> None:
    engine.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def _moment(draw: random.Random, later: int = 0) -> datetime:
    return START + timedelta(days=later, seconds=draw.randrange(42 * 86_400))
