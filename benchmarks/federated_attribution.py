"""What federation costs in attribution: contributions of a federated run against those of one model on all data.

With the usual settings of a run, masks included, on 20 geos and on 800 stores.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.known_worlds import Arm, known_world, seeds, train_arm
from benchmarks.line import Bar, Line, Setting
from benchmarks.oracle import oracle_errors
from benchmarks.truth_errors import TruthErrors, mean_of, result_errors
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.results import ChannelResult, Results

Array = NDArray[np.float64]
APART, MEDIA_APART = Bar(0.10), Bar(0.05)
SCENARIOS = ("geo", "default")


def measure(setting: Setting) -> tuple[Line, ...]:
    """Differences are the worst over seeds (and channels), errors the means over seeds."""
    return tuple(line for name in SCENARIOS for line in _scenario_lines(setting, name))


def _scenario_lines(setting: Setting, name: str) -> list[Line]:
    chosen = seeds(setting, name)
    worlds = [known_world(setting, seed, name).world for seed in chosen]
    federated = [train_arm(setting, seed, Arm.SECURE, name=name).released for seed in chosen]
    central = [
        NeuralMmm().fit(pool(world.panels), holdout_weeks=world.scenario.holdout_weeks).results
        for world in worlds
    ]
    size = f"{worlds[0].scenario.silos} silos x {worlds[0].scenario.unit_counts[0]} units"
    compared = {
        "federated": [result_errors(*pair) for pair in zip(federated, worlds, strict=True)],
        "centralised": [result_errors(*pair) for pair in zip(central, worlds, strict=True)],
        "oracle": [oracle_errors(world) for world in worlds],
    }
    return [
        *_difference_lines(size, federated, central),
        *(line for who, errors in compared.items() for line in _error_lines(f"{size}: {who}", errors)),
    ]


def _difference_lines(what: str, federated: Sequence[Results], central: Sequence[Results]) -> list[Line]:
    pairs = list(zip(federated, central, strict=True))
    channels = tuple(_worst(_contributions(ours) / _contributions(theirs)) for ours, theirs in pairs)
    media = tuple(_worst(_contributions(ours).sum() / _contributions(theirs).sum()) for ours, theirs in pairs)
    widths = tuple(_worst(_widths(ours) / _widths(theirs)) for ours, theirs in pairs)
    relative = "federated / centralised - 1"
    return [
        Line(
            f"{what}: contributions, {relative}, worst channel and seed", max(channels), "", APART, channels
        ),
        Line(f"{what}: total media, {relative}, worst seed", max(media), "", MEDIA_APART, media),
        Line(f"{what}: interval widths, {relative}, worst channel and seed", max(widths), "", values=widths),
    ]


def _worst(ratio: Array) -> float:
    """The largest distance from one, on either side."""
    return float(np.abs(ratio - 1.0).max())


def _contributions(results: Results) -> Array:
    """`[channel]`, by name: a federation has an order of its own."""
    return np.array([row.contribution for row in _rows(results)])


def _widths(results: Results) -> Array:
    """Of the contributions' intervals `[channel]`, by name."""
    return np.array(
        [row.contribution_interval.high - row.contribution_interval.low for row in _rows(results)]
    )


def _rows(results: Results) -> list[ChannelResult]:
    return sorted(results.channels, key=lambda row: row.channel)


def _error_lines(what: str, errors: Sequence[TruthErrors]) -> list[Line]:
    return [
        Line(f"{what}, mean relative channel error", mean_of(errors, "mean_relative"), ""),
        Line(f"{what}, share error", mean_of(errors, "share_points"), "points"),
        Line(f"{what}, total media above the truth", 100.0 * mean_of(errors, "total_media"), "%"),
    ]
