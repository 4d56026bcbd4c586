"""Which of a known world's true values the intervals of a model hold, and how wide they are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.interventions import true_curve
from benchmarks.truth_errors import TruthErrors, result_errors
from mmm_models.results import Interval, Results
from simulations.world import World

Array = NDArray[np.float64]
CONTRIBUTION, ROI, MARGINAL_ROI = "contribution", "ROI", "marginal ROI"
CURVES = {"curve at half its media": 0.5, "curve at 1.5 times its media": 1.5}


@dataclass(frozen=True, eq=False)
class Coverage:
    """One fit of one world: per quantity, whether each channel's interval holds the true value `[channel]`.

    `width` [channel] is that of the contribution's interval over the true contribution.
    """

    covered: Mapping[str, NDArray[np.bool_]]
    width: Array
    errors: TruthErrors


def interval_coverage(results: Results, world: World) -> Coverage:
    """Every interval beside the truth; one that is not there covers nothing."""
    stated, true = _stated_bounds(results, world.scenario.channel_names), _true_values(world)
    covered = {
        name: (bounds[:, 0] <= true[name]) & (true[name] <= bounds[:, 1]) for name, bounds in stated.items()
    }
    width = (stated[CONTRIBUTION][:, 1] - stated[CONTRIBUTION][:, 0]) / true[CONTRIBUTION]
    return Coverage(covered, width, result_errors(results, world))


def _stated_bounds(results: Results, names: tuple[str, ...]) -> dict[str, Array]:
    """Low and high end `[channel, 2]` of each quantity's intervals, channels in the order of `names`."""
    by_name = {row.channel: row for row in results.channels}
    curves = {curve.channel: curve for curve in results.curves}
    rows = [by_name[name] for name in names]
    intervals = {
        CONTRIBUTION: [row.contribution_interval for row in rows],
        ROI: [row.roi_interval for row in rows],
        MARGINAL_ROI: [row.marginal_roi_interval for row in rows],
    }
    for quantity, multiplier in CURVES.items():
        at = [(curves[name], curves[name].multiplier.index(multiplier)) for name in names]
        intervals[quantity] = [Interval(curve.low[index], curve.high[index]) for curve, index in at]
    return {name: np.array([(each.low, each.high) for each in found]) for name, found in intervals.items()}


def _true_values(world: World) -> dict[str, Array]:
    """The truth `[channel]` of the same quantities."""
    truths = world.channel_truths()
    return {
        CONTRIBUTION: np.array([truth.contribution for truth in truths]),
        ROI: np.array([truth.roi for truth in truths]),
        MARGINAL_ROI: np.array([truth.marginal_roi for truth in truths]),
        **{quantity: true_curve(world, multiplier) for quantity, multiplier in CURVES.items()},
    }
