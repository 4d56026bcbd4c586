"""What-if answers: the same numbers as plans, every question understood or refused by name, nothing certain unseen."""

import numpy as np
import pytest

from mmm_models.planning.changes import Change, parse_change
from mmm_models.planning.goals import Budget
from mmm_models.planning.limits import limits_from
from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    ChannelWithoutSpend,
    PartUnknown,
    PlanningError,
    QuestionInvalid,
)
from tests.mmm_models.planning.small_planners import small_planner, stopped, unpaid


def test_an_answer_agrees_with_the_plan_of_the_same_money() -> None:
    planner = small_planner()
    plan = planner.plan()
    answer = planner.what_if([Change(cell.channel, spend=cell.spend) for cell in plan.cells])

    assert answer.changed.revenue == pytest.approx(plan.planned.revenue)
    assert answer.changed.gain_interval == plan.planned.gain_interval
    assert answer.outcome == pytest.approx(plan.outcome)


def test_nothing_changed_changes_nothing() -> None:
    answer = small_planner().what_if([])

    assert answer.changed.gain == 0.0
    assert answer.outcome == answer.last_outcome
    assert np.isnan(answer.changed.better)


def test_far_beyond_what_was_observed_an_answer_is_wide_and_says_so() -> None:
    planner = small_planner(width=0.05)
    near, far = planner.what_if([parse_change("c0=-5%")]), planner.what_if([parse_change("c0=+400%")])

    assert not near.findings
    assert [finding.code for finding in far.findings] == ["far-beyond-observed"]
    (changed,) = [row for row in far.channels if row.channel == "c0"]
    (before,) = [row for row in near.channels if row.channel == "c0"]

    def width(row) -> float:
        return (row.revenue_interval.high - row.revenue_interval.low) / row.revenue

    assert width(changed) > 3 * width(before)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("c9=+1%", ChannelUnknown),
        ("south/c0=+1%", PartUnknown),
        ("c0=100000%", QuestionInvalid),
        ("c0=-120%", QuestionInvalid),
    ],
)
def test_questions_about_what_is_not_there_are_refused(text: str, error: type[PlanningError]) -> None:
    with pytest.raises(error) as caught:
        small_planner().what_if([parse_change(text)])
    assert caught.value.hint


def test_a_part_of_several_is_changed_alone() -> None:
    planner = small_planner(silos=2, by_part=True)
    answer = planner.what_if([parse_change("silo1/c0=+50%")])
    moved = {(row.part, row.channel) for row in answer.channels if row.change}

    assert moved == {("silo1", "c0")}
    with pytest.raises(ChannelWithoutSpend):
        unpaid(small_planner(), 0).what_if([Change("c0", spend=5.0)])


@pytest.mark.parametrize(
    "changes",
    [
        ("c0=+20%", "c0=-10%"),
        ("c0=+20%", "silo1/c0=-10%"),  # which of them counts would hang on their order
        ("silo1/c0=-10%", "c0=250"),
        ("silo1/c0=-10%", "silo1/c0=5"),
    ],
)
def test_two_changes_of_the_same_media_are_refused(changes: tuple[str, ...]) -> None:
    planner = small_planner(silos=2, by_part=True)

    with pytest.raises(QuestionInvalid, match="c0 is changed twice"):
        planner.what_if([parse_change(text) for text in changes])
    assert planner.what_if([parse_change("silo0/c0=+20%"), parse_change("silo1/c0=-10%")]).changed.gain


@pytest.mark.parametrize("text", ["c0=+20%", "c0=-10%", "c0=300%"])
def test_a_percentage_of_media_that_did_not_run_is_said_to_change_nothing(text: str) -> None:
    answer = stopped(small_planner(), 0).what_if([parse_change(text), parse_change("c1=-1%")])

    (finding,) = [found for found in answer.findings if found.code == "nothing-to-change"]
    assert (finding.severity, finding.channels) == ("review", ("c0",))
    assert finding.text.startswith("c0 did not run in the last 52 weeks: ")
    assert finding.advice == "Name an amount of money, such as c0=50000."
    assert [row.revenue for row in answer.channels if row.channel == "c0"] == pytest.approx([0.0], abs=1e-3)


def test_a_percentage_that_changes_something_has_no_such_finding() -> None:
    free, gone = unpaid(small_planner(), 0), stopped(small_planner(), 0)

    for planner, text in ((free, "c0=+5%"), (gone, "c1=+5%"), (gone, "c0=100%"), (gone, "c0=9")):
        answer = planner.what_if([parse_change(text)])
        assert "nothing-to-change" not in {finding.code for finding in answer.findings}
    assert free.what_if([parse_change("c0=+5%")]).changed.gain > 0


def test_where_no_price_is_known_a_longer_period_is_the_advice() -> None:
    planner = unpaid(stopped(small_planner(), 0), 0)

    (finding,) = planner.what_if([parse_change("c0=+20%")]).findings
    assert finding.advice.startswith("Ask about a longer period")
    with pytest.raises(ChannelWithoutSpend):
        planner.what_if([parse_change("c0=50")])


def test_an_amount_for_media_that_did_not_run_buys_them_at_their_last_price() -> None:
    planner = stopped(small_planner(), 0)
    limits = limits_from({"channels": {"c0": {"floor": 30.0, "ceiling": 30.0}}})
    plan = planner.plan(Budget(planner.last_total + 30.0), limits=limits)
    answer = planner.what_if([Change(cell.channel, spend=cell.spend) for cell in plan.cells])

    assert answer.changed.revenue == pytest.approx(plan.planned.revenue)
    assert answer.changed.roi == pytest.approx(plan.planned.roi)
    assert answer.channels[0].spend == pytest.approx(30.0)
    assert np.isnan(answer.channels[0].change)
    with pytest.raises(QuestionInvalid, match="times the most media there ever were"):
        planner.what_if([parse_change("c0=1000000000")])


def test_an_amount_for_several_parts_buys_them_as_many_media() -> None:
    planner = stopped(small_planner(silos=2, by_part=True), 0)
    answer = planner.what_if([parse_change("c0=40")])
    price = planner.look.period.price[:, 0]

    spend = [row.spend for row in answer.channels if row.channel == "c0"]
    assert spend == pytest.approx((40.0 * price / price.sum()).tolist())
