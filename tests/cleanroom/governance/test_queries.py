"""A query's life: charged, then released, or failed."""

from __future__ import annotations

import dataclasses

import pytest

from cleanroom.errors import BasisMoved, BudgetSpent, Conflict, Forbidden, NotFound
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.governance.query_views import FinishedQuery
from tests.cleanroom.governance.example_room import ANALYST, AUDITOR, NOON, ExampleRoom, upload


@pytest.fixture
def asking(room: ExampleRoom) -> ExampleRoom:
    """With one dataset of budget 3, and analysts dan and eve."""
    room.put_rules("adv", "visits", dp={"epsilon_budget": 3})
    room.add("dan", ANALYST)
    room.add("eve", ANALYST)
    return room


def test_a_query_ends_once(asking: ExampleRoom) -> None:
    queries = asking.governance.queries
    begun = queries.begin(asking.query("visits"), now=NOON).query
    queries.fail(begun.id, "worker_failed", now=NOON)
    with pytest.raises(Conflict):
        queries.finish(FinishedQuery(begun.id, {}), now=NOON)
    with pytest.raises(NotFound):
        queries.release(asking.principals["adv"], asking.collaboration, begun.id)


def test_the_same_noised_question_gets_the_same_answer_at_no_charge(asking: ExampleRoom) -> None:
    queries = asking.governance.queries
    question = asking.query("visits", plan_digest="plan")
    first = queries.begin(question, now=NOON)
    again = asking.query("visits", member="dan", plan_digest="plan")
    with pytest.raises(Conflict, match="being answered"):
        queries.begin(again, now=NOON)
    queries.finish(FinishedQuery(first.query.id, {"cells": [7]}), now=NOON)
    cached = queries.begin(again, now=NOON).cached
    assert cached is not None
    assert cached.release == {"cells": [7]}
    assert cached == queries.find_release(asking.collaboration, "plan", question.basis_digest)
    (budget,) = asking.governance.ledger.remaining(asking.collaboration, now=NOON)
    assert budget.left_epsilon == 2.0
    assert queries.find_release(asking.collaboration, "plan", "newer rules") is None


def test_a_question_that_failed_is_charged_again(asking: ExampleRoom) -> None:
    queries = asking.governance.queries
    for _ in range(3):
        begun = queries.begin(asking.query("visits", plan_digest="plan"), now=NOON)
        queries.fail(begun.query.id, "worker_failed", now=NOON)
    with pytest.raises(BudgetSpent):
        queries.begin(asking.query("visits", plan_digest="plan"), now=NOON)


def test_a_query_id_is_used_once(asking: ExampleRoom) -> None:
    query = asking.query("visits")
    asking.governance.queries.begin(query, now=NOON)
    with pytest.raises(Conflict):
        asking.governance.queries.begin(dataclasses.replace(query, plan_digest="other"), now=NOON)


def test_a_start_fails_what_was_left_and_keeps_its_charge(asking: ExampleRoom) -> None:
    governance = asking.governance
    begun = governance.queries.begin(asking.query("visits"), now=NOON).query
    governance.idempotency.claim("dan", "key", "digest", now=NOON)
    assert governance.recover(now=NOON) == (begun.id,)
    assert governance.recover(now=NOON) == ()
    assert governance.queries.view(asking.principals["adv"], asking.collaboration, begun.id).state == "failed"
    (budget,) = governance.ledger.remaining(asking.collaboration, now=NOON)
    assert budget.left_epsilon == 2.0
    assert governance.idempotency.claim("dan", "key", "digest", now=NOON) is None


