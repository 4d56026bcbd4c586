"""What-if answers: the same numbers as plans, every question understood or refused by name, nothing certain unseen."""

import numpy as np
import pytest

from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    ChannelWithoutSpend,
    PartUnknown,
    PlanningError,
    QuestionInvalid,
)
from mmm_models.planning.what_if import Change, parse_change
from tests.mmm_models.planning.small_planners import small_planner


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("c0=+20%", Change("c0", factor=1.2)),
        ("c0=-10%", Change("c0", factor=0.9)),
        ("c0 = 80 %", Change("c0", factor=0.8)),
        ("c0=2500", Change("c0", spend=2500.0)),
        ("silo1/c0=+5%", Change("c0", factor=1.05, part="silo1")),
    ],
)
def test_changes_as_people_write_them(text: str, change: Change) -> None:
    found = parse_change(text)
    assert (found.channel, found.part, found.spend) == (change.channel, change.part, change.spend)
    assert found.factor == (None if change.factor is None else pytest.approx(change.factor))


@pytest.mark.parametrize("text", ["c0", "c0=", "=+20%", "c0=lots", "c0=+-3%", "c0=+500"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(QuestionInvalid) as caught:
        parse_change(text)
    assert "%" in caught.value.hint


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
        planner_without_spend().what_if([Change("c0", spend=5.0)])


def planner_without_spend():
    from dataclasses import replace

    planner = small_planner()
    (part,) = planner.basis.parts
    spend = part.spend.copy()
    spend[:, 0] = 0.0
    return replace(planner, basis=replace(planner.basis, parts=(replace(part, spend=spend),)))


def test_two_changes_of_one_channel_are_refused() -> None:
    with pytest.raises(QuestionInvalid, match="twice"):
        small_planner().what_if([parse_change("c0=+20%"), parse_change("c0=-10%")])
