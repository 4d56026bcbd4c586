"""Where nobody gave a ceiling plans are searched only so far, and say so when they end there."""

import numpy as np
import pytest

from mmm_models.planning.goals import Budget, Goal, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.limits import Limits, limits_from
from mmm_models.planning.plan import Plan
from mmm_models.planning.planning_errors import QuestionInvalid, TargetUnreachable
from mmm_models.results import Finding
from tests.mmm_models.planning.small_planners import ANYWHERE, small_planner, stopped, unpaid

LITTLE = 0.01  # of a unit of revenue for the last unit of money


def ended(plan: Plan) -> list[Finding]:
    return [finding for finding in plan.findings if finding.code == "search-limit"]


def test_a_plan_that_ends_where_the_search_does_names_the_limit() -> None:
    planner = small_planner()
    plan = planner.plan(MarginalTarget(LITTLE), limits=ANYWHERE)

    (finding,) = ended(plan)
    most = 10 * planner.last_total
    assert (finding.severity, finding.channels) == ("review", ("c0",))
    assert f"{most:,.0f} EUR each (10 times all of last period's money)" in finding.text
    assert "give a ceiling" in finding.advice
    assert {cell.channel: cell.bound for cell in plan.cells} == {"c0": "search limit", "c1": "", "c2": ""}
    assert plan.cells[0].spend == pytest.approx(most)


def test_a_return_target_at_the_end_of_the_search_says_so_part_by_part() -> None:
    plan = small_planner(silos=2, by_part=True).plan(ReturnTarget(LITTLE), limits=ANYWHERE)

    (finding,) = ended(plan)
    assert finding.channels == ("c0", "c1", "c2")
    assert "silo0/c0, silo0/c1" in finding.text


@pytest.mark.parametrize("times", [20.0, 40.0])
def test_a_ceiling_is_searched_whole(times: float) -> None:
    planner = small_planner()
    ceiling = times * planner.last_total
    plan = planner.plan(
        MarginalTarget(LITTLE),
        limits=limits_from({"change": "none", "channels": {"c0": {"ceiling": ceiling}}}),
    )

    assert not ended(plan)
    assert plan.cells[0].ceiling == pytest.approx(ceiling)
    assert plan.cells[0].spend > 10 * planner.last_total
    assert plan.cells[0].marginal_roi == pytest.approx(LITTLE, rel=0.02)


@pytest.mark.parametrize(
    "goal", [None, MarginalTarget(2.0), ReturnTarget(6.0), OutcomeTarget(1.01 * small_planner().last_outcome)]
)
def test_a_ceiling_beyond_all_reason_moves_no_plan(goal: Goal | None) -> None:
    """Tables of curves over a range a million times too long say nothing of where money is spent."""
    planner = small_planner()
    high = limits_from({"change": "none", "channels": {"c0": {"ceiling": 1e12}}})
    far, free = (
        [cell.spend for cell in planner.plan(goal, limits=limits).cells] for limits in (high, ANYWHERE)
    )

    assert far == pytest.approx(free, rel=0.01)


def test_a_plan_that_ends_before_such_a_ceiling_says_so() -> None:
    planner = small_planner()
    limits = limits_from({"channels": {"c0": {"ceiling": 1e12}}})
    plan = planner.plan(MarginalTarget(1e-6), limits=limits)

    assert plan.cells[0].spend == pytest.approx(100 * planner.last_total)
    assert (plan.cells[0].bound, len(ended(plan))) == ("search limit", 1)


def test_where_nothing_was_spent_a_small_floor_cuts_no_ceiling_short() -> None:
    gone = stopped(small_planner(), 0, 1, 2)
    limits = limits_from({"channels": {"c0": {"ceiling": 5000.0}, "c1": {"floor": 1.0, "ceiling": 2.0}}})
    plan = gone.plan(ReturnTarget(2.0), limits=limits)

    assert plan.cells[0].ceiling == pytest.approx(5000.0)
    assert plan.cells[0].spend > 1000.0


