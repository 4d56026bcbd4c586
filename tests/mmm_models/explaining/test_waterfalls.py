"""Weeks and waterfalls add up to what happened, and to what is planned."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.explaining.explanation import explain
from mmm_models.explaining.next_waterfall import PlanOfAnotherRun, plan_waterfall, what_if_waterfall
from mmm_models.explaining.waterfall import Waterfall
from mmm_models.explaining.week_by_week import week_by_week
from mmm_models.planning.changes import Change
from mmm_models.planning.goals import Budget
from mmm_models.planning.planner import Planner
from tests.mmm_models.explaining.small_runs import PERIOD, WEEKS, small_run
from tests.mmm_models.planning.small_planners import stopped


def adds_up(waterfall: Waterfall) -> bool:
    first = waterfall.steps[0].value if waterfall.steps[0].is_total else 0.0
    return first + sum(step.value for step in waterfall.changes) == pytest.approx(waterfall.steps[-1].value)


def test_every_week_adds_up_to_its_outcome() -> None:
    basis, _ = small_run()

    weeks = week_by_week(basis)

    assert [week.first_day for week in weeks] == [str(day) for day in basis.weeks]
    for week, row in enumerate(weeks):
        assert row.outcome == pytest.approx(sum(part.outcome[week] for part in basis.parts))
        assert row.contributions == pytest.approx(sum(part.contribution[week] for part in basis.parts))
        assert row.baseline + sum(row.contributions) == pytest.approx(row.outcome)


def test_the_outcome_is_made_of_baseline_and_channels() -> None:
    basis, model = small_run()
    outcome, _ = explain(basis, model, weeks=PERIOD).waterfalls

    added = sum(part.contribution[-PERIOD:].sum(axis=0) for part in basis.parts)
    assert [step.name for step in outcome.steps] == ["baseline", "c0", "c1", "outcome"]
    assert [step.value for step in outcome.changes[1:]] == pytest.approx(added.tolist())
    assert outcome.steps[-1].value == pytest.approx(sum(part.outcome[-PERIOD:].sum() for part in basis.parts))
    assert adds_up(outcome)
    assert all(step.interval.low < step.value < step.interval.high for step in outcome.changes)


def test_the_change_since_the_period_before_is_told_channel_by_channel() -> None:
    basis, model = small_run()
    _, past = explain(basis, model, weeks=PERIOD).waterfalls

    before, last = slice(-2 * PERIOD, -PERIOD), slice(-PERIOD, None)
    sold = [sum(part.outcome[span].sum() for part in basis.parts) for span in (before, last)]
    added = [sum(part.contribution[span].sum(axis=0) for part in basis.parts) for span in (before, last)]
    assert [past.steps[0].value, past.steps[-1].value] == pytest.approx(sold)
    assert [step.value for step in past.changes[1:]] == pytest.approx((added[1] - added[0]).tolist())
    assert adds_up(past)


def test_what_channels_may_have_changed_the_baseline_may_have_changed_less() -> None:
    """Both outcomes are known: with one channel the baseline's interval is the channel's, turned around."""
    basis, model = small_run(channels=1)
    _, past = explain(basis, model, weeks=PERIOD).waterfalls
    whole = past.steps[-1].value - past.steps[0].value

    baseline, channel = past.changes
    assert baseline.interval.low == pytest.approx(whole - channel.interval.high)
    assert baseline.interval.high == pytest.approx(whole - channel.interval.low)


def test_a_period_too_long_to_have_one_before_is_named() -> None:
    told = explain(*small_run(), weeks=40)

    assert [waterfall.kind for waterfall in told.waterfalls] == ["outcome"]
    (gone,) = told.absences
    assert gone.reason == f"the run knows {WEEKS} weeks, and two periods of 40 need 80"
    assert gone.advice == "ask for a shorter period: --weeks 30"


def test_a_run_of_totals_says_why_it_has_no_weeks() -> None:
    basis, model = small_run()
    told = explain(replace(basis.merged(), by_week=False), model, weeks=PERIOD)

    assert told.weeks == ()
    assert told.last_from == ""
    named = {item.what: item for item in told.absences}
    assert set(named) == {"week by week", "what changed since the period before", "silos beside each other"}
    assert "noised totals" in named["week by week"].reason
    assert "mixroom explain RUN --silo FILE" in named["silos beside each other"].advice
    assert explain(basis.merged(), model, weeks=PERIOD, own=True).absences == ()


@pytest.mark.parametrize("by_part", [False, True])
@pytest.mark.parametrize("flight", [False, True])
def test_a_plans_waterfall_ends_where_the_plan_does(by_part: bool, flight: bool) -> None:
    basis, model = small_run()
    planner = Planner(model, basis if by_part else basis.merged(), PERIOD)
    plan = planner.plan(Budget(1.2 * planner.last_total), flight=flight)

    found = plan_waterfall(planner.measures, plan)

    assert found.steps[0].value == pytest.approx(plan.last_outcome)
    assert found.steps[-1].value == pytest.approx(plan.outcome)
    assert found.steps[-1].interval.low == pytest.approx(plan.outcome_interval.low)
    assert adds_up(found)
    for step in found.changes:
        cells = [cell for cell in plan.cells if cell.channel == step.name]
        gained = sum(cell.revenue - cell.last_revenue for cell in cells)
        assert step.value == pytest.approx(gained)  # revenue is outcome here


def test_a_what_if_answers_waterfall_ends_where_the_answer_does() -> None:
    planner = Planner(small_run()[1], small_run()[0].merged(), PERIOD)
    answer = planner.what_if([Change("c1", factor=1.3)])

    found = what_if_waterfall(planner.measures, answer)

    assert found.steps[-1].value == pytest.approx(answer.outcome)
    assert [step.value for step in found.changes] == pytest.approx([0.0, answer.changed.gain])


def test_a_what_if_answer_may_begin_media_that_did_not_run() -> None:
    basis, model = small_run()
    planner = stopped(Planner(model, basis.merged(), PERIOD), 1, since=WEEKS - PERIOD)
    answer = planner.what_if([Change("c1", spend=10.0)])

    found = what_if_waterfall(planner.measures, answer)

    assert answer.changed.gain > 0
    assert [step.value for step in found.changes] == pytest.approx([0.0, answer.changed.gain])


def test_a_plan_of_another_run_or_period_is_not_drawn() -> None:
    basis, model = small_run()
    plan = Planner(model, basis.merged(), PERIOD).plan()
    moved = replace(model, parameters=model.parameters + 0.1)

    for other in (
        Planner(moved, basis.merged(), PERIOD),
        Planner(model, basis, PERIOD),
        Planner(model, basis.merged(), 20),
    ):
        with pytest.raises(PlanOfAnotherRun) as refused:
            plan_waterfall(other.measures, plan)
        assert refused.value.hint == "make it again: mixroom plan RUN --out RUN"


def test_parts_are_explained_beside_each_other() -> None:
    told = explain(*small_run(), weeks=PERIOD)

    assert [(fact.part, fact.channel) for fact in told.parts] == [
        ("north", "c0"), ("north", "c1"), ("south", "c0"), ("south", "c1"),
    ]  # fmt: skip
    spend = np.array([fact.spend for fact in told.parts]).reshape(2, 2).sum(axis=0)
    assert spend == pytest.approx([fact.spend for fact in told.channels])
    for north, south in zip(told.parts[:2], told.parts[2:], strict=True):
        assert north.timing == south.timing  # one response for all
        assert north.of_double.value > south.of_double.value  # who runs more media is more saturated
