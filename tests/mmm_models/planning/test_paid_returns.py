"""A return is revenue of what the money pays for over that money; what media that cost nothing bring is none."""

import numpy as np
import pytest

from mmm_models.planning.changes import parse_change
from mmm_models.planning.goals import Budget, Goal, MarginalTarget, ReturnTarget
from mmm_models.planning.plan import Plan
from mmm_models.planning.planner import Planner
from mmm_models.planning.planning_errors import ChannelWithoutSpend, TargetUnreachable
from tests.mmm_models.planning.small_planners import ANYWHERE, small_planner, stopped, unpaid


@pytest.fixture(scope="module")
def mixed() -> Planner:
    """c0 costs nothing."""
    return unpaid(small_planner(), 0)


def spends(plan: Plan) -> list[float]:
    return [cell.spend for cell in plan.cells]


def paid_return(plan: Plan) -> float:
    """By hand."""
    paid = [cell for cell in plan.cells if cell.channel != "c0"]
    return sum(cell.revenue for cell in paid) / sum(cell.spend for cell in paid)


@pytest.mark.parametrize(("silos", "by_part"), [(1, False), (2, True)])
def test_every_answer_leaves_out_what_free_media_bring(silos: int, by_part: bool) -> None:
    planner = unpaid(small_planner(silos=silos, by_part=by_part), 0)
    plan, answer = planner.plan(), planner.what_if([parse_change("c0=+50%"), parse_change("c1=+10%")])

    assert plan.planned.roi == pytest.approx(paid_return(plan))
    last = [cell for cell in plan.cells if cell.channel != "c0"]
    assert plan.last.roi == pytest.approx(sum(cell.last_revenue for cell in last) / plan.last.spend)
    rows = [row for row in answer.channels if row.channel != "c0"]
    assert answer.changed.roi == pytest.approx(sum(row.revenue for row in rows) / answer.changed.spend)
    assert plan.planned.revenue == pytest.approx(sum(cell.revenue for cell in plan.cells))


def test_naive_splits_and_frontiers_count_the_same(mixed: Planner) -> None:
    free = mixed.measures.last.expected[0, 0]
    plan = mixed.plan(Budget(1.1 * mixed.last_total))
    splits = [*plan.others, *(point.split for point in mixed.frontier().budgets)]

    assert len(splits) > 5
    for split in splits:
        assert split.roi == pytest.approx((split.revenue - free) / split.spend)


@pytest.mark.parametrize("goal", [ReturnTarget(4.0), MarginalTarget(2.0)])
def test_free_media_do_not_move_a_target(mixed: Planner, goal: Goal) -> None:
    without = stopped(mixed, 0, since=0)

    assert spends(mixed.plan(goal, limits=ANYWHERE)) == pytest.approx(
        spends(without.plan(goal, limits=ANYWHERE)), rel=1e-3, abs=1e-9
    )


@pytest.mark.parametrize("synergy", [False, True])
def test_a_return_target_is_met_by_what_the_money_pays_for(synergy: bool) -> None:
    planner = unpaid(small_planner(synergy=synergy), 0)
    roi = 1.1 * planner.plan(limits=ANYWHERE).planned.roi
    plan = planner.plan(ReturnTarget(roi), limits=ANYWHERE)

    assert plan.planned.roi == pytest.approx(roi, rel=1e-3)
    assert paid_return(plan) == pytest.approx(roi, rel=1e-3)


def test_a_careful_return_target_is_met_in_all_but_so_many_worlds(mixed: Planner) -> None:
    plan = mixed.plan(ReturnTarget(3.0), limits=ANYWHERE, risk=0.25)
    drawn = mixed.measures.of_spend(np.array([spends(plan)])).drawn
    assert drawn is not None

    paid = drawn[:, 0, 1:].sum(axis=1)
    assert np.quantile(paid, 0.25) / plan.planned.spend == pytest.approx(3.0, rel=0.02)


def test_a_return_that_only_free_media_reach_is_refused(mixed: Planner) -> None:
    with pytest.raises(TargetUnreachable, match="a return of 500 is not reached"):
        mixed.plan(ReturnTarget(500.0), limits=ANYWHERE)


def test_media_that_became_free_keep_what_they_had() -> None:
    """They had a price before: money at that price is no longer what they hang on."""
    planner = unpaid(small_planner(), 0, since=8)
    plan = planner.plan()

    assert plan.cells[0].bound == "fixed"
    assert plan.cells[0].revenue == pytest.approx(plan.cells[0].last_revenue)
    assert plan.planned.revenue >= plan.last.revenue
    assert plan.last.roi == pytest.approx(sum(c.last_revenue for c in plan.cells[1:]) / plan.last.spend)
    with pytest.raises(ChannelWithoutSpend):
        planner.what_if([parse_change("c0=5")])
