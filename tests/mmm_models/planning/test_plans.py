"""Plans are the best there are, keep what was asked, and say so when it cannot be."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mmm_models.planning.flighting import best_rhythm
from mmm_models.planning.goals import Budget, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.limits import Limit, Limits, limits_from
from mmm_models.planning.measures import marginal_returns, measure
from mmm_models.planning.plan import Plan
from mmm_models.planning.plan_basis import Part
from mmm_models.planning.planner import Planner
from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    LimitsContradict,
    LimitsInvalid,
    PartUnknown,
    PlanningError,
    QuestionInvalid,
    RiskUnknown,
    TargetUnreachable,
)
from mmm_models.planning.solve import Solver
from tests.mmm_models.planning.small_planners import altered, small_planner

ANYWHERE = Limits(change=None)


def money(plan: Plan) -> np.ndarray:
    return np.array([cell.spend for cell in plan.cells])


def revenue(planner: Planner, spend: np.ndarray) -> float:
    return float(planner.measures.of_spend(spend.reshape(planner.look.period.spend.shape)).expected.sum())


@pytest.mark.parametrize("synergy", [False, True])
def test_no_split_of_a_fine_grid_is_better(synergy: bool) -> None:
    planner = small_planner(synergy=synergy)
    total = planner.last_total
    plan = planner.plan(limits=ANYWHERE)
    shares = np.linspace(0.0, 1.0, 26)
    grid = [(a, b, 1.0 - a - b) for a, b in product(shares, shares) if a + b <= 1.0]

    best = max(revenue(planner, total * np.array(split)) for split in grid)
    assert sum(money(plan)) == pytest.approx(total)
    assert plan.planned.revenue >= best * (1 - 1e-4)


def test_no_random_start_of_a_local_search_ends_higher() -> None:
    planner = small_planner(channels=5)
    total, plan = planner.last_total, small_planner(channels=5).plan(limits=ANYWHERE)
    rng = np.random.default_rng(0)

    def loss(share: np.ndarray) -> float:
        return -revenue(planner, total * share)

    ends = [
        -minimize(
            loss,
            rng.dirichlet(np.ones(5)),
            method="SLSQP",
            bounds=[(0, 1)] * 5,
            constraints={"type": "eq", "fun": lambda share: share.sum() - 1},
        ).fun
        for _ in range(8)
    ]
    assert plan.planned.revenue >= max(ends) * (1 - 1e-4)


def test_channels_off_their_limits_share_one_marginal_return() -> None:
    plan = small_planner().plan(limits=ANYWHERE)
    free = [cell for cell in plan.cells if not cell.bound]

    assert len(free) > 1
    for cell in free:
        assert cell.marginal_roi == pytest.approx(plan.marginal_roi, rel=0.02)
        assert cell.marginal_roi_interval.low < cell.marginal_roi < cell.marginal_roi_interval.high


def test_a_plan_is_compared_with_last_period_and_naive_splits_of_the_same_money() -> None:
    planner = small_planner()
    plan = planner.plan(Budget(1.2 * planner.last_total))

    assert {split.name for split in plan.others} == {
        "as last period",
        "the same for every channel",
        "by revenue",
    }
    assert all(split.spend == pytest.approx(1.2 * planner.last_total) for split in plan.others)
    assert all(
        plan.planned.revenue >= 0.999 * split.revenue for split in plan.others if split.name != "by revenue"
    )
    assert plan.planned.gain == pytest.approx(plan.planned.revenue - plan.last.revenue)
    assert plan.outcome == pytest.approx(plan.last_outcome + plan.planned.gain)
    assert plan.planned.gain_interval.low < plan.planned.gain < plan.planned.gain_interval.high


def test_limits_hold_channels_groups_and_parts() -> None:
    planner = small_planner(silos=2, by_part=True)
    last = planner.look.period.spend
    limits = limits_from(
        {
            "change": "60%",
            "channels": {"c0": {"ceiling": "90%"}},
            "groups": {"video": {"channels": ["c1", "c2"], "floor": "102%"}},
            "parts": {"silo0": {"change": "5%"}},
            "cells": {"silo1/c2": {"floor": "100%", "ceiling": "100%"}},
        }
    )
    spend = money(planner.plan(limits=limits)).reshape(last.shape)

    assert spend[:, 0].sum() <= 0.9 * last[:, 0].sum() * (1 + 1e-9)
    assert spend[:, 1:].sum() >= 1.02 * last[:, 1:].sum() * (1 - 1e-9)
    assert abs(spend[0].sum() / last[0].sum() - 1) <= 0.05 + 1e-9
    assert spend[1, 2] == pytest.approx(last[1, 2])
    assert spend.sum() == pytest.approx(last.sum())


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


def test_a_plan_for_a_risk_has_the_higher_quantile() -> None:
    planner = small_planner(width=0.3)
    bold, careful = planner.plan(limits=ANYWHERE), planner.plan(limits=ANYWHERE, risk=0.1)
    shape = planner.look.period.spend.shape

    def quantile(plan: Plan) -> float:
        drawn = planner.measures.of_spend(money(plan).reshape(shape)).drawn
        assert drawn is not None
        return float(np.quantile(drawn.sum(axis=(1, 2)), 0.1))

    assert quantile(careful) > quantile(bold)
    assert careful.risk == 0.1
    with pytest.raises(RiskUnknown):
        small_planner(width=0.0).plan(risk=0.1)


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


def test_a_rhythm_spends_the_same_money_and_never_brings_less() -> None:
    planner = small_planner()
    plan, timed = planner.plan(), planner.plan(flight=True)

    assert timed.planned.revenue >= plan.planned.revenue * (1 - 1e-6)
    assert sum(sum(flight.spend) for flight in timed.flights) == pytest.approx(planner.last_total)
    assert all(len(flight.spend) == plan.weeks for flight in timed.flights)


def test_an_outcome_target_with_a_rhythm_is_reached_and_not_overshot() -> None:
    """What the rhythm adds is money saved."""
    planner = small_planner()
    goal = OutcomeTarget(1.01 * planner.last_outcome)
    plan, timed = planner.plan(goal, limits=ANYWHERE), planner.plan(goal, limits=ANYWHERE, flight=True)

    assert timed.outcome == pytest.approx(goal.outcome, rel=1e-4)
    assert timed.planned.spend < plan.planned.spend


def slow_to_begin(planner: Planner, half: float) -> Planner:
    """The first two channels need so much more media (a logarithm) for half of their effect: some like bursts."""
    values, at = planner.model.parameters.copy(), 0
    for name, parameter in planner.model.response().named_parameters():
        if name == "log_half_saturation":
            values[at : at + 2] += half
        at += parameter.numel()
    return replace(planner, model=replace(planner.model, parameters=values))


@pytest.mark.parametrize(("synergy", "half"), [(False, 1.0), (True, 1.0), (True, 2.0)])
def test_a_rhythms_gain_is_what_all_rhythms_bring_together(synergy: bool, half: float) -> None:
    """With synergies the best rhythms one by one may bring less: what a burst is worth hangs on the others'."""
    look = slow_to_begin(small_planner(synergy=synergy, width=0.0), half).look
    media = torch.from_numpy(look.period.intensity)
    rhythm = best_rhythm(look, look.period.spend)

    now = look.likely.outcome(media)[0]
    timed = look.likely.with_pattern(torch.from_numpy(rhythm.pattern)).outcome(media)[0]
    assert rhythm.gain == pytest.approx((timed / now - 1.0).numpy(), abs=2e-6)
    assert float(timed.sum()) > float(now.sum())
    assert rhythm.pattern.mean(axis=1) == pytest.approx(np.ones((1, 3)))


