"""The templates that come with the room give what plain DuckDB gives, and a closed form where there is one."""

from __future__ import annotations

import math

import duckdb
import pytest

from cleanroom.query.parameters import parameter_names
from cleanroom.query.plan import datasets_of
from cleanroom.query.reader import read_query
from cleanroom.query.sql_text import parse_sql
from cleanroom.query.template_library import BUILT_IN, ParameterKind, Template
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.reference_rules import reference_rules
from cleanroom.rules.rule_check import Question, check
from tests.cleanroom.query.small_room import RULES, answer, plain_answer

VALUES: dict[str, str | int] = {
    "campaign": "spring",
    "since": "2026-03-09",
    "until": "2026-04-06",
    "test": "new",
    "control": "loyal",
    "window_days": 14,
}


def _values(template: Template) -> dict[str, str | int | float]:
    return {name: VALUES[name] for name in template.parameters}


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda template: template.name)
def test_a_template_gives_the_values_of_plain_duckdb(
    room: duckdb.DuckDBPyConnection, template: Template
) -> None:
    found = answer(room, template.sql, _values(template))
    assert found == plain_answer(room, template.sql, _values(template))
    assert found


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda template: template.name)
@pytest.mark.parametrize("mode", Mode)
def test_a_template_names_its_parameters_and_datasets_and_passes_the_reference_rules(
    mode: Mode, template: Template
) -> None:
    assert set(parameter_names(parse_sql(template.sql))) == set(template.parameters)
    plan = read_query(template.sql, RULES, _values(template))
    assert datasets_of(plan) == tuple(sorted(template.datasets))
    assert check(Question(plan, "analyst", from_template=True), reference_rules(mode)).reasons == ()


def test_the_lift_is_that_of_two_proportions(room: duckdb.DuckDBPyConnection) -> None:
    (template,) = (item for item in BUILT_IN if item.name == "conversion_lift")
    ((people, buyers, rate, others, other_buyers, other_rate, lift, relative, error, low, high),) = (
        tuple(float(value) for value in row if value is not None)
        for row in answer(room, template.sql, _values(template))
    )
    p, q = buyers / people, other_buyers / others
    expected = math.sqrt(p * (1 - p) / people + q * (1 - q) / others)
    assert [rate, other_rate] == pytest.approx([p, q], rel=1e-5)
    assert lift == pytest.approx(p - q, rel=1e-4)
    assert relative == pytest.approx((p - q) / q, rel=1e-4)
    assert error == pytest.approx(expected, rel=1e-5)
    # the 97.5 % quantile of the normal distribution
    assert [low, high] == pytest.approx([p - q - 1.959964 * expected, p - q + 1.959964 * expected], rel=1e-4)


def test_even_touch_shares_out_every_order_once(room: duckdb.DuckDBPyConnection) -> None:
    (template,) = (item for item in BUILT_IN if item.name == "even_touch")
    touched = room.execute(
        "SELECT COUNT(*), SUM(value) FROM conversions v WHERE EXISTS (SELECT 1 FROM exposures e WHERE "
        "e.user_hash = v.user_hash AND e.ts <= v.ts AND e.ts >= v.ts - INTERVAL 14 DAY)"
    ).fetchone()
    assert touched is not None
    rows = answer(room, template.sql, _values(template))
    assert sum(float(row[2] or 0) for row in rows) == pytest.approx(touched[0], rel=1e-5)
    assert sum(float(row[3] or 0) for row in rows) == pytest.approx(touched[1], rel=1e-5)


def test_names_are_unique_and_dates_are_read_as_dates() -> None:
    assert len({template.name for template in BUILT_IN}) == len(BUILT_IN)
    dates = {
        name for item in BUILT_IN for name, kind in item.parameters.items() if kind is ParameterKind.DATE
    }
    assert dates == {"since", "until"}
