"""How often 90 % intervals hold the truth, over 24 markets of 20 geos that all work differently.

A share of 0.9 over 120 pairs of world and channel has itself a standard error of 0.03.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.interval_coverage import CONTRIBUTION, Coverage, interval_coverage
from benchmarks.known_worlds import scenario
from benchmarks.line import Band, Line, Setting
from benchmarks.oracle import oracle_errors
from benchmarks.simulated_lifts import two_lift_tests
from benchmarks.truth_errors import mean_of
from benchmarks.varied_worlds import vary
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from simulations.world import World, make_world

SEEDS, TOY_SEEDS = tuple(range(401, 425)), (1,)
COVERED = Band(0.85, 0.95)
ERROR_SHARE = 0.05  # standard error of a lift test / its true lift


def measure(setting: Setting) -> tuple[Line, ...]:
    """Shares over all worlds and channels; `values` are the shares of each world's channels."""
    chosen = TOY_SEEDS if setting.quick else SEEDS
    worlds = [make_world(vary(scenario(quick=setting.quick, seed=seed, name="geo"))) for seed in chosen]
    plain, calibrated = zip(*(_fit_twice(world) for world in worlds), strict=True)
    oracles = [oracle_errors(world) for world in worlds]
    return (
        *_lines(f"no calibration, {len(worlds)} worlds", plain),
        *_channel_lines(worlds[0].scenario.channel_names, plain),
        *_lines(f"two lift tests, standard error {ERROR_SHARE:.0%}", calibrated),
        Line("oracle: mean relative channel error", mean_of(oracles, "mean_relative"), ""),
    )


def _fit_twice(world: World) -> tuple[Coverage, Coverage]:
    """Without experiments, and with two lift tests on the channels that fit says least about."""
    panel, weeks = pool(world.panels), world.scenario.holdout_weeks
    plain = NeuralMmm().fit(panel, holdout_weeks=weeks).results
    lifts = two_lift_tests(world, plain, error_share=ERROR_SHARE)
    calibrated = NeuralMmm(lifts=lifts).fit(panel, holdout_weeks=weeks).results
    return interval_coverage(plain, world), interval_coverage(calibrated, world)


def _lines(what: str, found: Sequence[Coverage]) -> list[Line]:
    lines = []
    for quantity in found[0].covered:
        shares = tuple(float(fit.covered[quantity].mean()) for fit in found)
        bar = COVERED if quantity == CONTRIBUTION else None
        lines.append(Line(f"{what}: {quantity} covered", float(np.mean(shares)), "", bar, shares))
    width = tuple(float(fit.width.mean()) for fit in found)
    errors = tuple(fit.errors.mean_relative for fit in found)
    return [
        *lines,
        Line(f"{what}: interval width / contribution", float(np.mean(width)), "x", values=width),
        Line(f"{what}: mean relative channel error", float(np.mean(errors)), "", values=errors),
    ]


def _channel_lines(names: Sequence[str], found: Sequence[Coverage]) -> list[Line]:
    """Contributions of each channel: cover that is right on average may hide one that is never covered."""
    covered = np.stack([fit.covered[CONTRIBUTION] for fit in found])
    return [
        Line(f"no calibration: contribution covered, {name}", float(covered[:, index].mean()), "")
        for index, name in enumerate(names)
    ]
