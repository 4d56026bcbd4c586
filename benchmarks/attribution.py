"""The neural MMM on a confounded market of 20 geos with known truth: accuracy, calibration, seconds.

An oracle that knows every response curve stands beside each result (benchmarks/oracle.py), and ridge regression
judges its prediction of held-out weeks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.known_worlds import known_world, seeds
from benchmarks.line import Bar, Line, Setting
from benchmarks.oracle import oracle_errors
from benchmarks.simulated_lifts import two_lift_tests
from benchmarks.stopwatch import median, seconds_of
from benchmarks.truth_errors import TruthErrors, mean_of, result_errors
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.peers.registry import family
from mmm_models.results import Results
from simulations.world import World

CHANNEL_ERROR, SHARE_POINTS = Bar(0.18), Bar(0.85)
CALIBRATED_CHANNEL_ERROR, CALIBRATED_SHARE_POINTS = Bar(0.10), Bar(0.45)
ABOVE_RIDGE, SECONDS = Bar(0.2), Bar(10.0)
ERROR_SHARES = (0.05, 0.10)  # standard error of a lift test / its true lift


@dataclass(frozen=True, eq=False)
class GeoWorld:
    """Errors of each fit of one seed's world, and of the oracle; `calibrated` in the order of `ERROR_SHARES`."""

    oracle: TruthErrors
    neural: TruthErrors
    calibrated: tuple[TruthErrors, ...]
    mape_above_ridge: float  # percentage points
    seconds: float


def measure(setting: Setting) -> tuple[Line, ...]:
    """Means over seeds; the middle one of the seconds."""
    worlds = [measure_world(known_world(setting, seed, "geo").world) for seed in seeds(setting, "geo")]
    oracles = [world.oracle for world in worlds]
    above_ridge = tuple(world.mape_above_ridge for world in worlds)
    seconds = tuple(world.seconds for world in worlds)
    lines = [
        *_error_lines(
            "no calibration", [world.neural for world in worlds], oracles, (CHANNEL_ERROR, SHARE_POINTS)
        ),
        Line(
            "no calibration: hold-out MAPE above ridge",
            float(np.mean(above_ridge)),
            "points",
            ABOVE_RIDGE,
            above_ridge,
        ),
        Line("no calibration: fit, intervals included", median(seconds), "s", SECONDS, seconds),
    ]
    for index, share in enumerate(ERROR_SHARES):
        lines += _error_lines(
            f"two lift tests, standard error {share:.0%}",
            [world.calibrated[index] for world in worlds],
            oracles,
            (CALIBRATED_CHANNEL_ERROR, CALIBRATED_SHARE_POINTS),
        )
    return (*lines, *_oracle_lines(oracles))


def measure_world(world: World) -> GeoWorld:
    """Fit it without experiments, then with two lift tests on the channels that fit says least about."""
    panel, weeks = pool(world.panels), world.scenario.holdout_weeks
    found: list[Results] = []
    seconds = seconds_of(lambda: found.append(NeuralMmm().fit(panel, holdout_weeks=weeks).results))
    neural = found[0]
    calibrated = [
        NeuralMmm(lifts=two_lift_tests(world, neural, error_share=share)).fit(panel, holdout_weeks=weeks)
        for share in ERROR_SHARES
    ]
    ridge = family("ridge").fit(panel, holdout_weeks=weeks).results
    return GeoWorld(
        oracle=oracle_errors(world),
        neural=result_errors(neural, world),
        calibrated=tuple(result_errors(fitted.results, world) for fitted in calibrated),
        mape_above_ridge=100.0 * (neural.holdout.mape - ridge.holdout.mape),
        seconds=seconds,
    )


def _error_lines(
    what: str, found: Sequence[TruthErrors], oracles: Sequence[TruthErrors], bars: tuple[Bar, Bar]
) -> list[Line]:
    """Errors against the truth, each beside its ratio to the oracle's; total media with their sign."""
    channel = tuple(errors.mean_relative for errors in found)
    points = tuple(errors.share_points for errors in found)
    media = tuple(100.0 * errors.total_media for errors in found)
    mean_channel, mean_points = float(np.mean(channel)), float(np.mean(points))
    return [
        Line(f"{what}: mean relative channel error", mean_channel, "", bars[0], channel),
        Line(f"{what}: channel error / oracle's", mean_channel / mean_of(oracles, "mean_relative"), "x"),
        Line(f"{what}: share error", mean_points, "points", bars[1], points),
        Line(f"{what}: share error / oracle's", mean_points / mean_of(oracles, "share_points"), "x"),
        Line(f"{what}: total media above the truth", float(np.mean(media)), "%", values=media),
    ]


def _oracle_lines(oracles: Sequence[TruthErrors]) -> list[Line]:
    return [
        Line("oracle: mean relative channel error", mean_of(oracles, "mean_relative"), ""),
        Line("oracle: share error", mean_of(oracles, "share_points"), "points"),
        Line("oracle: total media above the truth", 100.0 * mean_of(oracles, "total_media"), "%"),
    ]
