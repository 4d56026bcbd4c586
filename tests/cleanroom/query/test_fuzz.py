"""Whatever the text, the answer is a plan that runs or QueryRefused; whatever the document, rules or RuleInvalid."""

from __future__ import annotations

import json
import os

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleanroom.engine.person_sql import contributions_sql
from cleanroom.engine.rehearsal import rehearse
from cleanroom.errors import QueryRefused, RuleInvalid
from cleanroom.query.plan import Plan
from cleanroom.query.reader import read_query
from cleanroom.query.refusal import Refused
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.rules.rule_check import Question, check
from tests.cleanroom.query.query_grammar import changed_queries, grammatical_queries, token_soup
from tests.cleanroom.query.small_room import RULES, answer_of

EXAMPLES = int(os.environ.get("MIXROOM_FUZZ_EXAMPLES", "60"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def _asked(sql: str, room: duckdb.DuckDBPyConnection) -> None:
    """Read, check, rehearse and run one text: the stage that sees people never fails, whatever is asked."""
    plan = _plan(sql)
    if plan is None or not check(Question(plan, "analyst"), RULES).allowed:
        return
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    for release in plan.releases:
        room.execute(contributions_sql(release, RULES)).fetchall()
    try:
        rehearse(plan, RULES)
    except Refused:
        return  # types of post-processing, which only the engine knows
    answer_of(room, plan)


def _plan(sql: str) -> Plan | None:
    try:
        return read_query(sql, RULES)
    except QueryRefused:
        return None


@FUZZ
@given(sql=grammatical_queries())
def test_a_grammatical_query_is_refused_or_runs(room: duckdb.DuckDBPyConnection, sql: str) -> None:
    _asked(sql, room)


@FUZZ
@given(sql=changed_queries())
def test_a_changed_query_is_refused_or_runs(room: duckdb.DuckDBPyConnection, sql: str) -> None:
    _asked(sql, room)


@FUZZ
@given(sql=token_soup())
def test_any_text_is_refused_or_runs(room: duckdb.DuckDBPyConnection, sql: str) -> None:
    _asked(sql, room)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@FUZZ
@given(
    value=_JSON,
    path=st.sampled_from(
        ["dataset", "columns", "columns.segment", "columns.segment.role", "rule", "rule.min_group_size", "rule.joins",
         "rule.privacy", "rule.dp", "rule.dp.epsilon_budget", "rule.comparisons", "extra", "columns.X"]
    ),
)  # fmt: skip
def test_a_changed_rule_document_is_one_or_is_refused(value: object, path: str) -> None:
    document = RULES["crm"].canonical()
    *outer, last = path.split(".")
    place = document
    for name in outer:
        place = place[name]
    place[last] = value
    for text in (json.dumps(document), None):
        try:
            found = RuleDocument.parse(text) if text is not None else RuleDocument.of(document)
        except RuleInvalid:
            continue
        assert RuleDocument.of(found.canonical()) == found


@FUZZ
@given(text=st.one_of(st.text(max_size=300), st.binary(max_size=300), _JSON.map(json.dumps)))
def test_any_text_is_a_rule_document_or_is_refused(text: str | bytes) -> None:
    with pytest.raises(RuleInvalid):
        RuleDocument.parse(text)
