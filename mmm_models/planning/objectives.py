"""What a split is chosen by, with its gradient: expected revenue, or a quantile of it over draws."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.cell_curves import CellCurves, drawn_curves, expected_curves
from mmm_models.planning.outlook import Outlook

Array = NDArray[np.float64]
Cells = NDArray[np.bool_]
Objective = Callable[[Array], tuple[float, Array]]  # money [cell] -> revenue, and its gradient [cell]
Drawn = Callable[[Array], tuple[Array, Array]]  # money [cell] -> totals [draw], and gradients [draw, cell]
SMOOTHED_RANKS = 0.05  # of all draws, to either side of a quantile: a single draw's gradient would jump about


@dataclass(frozen=True, eq=False)
class Objectives:
    """Of splits between `low` and `high` [cell]: the mean over draws or, with a risk, the revenue that all but this
    share of the draws exceed, synergies included. `since`: revenue `[draw]` that a quantile is of what exceeds."""

    look: Outlook
    low: Array
    high: Array
    risk: float | None
    since: Array | None = None

    @cached_property
    def curves(self) -> CellCurves:
        """Expected revenue of single cells."""
        return expected_curves(self.look, self.low, self.high)

    @property
    def synergies(self) -> bool:
        """Whether channels act together, so that no curve of one cell says what it does."""
        return bool(self.look.likely.draws.pairs)

    def of(self, counted: Cells) -> Objective:
        """The revenue of some cells `[part, channel]` alone."""
        if self.risk is not None:
            together = self.synergies
            drawn = _drawn_together(self.look, counted) if together else self._drawn_alone(counted)
            return _quantile(drawn, self.risk, 0.0 if self.since is None else self.since)
        return _expected_together(self.look, counted) if self.synergies else self._expected_alone(counted)

    @cached_property
    def _drawn_curves(self) -> CellCurves:
        return drawn_curves(self.look, self.low, self.high)

    def _drawn_alone(self, counted: Cells) -> Drawn:
        return lambda spend: self._drawn_curves.totals(spend, counted.ravel())

    def _expected_alone(self, counted: Cells) -> Objective:
        def revenue(spend: Array) -> tuple[float, Array]:
            totals, gradients = self.curves.totals(spend, counted.ravel())
            return float(totals[0]), gradients[0]

        return revenue


def _quantile(drawn: Drawn, risk: float, since: Array | float) -> Objective:
    """Averaged over neighbouring ranks."""

    def revenue(spend: Array) -> tuple[float, Array]:
        totals, gradients = drawn(spend)
        totals = totals - since
        order = np.argsort(totals, kind="stable")
        ranks = (np.arange(len(order)) + 0.5) / len(order)
        near = np.maximum(1.0 - np.abs(ranks - risk) / SMOOTHED_RANKS, 0.0)
        near /= near.sum()
        return float(near @ totals[order]), np.asarray(near @ gradients[order])

    return revenue


def _expected_together(look: Outlook, counted: Cells) -> Objective:
    worth = _worth(look, counted)

    def revenue(spend: Array) -> tuple[float, Array]:
        money = torch.from_numpy(spend).requires_grad_(True)
        value = (look.expected(_intensity(look, money)) * worth).sum()
        (gradient,) = torch.autograd.grad(value, money)
        return float(value.detach()), np.asarray(gradient.numpy())

    return revenue


def _drawn_together(look: Outlook, counted: Cells) -> Drawn:
    worth = _worth(look, counted)

    def totals(money: Tensor) -> Tensor:
        found = look.drawn(_intensity(look, money))
        assert found is not None  # asked only of runs that know how sure they are
        return (found * worth).sum(dim=(1, 2))

    def drawn(spend: Array) -> tuple[Array, Array]:
        money = torch.from_numpy(spend)
        slopes: Tensor = torch.func.jacfwd(totals)(money)
        return np.asarray(totals(money).numpy()), np.asarray(slopes.numpy())

    return drawn


def _worth(look: Outlook, counted: Cells) -> Tensor:
    """Revenue per outcome `[part, channel]`, nothing for what is not counted."""
    return torch.from_numpy(np.where(counted, look.worth[:, None], 0.0))


def _intensity(look: Outlook, money: Tensor) -> Tensor:
    """As `Period.intensity_for`, with a gradient."""
    price = torch.from_numpy(np.where(look.period.plannable, look.period.price, np.inf)) * look.period.weeks
    kept = torch.from_numpy(np.where(look.period.plannable, 0.0, look.period.intensity))
    return money.reshape(price.shape) / price + kept
