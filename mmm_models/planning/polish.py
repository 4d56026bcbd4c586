"""From a good split to the best one nearby where no linear programme can say it: synergies, and quantiles over draws.

Sequential quadratic programming (Kraft 1988, SciPy's SLSQP).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, minimize

from mmm_models.planning.feasible import Feasible
from mmm_models.planning.objectives import Objective
from mmm_models.planning.piecewise import Aim

Array = NDArray[np.float64]
MOST_CELLS, MOST_STEPS, SETTLED = 60, 60, 1e-9
SLACK = 1e-7  # of all money: rounding


def polish(objective: Objective, start: Array, feasible: Feasible, aim: Aim) -> Array:
    """Money per cell `[cell]`, never worse than `start`, which keeps the limits and the aim's total."""
    unit = max(float(start.sum()), 1.0)
    best, best_value = start, -np.inf

    def loss(share: Array) -> tuple[float, Array]:
        nonlocal best, best_value
        spend = np.clip(share * unit, feasible.low, feasible.high)
        value, gradient = objective(spend)
        value, gradient = value - aim.price * spend.sum(), gradient - aim.price
        if value > best_value and _keeps(spend, feasible, aim, SLACK * unit):
            best, best_value = spend, value
        return -value / unit, -gradient

    constraints = []
    if (rows := feasible.constraint) is not None:
        constraints.append(LinearConstraint(rows.A, np.divide(rows.lb, unit), np.divide(rows.ub, unit)))
    if aim.total is not None:
        constraints.append(LinearConstraint(np.ones((1, start.size)), aim.total / unit, aim.total / unit))
    minimize(
        loss,
        start / unit,
        jac=True,
        method="SLSQP",
        bounds=Bounds(feasible.low / unit, feasible.high / unit),
        constraints=constraints,
        options={"maxiter": MOST_STEPS, "ftol": SETTLED},
    )
    return best


def _keeps(spend: Array, feasible: Feasible, aim: Aim, slack: float) -> bool:
    """Whether a step, which may stray on the way, keeps every sum to rounding."""
    return feasible.keeps(spend) and (aim.total is None or abs(float(spend.sum()) - aim.total) <= slack)
