"""An experiment found in a panel: which channel, units and weeks it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_errors import (
    LiftChannelUnknown,
    LiftOutsideWeeks,
    LiftUnitUnknown,
    LiftUnobserved,
    LiftWithoutMedia,
)
from mmm_models.intake.nearest_name import nearest_name
from mmm_models.panel import DAYS_PER_WEEK, Panel

MOST_SHIFTED_DAYS = DAYS_PER_WEEK // 2
_MOST_NAMED = 3


@dataclass(frozen=True, eq=False)
class PlacedLift:
    """`lift` with the index of its channel and the masks of its units and weeks in one panel."""

    lift: LiftTest
    channel: int
    units: NDArray[np.bool_]  # [unit]
    weeks: NDArray[np.bool_]  # [week]


def place(lifts: Sequence[LiftTest], panel: Panel) -> tuple[PlacedLift, ...]:
    """Each experiment in the panel, in the order given.

    A week is the panel's nearest, as with `pool`: silos' weeks need not start on the same day. Raises a
    `LiftMisplaced` for the first that is about what the panel lacks; its `hint` says what would make it work.
    """
    return tuple(_placed(lift, panel) for lift in lifts)


def nearest_week(day: date, whose: str, panel: Panel) -> int:
    """Index of the week that starts nearest to `day`. Raises `LiftOutsideWeeks` when that is over three days off."""
    weeks = panel.weeks.astype("datetime64[D]")
    days = np.abs((weeks - np.datetime64(day, "D")).astype(np.int64))
    nearest = int(days.argmin())
    if days[nearest] > MOST_SHIFTED_DAYS:
        raise LiftOutsideWeeks(
            f"{whose}: the week of {day} is not in the panel, whose weeks start on {weeks[0]} to {weeks[-1]}",
            hint="add those weeks to the data, or leave the experiment out",
        )
    return nearest


def _placed(lift: LiftTest, panel: Panel) -> PlacedLift:
    placed = PlacedLift(lift, _channel(lift, panel), _units(lift, panel), _weeks(lift, panel))
    inside = np.ix_(placed.units, placed.weeks)
    if not panel.observed[inside].any():
        raise LiftUnobserved(
            f"experiment {lift.name}: no outcome was observed from {lift.first_week} to {lift.last_week} in its units",
            hint="add the outcome of those weeks to the data, or leave the experiment out",
        )
    if not panel.media[(*inside, placed.channel)].any():
        raise LiftWithoutMedia(
            f"experiment {lift.name}: channel {lift.channel!r} has no media in those weeks and units",
            hint="where an experiment switched media off, name the units that kept them and what they gained by it",
        )
    return placed


def _channel(lift: LiftTest, panel: Panel) -> int:
    if lift.channel not in panel.channel_names:
        best = nearest_name(lift.channel, panel.channel_names)
        raise LiftChannelUnknown(
            f"experiment {lift.name}: there is no channel {lift.channel!r}",
            hint=f"did you mean {best!r}?" if best else f"channels are {', '.join(panel.channel_names)}",
        )
    return panel.channel_names.index(lift.channel)


def _units(lift: LiftTest, panel: Panel) -> NDArray[np.bool_]:
    if lift.units is None:
        return np.ones(panel.n_units, dtype=np.bool_)
    unknown = sorted(set(lift.units) - set(panel.units))
    if unknown:
        some = ", ".join(map(repr, unknown[:_MOST_NAMED])) + (" and more" * (len(unknown) > _MOST_NAMED))
        best = nearest_name(unknown[0], panel.units)
        raise LiftUnitUnknown(
            f"experiment {lift.name}: {len(unknown)} of its units are not in the panel: {some}",
            hint=f"did you mean {best!r}?" if best else f"units are named like {panel.units[0]!r}",
        )
    return np.isin(panel.units, lift.units)


def _weeks(lift: LiftTest, panel: Panel) -> NDArray[np.bool_]:
    """Between the weeks nearest to the first and to the last."""
    first, last = (
        nearest_week(day, f"experiment {lift.name}", panel) for day in (lift.first_week, lift.last_week)
    )
    mask = np.zeros(panel.n_weeks, dtype=np.bool_)
    mask[first : last + 1] = True
    return mask
