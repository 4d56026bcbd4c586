"""Several objectives at once: what more money brings, and what certainty costs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.feasible import Feasible
from mmm_models.planning.goals import Budget, Goal
from mmm_models.planning.measures import Measures
from mmm_models.planning.plan import FrontierPoint
from mmm_models.planning.planning_errors import LimitsContradict, QuestionInvalid
from mmm_models.planning.polish import MOST_CELLS
from mmm_models.planning.solve import Solver

Array = NDArray[np.float64]
BUDGETS = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4)
SAME = 1e-9  # of a total: rounding
RISKS = (0.05, 0.1, 0.25, 0.5)


@dataclass(frozen=True)
class Frontier:
    """`budgets`: the best split of each total. `risks`: of last period's total, the best for each quantile."""

    budgets: tuple[FrontierPoint, ...]
    risks: tuple[FrontierPoint, ...]


def budget_frontier(measures: Measures, within: Callable[[Goal], Feasible]) -> tuple[FrontierPoint, ...]:
    """Around last period's total; totals the limits do not allow are left out."""
    last = float(measures.last.spend.sum())
    points = []
    for share in BUDGETS:
        goal = Budget(share * last)
        try:
            spend = Solver(measures.look, within(goal), None).split(goal)
        except (LimitsContradict, QuestionInvalid):
            continue
        points.append(
            _point(measures, f"{share - 1:+.0%} money" if share != 1.0 else "the same money", "budget", spend)
        )
    return tuple(points)


def risk_frontier(measures: Measures, within: Feasible, total: float) -> tuple[FrontierPoint, ...]:
    """For each quantile of the same total; empty where the run does not know how sure it is, for more cells than
    quantiles are planned for, and where the limits do not allow the total."""
    least, most = within.totals
    allowed = least <= total * (1 + SAME) and total <= most * (1 + SAME)
    if measures.look.possible is None or measures.last.spend.size > MOST_CELLS or not allowed:
        return ()
    found = [(risk, Solver(measures.look, within, risk).split(Budget(total))) for risk in RISKS]
    return tuple(_point(measures, f"all but {risk:.0%} of worlds", "risk", spend) for risk, spend in found)


def _point(measures: Measures, label: str, kind: str, spend: Array) -> FrontierPoint:
    look = measures.look
    return FrontierPoint(
        label,
        "budget" if kind == "budget" else "risk",
        measures.split(label, measures.of_spend(spend)),
        tuple(
            (part.name, channel, float(spend[p, c]))
            for p, part in enumerate(look.basis.parts)
            for c, channel in enumerate(look.basis.channels)
            if look.plannable[p, c]
        ),
    )
