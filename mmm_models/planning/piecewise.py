"""The best split of money over piecewise linear curves, exactly: a linear programme, with switches where a curve is
S-shaped (its first part pays less than what follows, so it must be filled before the rest may be).

The incremental form of piecewise linear programming (Markowitz and Manne 1957; Padberg 2000), solved by HiGHS.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from mmm_models.planning.cell_curves import CurveTables
from mmm_models.planning.feasible import Feasible

Array = NDArray[np.float64]
TINY = 1e-300
STEEPER = 1e-6
TIME_LIMIT_S = 5.0


@dataclass(frozen=True)
class Aim:
    """What is sought: most revenue less `price` per unit of money, with all of `total` spent; None: free."""

    total: float | None = None
    price: float = 0.0

    def over(self, unit: float, worth: float) -> "Aim":
        """The same with money in multiples of `unit` and revenue of `worth`."""
        return Aim(None if self.total is None else self.total / unit, self.price * unit / worth)


def best_piecewise(tables: CurveTables, feasible: Feasible, aim: Aim) -> Array | None:
    """Money per cell `[cell]`, or None when nothing keeps the limits and the total, or none was found in time."""
    # In money and revenue of their own size: the solver's tolerances are absolute.
    unit, worth = max(float(tables.money.max()), TINY), max(float(np.abs(tables.revenue).max()), TINY)
    tables = CurveTables(tables.money / unit, tables.revenue / worth)
    feasible, aim = feasible.over(unit), aim.over(unit, worth)
    width = np.diff(tables.money, axis=1)
    slope = np.divide(np.diff(tables.revenue, axis=1), width, out=np.zeros_like(width), where=width > 0)
    convex = _switched(slope, width)
    cells, segments = width.shape
    size, switches = cells * segments, np.flatnonzero(convex.ravel())
    constraints = [*_sums(tables, feasible, aim, len(switches)), *_switch_rows(switches, width, size)]
    cost = aim.price - slope.ravel()
    found = milp(
        np.concatenate([cost, np.zeros(len(switches))]),
        constraints=constraints,
        bounds=Bounds(0.0, np.concatenate([width.ravel(), np.ones(len(switches))])),
        integrality=np.concatenate([np.zeros(size), np.ones(len(switches))]),
        options={"time_limit": TIME_LIMIT_S, "mip_rel_gap": 1e-7},
    )
    if found.x is None:
        return None
    return np.asarray(unit * (tables.money[:, 0] + found.x[:size].reshape(cells, segments).sum(axis=1)))


def _switched(slope: Array, width: Array) -> NDArray[np.bool_]:
    """Segments `[cell, segment]` after which a steeper one comes: they must be full before it is begun."""
    later = np.maximum.accumulate(slope[:, ::-1], axis=1)[:, ::-1]
    steeper = np.zeros(slope.shape, dtype=np.bool_)
    steeper[:, :-1] = (later[:, 1:] > slope[:, :-1] * (1.0 + STEEPER)) & (width[:, :-1] > 0)
    return steeper


def _sums(tables: CurveTables, feasible: Feasible, aim: Aim, switches: int) -> list[LinearConstraint]:
    cells, segments = tables.money.shape[0], tables.money.shape[1] - 1
    start = tables.money[:, 0]

    def over(rows: Array) -> csr_array:
        """Sums of cells as sums of their segments."""
        return _widen(csr_array(np.repeat(rows, segments, axis=1)), switches)

    found = []
    if feasible.rows:
        matrix = np.stack([row.cells for row in feasible.rows])
        begun = matrix @ start
        low, high = (
            np.array([getattr(row, end) for row in feasible.rows]) - begun for end in ("low", "high")
        )
        found.append(LinearConstraint(over(matrix), low, high))
    if aim.total is not None:
        rest = aim.total - start.sum()
        found.append(LinearConstraint(over(np.ones((1, cells))), rest, rest))
    return found


def _switch_rows(switches: NDArray[np.intp], width: Array, size: int) -> list[LinearConstraint]:
    """Per switch: its segment is full when it is on. Per segment behind one: it is empty while the last one before is
    off."""
    if not len(switches):
        return []
    flat, number, segments = width.ravel(), np.arange(len(switches)), width.shape[1]
    before = (
        np.searchsorted(switches, np.arange(size), side="left") - 1
    )  # the last switch before each segment
    same_cell = switches[before.clip(0)] // segments == np.arange(size) // segments
    behind = np.flatnonzero((before >= 0) & same_cell)
    full = _pairs(switches, size + number, flat[switches], size + len(switches))
    empty = _pairs(behind, size + before[behind], flat[behind], size + len(switches))
    return [LinearConstraint(full, 0.0, np.inf), LinearConstraint(empty, -np.inf, 0.0)]


def _pairs(segments: NDArray[np.intp], switches: NDArray[np.intp], width: Array, columns: int) -> csr_array:
    """Rows of a segment's money less its width where the switch is on."""
    rows = np.tile(np.arange(len(segments)), 2)
    values = np.concatenate([np.ones(len(segments)), -width])
    return csr_array(
        coo_array((values, (rows, np.concatenate([segments, switches]))), shape=(len(segments), columns))
    )


def _widen(matrix: csr_array, switches: int) -> csr_array:
    if not switches:
        return matrix
    return csr_array(
        (matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], matrix.shape[1] + switches)
    )