def test_a_frontier_is_ordered_in_money_and_in_certainty() -> None:
    frontier = small_planner(width=0.3).frontier()
    spends, gains = zip(*((p.split.spend, p.split.revenue) for p in frontier.budgets), strict=True)

    assert list(spends) == sorted(spends)
    assert list(gains) == sorted(gains)
    returns = [point.split.roi for point in frontier.budgets]
    assert returns == sorted(returns, reverse=True)
    assert len(frontier.risks) == 4


@pytest.mark.parametrize(
    ("goal", "limits", "error", "says"),
    [
        (None, {"channels": {"c9": {"floor": 1}}}, ChannelUnknown, "c9"),
        (None, {"parts": {"south": {"floor": 1}}}, PartUnknown, "south"),
        (None, {"channels": {"c0": {"floor": 9.0, "ceiling": 1.0}}}, LimitsContradict, "c0"),
        (
            None,
            {"channels": {name: {"ceiling": "80%"} for name in ("c0", "c1", "c2")}},
            LimitsContradict,
            "allow",
        ),
        (
            None,
            {
                "channels": {"c0": {"ceiling": "60%"}},
                "groups": {"g": {"channels": ["c0", "c1"], "floor": "200%"}},
            },
            LimitsContradict,
            "group g",
        ),
        (Budget(-1.0), {}, QuestionInvalid, "above 0"),
        (OutcomeTarget(1e9), {}, TargetUnreachable, "out of reach"),
        (ReturnTarget(1e6), {}, TargetUnreachable, "the best found is"),
    ],
)
def test_what_cannot_be_is_said(goal: object, limits: dict, error: type[PlanningError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        small_planner().plan(goal, limits=limits_from(limits))  # type: ignore[arg-type]
    assert caught.value.hint


def test_limits_that_cannot_be_read_name_every_problem() -> None:
    with pytest.raises(LimitsInvalid) as caught:
        limits_from({"channels": {"c0": {"flor": 1, "ceiling": "a lot"}}, "change": -1})
    assert all(word in str(caught.value) for word in ("channels.c0.flor", "a lot", "change"))


@pytest.mark.parametrize(
    ("written", "share"), [("120%", 1.2), ("+20%", 1.2), ("-20 %", 0.8), ("80%", 0.8), ("-60%", 0.4)]
)
def test_percentages_of_limits_are_read_as_those_of_totals(written: str, share: float) -> None:
    limits = limits_from({"channels": {"c0": {"floor": written, "ceiling": written}}})
    plan = small_planner().plan(limits=limits)

    assert plan.cells[0].spend == pytest.approx(share * plan.cells[0].last_spend)


@pytest.mark.parametrize(
    ("limit", "says"), [({"floor": "-120%"}, "-100% or more"), ({"change": "-20%"}, "how much more or less")]
)
def test_percentages_below_nothing_are_no_limits(limit: dict, says: str) -> None:
    with pytest.raises(LimitsInvalid, match=says):
        limits_from({"channels": {"c0": limit}})
    assert limits_from({"change": "+20%"}) == limits_from({"change": "20%"})


@settings(max_examples=40, deadline=None)
@given(
    floors=st.lists(st.floats(0.0, 1.2), min_size=3, max_size=3),
    widths=st.lists(st.floats(0.0, 2.0), min_size=3, max_size=3),
    total=st.floats(0.5, 2.0),
)
def test_any_limits_are_kept_or_refused_by_name(
    floors: list[float], widths: list[float], total: float
) -> None:
    planner = small_planner()
    last = planner.look.period.spend[0]
    limits = Limits(
        channels={
            f"c{index}": Limit(floor=floor * last[index], ceiling=(floor + width) * last[index])
            for index, (floor, width) in enumerate(zip(floors, widths, strict=True))
        }
    )
    goal = Budget(total * planner.last_total)
    try:
        within = planner.within(limits, goal)
        spend = Solver(planner.look, within, None).split(goal)[0]
    except LimitsContradict:
        low = sum(floor * money for floor, money in zip(floors, last, strict=True))
        high = low + sum(width * money for width, money in zip(widths, last, strict=True))
        assert not low * (1 + 1e-9) <= goal.total <= high * (1 - 1e-9)
        return
    assert spend.sum() == pytest.approx(goal.total)
    assert (spend >= np.array(floors) * last * (1 - 1e-9)).all()
    assert (spend <= (np.array(floors) + np.array(widths)) * last * (1 + 1e-9)).all()


def cheaper(times: float) -> Planner:
    """What c2 costs, times so much: a plan without limits spends little money there."""

    def cheap(part: Part) -> Part:
        return replace(part, spend=part.spend * [1.0, 1.0, times])

    return altered(small_planner(), cheap)


def test_a_small_channel_is_not_said_to_lie_at_its_floor() -> None:
    plan = cheaper(0.001).plan(MarginalTarget(6.0), limits=ANYWHERE)

    assert 1.0 < plan.cells[2].spend < 0.001 * plan.cells[2].ceiling
    assert plan.cells[2].bound == ""


@pytest.mark.parametrize("times", [0.05, 0.005, 0.001])
@pytest.mark.parametrize("share", [None, 1.02])
def test_small_channels_are_planned_as_finely_as_large_ones(times: float, share: float | None) -> None:
    planner = cheaper(times)
    goal = None if share is None else OutcomeTarget(share * planner.last_outcome)
    plan = planner.plan(goal, limits=ANYWHERE)

    assert [cell.marginal_roi for cell in plan.cells] == pytest.approx([plan.marginal_roi] * 3, rel=0.02)
    if goal is not None:
        assert plan.outcome == pytest.approx(goal.outcome, rel=1e-4)


def test_a_marginal_return_of_hardly_any_media_is_that_of_none() -> None:
    planner = small_planner()
    spend = planner.look.period.spend.copy()
    at = [marginal_returns(planner.look, planner.measures.of_spend(spend * [[0.0, 1.0, 1.0]] + few))[0][0, 0]
          for few in ([[0.0, 0.0, 0.0]], [[1e-14, 0.0, 0.0]], [[1e-9, 0.0, 0.0]])]  # fmt: skip

    assert at == pytest.approx([at[0]] * 3)


def test_money_that_does_not_come_back_is_said() -> None:
    planner = small_planner()
    worth = planner.plan(limits=ANYWHERE)
    beyond = planner.plan(MarginalTarget(0.5), limits=ANYWHERE)

    assert worth.marginal_roi > 1
    assert "spent-beyond-return" not in {finding.code for finding in worth.findings}
    assert "spent-beyond-return" in {finding.code for finding in beyond.findings}


def test_limits_that_leave_no_room_are_a_plan_all_the_same() -> None:
    planner = small_planner()
    floors = limits_from({"channels": {name: {"floor": "100%"} for name in ("c0", "c1", "c2")}})
    plan = planner.plan(limits=floors)

    np.testing.assert_allclose(money(plan), planner.look.period.spend.ravel())
    assert {cell.bound for cell in plan.cells} == {"fixed"}


def test_a_cell_with_a_floor_alone_may_be_planned_for_any_goal() -> None:
    planner = small_planner(silos=2, by_part=True)
    limits = limits_from({"cells": {"silo0/c0": {"floor": 1}}})

    for goal in (None, ReturnTarget(2.0), MarginalTarget(3.0), OutcomeTarget(1.001 * planner.last_outcome)):
        assert np.isfinite(money(planner.plan(goal, limits=limits))).all()
    with pytest.raises(LimitsContradict):
        planner.plan(limits=limits_from({"cells": {"silo0/c0": {"floor": 2, "ceiling": 1}}}))


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
