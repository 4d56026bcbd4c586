"""What is doubtful is said: splits as good as any, synergies where channels are treated as if alone, unknown money."""

from dataclasses import replace

import pytest

from mmm_models.planning.changes import parse_change
from mmm_models.planning.goals import Budget, Goal, MarginalTarget, OutcomeTarget
from mmm_models.planning.plan import Plan, WhatIf
from mmm_models.planning.planning_errors import ResponseTooUnsure
from tests.mmm_models.planning.small_planners import ANYWHERE, small_planner

LAST = small_planner().last_total
SALES = small_planner().last_outcome


def said(answer: Plan | WhatIf, code: str) -> list[str]:
    return [finding.text for finding in answer.findings if finding.code == code]


@pytest.mark.parametrize("goal", [OutcomeTarget(0.99 * SALES), Budget(1.2 * LAST)])
def test_a_split_hardly_likelier_to_be_better_than_last_periods_of_the_same_money_is_a_toss_up(
    goal: Goal,
) -> None:
    plan = small_planner(width=0.8).plan(goal)

    (text,) = said(plan, "toss-up")
    assert text.startswith("The probability that this beats last period's split of the same money is ")


def test_a_saving_that_the_data_can_tell_is_none() -> None:
    """Its outcome is last period's by design: as likely more as less."""
    plan = small_planner(width=0.5).plan(OutcomeTarget(1.0001 * SALES))

    assert plan.planned.better < 0.75
    assert plan.planned.spend < LAST
    assert not said(plan, "toss-up")


def test_a_budget_that_hardly_beats_last_period_says_so() -> None:
    """With less money, which would be no news of a split of less money."""
    plan = small_planner(width=0.5).plan(Budget(0.8 * LAST))

    (text,) = said(plan, "toss-up")
    assert text.startswith("The probability that this beats last period is ")


def test_rhythms_of_channels_with_synergies_are_said_to_be_found_alone() -> None:
    timed = small_planner(synergy=True).plan(flight=True)

    (text,) = said(timed, "rhythms-as-if-alone")
    assert text.startswith("The rhythms of c0, c1, c2 were found as if each ran alone")
    assert not said(small_planner(synergy=True).plan(), "rhythms-as-if-alone")
    assert not said(small_planner().plan(flight=True), "rhythms-as-if-alone")


def test_channels_with_synergies_are_said_to_be_continued_alone() -> None:
    far, near = [parse_change("c1=+300%")], [parse_change("c1=-10%")]
    planner, single = small_planner(synergy=True), small_planner()

    (text,) = said(planner.what_if(far), "extrapolated-as-if-alone")
    assert text.startswith("Beyond what was observed the curves of c1 are continued as if each ran alone")
    unknown = small_planner(
        synergy=True, width=0.0
    )  # without intervals nothing is continued but as it was fitted
    for answer in (planner.what_if(near), single.what_if(far), unknown.what_if(far)):
        assert not said(answer, "extrapolated-as-if-alone")
    assert said(planner.plan(Budget(3 * planner.last_total)), "extrapolated-as-if-alone")


@pytest.mark.parametrize("synergy", [False, True])
@pytest.mark.parametrize("width", [1.0, 2.0, 5.0])
def test_a_run_that_knows_nothing_of_its_response_is_refused(width: float, synergy: bool) -> None:
    """Steep draws bring 1e10 times all that was sold, or no number: the mean over draws is theirs alone."""
    planner = small_planner(width=width, synergy=synergy)

    for ask in (planner.plan, planner.frontier, lambda: planner.what_if([parse_change("c0=+1%")])):
        with pytest.raises(ResponseTooUnsure) as refused:
            ask()
        assert "lift tests" in refused.value.hint


def test_whether_money_comes_back_is_not_said_of_an_outcome_that_is_no_money() -> None:
    planner = small_planner()
    visits = replace(planner, basis=replace(planner.basis, outcome_unit="visits"))
    (part,) = visits.basis.parts
    priced = replace(visits, basis=replace(visits.basis, parts=(replace(part, revenue_per_outcome=0.5),)))

    assert not said(visits.plan(MarginalTarget(0.5), limits=ANYWHERE), "spent-beyond-return")
    assert said(priced.plan(MarginalTarget(0.5), limits=ANYWHERE), "spent-beyond-return")
