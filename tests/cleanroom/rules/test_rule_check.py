"""Plans under owners' rules: each restriction holds however a query is put, and the strictest owner's holds."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.query.reader import read_query
from cleanroom.query.schema import Catalog
from cleanroom.release.release_terms import ReleaseTerms
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.rules.reference_rules import reference_rules
from cleanroom.rules.rule_check import Question, Verdict, check


def rules_with(dataset: str, **rule: Any) -> dict[str, RuleDocument]:
    """The reference rules with one owner's rule changed."""
    rules = reference_rules()
    document = rules[dataset].canonical()
    return {**rules, dataset: RuleDocument.of({**document, "rule": {**document["rule"], **rule}})}


def asked(sql: str, rules: Catalog, **question: Any) -> Verdict:
    return check(Question(read_query(sql, rules), "analyst", **question), rules)


def codes(sql: str, rules: Catalog) -> set[str]:
    return {reason.code for reason in asked(sql, rules).reasons}


def terms_of(sql: str, rules: Catalog) -> ReleaseTerms:
    verdict = asked(sql, rules)
    assert verdict.reasons == ()
    return verdict.releases[0]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM crm WHERE segment = 'vip'",
        "SELECT COUNT(*) FROM crm WHERE LOWER(segment) = 'vip'",
        "SELECT COUNT(*) FROM crm WHERE segment || 'x' IN ('vipx')",
        "SELECT COUNT(*) FROM crm WHERE segment LIKE 'v%'",
        "SELECT COUNT(*) FILTER (WHERE segment <> 'vip') FROM crm",
        "SELECT COUNT(DISTINCT CASE segment WHEN 'vip' THEN user_hash END) FROM crm",
        "WITH t AS (SELECT user_hash, segment AS s FROM crm) SELECT COUNT(*) FROM t WHERE s = 'vip'",
        "WITH t AS (SELECT user_hash, UPPER(segment) AS s FROM crm), u AS (SELECT user_hash, LOWER(s) AS s FROM t) "
        "SELECT COUNT(*) FROM u WHERE s = 'vip'",
        "WITH t AS (SELECT user_hash, MAX(segment) AS s FROM crm GROUP BY user_hash) "
        "SELECT COUNT(*) FROM t WHERE s = 'vip'",
        "WITH t AS (SELECT user_hash, LAG(segment) OVER (PARTITION BY user_hash ORDER BY region) AS s FROM crm) "
        "SELECT COUNT(*) FROM t WHERE s = 'vip'",
        "WITH t AS (SELECT user_hash, 'vip' AS s FROM exposures) SELECT COUNT(*) FROM crm JOIN t USING (user_hash) "
        "WHERE segment = s",
        "WITH t AS (SELECT user_hash, 'vip' AS s FROM exposures UNION ALL SELECT user_hash, 'new' FROM conversions) "
        "SELECT COUNT(DISTINCT crm.user_hash) FROM crm JOIN t USING (user_hash) WHERE segment = s",
        "SELECT COUNT(*) FROM crm c JOIN exposures e ON c.user_hash = e.user_hash AND c.segment = 'vip'",
        "SELECT COUNT(*) FROM exposures e LEFT JOIN crm c ON c.user_hash = e.user_hash AND c.segment = 'vip'",
        "SELECT COUNT(*) FROM exposures WHERE user_hash IN (SELECT user_hash FROM crm WHERE segment = 'vip')",
        "SELECT COUNT(*) FROM exposures e WHERE EXISTS (SELECT 1 FROM crm c WHERE c.user_hash = e.user_hash AND "
        "c.segment = 'vip')",
        "SELECT CASE WHEN segment = 'vip' THEN 1 ELSE 0 END AS k, COUNT(*) FROM crm GROUP BY k",
        "SELECT NULLIF(segment, 'vip') AS k, COUNT(*) FROM crm GROUP BY k",
        "SELECT LEAST(segment, 'm') AS k, COUNT(*) FROM crm GROUP BY k",
        "WITH t AS (SELECT user_hash, COUNT(*) FILTER (WHERE segment = 'vip') AS n FROM crm GROUP BY user_hash) "
        "SELECT n, COUNT(*) FROM t GROUP BY n",
        "WITH t AS (SELECT user_hash FROM crm GROUP BY user_hash HAVING MAX(segment) = 'vip') SELECT COUNT(*) FROM t",
    ],
)
def test_a_column_that_may_not_be_compared_is_not_however_it_was_computed(sql: str) -> None:
    assert asked(sql, reference_rules()).allowed
    assert "comparison" in codes(sql, rules_with("crm", comparisons=["region"]))


