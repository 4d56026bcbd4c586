"""Following a quantile of the per-unit gradient norms privately (Andrew, Thakkar, Ramaswamy, McMahan 2021).

Each step also releases how many units stayed within the clip norm, as a noisy sum of (bit - 1/2): centring
halves what one unit can change. Split the step's noise with `split_noise` and it costs nothing beyond the
planned total.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from privacy.accountant import require_count, require_positive
from privacy.errors import InvalidSetting

# What adding or removing one unit changes in the sum of (bit - 1/2).
CENTRED_BIT_SENSITIVITY = 0.5


@dataclass(frozen=True)
class QuantileClipping:
    """How the clip norm moves.

    target_quantile: fraction of units that shall stay unclipped. expected_units: a public or privately
    released number of units per step, never the exact private one. lowest, highest: public bounds of the clip
    norm.
    """

    target_quantile: float
    learning_rate: float
    expected_units: int
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not 0.0 < self.target_quantile < 1.0:
            raise InvalidSetting(
                f"target_quantile is {self.target_quantile}", hint="give a value between 0 and 1"
            )
        require_positive("learning_rate", self.learning_rate)
        require_count("expected_units", self.expected_units)
        require_positive("lowest", self.lowest)
        require_positive("highest / lowest - 1", self.highest / self.lowest - 1)

    def next_clip_norm(self, clip_norm: float, noisy_centred_count: float) -> float:
        """C exp(-learning_rate (unclipped fraction - target)): post-processing of a release, free of charge.

        noisy_centred_count: noisy sum of (bit - 1/2) over all units of all silos.
        """
        fraction = min(1.0, max(0.0, noisy_centred_count / self.expected_units + 0.5))
        moved = clip_norm * math.exp(-self.learning_rate * (fraction - self.target_quantile))
        return min(self.highest, max(self.lowest, moved))


def split_noise(noise_multiplier: float, clip_count_sigma: float) -> float:
    """The gradient's own multiplier such that it and the clip count cost `noise_multiplier` (Theorem 1).

    clip_count_sigma: noise standard deviation of the centred count, in units; a count planned as a release of
    its own has clip_count_sigma = its noise multiplier * CENTRED_BIT_SENSITIVITY.
    """
    require_positive("noise_multiplier", noise_multiplier)
    require_positive("clip_count_sigma", clip_count_sigma)
    left = 1 / noise_multiplier**2 - (CENTRED_BIT_SENSITIVITY / clip_count_sigma) ** 2
    if left <= 0:
        raise InvalidSetting(
            f"a clip count with noise {clip_count_sigma:g} alone costs more than the noise multiplier "
            f"{noise_multiplier:g} allows",
            hint=f"give a clip_count_sigma above {noise_multiplier * CENTRED_BIT_SENSITIVITY:g}",
        )
    return 1 / math.sqrt(left)


def joint_noise(gradient_noise_multiplier: float, clip_count_sigma: float) -> float:
    """The multiplier of the one release that gradient and clip count amount to; undoes `split_noise`."""
    require_positive("gradient_noise_multiplier", gradient_noise_multiplier)
    require_positive("clip_count_sigma", clip_count_sigma)
    return 1 / math.hypot(1 / gradient_noise_multiplier, CENTRED_BIT_SENSITIVITY / clip_count_sigma)
