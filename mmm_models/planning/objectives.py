"""What a split is chosen by, with its gradient: expected revenue, or a quantile of it over draws."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.cell_curves import drawn_curves
from mmm_models.planning.outlook import Outlook

Array = NDArray[np.float64]
Objective = Callable[[Array], tuple[float, Array]]  # money [cell] -> revenue, and its gradient [cell]
SMOOTHED_RANKS = 0.05  # of all draws, to either side of a quantile: a single draw's gradient would jump about


def expected_revenue(look: Outlook) -> Objective:
    """The mean over draws, synergies included."""
    worth = torch.from_numpy(look.worth)[:, None]

    def revenue(spend: Array) -> tuple[float, Array]:
        money = torch.from_numpy(spend).requires_grad_(True)
        value = (look.expected(_intensity(look, money)) * worth).sum()
        (gradient,) = torch.autograd.grad(value, money)
        return float(value.detach()), np.asarray(gradient.numpy())

    return revenue


def quantile_revenue(look: Outlook, risk: float, low: Array, high: Array) -> Objective:
    """The revenue that all but a share `risk` of the draws exceed, averaged over neighbouring ranks; between `low` and
    `high` [cell]."""
    drawn = _exact(look) if look.likely.draws.pairs else drawn_curves(look, low, high).totals

    def revenue(spend: Array) -> tuple[float, Array]:
        totals, gradients = drawn(spend)
        order = np.argsort(totals, kind="stable")
        ranks = (np.arange(len(order)) + 0.5) / len(order)
        near = np.maximum(1.0 - np.abs(ranks - risk) / SMOOTHED_RANKS, 0.0)
        near /= near.sum()
        return float(near @ totals[order]), np.asarray(near @ gradients[order])

    return revenue


def _exact(look: Outlook) -> Callable[[Array], tuple[Array, Array]]:
    """Totals `[draw]` and gradients `[draw, cell]` where channels act together and no curve of one cell says it."""
    worth = torch.from_numpy(look.worth)[:, None]

    def totals(money: Tensor) -> Tensor:
        found = look.drawn(_intensity(look, money))
        assert found is not None  # asked only of runs that know how sure they are
        return (found * worth).sum(dim=(1, 2))

    def drawn(spend: Array) -> tuple[Array, Array]:
        money = torch.from_numpy(spend)
        slopes: Tensor = torch.func.jacfwd(totals)(money)
        return np.asarray(totals(money).numpy()), np.asarray(slopes.numpy())

    return drawn


def _intensity(look: Outlook, money: Tensor) -> Tensor:
    """As `Period.intensity_for`, with a gradient."""
    price = torch.from_numpy(np.where(look.period.plannable, look.period.price, np.inf)) * look.period.weeks
    kept = torch.from_numpy(np.where(look.period.plannable, 0.0, look.period.intensity))
    return money.reshape(price.shape) / price + kept