def test_analysts_see_their_own_queries_owners_and_auditors_all(asking: ExampleRoom) -> None:
    asking.add("aud", AUDITOR)
    queries = asking.governance.queries
    mine = queries.begin(asking.query("visits", member="dan"), now=NOON).query
    queries.finish(FinishedQuery(mine.id, {}), now=NOON)
    seen = {
        name: len(queries.list(asking.principals[name], asking.collaboration))
        for name in ("adv", "aud", "dan", "eve")
    }
    assert seen == {"adv": 1, "aud": 1, "dan": 1, "eve": 0}
    for stranger in (asking.principals["eve"], asking.operator()):
        with pytest.raises(NotFound):
            queries.view(stranger, asking.collaboration, mine.id)
        with pytest.raises(NotFound):
            queries.release(stranger, asking.collaboration, mine.id)


def test_a_refused_charge_leaves_no_row_and_no_entry(asking: ExampleRoom) -> None:
    adv, audit = asking.principals["adv"], asking.governance.audit
    before = len(audit.entries(adv, asking.collaboration))
    with pytest.raises(BudgetSpent):
        asking.governance.queries.begin(asking.query("visits", epsilon=3.5), now=NOON)
    assert asking.governance.queries.list(adv, asking.collaboration) == ()
    assert len(audit.entries(adv, asking.collaboration)) == before


def test_rules_that_change_between_judging_and_charging_stop_the_charge(asking: ExampleRoom) -> None:
    judged = asking.query("visits")
    asking.put_rules("adv", "visits", min_group_size=500, dp={"epsilon_budget": 3})
    with pytest.raises(BasisMoved):
        asking.governance.queries.begin(judged, now=NOON)
    (budget,) = asking.governance.ledger.remaining(asking.collaboration, now=NOON)
    assert budget.left_epsilon == 3.0


def test_a_table_that_arrives_between_judging_and_charging_stops_the_charge(asking: ExampleRoom) -> None:
    judged = asking.query("visits")
    upload(asking, "adv", "visits")
    with pytest.raises(BasisMoved):
        asking.governance.queries.begin(judged, now=NOON)
    asking.governance.queries.begin(asking.query("visits"), now=NOON)


def test_nothing_is_released_from_a_table_that_was_destroyed_while_the_query_ran(asking: ExampleRoom) -> None:
    version = upload(asking, "adv", "visits")
    begun = asking.governance.queries.begin(asking.query("visits"), now=NOON).query
    release = {"body": {"datasets": [{"dataset": "visits", "version": version.id}]}}
    adv = asking.principals["adv"]
    asking.governance.datasets.delete(adv, asking.collaboration, "visits", version.id, now=NOON)
    with pytest.raises(Conflict, match="destroyed while it ran"):
        asking.governance.queries.finish(FinishedQuery(begun.id, release), now=NOON)


def test_a_template_reads_no_dataset_that_came_after_it_was_signed(asking: ExampleRoom) -> None:
    template = {"name": "both", "template": {"sql": "SELECT 1"}, "datasets": ["visits"]}
    asking.agree("adv", ProposalKind.TEMPLATE, template)
    asking.put_rules("adv", "sales")
    asking.governance.queries.begin(asking.query("visits", details={"template": "both"}), now=NOON)
    later_one = asking.query("visits", "sales", details={"template": "both"})
    with pytest.raises(Conflict, match="did not sign"):
        asking.governance.queries.begin(later_one, now=NOON)


def test_a_release_is_read_by_its_asker_and_by_receivers_only(asking: ExampleRoom) -> None:
    asking.add("aud", AUDITOR)
    asking.put_rules("adv", "visits", receivers=["dan", "adv"], dp={"epsilon_budget": 3})
    queries = asking.governance.queries
    begun = queries.begin(asking.query("visits", member="dan"), now=NOON).query
    queries.finish(FinishedQuery(begun.id, {"cells": [7]}), now=NOON)
    for receiver in ("dan", "adv"):
        assert queries.release(asking.principals[receiver], asking.collaboration, begun.id).release
    assert queries.view(asking.principals["aud"], asking.collaboration, begun.id).member == "dan"
    with pytest.raises(Forbidden, match="receive"):
        queries.release(asking.principals["aud"], asking.collaboration, begun.id)
