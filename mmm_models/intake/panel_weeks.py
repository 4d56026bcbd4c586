"""Daily steps -> weeks: sums, means, closed weekdays and weeks that are not whole. Pure arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmm_models.panel import DAYS_PER_WEEK

CLOSED_SHARE = 0.05  # a weekday with rows in fewer of a unit's weeks than this is one it is closed on
MIN_WEEKS_TO_JUDGE = 8


def closed_days(present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[unit, day] days without a row because the unit never has one on that weekday.

    `present` is [unit, day] and covers whole weeks. A shop shut on Sundays sold nothing then;
    interpolating its Sundays would invent a sixth more sales.
    """
    by_week = present.reshape(len(present), -1, DAYS_PER_WEEK)
    weeks: NDArray[np.bool_] = np.logical_or.reduce(by_week, axis=2)
    n_weeks = weeks.sum(axis=1)[:, None]
    closed = (by_week.sum(axis=1) < CLOSED_SHARE * n_weeks) & (n_weeks >= MIN_WEEKS_TO_JUDGE)
    days = closed[:, None, :] & weeks[:, :, None] & ~by_week
    return np.asarray(days.reshape(present.shape))


def whole_weeks(usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[unit, week] weeks of which every day is usable."""
    whole: NDArray[np.bool_] = np.logical_and.reduce(usable.reshape(len(usable), -1, DAYS_PER_WEEK), axis=2)
    return whole


def some_of_week(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[unit, week] weeks with at least one such day."""
    some: NDArray[np.bool_] = np.logical_or.reduce(mask.reshape(len(mask), -1, DAYS_PER_WEEK), axis=2)
    return some


def weekly_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[unit, day, column] -> [unit, week, column]."""
    total: NDArray[np.float64] = _by_week(values).sum(axis=2)
    return total


def weekly_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[unit, day, column] -> [unit, week, column]."""
    mean: NDArray[np.float64] = _by_week(values).mean(axis=2)
    return mean


def _by_week(values: NDArray[np.float64]) -> NDArray[np.float64]:
    n_units, n_days, n_columns = values.shape
    return values.reshape(n_units, n_days // DAYS_PER_WEEK, DAYS_PER_WEEK, n_columns)
