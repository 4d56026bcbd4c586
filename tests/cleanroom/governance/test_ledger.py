"""Budgets: charged before, whole, once, never given back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cleanroom.errors import BudgetSpent, NotFound
from cleanroom.governance.ledger import Cost
from cleanroom.rules.analysis_rule import Mode
from tests.cleanroom.governance.example_room import NOON, ExampleRoom, later


def left(room: ExampleRoom, now: datetime = NOON) -> dict[str, float]:
    budgets = room.governance.ledger.remaining(room.collaboration, now=now)
    return {budget.dataset: budget.left_epsilon for budget in budgets}


def test_a_query_is_charged_to_every_dataset_it_joins(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", dp={"epsilon_budget": 10})
    room.put_rules("adv", "sales", dp={"epsilon_budget": 3})
    room.governance.queries.begin(room.query("visits", "sales"), now=NOON)
    assert left(room) == {"visits": 9.0, "sales": 2.0}


def test_a_charge_is_made_on_all_datasets_or_on_none_and_says_which_lack_how_much(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", dp={"epsilon_budget": 10})
    room.put_rules("adv", "sales", dp={"epsilon_budget": 1.5})
    room.governance.queries.begin(room.query("visits", "sales"), now=NOON)
    with pytest.raises(BudgetSpent) as refused:
        room.governance.queries.begin(room.query("visits", "sales"), now=NOON)
    assert str(refused.value) == (
        "dataset sales has 0.5 of its privacy budget of 1.5 left, and this query costs 1: 0.5 is missing; "
        "nothing was charged and no data were touched"
    )
    assert [reason.code for reason in refused.value.reasons] == ["budget_spent"]
    assert left(room) == {"visits": 9.0, "sales": 0.5}


def test_ten_tenths_fill_a_budget_of_one_exactly(room: ExampleRoom) -> None:
    # In binary floating point ten times 0.1 is not 1; in millionths it is.
    room.put_rules("adv", "visits", dp={"epsilon_budget": 1})
    for _ in range(10):
        room.governance.queries.begin(room.query("visits", epsilon=0.1), now=NOON)
    assert left(room) == {"visits": 0.0}
    with pytest.raises(BudgetSpent):
        room.governance.queries.begin(room.query("visits", epsilon=1e-9), now=NOON)


def test_an_epsilon_between_two_millionths_is_charged_as_the_larger(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", dp={"epsilon_budget": 1})
    room.governance.queries.begin(room.query("visits", epsilon=0.0000011), now=NOON)
    assert left(room) == {"visits": 0.999998}


def test_a_failed_query_keeps_its_charge(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", dp={"epsilon_budget": 2})
    begun = room.governance.queries.begin(room.query("visits"), now=NOON)
    room.governance.queries.fail(begun.query.id, "worker_failed", now=NOON)
    assert left(room) == {"visits": 1.0}


def test_a_weekly_budget_starts_afresh_on_monday_in_utc(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", dp={"epsilon_budget": 1, "refresh": "weekly"})
    room.governance.queries.begin(room.query("visits"), now=NOON)
    sunday = datetime(2026, 11, 29, 23, 59, tzinfo=UTC)
    monday = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)
    with pytest.raises(BudgetSpent) as refused:
        room.governance.queries.begin(room.query("visits"), now=sunday)
    assert "2026-11-30" in refused.value.hint
    room.governance.queries.begin(room.query("visits"), now=monday)
    assert left(room, monday) == {"visits": 0.0}


def test_a_clock_that_was_set_back_gives_nothing_back(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", dp={"epsilon_budget": 1, "refresh": "daily"})
    room.governance.queries.begin(room.query("visits"), now=later(days=1))
    with pytest.raises(BudgetSpent):
        room.governance.queries.begin(room.query("visits"), now=NOON)


def test_a_days_quota_counts_queries_of_all_members_in_threshold_mode_too(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", queries_per_day=2)
    room.add("bea")
    room.governance.queries.begin(room.query("visits", mode=Mode.THRESHOLD), now=NOON)
    room.governance.queries.begin(room.query("visits", mode=Mode.THRESHOLD, member="bea"), now=NOON)
    third = room.query("visits", mode=Mode.THRESHOLD)
    with pytest.raises(BudgetSpent) as refused:
        room.governance.queries.begin(third, now=later(hours=11))
    assert [reason.code for reason in refused.value.reasons] == ["quota_spent"]
    room.governance.queries.begin(third, now=later(hours=12))


def test_the_dry_run_finds_every_reason_and_charges_nothing(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", queries_per_day=1, dp={"epsilon_budget": 1})
    room.put_rules("adv", "sales", dp={"epsilon_budget": 1})
    room.governance.queries.begin(room.query("visits", "sales"), now=NOON)
    reasons = room.governance.ledger.check(Cost(room.collaboration, ("visits", "sales"), 0.5), now=NOON)
    assert [reason.code for reason in reasons] == ["budget_spent", "budget_spent", "quota_spent"]
    assert left(room) == {"visits": 0.0, "sales": 0.0}


def test_what_is_left_is_told_in_plain_words(room: ExampleRoom) -> None:
    dp = {"epsilon_budget": 10, "epsilon_per_query": 0.5, "refresh": "monthly"}
    room.put_rules("adv", "visits", privacy="dp", dp=dp)
    room.put_rules("adv", "sales", queries_per_day=5)
    room.governance.queries.begin(room.query("visits"), now=NOON)
    words = [budget.words for budget in room.governance.ledger.remaining(room.collaboration, now=NOON)]
    assert words == [
        "no privacy budget: small groups are withheld instead; 5 of 5 queries left today",
        "9 of 10 left: about 18 more queries at this noise; starts afresh on 2026-12-01",
    ]


def test_a_dataset_that_is_not_there_is_not_charged(room: ExampleRoom) -> None:
    with pytest.raises(NotFound):
        room.governance.queries.begin(room.query("visits"), now=NOON)
