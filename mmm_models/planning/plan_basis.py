"""What planning needs to know of the past: weekly sums and curves of each part of the business, no unit's rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EVERYTHING = "all"


@dataclass(frozen=True, eq=False)
class Part:
    """One part whose money can be moved on its own: everything, a silo, or a unit; sums over its units.

    `outcome` [week] in the outcome's unit; `spend` [week, channel] in money; `intensity` [week, channel]: media in
    typical weeks (what carry-over and saturation see), the mean over units weighted by their level; `level` [week]:
    what effects are relative to, summed over units observed; `contribution` [week, channel] and `curves`
    [channel, multiplier] (`contribution_totals.MULTIPLIERS`, all weeks together) in the outcome's unit;
    `revenue_per_outcome`: money per unit of outcome.
    """

    name: str
    outcome: Array
    level: Array
    spend: Array
    intensity: Array
    contribution: Array
    curves: Array
    revenue_per_outcome: float


@dataclass(frozen=True, eq=False)
class PlanBasis:
    """All parts of a run on one calendar.

    `weeks` [week]: the first day of each, 7 days apart. `by_week` is false where the run only released totals (with
    noise): weeks are then equal shares of them. `noise` [channel] is the standard deviation of the noise that
    contributions over all weeks carry, in the outcome's unit; zeros without.
    """

    channels: tuple[str, ...]
    kinds: tuple[str, ...]  # "paid" or "organic"
    currency: str
    outcome_unit: str
    weeks: NDArray[np.datetime64]
    parts: tuple[Part, ...]
    by_week: bool = True
    noise: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def n_weeks(self) -> int:
        return len(self.weeks)

    @property
    def value_unit(self) -> str:
        """What revenue is counted in: money where it is known, else the outcome itself."""
        priced = any(abs(part.revenue_per_outcome - 1.0) > 1e-6 for part in self.parts)
        same = self.outcome_unit.casefold() == self.currency.casefold()
        return self.currency if same or priced else self.outcome_unit

    def merged(self) -> "PlanBasis":
        """The same with one part, "all", that holds what the parts hold together."""
        return self if len(self.parts) == 1 else replace(self, parts=(_together(self.parts),))


def _together(parts: tuple[Part, ...]) -> Part:
    level = sum_of(part.level for part in parts)
    media = sum_of(part.intensity * part.level[:, None] for part in parts)
    outcome = sum_of(part.outcome for part in parts)
    sold = float(outcome.sum())
    revenue = sum(float(part.outcome.sum()) * part.revenue_per_outcome for part in parts)
    return Part(
        name=EVERYTHING,
        outcome=outcome,
        level=level,
        spend=sum_of(part.spend for part in parts),
        intensity=media / np.where(level > 0, level, 1.0)[:, None],
        contribution=sum_of(part.contribution for part in parts),
        curves=sum_of(part.curves for part in parts),
        revenue_per_outcome=revenue / sold if sold > 0 else 1.0,
    )


def sum_of(arrays: Iterable[Array]) -> Array:
    """Arrays of one shape, added up."""
    return np.asarray(np.sum(list(arrays), axis=0))
