"""The total that a target needs: the best split asked for one total after another until it meets it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from mmm_models.planning.best_split import BestSplit
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.limits_in_money import CEILINGS_SEARCHED
from mmm_models.planning.piecewise import Aim
from mmm_models.planning.planning_errors import TargetUnreachable

Array = NDArray[np.float64]
TOTALS_TRIED, SMALLEST_TRIED = 11, 1e-6
CLOSE = 1e-4  # of the range of totals


def largest_with(best: BestSplit, roi: float) -> float:
    """The largest total whose best split returns `roi` on the whole: revenue of what the money pays for over it.

    Raises TargetUnreachable.
    """

    def surplus(total: float) -> float:
        return best.paid_revenue(best.of(Aim(total=total))) - roi * total

    highest, above = -np.inf, None
    for total in map(float, _totals(best.feasible)[::-1]):
        found = surplus(total)
        if found >= 0:
            return total if above is None else _nearest_good(surplus, total, above)
        highest, above = max(highest, found / total + roi), total
    raise TargetUnreachable(
        f"a return of {roi:g} is not reached by any split within the limits; the best found is {highest:.3g}; "
        "nothing was planned",
        hint=f"ask for {highest:.3g} or less, or lower the floors",
    )


def least_for(best: BestSplit, outcome: float, *, not_counted: float) -> float:
    """The smallest total whose best split reaches the outcome, of which objectives do not count so much; they are in
    its unit. Raises TargetUnreachable."""

    def surplus(total: float) -> float:
        return best.revenue(best.of(Aim(total=total))) - (outcome - not_counted)

    least, most = best.feasible.totals
    if surplus(least) >= 0:
        return least
    if (missing := surplus(most)) < 0:
        raise TargetUnreachable(
            f"an outcome of {outcome:,.0f}{_beside_last(best, outcome)} is out of reach: with every limit used"
            f"{_searched(best)} the best split brings {outcome + missing:,.0f}"
            f"{_beside_last(best, outcome + missing)} for {most:,.0f}; nothing was planned",
            hint=f"ask for less, or {_wider(best)} (beyond what was observed the answer is a guess)",
        )
    return _nearest_good(surplus, most, least)


def _totals(feasible: Feasible) -> Array:
    least, most = feasible.totals
    return np.geomspace(max(least, SMALLEST_TRIED * most), most, TOTALS_TRIED)


def _nearest_good(surplus: Callable[[float], float], good: float, bad: float) -> float:
    """The total nearest to `bad` that was found to have no negative surplus, as `good` has: a target is met, not missed
    by what a root is found to."""

    def tried(total: float) -> float:
        nonlocal good
        found = surplus(total)
        if found >= 0 and abs(total - bad) < abs(good - bad):
            good = total
        return found

    brentq(tried, *sorted((good, bad)), xtol=CLOSE * abs(good - bad), rtol=1e-6)
    return good


def _beside_last(best: BestSplit, outcome: float) -> str:
    now = float(best.objectives.look.period.outcome.sum())
    return f" ({outcome / now - 1:+.1%})" if now > 0 else ""


def _searched(best: BestSplit) -> str:
    """How far, where no limit says it."""
    endless = _endless(best)
    if not endless:
        return ""
    most = float(best.feasible.high[list(best.feasible.unlimited)].max())
    return f" (and without a lower ceiling {endless} searched up to {most:,.0f} each)"


def _wider(best: BestSplit) -> str:
    endless = _endless(best)
    if not endless:
        return "raise the ceilings or the general limit of change"
    return f"give a ceiling, up to {CEILINGS_SEARCHED:g} times last period's money, to {endless}"


def _endless(best: BestSplit) -> str:
    """Names of what no limit ends."""
    return ", ".join(best.objectives.look.cell_names(best.feasible.unlimited))
