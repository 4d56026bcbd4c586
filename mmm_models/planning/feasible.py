"""Limits as numbers: each cell's least and most money, and sums of cells that are limited together."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from mmm_models.planning.limits import Limit, Limits
from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    ChannelWithoutSpend,
    LimitsContradict,
    PartUnknown,
)

Array = NDArray[np.float64]
SAME, TINY = 1e-9, 1e-300
UNBOUNDED = 10.0  # times all of last period's money: more than any plan reaches for


@dataclass(frozen=True, eq=False)
class Row:
    """A sum of cells `[cell]` of 0 and 1, and what limits it."""

    name: str
    cells: Array
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Feasible:
    """All splits that keep the limits: `low`, `high` [cell], cells being parts x channels in that order, and sums."""

    low: Array
    high: Array
    rows: tuple[Row, ...]

    @property
    def constraint(self) -> LinearConstraint | None:
        """The rows as one constraint on cells."""
        if not self.rows:
            return None
        matrix = np.stack([row.cells for row in self.rows])
        return LinearConstraint(matrix, [row.low for row in self.rows], [row.high for row in self.rows])

    @property
    def totals(self) -> tuple[float, float]:
        """The least and the most money that any split within the limits spends."""
        return self._extreme(1.0), self._extreme(-1.0)

    def keeps(self, spend: Array) -> bool:
        """Whether a split `[cell]` keeps all limits, to rounding."""
        slack = 1e-6 * max(float(spend.sum()), 1.0)
        cells = bool((spend >= self.low - slack).all() and (spend <= self.high + slack).all())
        return cells and all(
            row.low - slack <= float(row.cells @ spend) <= row.high + slack for row in self.rows
        )

    def over(self, unit: float) -> "Feasible":
        """The same with money in multiples of `unit`."""
        rows = tuple(replace(row, low=row.low / unit, high=row.high / unit) for row in self.rows)
        return Feasible(self.low / unit, self.high / unit, rows)

    def below(self, total: float) -> "Feasible":
        """The same for splits of at most `total`: no cell gets more than the others leave."""
        rest = total - (self.low.sum() - self.low)
        return replace(self, high=_settled_high(self.low, np.minimum(self.high, rest)))

    def _extreme(self, sign: float) -> float:
        found = self._solved(np.full(self.low.size, sign))
        assert found is not None  # checked when the limits were read
        return float(found.sum())

    def _solved(self, cost: Array) -> Array | None:
        """The split `[cell]` of least cost, in money of its own size: the solver's tolerances are absolute."""
        unit = max(float(self.high.max()), TINY)
        small = self.over(unit)
        rows = [small.constraint] if small.constraint is not None else []
        found = milp(cost, constraints=rows, bounds=Bounds(small.low, small.high))
        return None if found.x is None else np.asarray(found.x * unit)

    def require_some(self) -> None:
        """Raises LimitsContradict naming limits that cannot be kept together."""
        for row in self.rows:
            least, most = float(row.cells @ self.low), float(row.cells @ self.high)
            if (
                row.low > most * (1 + 1e-9)
                or row.high < least * (1 - 1e-9)
                or row.low > row.high * (1 + 1e-9)
            ):
                raise LimitsContradict(
                    f"{row.name} must be between {row.low:,.0f} and {row.high:,.0f}, but the limits within it allow "
                    f"{least:,.0f} to {most:,.0f}; nothing was planned",
                    hint=f"change the limits of {row.name} or of what it holds",
                )
        names = [row.name for row in self.rows]
        if self._solved(np.zeros(self.low.size)) is None:
            raise LimitsContradict(
                f"the limits of {', '.join(names)} cannot be kept together; nothing was planned",
                hint="widen or leave out one of them",
            )


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
    reach = UNBOUNDED * max(float(last.sum()), total or 0.0)
    low, high = np.where(plannable, 0.0, last), np.where(plannable, reach, last)
    rows: list[Row] = []
    general, ratio = Limit(change=limits.change), total / max(float(last.sum()), TINY) if total else 1.0
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
        low[place], high[place] = limit.low(last[place]), min(limit.high(last[place]), reach)
        if low[place] > high[place]:
            raise _crossed(name, low[place], high[place])
    return _settled(low.ravel(), high.ravel(), rows, total)


def _settled(low: Array, high: Array, rows: list[Row], total: float | None) -> Feasible:
    """Sums of a single cell become that cell's own limits; what is left must be possible."""
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
    found = Feasible(low, _settled_high(low, high), tuple(kept))
    found.require_some()
    return found if total is None else found.below(total)


def _settled_high(low: Array, high: Array) -> Array:
    """Not below `low`, and just there where rounding alone is between them."""
    rounding = SAME * max(float(high.max()), TINY)
    return np.where(high - low <= rounding, low, high)


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
