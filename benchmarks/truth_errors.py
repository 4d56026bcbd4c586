"""How far contributions are from the truth, measured the same way for every model and for the oracle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.results import Results
from simulations.world import World

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TruthErrors:
    """Relative error of each channel's contribution `[channel]`, and of all media together; shares in points.

    `share_points` is the mean over channels of |share - true share| in percentage points.
    """

    relative: Array
    share_points: float
    total_media: float

    @property
    def mean_relative(self) -> float:
        """Mean absolute relative error over channels."""
        return float(np.abs(self.relative).mean())


def truth_errors(contribution: Array, world: World) -> TruthErrors:
    """Errors of contributions `[channel]` in outcome units, over all weeks and units of the world."""
    truth = np.array([row.contribution for row in world.channel_truths()])
    points = 100.0 * float(np.abs(contribution - truth).mean()) / world.total_outcome
    return TruthErrors(contribution / truth - 1.0, points, float(contribution.sum() / truth.sum()) - 1.0)


def result_errors(results: Results, world: World) -> TruthErrors:
    """Errors of what a model says of the world's own panels, matched by channel name."""
    found = {row.channel: row.contribution for row in results.channels}
    return truth_errors(np.array([found[name] for name in world.scenario.channel_names]), world)


def mean_of(errors: Sequence[TruthErrors], name: str) -> float:
    """Mean of one of the fields over several worlds."""
    return float(np.mean([getattr(error, name) for error in errors]))
