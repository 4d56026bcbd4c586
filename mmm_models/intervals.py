"""Intervals for totals that are functions of the shared response, from its posterior (delta method on logarithms).

Contributions are positive and their errors multiply, so a total's logarithm is taken to be linear in the parameters
over the posterior's width: its interval is log-normal (Oehlert 1992).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from mmm_models.results import Interval

Array = NDArray[np.float64]
INTERVAL_LEVEL = 0.9
QUANTILE = float(norm.ppf(0.5 + INTERVAL_LEVEL / 2))


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Standard deviation of the logarithm of each total `[channel, column]`; zero where the total is zero."""

    log_sd: Array

    def interval(self, value: float, channel: int, column: int, *, per: float) -> Interval:
        """At `INTERVAL_LEVEL` around a total, or a multiple of it."""
        factor = float(np.exp(QUANTILE * self.log_sd[channel, column]))
        return Interval(value / factor, value * factor)


@dataclass(frozen=True, eq=False)
class NoisedUncertainty:
    """Of totals that carry noise: `log_sd` as in `Uncertainty`, and the noise's standard deviation `[channel]`, in the
    unit of contributions. Noise adds up, so intervals are symmetric, but never below zero."""

    log_sd: Array
    noise: Array

    def interval(self, value: float, channel: int, column: int, *, per: float) -> Interval:
        """At `INTERVAL_LEVEL` around a value that is `per` times a contribution."""
        reach = QUANTILE * float(np.hypot(value * self.log_sd[channel, column], per * self.noise[channel]))
        return Interval(max(value - reach, 0.0), value + reach)


def uncertainty(totals: Array, slopes: Array, covariance: Array) -> Uncertainty:
    """From totals `[channel, column]`, their derivatives `[..., parameter]` and the posterior covariance."""
    variance = np.einsum("kcp,pq,kcq->kc", slopes, covariance, slopes)
    relative = np.divide(
        np.sqrt(np.maximum(variance, 0.0)), totals, out=np.zeros_like(totals), where=totals > 0
    )
    return Uncertainty(relative)
