"""Where the money goes: weekly media per head for each channel, unit and week."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simulations.scenario import Scenario
from simulations.scenario_tables import ChannelSpec, Flight
from simulations.world_demand import autoregressive

Array = NDArray[np.float64]
PLAN_PERSISTENCE = 0.3
NEARLY_NOTHING = 1e-3  # stands for zero where logarithms are mixed


def draw_media(scenario: Scenario, silo: str, demand: Array, rng: np.random.Generator) -> Array:
    """Media intensity `[unit, week, channel]` in multiples of the channel's typical week per head.

    `demand` is the silo's relative base sales `[unit, week]`, which demand-following channels track.
    A channel the silo lacks is zero throughout.
    """
    plans: dict[str, Array] = {}
    columns = []
    for channel in scenario.channels:
        plans[channel.name] = _silo_plan(channel, scenario.weeks, plans, rng)
        silo_factor = float(np.exp(scenario.media_silo_log_sd * rng.standard_normal()))
        media = _unit_media(channel, plans[channel.name], demand, rng, silo_factor=silo_factor)
        columns.append(np.zeros_like(media) if silo in channel.absent_in else media)
    return np.stack(columns, axis=-1)


def _silo_plan(
    channel: ChannelSpec, weeks: int, earlier: Mapping[str, Array], rng: np.random.Generator
) -> Array:
    """The silo's weekly plan `[week]`, mean one."""
    wobble = np.exp(channel.weekly_log_sd * autoregressive(rng, (1, weeks), PLAN_PERSISTENCE)[0])
    if channel.flight is Flight.FLIGHTED:
        wobble = wobble * _flights(channel, weeks, rng)
    if channel.flight is Flight.FOLLOWS_CHANNEL:
        strength = channel.follow_strength
        leader, own = np.log(earlier[channel.follows] + NEARLY_NOTHING), np.log(wobble + NEARLY_NOTHING)
        wobble = np.exp(strength * leader + (1 - strength) * own)
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


def _unit_media(
    channel: ChannelSpec, plan: Array, demand: Array, rng: np.random.Generator, *, silo_factor: float
) -> Array:
    """The silo's plan as it reaches each unit `[unit, week]`: its own weight, weekly jitter and demand."""
    units, weeks = demand.shape
    unit_factor = np.exp(channel.unit_log_sd * rng.standard_normal((units, 1)))
    jitter = np.exp(channel.unit_weekly_log_sd * rng.standard_normal((units, weeks)))
    media = silo_factor * unit_factor * jitter * plan
    if channel.flight is Flight.FOLLOWS_DEMAND:
        media = media * (demand / demand.mean(axis=1, keepdims=True)) ** channel.demand_elasticity
    return np.asarray(media)
