"""A randomised trial's effect per person to the lift of a channel in a panel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_errors import LiftInvalid, RandomisationDoubtful
from mmm_models.experiments.uplift import Uplift
from mmm_models.panel import DAYS_PER_WEEK


@dataclass(frozen=True)
class TrialScope:
    """What a trial is about: `start` to `end`, first to last day, in whole weeks; `people` are all whom the channel
    could reach in the panel's units then, as the trial's people were a sample of them."""

    channel: str
    start: date
    end: date
    people: float

    def __post_init__(self) -> None:
        days = (self.end - self.start).days + 1
        if days < 1 or days % DAYS_PER_WEEK:
            raise LiftInvalid(
                f"{self.start} to {self.end} is no whole number of weeks",
                hint="end six days after a week's first day",
            )


def trial_lift(measured: Uplift, scope: TrialScope, *, source: str) -> LiftTest:
    """Average effect times people, against none of the channel. Raises `RandomisationDoubtful`."""
    if measured.balance.is_doubtful:
        raise RandomisationDoubtful(
            f"covariates tell who was treated (p = {measured.balance.p_value:.2g}), most of all "
            f"{measured.balance.covariates[0].name}; no lift was written",
            hint="find out how treatment was dealt out; leave out covariates that treatment itself changed",
        )
    return LiftTest(
        channel=scope.channel,
        first_week=scope.start,
        last_week=scope.end - timedelta(days=DAYS_PER_WEEK - 1),
        units=None,
        lift=measured.average.effect * scope.people,
        standard_error=measured.average.standard_error * scope.people,
        source=source,
    )
