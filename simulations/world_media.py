"""Where the money goes: weekly media per head for each channel, unit and week."""

import numpy as np
from numpy.typing import NDArray

from simulations.scenario import ChannelSpec, Flight, Scenario
from simulations.world_demand import autoregressive

Array = NDArray[np.float64]


def draw_media(scenario: Scenario, silo: str, demand: Array, rng: np.random.Generator) -> Array:
    """Media intensity `[unit, week, channel]` in multiples of the channel's typical week per head.

    `demand` is the silo's relative base sales `[unit, week]`, which demand-following channels track.
    A channel the silo lacks is zero throughout.
    """
    intensity: dict[str, Array] = {}
    silo_plans: dict[str, Array] = {}
    columns = []
    for channel in scenario.channels:
        plan = _silo_plan(channel, scenario.weeks, silo_plans, rng)
        silo_plans[channel.name] = plan
        column = _unit_media(scenario, channel, plan, demand, rng)
        if silo in channel.absent_in:
            column = np.zeros_like(column)
        intensity[channel.name] = column
        columns.append(column)
    return np.stack(columns, axis=-1)


def _silo_plan(channel: ChannelSpec, weeks: int, earlier: dict[str, Array], rng: np.random.Generator) -> Array:
    """The silo's weekly plan `[week]`, mean about one."""
    wobble = np.exp(channel.weekly_log_sd * autoregressive(rng, (1, weeks), 0.3)[0])
    if channel.flight is Flight.FLIGHTED:
        wobble = wobble * _flights(channel, weeks, rng)
    if channel.flight is Flight.FOLLOWS_CHANNEL:
        strength = channel.follow_strength
        wobble = np.exp(strength * np.log(earlier[channel.follows] + 1e-3) + (1 - strength) * np.log(wobble + 1e-3))
    return np.asarray(wobble / wobble.mean())


def _flights(channel: ChannelSpec, weeks: int, rng: np.random.Generator) -> Array:
    """On/off blocks of about `weeks_on` and `weeks_off` weeks, starting anywhere in the cycle."""
    on = np.zeros(weeks)
    week = -int(rng.integers(0, channel.weeks_on + channel.weeks_off))
    while week < weeks:
        length = max(1, channel.weeks_on + int(rng.integers(-1, 2)))
        on[max(week, 0) : max(week + length, 0)] = 1.0
        week += length + max(1, channel.weeks_off + int(rng.integers(-2, 3)))
    if not on.any():
        on[: channel.weeks_on] = 1.0
    return on


def _unit_media(scenario: Scenario, channel: ChannelSpec, plan: Array, demand: Array, rng: np.random.Generator) -> Array:
    units, weeks = demand.shape
    silo_factor = np.exp(scenario.media_silo_log_sd * rng.standard_normal())
    unit_factor = np.exp(channel.unit_log_sd * rng.standard_normal((units, 1)))
    jitter = np.exp(channel.unit_weekly_log_sd * rng.standard_normal((units, weeks)))
    media = silo_factor * unit_factor * jitter * plan
    if channel.flight is Flight.FOLLOWS_DEMAND:
        media = media * (demand / demand.mean(axis=1, keepdims=True)) ** channel.demand_elasticity
    return np.asarray(media)