def test_what_may_be_compared_still_may_be_and_columns_may_meet() -> None:
    rules = rules_with("crm", comparisons=["region"])
    assert asked("SELECT segment, COUNT(*) FROM crm WHERE region = 'north' GROUP BY segment", rules).allowed
    both = "SELECT COUNT(*) FROM crm c JOIN crm d ON c.user_hash = d.user_hash AND c.segment = d.segment"
    assert asked(both, rules).allowed


def test_a_key_is_allowed_only_if_all_its_columns_are() -> None:
    rules = rules_with("crm", dimensions=["region"])
    assert asked("SELECT UPPER(region) AS k, COUNT(*) FROM crm GROUP BY k", rules).allowed
    for key in ("segment", "region || segment", "CASE WHEN segment = 'vip' THEN region END"):
        assert codes(f"SELECT {key} AS k, COUNT(*) FROM crm GROUP BY 1", rules) == {"dimension"}


def test_functions_and_aggregates_are_restricted_in_inner_steps_too() -> None:
    inner = (
        "WITH t AS (SELECT user_hash, UPPER(segment) AS s, COUNT(*) AS n FROM crm GROUP BY user_hash, UPPER(segment)) "
        "SELECT s, COUNT(DISTINCT user_hash) FROM t GROUP BY s"
    )
    assert codes(inner, rules_with("crm", scalar_functions=["LOWER"])) == {"function"}
    assert codes(inner, rules_with("crm", aggregate_functions=["COUNT_DISTINCT"])) == {"aggregate"}
    assert asked(inner, rules_with("crm", scalar_functions=["UPPER"])).allowed


def test_a_measure_that_may_not_be_released_is_not_in_parts_either() -> None:
    rules = rules_with("conversions", measures=[])
    for sql in (
        "SELECT SUM(value) FROM conversions",
        "WITH t AS (SELECT user_hash, MAX(value) AS m FROM conversions GROUP BY user_hash) SELECT AVG(m) FROM t",
        "WITH t AS (SELECT user_hash, value / COUNT(*) OVER (PARTITION BY user_hash) AS p FROM conversions) "
        "SELECT SUM(p) FROM t",
    ):
        assert "measure" in codes(sql, rules)


def test_joins_are_allowed_by_both_owners() -> None:
    sql = "SELECT COUNT(DISTINCT c.user_hash) FROM crm c JOIN exposures e ON c.user_hash = e.user_hash"
    assert codes(sql, rules_with("crm", joins=["conversions"])) == {"join"}
    assert codes(sql, rules_with("exposures", joins=[])) == {"join"}
    assert asked(sql, rules_with("exposures", joins=["crm"])).allowed
    both = "SELECT user_hash FROM crm UNION ALL SELECT user_hash FROM exposures"
    stacked = f"SELECT COUNT(DISTINCT user_hash) FROM ({both}) t"
    assert codes(stacked, rules_with("crm", joins=[])) == {"join"}


def test_a_required_join_is_one_that_narrows() -> None:
    rules = rules_with("crm", join_required=True)
    assert codes("SELECT COUNT(*) FROM crm", rules) == {"join_required"}
    assert codes("SELECT COUNT(*) FROM crm c JOIN crm d ON c.user_hash = d.user_hash", rules) == {
        "join_required"
    }
    assert codes(
        "SELECT COUNT(DISTINCT c.user_hash) FROM crm c LEFT JOIN exposures e ON c.user_hash = e.user_hash",
        rules,
    ) == {"join_required"}
    assert asked("SELECT COUNT(*) FROM crm c JOIN exposures e ON c.user_hash = e.user_hash", rules).allowed


def test_receivers_templates_and_all_other_reasons_come_at_once() -> None:
    rules = rules_with("crm", receivers=["somebody"], query="templates", dimensions=["region"])
    verdict = asked("SELECT segment, COUNT(*) FROM crm GROUP BY segment", rules)
    assert [reason.code for reason in verdict.reasons] == ["receiver", "templates_only", "dimension"]
    assert all(reason.fix for reason in verdict.reasons)


def test_the_strictest_owner_decides_the_minimum_and_the_mode() -> None:
    sql = "SELECT COUNT(DISTINCT c.user_hash) FROM crm c JOIN exposures e ON c.user_hash = e.user_hash"
    assert terms_of(sql, rules_with("exposures", min_group_size=70)).min_group_size == 70
    noisy = asked(sql, rules_with("exposures", privacy="dp"))
    assert (noisy.mode, noisy.epsilon) == ("dp", 1.0)


BOTH = "SELECT c.segment, COUNT(DISTINCT c.user_hash) FROM crm c JOIN exposures USING (user_hash) GROUP BY c.segment"


