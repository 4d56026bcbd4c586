"""What a fitted model knows about its channels, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PosteriorSummary:
    """Uncertainty of each channel's contribution, in the logarithm, in the panel's order of channels.

    `prior_sd` and `posterior_sd` are of the same quantity before and after the data. `contribution` (outcome
    units, all at least zero) lets findings say how well sums of channels are known; leave it empty where it
    must not be told. `at_once` is the share of all a week's media do that they do in that week; leave it empty where it
    is not known. Raises `ModelError` when shapes differ or a deviation is negative or not finite.
    """

    log_contribution_cov: Array  # [channel, channel]
    prior_sd: Array  # [channel]
    posterior_sd: Array  # [channel]
    contribution: Array | None = None  # [channel]
    at_once: Array | None = None  # [channel]

    def __post_init__(self) -> None:
        channels = self.prior_sd.shape
        shapes = {self.posterior_sd.shape, self.log_contribution_cov.shape[:1]}
        shapes |= {array.shape for array in (self.contribution, self.at_once) if array is not None}
        if shapes != {channels} or self.log_contribution_cov.shape != channels * 2:
            raise ModelError("a posterior summary's arrays do not have the same channels")
        for array in (self.log_contribution_cov, self.prior_sd, self.posterior_sd):
            if not np.isfinite(array).all():
                raise ModelError("a posterior summary holds values that are not finite")
        if (self.prior_sd < 0).any() or (self.posterior_sd < 0).any():
            raise ModelError("a posterior summary holds a negative standard deviation")

    @property
    def correlation(self) -> Array:
        """Of the channels' log contributions `[channel, channel]`; zero where a channel has no spread."""
        spread = np.sqrt(np.maximum(np.diag(self.log_contribution_cov), 0.0))
        scale = np.where(spread > 0, spread, 1.0)
        return np.asarray(self.log_contribution_cov / np.outer(scale, scale))

    def relative_sd(self, group: tuple[int, ...]) -> float:
        """Relative standard deviation of the group's summed contribution; NaN where contributions are unknown
        or none. First-order (delta method)."""
        if self.contribution is None or not self.contribution[list(group)].sum() > 0:
            return float("nan")
        members = list(group)
        shares = self.contribution[members] / self.contribution[members].sum()
        covariance = self.log_contribution_cov[np.ix_(members, members)]
        return float(np.sqrt(max(shares @ covariance @ shares, 0.0)))
