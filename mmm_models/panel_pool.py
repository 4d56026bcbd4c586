"""Silos' panels joined into one, for centralised training (`mmm_models.panel.pool` is its public name)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.errors import ModelError
from mmm_models.panel import DAYS_PER_WEEK, PER_UNIT_WEEK, Channel, Panel


def pool_panels(panels: Sequence[Panel]) -> Panel:
    """See `mmm_models.panel.pool`."""
    if not panels:
        raise ModelError("no panels to pool", hint="name at least one silo file")
    names = [panel.silo for panel in panels]
    if len(set(names)) < len(names):
        raise ModelError(f"silos share a name: {', '.join(names)}", hint="give each silo file its own `silo`")
    currency = _agreed("currency", [panel.currency for panel in panels], names)
    outcome_unit = _agreed("outcome unit", [panel.outcome_unit for panel in panels], names)
    channels = _all_channels(panels)
    controls, treatments = _all_controls(panels)
    weeks = _all_weeks(panels)
    aligned = [
        _on_calendar(panel.with_channels(channels).with_controls(controls, treatments), weeks)
        for panel in panels
    ]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(panel, name) for panel in aligned])
        for name in (*PER_UNIT_WEEK, "population")
    }
    return replace(
        aligned[0],
        silo="+".join(names),
        units=tuple(f"{panel.silo}/{unit}" for panel in panels for unit in panel.units),
        channels=channels,
        currency=currency,
        outcome_unit=outcome_unit,
        **arrays,
    )


def _agreed(what: str, values: Sequence[str], silos: Sequence[str]) -> str:
    """The one value all silos that state one agree on; "" when none does."""
    stated = {value for value in values if value}
    if len(stated) > 1:
        each = ", ".join(f"{silo}: {value}" for silo, value in zip(silos, values, strict=True) if value)
        raise ModelError(
            f"silos disagree on the {what}: {each}",
            hint="convert the files to one unit, or train these silos separately",
        )
    return stated.pop() if stated else ""


def _all_channels(panels: Sequence[Panel]) -> tuple[Channel, ...]:
    """Union of channels in order of first appearance; kinds and units must agree."""
    names = dict.fromkeys(name for panel in panels for name in panel.channel_names)
    merged = []
    for name in names:
        found = [
            (panel.silo, channel) for panel in panels for channel in panel.channels if channel.name == name
        ]
        silos = [silo for silo, _ in found]
        _agreed(f"kind of channel {name!r}", [channel.kind.value for _, channel in found], silos)
        unit = _agreed(
            f"exposure unit of channel {name!r}", [channel.exposure_unit for _, channel in found], silos
        )
        merged.append(replace(found[0][1], exposure_unit=unit))
    return tuple(merged)


def _all_controls(panels: Sequence[Panel]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Union of control names that are no treatments, and union of treatment names."""
    treatments = dict.fromkeys(name for panel in panels for name in panel.treatment_names)
    all_names = dict.fromkeys(name for panel in panels for name in panel.control_names)
    for panel in panels:
        for name in set(panel.control_names) - set(panel.treatment_names):
            if name in treatments:
                raise ModelError(f"{name!r} is a control in silo {panel.silo!r} and a treatment in another")
    return tuple(name for name in all_names if name not in treatments), tuple(treatments)


def _all_weeks(panels: Sequence[Panel]) -> NDArray[np.datetime64]:
    first_day = panels[0].weeks[0]
    starts = [_snap(panel.weeks, first_day) for panel in panels]
    first, last = min(weeks[0] for weeks in starts), max(weeks[-1] for weeks in starts)
    return np.arange(first, last + np.timedelta64(1, "D"), DAYS_PER_WEEK, dtype="datetime64[D]")


def _snap(weeks: NDArray[np.datetime64], anchor: np.datetime64) -> NDArray[np.datetime64]:
    """Weeks moved to the anchor's weekday by at most three days."""
    shift = (int((weeks[0] - anchor) / np.timedelta64(1, "D")) + 3) % DAYS_PER_WEEK - 3
    return (weeks - np.timedelta64(shift, "D")).astype("datetime64[D]")


def _on_calendar(panel: Panel, weeks: NDArray[np.datetime64]) -> Panel:
    """The panel on a longer calendar; outside its own weeks nothing is observed."""
    offset = int((_snap(panel.weeks, weeks[0])[0] - weeks[0]) / np.timedelta64(DAYS_PER_WEEK, "D"))
    nearest = np.clip(np.arange(len(weeks)) - offset, 0, panel.n_weeks - 1)
    arrays: dict[str, Any] = {
        name: getattr(panel, name)[:, nearest] for name in ("controls", "revenue_per_outcome")
    }
    outside = np.arange(len(weeks)) - offset != nearest
    for name in ("outcome", "observed", "media", "spend", "frequency"):
        arrays[name] = getattr(panel, name)[:, nearest]
        arrays[name][:, outside] = 0
    return replace(panel, weeks=weeks, **arrays)
