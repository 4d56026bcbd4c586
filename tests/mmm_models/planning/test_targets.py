"""Targets are met with the total they need, no more and no less, or refused where no total meets them."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.planning.goals import Budget, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.measures import measure
from mmm_models.planning.planning_errors import TargetUnreachable
from tests.mmm_models.planning.small_planners import ANYWHERE, money, small_planner


def test_a_return_target_gives_the_largest_budget_that_keeps_it() -> None:
    planner = small_planner()
    now = planner.plan(limits=ANYWHERE)
    goal = ReturnTarget(1.1 * now.planned.roi)
    plan = planner.plan(goal, limits=ANYWHERE)
    more = planner.plan(Budget(1.02 * plan.planned.spend), limits=ANYWHERE)

    assert plan.planned.roi == pytest.approx(goal.roi, rel=1e-3)
    assert more.planned.roi < goal.roi


def test_a_marginal_target_spends_until_the_last_unit_brings_it() -> None:
    planner = small_planner()
    now = planner.plan(limits=ANYWHERE)
    plan = planner.plan(MarginalTarget(0.8 * now.marginal_roi), limits=ANYWHERE)

    assert plan.planned.spend > now.planned.spend
    assert plan.marginal_roi == pytest.approx(0.8 * now.marginal_roi, rel=0.02)


def test_an_outcome_target_is_reached_with_no_more_money_than_needed() -> None:
    planner = small_planner()
    target = 1.01 * planner.last_outcome
    plan = planner.plan(OutcomeTarget(target), limits=ANYWHERE)
    less = planner.plan(Budget(0.98 * plan.planned.spend), limits=ANYWHERE)

    assert plan.outcome == pytest.approx(target, rel=1e-4)
    assert less.outcome < target


@pytest.mark.parametrize(("share", "flight"), [(1.0, False), (1.01, False), (1.01, True)])
def test_an_outcome_target_with_a_risk_is_missed_in_so_many_worlds(share: float, flight: bool) -> None:
    """What last period sold is known: its own split misses its outcome in no world, and needs no margin."""
    planner = small_planner(width=0.3)
    plan = planner.plan(OutcomeTarget(share * planner.last_outcome), limits=ANYWHERE, risk=0.1, flight=flight)

    look = planner.look
    if flight:
        pattern = np.stack([flight.spend for flight in plan.flights], axis=-1)[None]
        look = look.with_pattern(pattern / pattern.mean(axis=1, keepdims=True))
    drawn, last = (
        measure(look, look.intensity(money(plan)[None]), money(plan)[None]).drawn,
        planner.measures.last.drawn,
    )
    assert drawn is not None
    assert last is not None
    gains = (drawn - last).sum(axis=(1, 2))
    assert np.quantile(gains, 0.1) == pytest.approx(
        (share - 1.0) * planner.last_outcome, abs=0.002 * planner.last_outcome
    )
    assert share > 1.0 or plan.planned.spend < planner.last_total


def test_outcomes_of_parts_with_other_prices_are_counted_part_by_part() -> None:
    planner = small_planner(silos=2, by_part=True)
    first, second = planner.basis.parts
    dear = replace(
        planner, basis=replace(planner.basis, parts=(first, replace(second, revenue_per_outcome=10.0)))
    )
    plan = dear.plan(OutcomeTarget(1.005 * dear.last_outcome))
    worth = {"silo0": 1.0, "silo1": 10.0}
    gained = sum((cell.revenue - cell.last_revenue) / worth[cell.part] for cell in plan.cells)

    assert plan.outcome == pytest.approx(plan.last_outcome + gained)
    assert plan.outcome == pytest.approx(1.005 * dear.last_outcome, rel=1e-4)


def test_a_return_that_only_nothing_reaches_is_refused() -> None:
    planner = small_planner()
    best = small_planner().plan(Budget(0.001 * planner.last_total), limits=ANYWHERE).planned.roi

    assert planner.plan(ReturnTarget(0.5 * best), limits=ANYWHERE).planned.spend > 0
    for goal in (ReturnTarget(1e6), MarginalTarget(1e6)):
        with pytest.raises(TargetUnreachable):
            planner.plan(goal, limits=ANYWHERE)
