"""Limits are kept, in money and in per cent, and refused by name where they cannot be read or kept together."""

import numpy as np
import pytest

from mmm_models.planning.goals import Budget, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.limits import limits_from
from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    LimitsContradict,
    LimitsInvalid,
    PartUnknown,
    PlanningError,
    QuestionInvalid,
    TargetUnreachable,
)
from tests.mmm_models.planning.small_planners import money, small_planner


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
