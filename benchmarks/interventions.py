"""What would truly have happened in a known world under other media: what curves and experiments are about."""

import numpy as np
from numpy.typing import NDArray

from simulations.world import World

Array = NDArray[np.float64]


def true_curve(world: World, multiplier: float) -> Array:
    """True contributions `[channel]` had each channel's own media been scaled, the others as they were."""
    channels = len(world.scenario.channel_names)
    own = [
        world.contributions_at(np.where(np.arange(channels) == index, multiplier, 1.0))[index]
        for index in range(channels)
    ]
    return np.array(own)


def true_lift(world: World, channel: int, weeks: slice, change: float = -1.0) -> float:
    """Outcome of those weeks that media bring which a change of the channel takes away, or adds, in every unit.

    `change`: -1 without the channel, 0.5 with half as much again. Weeks before them are as they were, so that what is
    carried over into them is no part of it; nor is what they carry over into later weeks.
    """
    lift = 0.0
    for silo in world.silos:
        changed = silo.intensity.copy()
        changed[:, weeks, channel] *= 1.0 + change
        gain = silo.response.contributions(changed) - silo.response.contributions(silo.intensity)
        lift += float(np.einsum("utc,u->", gain[:, weeks], silo.level))
    return lift if change > 0 else -lift
