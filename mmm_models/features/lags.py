"""Earlier weeks of a series beside the present one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def lagged(series: Array, lags: tuple[int, ...]) -> Array:
    """`[unit, week, ...]` as it was 0, 1, ... `lags` weeks before: `[unit, week, ..., lag]`, zero before the first."""
    out = np.zeros((*series.shape, len(lags)), dtype=series.dtype)
    for index, lag in enumerate(lags):
        out[:, lag:, ..., index] = series[:, : series.shape[1] - lag]
    return out
