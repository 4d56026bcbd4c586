"""What an oracle would plan by: every true response curve, and effect sizes that it had to estimate."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.oracle import oracle_contributions
from mmm_models.planning.period import Period
from simulations.true_outlook import TrueOutlook
from simulations.world import World

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OracleOutlook:
    """As `TrueOutlook`, each channel's curve `times` [channel] as high: what the oracle estimates / the truth."""

    truth: TrueOutlook
    times: Array

    @property
    def period(self) -> Period:
        return self.truth.period

    @property
    def worth(self) -> Array:
        return self.truth.worth

    def expected(self, intensity: Tensor) -> Tensor:
        """Contributions `[part, channel]`."""
        return self.truth.expected(intensity) * torch.from_numpy(self.times)

    def intensity(self, spend: Array) -> Tensor:
        """What this spend `[part, channel]` buys."""
        return self.truth.intensity(spend)


def oracle_outlook(world: World, truth: TrueOutlook) -> OracleOutlook:
    """Least squares may find an effect below zero; it is taken for none."""
    true = np.array([row.contribution for row in world.channel_truths()])
    return OracleOutlook(truth, np.maximum(oracle_contributions(world) / true, 0.0))
