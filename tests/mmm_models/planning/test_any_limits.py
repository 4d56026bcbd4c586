"""Any limits at all are kept, or refused where they contradict the total."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmm_models.planning.goals import Budget
from mmm_models.planning.limits import Limit, Limits
from mmm_models.planning.planning_errors import LimitsContradict
from mmm_models.planning.solve import Solver
from tests.mmm_models.planning.small_planners import small_planner


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
