"""Each cell's revenue as a function of its money, tabulated once per question: what the allocation and its polish ask.

Without synergies a split's revenue is a sum of curves of single cells, so so many evaluations of the surfaces are all
that a question costs, however many splits it tries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor

from mmm_models.planning.outlook import Outlook
from mmm_models.planning.period import Period

Array = NDArray[np.float64]
POINTS = 25


@runtime_checkable  # tests check every argument against its annotation
class Responds(Protocol):
    """What can be planned with: an `Outlook`, or the truth of a simulated world."""

    @property
    def period(self) -> Period: ...
    @property
    def worth(self) -> Array: ...
    def expected(self, intensity: Tensor) -> Tensor: ...
    def intensity(self, spend: Array) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class CurveTables:
    """`money` and `revenue` [cell, point], both rising along points; a cell that is fixed has all its points there."""

    money: Array
    revenue: Array


@dataclass(frozen=True, eq=False)
class CellCurves:
    """Curves of every cell between `low` and `high` [cell]: cubic splines through tabulated points (de Boor 1978).

    `columns`: what each point holds, one number (the expected revenue) or one per draw, by cell; None for a cell that
    is fixed, whose numbers are in `fixed` [column, cell].
    """

    low: Array
    high: Array
    cells: tuple[CubicSpline | None, ...]
    fixed: Array

    def tables(self, low: Array, high: Array, points: int) -> CurveTables:
        """Evenly spaced points between narrower limits `[cell]`, for the first column."""
        money = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, points)
        revenue = [
            np.full(points, self.fixed[0, cell]) if curve is None else curve(money[cell])[:, 0]
            for cell, curve in enumerate(self.cells)
        ]
        return CurveTables(money, np.stack(revenue))

    def totals(self, spend: Array, counted: NDArray[np.bool_] | None = None) -> tuple[Array, Array]:
        """Of money `[cell]`: each column's total over the cells counted `[cell]`, all when not said, `[column]`, and
        its gradient `[column, cell]`."""
        totals, gradients = np.zeros(len(self.fixed)), np.zeros(self.fixed.shape)
        for cell, curve in enumerate(self.cells):
            if counted is not None and not counted[cell]:
                continue
            totals = totals + (self.fixed[:, cell] if curve is None else curve(spend[cell]))
            if curve is not None:
                gradients[:, cell] = curve(spend[cell], 1)
        return totals, gradients


def expected_curves(look: Responds, low: Array, high: Array) -> CellCurves:
    """Expected revenue: one column.

    With synergies all channels move along their grids together, which is where the optimum lies more nearly than
    with the others kept as they were; the polish that follows knows the rest.
    """

    def at(money: Array) -> Array:
        expected = look.expected(look.intensity(money.reshape(look.period.spend.shape)))
        return np.asarray(expected.numpy() * look.worth[:, None]).reshape(1, -1)

    return _curves(low, high, at)


def drawn_curves(look: Outlook, low: Array, high: Array) -> CellCurves:
    """Revenue under every draw, a column each, for outlooks that have draws."""

    def at(money: Array) -> Array:
        drawn = look.drawn(look.intensity(money.reshape(look.period.spend.shape)))
        assert drawn is not None
        return np.asarray(drawn.numpy() * look.worth[:, None]).reshape(len(drawn), -1)

    return _curves(low, high, at)


def _curves(low: Array, high: Array, at: Callable[[Array], Array]) -> CellCurves:
    """Denser near `low`, where curves bend most."""
    money = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, POINTS) ** 2
    with torch.no_grad():
        values = np.stack([at(money[:, point]) for point in range(POINTS)])  # [point, column, cell]
    cells = tuple(
        CubicSpline(money[cell], values[:, :, cell]) if high[cell] > low[cell] else None
        for cell in range(low.size)
    )
    return CellCurves(low, high, cells, values[0])
