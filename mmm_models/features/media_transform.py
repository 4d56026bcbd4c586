"""One channel's way from media to a regression's column: carry-over, then saturation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.features.carry_over import CarryOver, CarryOverKind, carry_over
from mmm_models.features.saturation import Saturation, SaturationKind

Array = NDArray[np.float64]

CARRY_OVERS = (
    *(CarryOver(CarryOverKind.GEOMETRIC, decay) for decay in (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.85)),
    *(
        CarryOver(CarryOverKind.DELAYED, decay, peak)
        for decay, peak in ((0.5, 1.0), (0.7, 1.0), (0.8, 2.0), (0.9, 3.0))
    ),
    *(CarryOver(CarryOverKind.WEIBULL, shape, scale) for shape, scale in ((1.5, 2.0), (2.0, 3.0))),
)
SATURATIONS = (
    *(Saturation(SaturationKind.HILL, half, slope) for half, slope in product((0.5, 1.0, 2.0), (1.0, 1.5))),
    *(Saturation(SaturationKind.POWER, exponent) for exponent in (0.5, 0.75, 1.0)),
)


@dataclass(frozen=True)
class MediaTransform:
    """Carry-over, then saturation."""

    carry_over: CarryOver
    saturation: Saturation

    def apply(self, series: Array) -> Array:
        """Media `[unit, week]`, 1 in a typical week, to a column of the same shape."""
        return self.saturation.apply(carry_over(series, self.carry_over.kernel))

    def as_dict(self) -> dict[str, Any]:
        """For a run's record, in plain JSON."""
        lag, curve = self.carry_over, self.saturation
        return {
            "carry-over": [lag.kind.value, lag.first, lag.second, lag.lags],
            "saturation": [curve.kind.value, curve.first, curve.second],
        }


def transform_grid(at_most: int) -> tuple[MediaTransform, ...]:
    """Every carry-over with every saturation, thinned out evenly to `at_most`."""
    every = [MediaTransform(lag, curve) for lag, curve in product(CARRY_OVERS, SATURATIONS)]
    chosen = np.unique(np.linspace(0, len(every) - 1, max(1, min(at_most, len(every)))).round().astype(int))
    return tuple(every[index] for index in chosen)


def transformed(series: Array, transforms: tuple[MediaTransform, ...]) -> Array:
    """All columns of one channel `[unit, week, transform]`; each carry-over is worked out once."""
    carried: dict[CarryOver, Array] = {}
    columns = np.empty((*series.shape, len(transforms)))
    for index, transform in enumerate(transforms):
        lag = transform.carry_over
        if lag not in carried:
            carried[lag] = carry_over(series, lag.kernel)
        columns[..., index] = transform.saturation.apply(carried[lag])
    return columns
