"""Analysts' questions give what plain DuckDB gives on the unprotected tables."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml

from cleanroom.query.reader import read_query
from cleanroom.rules.rule_check import Question, check
from tests.cleanroom.query.small_room import RULES, answer, plain_answer

QUERIES: dict[str, str] = yaml.safe_load(Path(__file__).with_name("analyst_queries.yaml").read_text("utf-8"))


@pytest.mark.parametrize("title", QUERIES)
def test_a_question_gives_the_values_of_plain_duckdb(room: duckdb.DuckDBPyConnection, title: str) -> None:
    found = answer(room, QUERIES[title])
    assert found == plain_answer(room, QUERIES[title])
    assert found


@pytest.mark.parametrize("title", QUERIES)
def test_a_question_passes_the_rules_in_both_modes_as_the_plan_alone(title: str) -> None:
    plan = read_query(QUERIES[title], RULES)
    again = type(plan).model_validate_json(plan.model_dump_json())
    assert again == plan
    assert check(Question(again, "analyst"), RULES).reasons == ()


@pytest.mark.parametrize("title", QUERIES)
def test_the_same_text_gives_the_same_digest(title: str) -> None:
    assert read_query(QUERIES[title], RULES).digest() == read_query(QUERIES[title], RULES).digest()
