"""Missing steps inside a unit's series: short ones are filled, long ones excluded. Pure arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.intake.silo_tables import GapFill

LONG_GAP_DAYS = 14


@dataclass(frozen=True, eq=False)
class Gaps:
    """Masks [unit, step] of the steps without a row, and each step's nearest rows."""

    filled: NDArray[np.bool_]  # inside the series, in a gap under two weeks
    excluded: NDArray[np.bool_]  # inside the series, in any other gap
    outside: NDArray[np.bool_]  # before a unit's first or after its last row
    before: NDArray[np.int64]  # last step with a row at or before; -1 where none
    after: NDArray[np.int64]  # first step with a row at or after; n_steps where none


def find_gaps(present: NDArray[np.bool_], closed: NDArray[np.bool_], step_days: int, fill: GapFill) -> Gaps:
    """Classify the steps that have no row and are not closed days; masks are [unit, step]."""
    n_steps = present.shape[1]
    steps = np.arange(n_steps)
    before = np.maximum.accumulate(np.where(present, steps, -1), axis=1)
    after = np.minimum.accumulate(np.where(present, steps, n_steps)[:, ::-1], axis=1)[:, ::-1]
    missing = ~present & ~closed
    inside = missing & (before >= 0) & (after < n_steps)
    short = ((after - before - 1) * step_days < LONG_GAP_DAYS) & (fill is not GapFill.EXCLUDE)
    return Gaps(inside & short, inside & ~short, missing & ~inside, before, after)


def interpolate(values: NDArray[np.float64], gaps: Gaps) -> None:
    """Write straight lines into the filled gaps of `values` [unit, step, column], in place."""
    unit, step = np.nonzero(gaps.filled)
    before, after = gaps.before[unit, step], gaps.after[unit, step]
    weight = ((step - before) / (after - before))[:, None]
    values[unit, step] = (1 - weight) * values[unit, before] + weight * values[unit, after]


def hold_nearest(values: NDArray[np.float64], gaps: Gaps, where: NDArray[np.bool_]) -> None:
    """Write each unit's nearest row into `values` [unit, step, column] where asked, in place."""
    unit, step = np.nonzero(where)
    before, after = gaps.before[unit, step], gaps.after[unit, step]
    closer_after = (after < where.shape[1]) & ((before < 0) | (after - step < step - before))
    values[unit, step] = values[unit, np.where(closer_after, after, before)]
