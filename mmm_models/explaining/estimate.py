"""A number and how sure it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.measures import interval_of
from mmm_models.results import NO_INTERVAL, Interval

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """`value` under the most probable response; the interval is that of all possible ones, NaN without any."""

    value: float
    interval: Interval = NO_INTERVAL


UNKNOWN = Estimate(float("nan"))


def estimate(central: float, drawn: Array) -> Estimate:
    """With the same number under every draw `[draw]`; there may be none."""
    if not drawn.size or not np.isfinite(drawn).all():
        return Estimate(float(central))
    return Estimate(float(central), interval_of(drawn))
