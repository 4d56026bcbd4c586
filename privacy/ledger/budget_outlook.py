"""What each charge of a ledger costs on its own, and how many more runs like the last one fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from privacy.accountant import GaussianEvent, epsilon_of, epsilon_replace_one
from privacy.ledger.budget_ledger import LedgerSummary
from privacy.ledger.ledger_entries import Charge, LifetimeLimit

MOST_RUNS = 10_000  # counted no further: nobody plans that far ahead
_SMALLEST_EPSILON = 0.001  # what is left below that is nothing


@dataclass(frozen=True)
class PricedCharge:
    """A charge and its cost at the delta of the limit in force: alone, and after it (add or remove one)."""

    charge: Charge
    epsilon: float
    epsilon_replace_one: float
    spent_after: float


@dataclass(frozen=True)
class BudgetOutlook:
    """A ledger's charges with their prices, and what is left.

    spent_replace_one: what replacing one unit costs over all charges; the limit itself is on adding or
    removing one. runs_like_last: how many more the limit allows, `MOST_RUNS` standing for any larger number.
    """

    limit: LifetimeLimit
    charges: tuple[PricedCharge, ...]
    spent: float
    spent_replace_one: float
    left: float
    runs_like_last: int

    @property
    def runs(self) -> int:
        return len({priced.charge.run_id for priced in self.charges})

    @property
    def words(self) -> str:
        """What is left, as one would say it."""
        if not self.charges:
            return f"nothing is spent; one run of epsilon {self.limit.epsilon:g} would use it up"
        if self.runs_like_last >= MOST_RUNS:
            return f"more than {MOST_RUNS:,} more runs like the last"
        if self.runs_like_last > 1:
            return f"about {self.runs_like_last:,} more runs like the last"
        if self.runs_like_last == 1:
            return "one more run like the last"
        if self.left >= _SMALLEST_EPSILON:
            fits = math.floor(1000 * self.left) / 1000  # rounded down: as printed, it must fit
            return f"no more runs like the last; one of at most epsilon {fits:g} still fits"
        return "nothing is left"


def budget_outlook(summary: LedgerSummary) -> BudgetOutlook:
    """The outlook of a ledger as it stands. Runs that sampled their units take seconds."""
    delta = summary.limit.delta
    spent = tuple(event for charge in summary.charges for event in charge.events)
    last = summary.charges[-1].run_id if summary.charges else ""
    like_last = tuple(e for charge in summary.charges if charge.run_id == last for e in charge.events)
    return BudgetOutlook(
        limit=summary.limit,
        charges=tuple(_priced(summary.charges, index, delta) for index in range(len(summary.charges))),
        spent=summary.spent,
        spent_replace_one=epsilon_replace_one(spent, delta),
        left=summary.left,
        runs_like_last=more_runs(spent, like_last, summary.limit),
    )


def more_runs(spent: tuple[GaussianEvent, ...], run: tuple[GaussianEvent, ...], limit: LifetimeLimit) -> int:
    """How many more runs of these events the limit allows after `spent`, composed; `MOST_RUNS` at most."""

    def fit(runs: int) -> bool:
        return epsilon_of((*spent, *run * runs), limit.delta) <= limit.epsilon

    if not run or not fit(1):
        return 0
    fitting, too_many = 1, 2
    while too_many < MOST_RUNS and fit(too_many):
        fitting, too_many = too_many, 2 * too_many
    if too_many >= MOST_RUNS and fit(MOST_RUNS):
        return MOST_RUNS
    too_many = min(too_many, MOST_RUNS)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        fitting, too_many = (middle, too_many) if fit(middle) else (fitting, middle)
    return fitting


def _priced(charges: tuple[Charge, ...], index: int, delta: float) -> PricedCharge:
    charge = charges[index]
    after = charge.spent_after
    if charge.delta != delta:  # it was charged under another limit
        after = epsilon_of([event for earlier in charges[: index + 1] for event in earlier.events], delta)
    alone, replace_one = _prices(charge.events, delta)
    return PricedCharge(charge, alone, replace_one, after)


@lru_cache(maxsize=256)  # most runs of a silo are alike
def _prices(events: tuple[GaussianEvent, ...], delta: float) -> tuple[float, float]:
    return epsilon_of(events, delta), epsilon_replace_one(events, delta)
