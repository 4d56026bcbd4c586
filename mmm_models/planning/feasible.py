"""All splits that keep limits: each cell's least and most money, and sums of cells that are limited together."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from mmm_models.planning.planning_errors import LimitsContradict

Array = NDArray[np.float64]
SAME, TINY = 1e-9, 1e-300
NOTHING = 1e-6  # of all money: rounding of the allocation
AT_LIMIT = 1e-3  # of what a cell may move through


@dataclass(frozen=True, eq=False)
class Row:
    """A sum of cells `[cell]` of 0 and 1, and what limits it."""

    name: str
    cells: Array
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Feasible:
    """All splits that keep the limits: `low`, `high` [cell], cells being parts x channels in that order, and sums.

    `unlimited`: cells that no limit ends; their `high` is only how far plans are searched.
    """

    low: Array
    high: Array
    rows: tuple[Row, ...]
    unlimited: tuple[int, ...] = ()

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

    def at_search_end(self, spend: Array) -> tuple[int, ...]:
        """Cells of a split `[cell]` that stopped growing only because plans are searched no further."""
        close = AT_LIMIT * self.span(spend)
        return tuple(cell for cell in self.unlimited if self.high[cell] - spend[cell] <= close[cell])

    def span(self, spend: Array) -> Array:
        """How much money of a split `[cell]` each cell may move through: its range, or what is spent where that is
        less, or its own money where it has no range."""
        free = self.high - self.low
        return np.where(free > 0, np.minimum(free, float(spend.sum())), np.maximum(spend, 1.0))

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
        return replace(self, low=self.low / unit, high=self.high / unit, rows=rows)

    def below(self, total: float) -> "Feasible":
        """The same for splits of at most `total`: no cell gets more than the others leave."""
        rest = total - (self.low.sum() - self.low)
        still = tuple(cell for cell in self.unlimited if self.high[cell] <= rest[cell])
        high = settled_high(self.low, np.minimum(self.high, rest))
        return replace(self, high=high, unlimited=still)

    def near(self, spend: Array, times: float) -> "Feasible":
        """The same where no cell gets more or less than so many times what it has in a split `[cell]`; cells that have
        nothing there keep their range."""
        some = spend > self.low + NOTHING * float(spend.sum())
        low = np.where(some, np.maximum(self.low, spend / times), self.low)
        high = np.where(some, np.minimum(self.high, spend * times), self.high)
        return replace(self, low=low, high=settled_high(low, high))

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


def settled_high(low: Array, high: Array) -> Array:
    """Not below `low`, and just there where rounding alone is between them."""
    rounding = SAME * max(float(high.max()), TINY)
    return np.where(high - low <= rounding, low, high)