def test_another_owners_noise_does_not_take_the_place_of_thresholds() -> None:
    """Who makes a dataset with almost no noise, and joins it, would else ask about single people of another's."""
    wide = {"epsilon_per_query": 100.0, "delta_per_query": 0.009, "max_groups_per_person": 1}
    rules = rules_with("exposures", privacy="dp", dp=wide)
    rules |= {"crm": rules_with("crm", dp=None)["crm"]}
    assert {"noise_not_allowed"} == codes(BOTH, rules)
    assert codes("SELECT COUNT(*) FROM exposures", rules) == set()


def test_an_owner_who_agrees_to_noise_says_what_one_question_may_spend() -> None:
    wide = {"epsilon_per_query": 100.0, "delta_per_query": 0.009, "max_groups_per_person": 50}
    own = {"epsilon_per_query": 0.5, "delta_per_query": 1e-9, "max_groups_per_person": 2}
    rules = rules_with("exposures", privacy="dp", dp=wide)
    rules |= {"crm": rules_with("crm", dp=own)["crm"]}
    verdict = asked(BOTH, rules)
    assert verdict.reasons == ()
    assert (verdict.epsilon, verdict.delta, verdict.releases[0].max_groups) == (0.5, 1e-9, 2)
    assert asked(BOTH, rules, epsilon=0.6).reasons[0].code == "epsilon"


def test_the_price_is_divided_among_the_releases_of_a_query() -> None:
    verdict = asked(
        "SELECT COUNT(*) FROM crm UNION ALL SELECT COUNT(*) FROM exposures",
        rules_with("crm", privacy="dp"),
        epsilon=0.5,
    )
    assert (verdict.epsilon, [terms.epsilon for terms in verdict.releases]) == (0.5, [0.25, 0.25])


def test_absence_and_presence_are_told_to_the_release_stage() -> None:
    rules = reference_rules()
    anti = terms_of(
        "SELECT COUNT(DISTINCT c.user_hash) FROM crm c LEFT JOIN exposures e ON c.user_hash = e.user_hash "
        "WHERE e.user_hash IS NULL",
        rules,
    )
    assert anti.measures[0].presence == (1,)
    by_key = terms_of(
        "SELECT COALESCE(e.channel, 'none') AS k, COUNT(DISTINCT c.user_hash) FROM crm c LEFT JOIN exposures e "
        "ON c.user_hash = e.user_hash GROUP BY k",
        rules,
    )
    assert by_key.keys[0].presence == (1,)
    rows = terms_of("SELECT COUNT(*) FROM crm c LEFT JOIN exposures e ON c.user_hash = e.user_hash", rules)
    assert rows.measures[0].presence == (1,)
    inner = terms_of("SELECT COUNT(*) FROM crm c JOIN exposures e ON c.user_hash = e.user_hash", rules)
    assert inner.measures[0].presence == ()


def test_sums_are_clipped_at_the_owners_bound_or_at_one_that_only_an_overflow_reaches() -> None:
    rules = reference_rules()
    (value,) = terms_of("SELECT SUM(value) FROM conversions", rules).measures
    assert (value.bound, value.decimals, value.unit) == (20_000, 2, "sum of conversions.value")
    each = "SELECT user_hash, COUNT(*) AS n FROM exposures GROUP BY user_hash"
    counts = f"SELECT SUM(n), SUM(1.0 / n) FROM ({each}) t"
    assert [measure.bound for measure in terms_of(counts, rules).measures] == [1e9, 1e6]


def test_one_unknown_dataset_is_a_reason_and_nothing_is_raised() -> None:
    plan = read_query("SELECT COUNT(*) FROM crm", reference_rules())
    assert [reason.code for reason in check(Question(plan, "a"), {}).reasons] == ["unknown_table"]


def test_rows_that_a_query_shaped_are_audited_beside_people() -> None:
    shaped = [
        "SELECT COUNT(*) FROM (SELECT DISTINCT user_hash, channel FROM exposures) t",
        "WITH t AS (SELECT user_hash, COUNT(*) AS n FROM exposures GROUP BY user_hash) SELECT SUM(n) FROM t",
        "WITH t AS (SELECT user_hash, ROW_NUMBER() OVER (PARTITION BY user_hash ORDER BY ts) AS r FROM exposures) "
        "SELECT COUNT(*) FROM t WHERE r = 1",
    ]
    plain = [
        "SELECT COUNT(*) FROM exposures",
        "SELECT COUNT(*) FROM exposures WHERE user_hash IN (SELECT user_hash FROM crm)",
        "SELECT SUM(value) FROM conversions",
    ]
    rules = reference_rules()
    assert all(terms_of(sql, rules).measures[0].beside_people for sql in shaped)
    assert not any(terms_of(sql, rules).measures[0].beside_people for sql in plain)
