"""Limits as numbers: from what people write to each cell's least and most money."""

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.feasible import Feasible, Row, settled_high
from mmm_models.planning.limits import Limit, Limits
from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    ChannelWithoutSpend,
    LimitsContradict,
    PartUnknown,
)

Array = NDArray[np.float64]
# Times all of last period's money, or the total or the largest floor that is asked for: without a ceiling, with one.
SEARCHED, CEILINGS_SEARCHED = 10.0, 100.0


def feasible(
    limits: Limits,
    *,
    parts: tuple[str, ...],
    channels: tuple[str, ...],
    last: Array,
    plannable: NDArray[np.bool_],
    total: float | None = None,
) -> Feasible:
    """From limits and last period's spend `[part, channel]`; cells that are not plannable keep what they had.

    With a `total` the general limit of change follows it, so that a budget twice as large may double every channel.
    Raises ChannelUnknown, PartUnknown, ChannelWithoutSpend and LimitsContradict.
    """
    _require_known(limits, parts, channels, plannable)
    shape = last.shape
    low, high = np.where(plannable, 0.0, last), np.where(plannable, np.inf, last)
    rows: list[Row] = []
    general, spent_last = Limit(change=limits.change), float(last.sum())
    ratio = total / spent_last if total and spent_last > 0 else 1.0
    for index, name in enumerate(channels):
        at = np.zeros(shape)
        at[:, index] = 1.0
        if name in limits.channels:
            rows.append(_row(f"channel {name}", at, limits.channels[name], last))
        elif limits.change is not None:
            spent = last[:, index]
            low[:, index] = np.maximum(low[:, index], [general.low(x) * min(ratio, 1.0) for x in spent])
            high[:, index] = np.minimum(high[:, index], [general.high(x) * max(ratio, 1.0) for x in spent])
    for name, limit in limits.parts.items():
        at = np.zeros(shape)
        at[parts.index(name)] = 1.0
        rows.append(_row(f"part {name}", at, limit, last))
    for name, group in limits.groups.items():
        at = np.zeros(shape)
        at[:, [channels.index(channel) for channel in group.channels]] = 1.0
        rows.append(_row(f"group {name}", at, group, last))
    for name, limit in limits.cells.items():
        part, _, channel = name.rpartition("/")
        place = parts.index(part), channels.index(channel)
        low[place], high[place] = limit.low(last[place]), limit.high(last[place])
        if low[place] > high[place]:
            raise _crossed(name, low[place], high[place])
    most = max(spent_last, total or 0.0)
    found = _settled(low.ravel(), high.ravel(), rows, most)
    return found if total is None else found.below(total)


def _settled(low: Array, high: Array, rows: list[Row], most: float) -> Feasible:
    """Sums of a single cell become that cell's own limits; cells that no limit ends, or one beyond anything that tables
    of curves could resolve, are searched up to so many times `most`, or the largest floor (where `most` is nothing,
    limits are all that say how far); what is left must be possible."""
    kept = []
    for row in rows:
        if row.low > row.high:
            raise _crossed(row.name, row.low, row.high)
        if row.cells.sum() != 1.0:
            kept.append(row)
            continue
        (cell,) = np.flatnonzero(row.cells)
        low[cell], high[cell] = max(low[cell], row.low), min(high[cell], row.high)
        if low[cell] > high[cell]:
            raise _crossed(row.name, low[cell], high[cell])
    # No cell gets more than all that it is limited together with.
    together = np.min([np.where(row.cells > 0, row.high, np.inf) for row in kept], axis=0, initial=np.inf)
    high = np.where(np.isinf(high), together, high)
    largest = max(most, float(low.max()), *(row.low for row in kept))
    endless = np.isinf(high)
    beyond = ~endless & (high > CEILINGS_SEARCHED * largest) & (most > 0)
    high = np.where(endless, SEARCHED * largest, np.where(beyond, CEILINGS_SEARCHED * largest, high))
    unlimited = tuple(np.flatnonzero(endless | beyond).tolist())
    found = Feasible(low, settled_high(low, high), tuple(kept), unlimited)
    found.require_some()
    return found


def _crossed(name: str, low: float, high: float) -> LimitsContradict:
    return LimitsContradict(
        f"{name} must get at least {low:,.0f} and at most {high:,.0f}; nothing was planned",
        hint=f"lower the floor or raise the ceiling of {name}",
    )


def _row(name: str, at: Array, limit: Limit, last: Array) -> Row:
    spent = float((at * last).sum())
    return Row(name, at.ravel(), limit.low(spent), limit.high(spent))


def _require_known(
    limits: Limits, parts: tuple[str, ...], channels: tuple[str, ...], plannable: NDArray[np.bool_]
) -> None:
    for name in limits.parts:
        if name not in parts:
            raise PartUnknown(name, parts)
    cells = [name.rpartition("/") for name in limits.cells]
    for part, _, _ in cells:
        if part not in parts:
            raise PartUnknown(part, parts)
    grouped = [channel for group in limits.groups.values() for channel in group.channels]
    for name in (*limits.channels, *grouped, *(channel for _, _, channel in cells)):
        if name not in channels:
            raise ChannelUnknown(name, channels)
        if not plannable[:, channels.index(name)].any():
            raise ChannelWithoutSpend(name)
    for part, _, channel in cells:
        if not plannable[parts.index(part), channels.index(channel)]:
            raise ChannelWithoutSpend(f"{part}/{channel}")
