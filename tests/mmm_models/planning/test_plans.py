"""Plans are the best there are, finely enough for every channel, and comparable with what else could be done."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize

from mmm_models.planning.goals import Budget, MarginalTarget, OutcomeTarget
from mmm_models.planning.measures import marginal_returns
from mmm_models.planning.plan import Plan
from mmm_models.planning.plan_basis import Part
from mmm_models.planning.planner import Planner
from mmm_models.planning.planning_errors import RiskUnknown
from tests.mmm_models.planning.small_planners import ANYWHERE, altered, money, small_planner


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


def test_a_frontier_is_ordered_in_money_and_in_certainty() -> None:
    frontier = small_planner(width=0.3).frontier()
    spends, gains = zip(*((p.split.spend, p.split.revenue) for p in frontier.budgets), strict=True)

    assert list(spends) == sorted(spends)
    assert list(gains) == sorted(gains)
    returns = [point.split.roi for point in frontier.budgets]
    assert returns == sorted(returns, reverse=True)
    assert len(frontier.risks) == 4


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
