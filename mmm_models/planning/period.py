"""The last period and what it cost: where plans start from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.plan_basis import Part, PlanBasis
from mmm_models.planning.planning_errors import QuestionInvalid

Array = NDArray[np.float64]
MOST_WEEKS = 52


@dataclass(frozen=True, eq=False)
class Period:
    """The last so many weeks, part by part.

    `spend` [part, channel] in money; `intensity` [part, channel]: the mean week's media in typical weeks; `price`
    [part, channel]: money for a week at intensity one, NaN where media cost nothing; `pattern`
    [part, week, channel]: each week's share of the mean week, so one on average; `level`, `outcome` and `revenue`
    [part]: what effects are relative to in a mean week, and totals of the period.
    """

    weeks: int
    first_week: np.datetime64
    spend: Array
    intensity: Array
    price: Array
    pattern: Array
    level: Array
    outcome: Array
    revenue: Array

    @property
    def plannable(self) -> NDArray[np.bool_]:
        """Cells `[part, channel]` that money can be moved into."""
        return np.isfinite(self.price)

    @property
    def paid(self) -> NDArray[np.bool_]:
        """Cells `[part, channel]` whose media money pays for; what the others bring is no return on any money."""
        return self.plannable | (self.spend > 0)

    def intensity_for(self, spend: Array) -> Array:
        """Mean intensity `[part, channel]` that this spend buys; cells without a price stay as they were."""
        cost = np.where(self.plannable, self.price, 1.0) * self.weeks
        return np.where(self.plannable, spend / cost, self.intensity)


def last_period(basis: PlanBasis, weeks: int | None = None) -> Period:
    """The last `weeks` of the calendar; a year, or all there are, when not said. Raises QuestionInvalid."""
    have = basis.n_weeks
    count = min(MOST_WEEKS, have) if weeks is None else weeks
    if not 1 <= count <= have:
        raise QuestionInvalid(
            f"a period of {count} weeks was asked for, and the run knows {have}; nothing was planned",
            hint=f"ask for 1 to {have} weeks",
        )
    last = slice(have - count, have)
    pattern = np.stack([_pattern(part, last) for part in basis.parts])
    outcome = np.array([part.outcome[last].sum() for part in basis.parts])
    worth = np.array([part.revenue_per_outcome for part in basis.parts])
    return Period(
        weeks=count,
        first_week=basis.weeks[last][0],
        spend=np.stack([part.spend[last].sum(axis=0) for part in basis.parts]),
        intensity=np.stack([part.intensity[last].mean(axis=0) for part in basis.parts]),
        price=np.stack([_price(part, last) for part in basis.parts]),
        pattern=pattern,
        level=np.array([part.level[last].mean() for part in basis.parts]),
        outcome=outcome,
        revenue=outcome * worth,
    )


def _price(part: Part, last: slice) -> Array:
    """Of the period where it had spend and media, else of all weeks; none where media of the period cost nothing, as
    money that bought media before would now only take free ones away."""
    spend, media = part.spend[last].sum(axis=0), part.intensity[last].sum(axis=0)
    recent, whole = _ratio(spend, media), _ratio(part.spend.sum(axis=0), part.intensity.sum(axis=0))
    free = (media > 0) & (spend <= 0)
    return np.where(free, np.nan, np.where(np.isfinite(recent), recent, whole))


def _ratio(spend: Array, intensity: Array) -> Array:
    paid = (spend > 0) & (intensity > 0)
    return np.where(paid, spend / np.where(paid, intensity, 1.0), np.nan)


def _pattern(part: Part, last: slice) -> Array:
    """Weeks relative to the mean `[week, channel]`; even for a channel that did not run in the period."""
    media = part.intensity[last]
    mean = media.mean(axis=0)
    return np.where(mean > 0, media / np.where(mean > 0, mean, 1.0), 1.0)
