"""Lift tests as an advertiser would have run them in a known world: the truth, and an honest error."""

from datetime import date

import numpy as np

from benchmarks.interventions import true_lift
from mmm_models.experiments.lift import SWITCHED_OFF, LiftTest
from mmm_models.results import Results
from simulations.world import World

EXPERIMENT_WEEKS = slice(60, 76)  # of training weeks 0 to 79
HALF_AND_MORE = (-0.5, 0.5)


def two_lift_tests(world: World, results: Results, *, error_share: float) -> tuple[LiftTest, ...]:
    """One on each of the two channels that `results` say least about."""
    return tuple(
        simulate_lift_test(world, channel, error_share=error_share)
        for channel in least_identified(results)[:2]
    )


def least_identified(results: Results) -> tuple[str, ...]:
    """All channels, the one with the widest interval relative to its contribution first."""
    widths = {
        row.channel: (row.contribution_interval.high - row.contribution_interval.low) / row.contribution
        for row in results.channels
    }
    return tuple(sorted(widths, key=widths.__getitem__, reverse=True))


def both_ways(world: World, *, error_share: float) -> tuple[LiftTest, ...]:
    """Two on every channel: half of its media, and half as much again."""
    return tuple(
        simulate_lift_test(world, channel, error_share=error_share, change=change)
        for channel in world.scenario.channel_names
        for change in HALF_AND_MORE
    )


def simulate_lift_test(
    world: World, channel: str, *, error_share: float, change: float = SWITCHED_OFF
) -> LiftTest:
    """The channel off, or changed, in all units during `EXPERIMENT_WEEKS`: its true lift plus a normal error.

    The error's standard deviation is `error_share` of what the channel sells in those weeks, whatever the change, and
    stated as such. It is drawn from the world's seed, so that a larger share is the same draw, scaled.
    """
    index = world.scenario.channel_names.index(channel)
    standard_error = error_share * true_lift(world, index, EXPERIMENT_WEEKS)
    stream = [] if change == SWITCHED_OFF else [HALF_AND_MORE.index(change) + 1]
    drawn = float(np.random.default_rng([world.scenario.seed, index, *stream]).standard_normal())
    days: list[date] = world.panels[0].weeks.astype("datetime64[D]").tolist()
    return LiftTest(
        channel=channel,
        first_week=days[EXPERIMENT_WEEKS.start],
        last_week=days[EXPERIMENT_WEEKS.stop - 1],
        units=None,
        lift=true_lift(world, index, EXPERIMENT_WEEKS, change) + standard_error * drawn,
        standard_error=standard_error,
        change=change,
        source="simulated",
    )
