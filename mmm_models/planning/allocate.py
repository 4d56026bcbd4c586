"""The best split of money over curves of single cells: coarse everywhere, then finer and finer where the optimum is."""

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.cell_curves import CellCurves
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.piecewise import Aim, best_piecewise

Array = NDArray[np.float64]
FIRST_POINTS, LATER_POINTS, PASSES = 41, 17, 3
NEAR = 1.5  # steps of the coarser grid to either side


def allocate(curves: CellCurves, feasible: Feasible, aim: Aim) -> Array | None:
    """Money per cell `[cell]`, globally best on the first grid and refined there to about 1e-5 of its range; None when
    the aim cannot be reached within the limits."""
    low, high = feasible.low, feasible.high
    found = best_piecewise(curves.tables(low, high, FIRST_POINTS), feasible, aim)
    step = (high - low) / (FIRST_POINTS - 1)
    for _ in range(PASSES - 1):
        if found is None:
            return None
        near_low, near_high = np.maximum(low, found - NEAR * step), np.minimum(high, found + NEAR * step)
        finer = best_piecewise(curves.tables(near_low, near_high, LATER_POINTS), feasible, aim)
        found = found if finer is None else finer  # only rounding can make a finer grid impossible
        step = (near_high - near_low) / (LATER_POINTS - 1)
    return found
