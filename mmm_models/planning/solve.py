"""From a goal and limits to a split of money: the allocation asked for one total after another where that is needed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq

from mmm_models.planning.allocate import allocate
from mmm_models.planning.cell_curves import CellCurves, expected_curves
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.goals import Budget, Goal, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.objectives import Objective, expected_revenue, quantile_revenue
from mmm_models.planning.outlook import Outlook
from mmm_models.planning.piecewise import Aim
from mmm_models.planning.planning_errors import LimitsContradict, QuestionInvalid, TargetUnreachable
from mmm_models.planning.polish import MOST_CELLS, polish

Array = NDArray[np.float64]
TOTALS_TRIED = 11
CLOSE = 1e-4  # of the range of totals
SMALLEST_SHARE, SMALLEST_TRIED = 1e-9, 1e-6
ROOM = 1.5


@dataclass(frozen=True, eq=False)
class Solver:
    """Best splits within `feasible`, by expected revenue or a quantile of it."""

    look: Outlook
    feasible: Feasible
    risk: float | None

    def split(self, goal: Goal) -> Array:
        """Money `[part, channel]`. Raises LimitsContradict, TargetUnreachable, QuestionInvalid."""
        if isinstance(goal, OutcomeTarget) and (self.look.worth != 1.0).any():
            in_outcome = replace(self.look, worth=np.ones_like(self.look.worth))
            return replace(self, look=in_outcome).split(goal)
        found = self._best(self._aim(goal))
        nothing = found.sum() <= SMALLEST_SHARE * self.feasible.high.sum()
        if nothing and isinstance(goal, ReturnTarget | MarginalTarget):
            raise TargetUnreachable(
                f"{goal.words('')}: not even the first unit of money returns so much; nothing was planned",
                hint="ask for a lower return",
            )
        # Curves are tabulated over all that limits allow; where that is far more than is spent, again and more finely.
        nearer = self.feasible.below(ROOM * float(found.sum()))
        if (nearer.high - nearer.low < (self.feasible.high - self.feasible.low) / ROOM).any():
            return replace(self, feasible=nearer).split(goal)
        return found.reshape(self.look.period.spend.shape)

    def _aim(self, goal: Goal) -> Aim:
        match goal:
            case Budget(total):
                return Aim(total=self._within(total))
            case MarginalTarget(price):
                return Aim(price=price)
            case ReturnTarget(roi):
                return Aim(total=self._largest_with(roi))
            case OutcomeTarget(outcome):
                return Aim(total=self._least_for(outcome))

    def revenue(self, spend: Array) -> float:
        """What the split is chosen by: of cells `[cell]`."""
        return self._objective(spend)[0]

    @cached_property
    def _curves(self) -> CellCurves:
        return expected_curves(self.look, self.feasible.low, self.feasible.high)

    @cached_property
    def _objective(self) -> Objective:
        if self.risk is None:
            return expected_revenue(self.look) if self._synergies else self._from_curves
        return quantile_revenue(self.look, self.risk, self.feasible.low, self.feasible.high)

    @property
    def _synergies(self) -> bool:
        return bool(self.look.likely.draws.pairs)

    def _from_curves(self, spend: Array) -> tuple[float, Array]:
        totals, gradients = self._curves.totals(spend)
        return float(totals[0]), gradients[0]

    def _best(self, aim: Aim) -> Array:
        start = allocate(self._curves, self.feasible, aim)
        if start is None:
            raise LimitsContradict(
                "no split keeps all limits and spends the total; nothing was planned",
                hint="widen a floor, a ceiling or a group's limit",
            )
        if self.risk is None and not self._synergies:
            return start
        if start.size > MOST_CELLS:
            raise QuestionInvalid(
                f"risk and synergies are planned for at most {MOST_CELLS} cells, and this asks for {start.size}; "
                "nothing was planned",
                hint="plan fewer parts at a time, or leave the risk out",
            )
        return polish(self._objective, start, self.feasible, aim)

    def _for_total(self, total: float) -> Array:
        return self._best(Aim(total=total))

    def _within(self, total: float) -> float:
        """The total, kept to what rounding leaves of the limits."""
        least, most = self.feasible.totals
        if not least * (1 - SMALLEST_SHARE) <= total <= most * (1 + SMALLEST_SHARE):
            raise LimitsContradict(
                f"a total of {total:,.0f} was asked for, and the limits allow {least:,.0f} to {most:,.0f}; "
                "nothing was planned",
                hint="ask for a total in that range, or change floors, ceilings or the general limit of change",
            )
        return min(max(total, least), most)

    def _largest_with(self, roi: float) -> float:
        """The largest total whose best split returns `roi` on the whole."""

        def surplus(total: float) -> float:
            return self.revenue(self._for_total(total)) - roi * total

        totals = self._totals()
        reached = [surplus(total) for total in totals]
        good = [index for index, value in enumerate(reached) if value >= 0]
        if not good:
            best = max(value / total + roi for value, total in zip(reached, totals, strict=True) if total > 0)
            raise TargetUnreachable(
                f"a return of {roi:g} is not reached by any split within the limits; the best found is {best:.3g}; "
                "nothing was planned",
                hint=f"ask for {best:.3g} or less, or lower the floors",
            )
        if good[-1] == len(totals) - 1:
            return float(totals[-1])
        return _root(surplus, float(totals[good[-1]]), float(totals[good[-1] + 1]))

    def _least_for(self, outcome: float) -> float:
        """The smallest total whose best split reaches the outcome; asked of an outlook whose worth is one."""
        needed = outcome - self._without_media()

        def surplus(total: float) -> float:
            return self.revenue(self._for_total(total)) - needed

        least, most = self.feasible.totals
        if surplus(least) >= 0:
            return least
        if (missing := surplus(most)) < 0:
            raise TargetUnreachable(
                f"an outcome of {outcome:,.0f}{self._beside_last(outcome)} is out of reach: with every limit used the "
                f"best split brings {outcome + missing:,.0f}{self._beside_last(outcome + missing)} for {most:,.0f}; "
                "nothing was planned",
                hint="ask for less, or raise the ceilings or the general limit of change "
                "(beyond what was observed the answer is a guess)",
            )
        return _root(surplus, least, most)

    def _beside_last(self, outcome: float) -> str:
        now = float(self.look.period.outcome.sum())
        return f" ({outcome / now - 1:+.1%})" if now > 0 else ""

    def _without_media(self) -> float:
        """The period's outcome less what media contributed, in the outcome's unit."""
        with torch.no_grad():
            media = self.look.expected(torch.from_numpy(self.look.period.intensity)).sum()
        return float(self.look.period.outcome.sum()) - float(media)

    def _totals(self) -> Array:
        least, most = self.feasible.totals
        return np.geomspace(max(least, SMALLEST_TRIED * most), most, TOTALS_TRIED)


def _root(surplus: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(surplus, low, high, xtol=CLOSE * (high - low), rtol=1e-6))