def test_where_nothing_was_spent_a_large_total_is_planned_all_the_same() -> None:
    gone = stopped(small_planner(), 0, 1, 2)
    plan = gone.plan(Budget(1e9), limits=limits_from({"channels": {"c0": {"ceiling": 1e10}}}))

    assert [cell.spend for cell in plan.cells] == pytest.approx([1e9, 0.0, 0.0])


@pytest.mark.parametrize("more", [1.0, 3.0, 300.0])
def test_an_outcome_hardly_above_that_without_media_is_reached(more: float) -> None:
    """A root found on the near side of it would leave no money to look further with."""
    planner = small_planner()
    without = planner.last_outcome - float(planner.measures.last.expected.sum())
    plan = planner.plan(OutcomeTarget(without + more), limits=ANYWHERE)

    assert without + more <= plan.outcome + 0.1
    assert plan.outcome == pytest.approx(without + more, abs=10.0)


def test_a_ceiling_of_parts_together_is_searched_whole() -> None:
    planner = small_planner(silos=2, by_part=True)
    ceiling = 40 * planner.last_total
    plan = planner.plan(
        MarginalTarget(LITTLE), limits=limits_from({"channels": {"c0": {"ceiling": ceiling}}})
    )

    assert not ended(plan)
    assert plan.cells[0].ceiling == pytest.approx(ceiling)


@pytest.mark.parametrize("goal", [None, Budget(1500.0), MarginalTarget(1.0), ReturnTarget(LITTLE)])
def test_a_plan_that_ends_elsewhere_does_not_speak_of_it(goal: Goal | None) -> None:
    limits = Limits() if isinstance(goal, ReturnTarget) else ANYWHERE  # ends at ceilings of the general limit
    plan = small_planner().plan(goal, limits=limits)

    assert not ended(plan)
    assert "search limit" not in {cell.bound for cell in plan.cells}


def test_an_outcome_out_of_reach_says_how_far_was_searched() -> None:
    planner = small_planner()
    goal = OutcomeTarget(1.5 * planner.last_outcome)
    with pytest.raises(TargetUnreachable) as free:
        planner.plan(goal, limits=ANYWHERE)
    with pytest.raises(TargetUnreachable) as limited:
        planner.plan(goal)

    most = 10 * planner.last_total
    assert f"(and without a lower ceiling c0, c1, c2 searched up to {most:,.0f} each)" in str(free.value)
    assert "give a ceiling, up to 100 times last period's money, to c0, c1, c2" in free.value.hint
    assert "searched" not in str(limited.value)
    assert "raise the ceilings or the general limit of change" in limited.value.hint


def test_floors_beyond_the_search_are_kept() -> None:
    planner = small_planner()
    floor = 40 * planner.last_total
    plan = planner.plan(MarginalTarget(1.0), limits=limits_from({"channels": {"c0": {"floor": floor}}}))

    assert plan.cells[0].spend == pytest.approx(floor)
    assert plan.cells[0].bound == "floor"


@pytest.mark.parametrize("goal", [ReturnTarget(2.0), MarginalTarget(1.0)])
def test_where_nothing_was_spent_a_target_needs_ceilings(goal: Goal) -> None:
    gone = stopped(small_planner(), 0, 1, 2)
    with pytest.raises(TargetUnreachable, match="no money may be spent") as refused:
        gone.plan(goal, limits=ANYWHERE)

    assert "give paid channels ceilings in money" in refused.value.hint
    ceilings = limits_from({"channels": {name: {"ceiling": 200.0} for name in ("c0", "c1", "c2")}})
    assert gone.plan(goal, limits=ceilings).planned.spend > 0


def test_where_nothing_was_spent_there_is_no_total_to_start_from() -> None:
    free = unpaid(small_planner(), 0, 1, 2)

    for ask in (free.plan, free.frontier):
        with pytest.raises(QuestionInvalid, match="nothing was spent in the last 52 weeks"):
            ask()
    assert np.isnan(free.measures.last_split.roi)
