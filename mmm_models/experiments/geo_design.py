"""What a geographic experiment did, and its units' outcome around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mmm_models.experiments.lift_errors import GeoDesignMisplaced, TooFewUnits
from mmm_models.experiments.placed_lift import nearest_week
from mmm_models.intake.nearest_name import nearest_name
from mmm_models.panel import Panel

LEAST_PRE_WEEKS = 8


class GeoMethod(StrEnum):
    """How the treated units' outcome without the experiment is told."""

    DID = "did"
    SYNTHETIC_CONTROL = "synthetic-control"


@dataclass(frozen=True)
class GeoDesign:
    """Which units were treated when, in one channel. `controls` None: all other units of the panel.

    Weeks are named by their first day; `pre_start` is the first week of the period before, which ends where the
    experiment begins.
    """

    channel: str
    treated: tuple[str, ...]
    controls: tuple[str, ...] | None
    pre_start: date
    first_week: date
    last_week: date
    method: GeoMethod = GeoMethod.DID


@dataclass(frozen=True, eq=False)
class GeoSeries:
    """Outcomes of the units of an experiment over their own mean before it, so that large and small compare.

    `level` [unit] is that mean, in outcome units a week; `before` [unit, week] and `during` [unit, week] are relative
    to it; `treated` [unit] says which they are, `units` [unit] their places in the panel, `weeks` the panel's from the
    first before to the last of the experiment.
    """

    units: NDArray[np.int_]
    treated: NDArray[np.bool_]
    level: NDArray[np.float64]
    before: NDArray[np.float64]
    during: NDArray[np.float64]
    weeks: slice


def geo_series(design: GeoDesign, panel: Panel) -> GeoSeries:
    """The units' outcome around the experiment. Raises `GeoDesignMisplaced` and `TooFewUnits`."""
    treated = _places(design.treated, panel)
    others = [unit for unit in panel.units if unit not in set(design.treated)]
    controls = _places(others if design.controls is None else design.controls, panel)
    if np.isin(controls, treated).any():
        raise GeoDesignMisplaced("a unit is both treated and control", hint="name each unit once")
    if not len(treated) or not len(controls):
        raise TooFewUnits(
            f"the experiment has {len(treated)} treated and {len(controls)} control units",
            hint="name at least one treated unit, and leave others untreated",
        )
    days = (design.pre_start, design.first_week, design.last_week)
    start, first, last = (nearest_week(day, "the experiment", panel) for day in days)
    if first - start < LEAST_PRE_WEEKS:
        raise GeoDesignMisplaced(
            f"there are {max(0, first - start)} weeks before the experiment; {LEAST_PRE_WEEKS} are the least",
            hint="move pre_start to an earlier week",
        )
    units = np.concatenate([treated, controls])
    weeks = slice(start, last + 1)
    _require_observed(panel, units, weeks)
    outcome = panel.outcome[units, weeks]
    level = outcome[:, : first - start].mean(axis=1)
    if (level <= 0).any():
        raise GeoDesignMisplaced(
            f"unit {panel.units[units[int(level.argmin())]]!r} has no outcome before the experiment",
            hint="name the control units to use in `controls`",
        )
    relative = outcome / level[:, None]
    return GeoSeries(
        units=units,
        treated=np.arange(len(units)) < len(treated),
        level=level,
        before=relative[:, : first - start],
        during=relative[:, first - start :],
        weeks=weeks,
    )


def _places(names: Iterable[str], panel: Panel) -> NDArray[np.int_]:
    names = tuple(names)
    unknown = [name for name in names if name not in panel.units]
    if unknown:
        best = nearest_name(unknown[0], panel.units)
        raise GeoDesignMisplaced(
            f"the experiment's unit {unknown[0]!r} is not in the panel",
            hint=f"did you mean {best!r}?" if best else f"units are named like {panel.units[0]!r}",
        )
    return np.array([panel.units.index(name) for name in names], dtype=np.int_)


def _require_observed(panel: Panel, units: NDArray[np.int_], weeks: slice) -> None:
    gaps = np.flatnonzero(~panel.observed[units, weeks].all(axis=1))
    if len(gaps):
        raise GeoDesignMisplaced(
            f"unit {panel.units[units[gaps[0]]]!r} lacks the outcome of some weeks of the experiment or before it",
            hint="add them, or name the units that have all weeks in `controls`",
        )
