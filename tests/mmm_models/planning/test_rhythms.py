"""Rhythms bring more for the same money, and what they bring is what all of them bring together."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.planning.flighting import best_rhythm
from mmm_models.planning.goals import OutcomeTarget
from mmm_models.planning.planner import Planner
from tests.mmm_models.planning.small_planners import ANYWHERE, small_planner


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
