"""Carry-over (adstock): what this week's media still do in later weeks, as a weighted mean over lags."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]
MAX_LAG_WEEKS = 13


class CarryOverKind(StrEnum):
    """Shapes of the lag distribution."""

    GEOMETRIC = "geometric"
    DELAYED = "delayed"
    WEIBULL = "weibull"


@dataclass(frozen=True)
class CarryOver:
    """A lag distribution over `lags` weeks, weights summing to one.

    geometric: weight `first`^lag, `first` the share left after a week (0 to below 1).
    delayed: `first`^((lag - second)^2), the peak `second` weeks after the media (Jin et al. 2017, eq. 4).
    weibull: probability between lag and lag + 1 of a Weibull with shape `first` and scale `second` weeks.
    Raises ValueError for values outside these ranges.
    """

    kind: CarryOverKind
    first: float
    second: float = 0.0
    lags: int = MAX_LAG_WEEKS

    def __post_init__(self) -> None:
        is_weibull = self.kind is CarryOverKind.WEIBULL
        fits = self.first > 0 and self.second > 0 if is_weibull else 0 <= self.first < 1 and self.second >= 0
        if not fits or self.lags < 1:
            raise ValueError(f"no carry-over is {self}")

    @property
    def kernel(self) -> Float[np.ndarray, " lag"]:
        """Weights of lag 0, 1, ...; they sum to one."""
        lag = np.arange(self.lags, dtype=np.float64)
        if self.kind is CarryOverKind.GEOMETRIC:
            weights = np.power(self.first, lag)
        elif self.kind is CarryOverKind.DELAYED:
            weights = np.power(self.first, (lag - self.second) ** 2)
        else:
            survival = np.exp(-((np.arange(self.lags + 1) / self.second) ** self.first))
            weights = survival[:-1] - survival[1:]
        return np.asarray(weights / weights.sum())


def carry_over(series: Float[np.ndarray, "unit week"], kernel: Float[np.ndarray, " lag"]) -> Array:
    """Weighted mean of this and earlier weeks `[unit, week]`; media before the first week count as zero."""
    return np.asarray(series @ carry_over_matrix(kernel, series.shape[1]))


def carry_over_matrix(kernel: Float[np.ndarray, " lag"], weeks: int) -> Array:
    """What a series of so many weeks is multiplied by `[week, week it reaches]`, banded.

    For panels of years a matrix product beats a sum over shifted copies and a recursive filter alike.
    """
    lag = np.arange(weeks)[None, :] - np.arange(weeks)[:, None]
    reached = (lag >= 0) & (lag < kernel.size)
    return np.asarray(np.where(reached, kernel[lag.clip(0, kernel.size - 1)], 0.0))
