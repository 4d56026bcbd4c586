"""The calendar as numbers: waves through the year and time in years."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DAYS_PER_YEAR = 365.25


def fourier_waves(weeks: NDArray[np.datetime64], pairs: int) -> Array:
    """Sines and cosines of the day of the year `[week, 2 pairs]`: sin 1, cos 1, sin 2, ..."""
    days = weeks.astype("datetime64[D]")
    day = (days - days.astype("datetime64[Y]")).astype(np.float64)
    angle = 2 * np.pi * np.outer(day, np.arange(1, pairs + 1)) / DAYS_PER_YEAR
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(weeks.size, 2 * pairs)


def years_since_start(weeks: NDArray[np.datetime64]) -> Array:
    """Time in years from the first week `[week]`, for straight trends."""
    return np.asarray(np.arange(weeks.size) * 7 / DAYS_PER_YEAR)
