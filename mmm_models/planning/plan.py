"""What a plan says: where the money goes, what it brings, beside what else could have been done."""

from dataclasses import dataclass
from typing import Literal

from mmm_models.results import NO_INTERVAL, Finding, Interval


@dataclass(frozen=True)
class PlannedCell:
    """One channel in one part. Money is for the whole period; revenue is what media contribute in it.

    `marginal_roi` is revenue per further unit of money at the planned spend. `bound` says which limit the spend lies
    at, "" for none, "search limit" where none was given and plans are searched no further. `reach` is the highest
    carried-over media of the plan over the highest ever observed: above one the response is extrapolated.
    """

    part: str
    channel: str
    last_spend: float
    spend: float
    floor: float
    ceiling: float
    last_revenue: float
    revenue: float
    marginal_roi: float
    bound: str
    reach: float
    revenue_interval: Interval = NO_INTERVAL
    marginal_roi_interval: Interval = NO_INTERVAL

    @property
    def change(self) -> float:
        """Planned over last spend, less one; NaN where nothing was spent."""
        return self.spend / self.last_spend - 1.0 if self.last_spend > 0 else float("nan")


@dataclass(frozen=True)
class Split:
    """One way to spend money, as a whole: what media bring with it and how it compares with last period.

    `revenue` is what all media bring, `gain` that less last period's. `roi`: revenue of the cells that the money pays
    for over the money; what media without a price bring is no return on it. `better`: the probability that it brings
    more than last period's split did, NaN without intervals. `keeps_limits` is false for a split that a plan may not
    choose.
    """

    name: str
    spend: float
    revenue: float
    gain: float
    roi: float
    revenue_interval: Interval = NO_INTERVAL
    gain_interval: Interval = NO_INTERVAL
    better: float = float("nan")
    keeps_limits: bool = True


@dataclass(frozen=True)
class Flight:
    """One channel's money week by week in one part; `gain` over last period's rhythm is a share of its revenue."""

    part: str
    channel: str
    spend: tuple[float, ...]
    last_spend: tuple[float, ...]
    gain: float


@dataclass(frozen=True)
class Plan:
    """A plan for the next `weeks` weeks.

    `goal` says in words what was asked. `outcome` and `last_outcome` are whole sales, media's and the rest, in the
    outcome's unit; the rest is taken to be as in the last period. `planned`, `last` and `others` (naive splits of the
    same money) are comparable. `marginal_roi` is the one number that all cells off their limits share; NaN where all
    are at one. All intervals are at `interval_level`, NaN without any.
    """

    goal: str
    weeks: int
    last_from: str
    currency: str
    outcome_unit: str
    risk: float
    interval_level: float
    last_outcome: float
    outcome: float
    planned: Split
    last: Split
    others: tuple[Split, ...]
    cells: tuple[PlannedCell, ...]
    marginal_roi: float
    findings: tuple[Finding, ...] = ()
    flights: tuple[Flight, ...] = ()
    outcome_interval: Interval = NO_INTERVAL


@dataclass(frozen=True)
class FrontierPoint:
    """One of several best splits: `label` says which objective it is best for."""

    label: str
    kind: Literal["budget", "risk"]
    split: Split
    cells: tuple[tuple[str, str, float], ...]  # part, channel, spend


@dataclass(frozen=True)
class ChangedChannel:
    """One channel of a what-if answer; `change` is the share of media more (or less) than last period, NaN where there
    were none."""

    part: str
    channel: str
    change: float
    last_spend: float
    spend: float
    last_revenue: float
    revenue: float
    revenue_interval: Interval = NO_INTERVAL


@dataclass(frozen=True)
class WhatIf:
    """What changed media would have brought in a period like the last one."""

    weeks: int
    last_from: str
    currency: str
    outcome_unit: str
    interval_level: float
    last_outcome: float
    outcome: float
    changed: Split
    last: Split
    channels: tuple[ChangedChannel, ...]
    findings: tuple[Finding, ...] = ()
    outcome_interval: Interval = NO_INTERVAL
