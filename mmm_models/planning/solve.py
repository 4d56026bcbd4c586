"""From a goal and limits to a split of money: the allocation asked for one total after another where that is needed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

from mmm_models.planning.best_split import BestSplit
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.goals import Budget, Goal, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.limits_in_money import CEILINGS_SEARCHED
from mmm_models.planning.objectives import Objectives
from mmm_models.planning.outlook import Outlook
from mmm_models.planning.piecewise import Aim
from mmm_models.planning.planning_errors import LimitsContradict, TargetUnreachable

Array = NDArray[np.float64]
TOTALS_TRIED = 11
CLOSE = 1e-4  # of the range of totals
SMALLEST_SHARE, SMALLEST_TRIED = 1e-9, 1e-6
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
                return Aim(total=self._largest_with(roi))
            case OutcomeTarget(outcome):
                return Aim(total=self._least_for(outcome))

    @cached_property
    def _best(self) -> BestSplit:
        low, high = self.feasible.low, self.feasible.high
        return BestSplit(Objectives(self.look, low, high, self.risk, self.since), self.feasible)

    def _for_total(self, total: float) -> Array:
        return self._best.of(Aim(total=float(total)))

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

    def _largest_with(self, roi: float) -> float:
        """The largest total whose best split returns `roi` on the whole: revenue of what the money pays for over it."""

        def surplus(total: float) -> float:
            return self._best.paid_revenue(self._for_total(total)) - roi * total

        best, above = -np.inf, None
        for total in map(float, self._totals()[::-1]):
            found = surplus(total)
            if found >= 0:
                return total if above is None else _nearest_good(surplus, total, above)
            best, above = max(best, found / total + roi), total
        raise TargetUnreachable(
            f"a return of {roi:g} is not reached by any split within the limits; the best found is {best:.3g}; "
            "nothing was planned",
            hint=f"ask for {best:.3g} or less, or lower the floors",
        )

    def _least_for(self, outcome: float) -> float:
        """The smallest total whose best split reaches the outcome; asked `_of_outcome`."""
        needed = outcome - self._not_counted()

        def surplus(total: float) -> float:
            return self._best.revenue(self._for_total(total)) - needed

        least, most = self.feasible.totals
        if surplus(least) >= 0:
            return least
        if (missing := surplus(most)) < 0:
            raise TargetUnreachable(
                f"an outcome of {outcome:,.0f}{self._beside_last(outcome)} is out of reach: with every limit used"
                f"{self._searched()} the best split brings {outcome + missing:,.0f}"
                f"{self._beside_last(outcome + missing)} for {most:,.0f}; nothing was planned",
                hint=f"ask for less, or {self._wider()} (beyond what was observed the answer is a guess)",
            )
        return _nearest_good(surplus, most, least)

    def _searched(self) -> str:
        """How far, where no limit says it."""
        if not self._endless:
            return ""
        most = float(self.feasible.high[list(self.feasible.unlimited)].max())
        return f" (and without a lower ceiling {self._endless} searched up to {most:,.0f} each)"

    def _wider(self) -> str:
        raised = "raise the ceilings or the general limit of change"
        higher = f"give a ceiling, up to {CEILINGS_SEARCHED:g} times last period's money, to {self._endless}"
        return higher if self._endless else raised

    @property
    def _endless(self) -> str:
        """Names of what no limit ends."""
        return ", ".join(self.look.cell_names(self.feasible.unlimited))

    def _beside_last(self, outcome: float) -> str:
        now = float(self.look.period.outcome.sum())
        return f" ({outcome / now - 1:+.1%})" if now > 0 else ""

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

    def _totals(self) -> Array:
        least, most = self.feasible.totals
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
