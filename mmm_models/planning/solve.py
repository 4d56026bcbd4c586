"""From a goal and limits to a split of money: the goal said as a total or a price, its best split found."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.best_split import BestSplit
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.goals import Budget, Goal, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.objectives import Objectives
from mmm_models.planning.outlook import Outlook
from mmm_models.planning.piecewise import Aim
from mmm_models.planning.planning_errors import LimitsContradict, TargetUnreachable
from mmm_models.planning.target_totals import largest_with, least_for

Array = NDArray[np.float64]
SMALLEST_SHARE = 1e-9
ROOM, NEAR = 1.5, 8.0


@dataclass(frozen=True, eq=False)
class Solver:
    """Best splits within `feasible`, by expected revenue or a quantile of it.

    `past`: the last period in its own rhythm, where `look` has another. `since`: see `Objectives`.
    """

    look: Outlook
    feasible: Feasible
    risk: float | None
    past: Outlook | None = None
    since: Array | None = None

    def split(self, goal: Goal) -> Array:
        """Money `[part, channel]`. Raises LimitsContradict, TargetUnreachable, QuestionInvalid."""
        return self._of_outcome()._split(goal) if isinstance(goal, OutcomeTarget) else self._split(goal)

    def _of_outcome(self) -> "Solver":
        """The same in the outcome's unit. Last period's outcome is known, whatever media made of it: a risk is one of
        what a plan changes."""
        in_outcome = replace(self.look, worth=np.ones_like(self.look.worth))
        drawn = None if self.risk is None else self._last_period.drawn(self._last_media)
        return replace(self, look=in_outcome, since=None if drawn is None else drawn.sum(dim=(1, 2)).numpy())

    def _split(self, goal: Goal) -> Array:
        found = self._best.of(self._aim(goal))
        nothing = found.sum() <= SMALLEST_SHARE * self.feasible.high.sum()
        if nothing and isinstance(goal, ReturnTarget | MarginalTarget):
            raise TargetUnreachable(
                f"{goal.words('')}: not even the first unit of money returns so much; nothing was planned",
                hint="ask for a lower return",
            )
        # Curves are tabulated over all that limits allow; where that is far more than is spent, in all or in one cell,
        # again and more finely.
        nearer = self.feasible.below(ROOM * float(found.sum())).near(found, NEAR)
        if (nearer.high - nearer.low < (self.feasible.high - self.feasible.low) / ROOM).any():
            return replace(self, feasible=nearer)._split(goal)
        return found.reshape(self.look.period.spend.shape)

    def _aim(self, goal: Goal) -> Aim:
        match goal:
            case Budget(total):
                return Aim(total=self._within(total))
            case MarginalTarget(price):
                self._require_money()
                return Aim(price=price)
            case ReturnTarget(roi):
                self._require_money()
                return Aim(total=largest_with(self._best, roi))
            case OutcomeTarget(outcome):
                return Aim(total=least_for(self._best, outcome, not_counted=self._not_counted()))

    @cached_property
    def _best(self) -> BestSplit:
        low, high = self.feasible.low, self.feasible.high
        return BestSplit(Objectives(self.look, low, high, self.risk, self.since), self.feasible)

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

    def _require_money(self) -> None:
        """Raises TargetUnreachable where limits leave none, as they do where nothing was spent before."""
        if self.feasible.totals[1] <= 0:
            raise TargetUnreachable(
                "no money may be spent within the limits, which follow last period's money unless they are amounts; "
                "nothing was planned",
                hint="give paid channels ceilings in money, or ask for a total; media that cost nothing cannot be "
                "planned for",
            )

    def _not_counted(self) -> float:
        """Of the outcome, what objectives do not say: all but media, or all there was where they are of changes."""
        sold = float(self._last_period.period.outcome.sum())
        if self.since is not None:
            return sold
        with torch.no_grad():
            return sold - float(self._last_period.expected(self._last_media).sum())

    @property
    def _last_period(self) -> Outlook:
        return self.look if self.past is None else self.past

    @property
    def _last_media(self) -> Tensor:
        return torch.from_numpy(self._last_period.period.intensity)
