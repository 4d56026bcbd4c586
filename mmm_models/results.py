"""What a trained model says: fit, contributions, ROI and response curves, for one model over all units."""

import math
from dataclasses import dataclass
from typing import Literal

R2_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Interval:
    """The middle of what a number may be, at `Results.interval_level`; NaN where the model says none."""

    low: float = math.nan
    high: float = math.nan


NO_INTERVAL = Interval()


@dataclass(frozen=True)
class ChannelResult:
    """One channel over all units and weeks; `share` is of the total outcome, money is in the run's currency.

    `roi` is revenue contributed per unit of spend, `marginal_roi` what one more unit of spend brings (a one
    per cent step, synergies with other channels included); both are NaN without spend.
    """

    channel: str
    kind: str
    spend: float
    contribution: float
    share: float
    roi: float
    marginal_roi: float
    contribution_interval: Interval = NO_INTERVAL
    share_interval: Interval = NO_INTERVAL
    roi_interval: Interval = NO_INTERVAL
    marginal_roi_interval: Interval = NO_INTERVAL


@dataclass(frozen=True)
class ResponseCurve:
    """Contribution of one channel when all its media are scaled by each multiplier; 1.0 is what happened.

    `low` and `high` bound each contribution at `Results.interval_level`; empty without intervals.
    """

    channel: str
    multiplier: tuple[float, ...]
    spend: tuple[float, ...]
    contribution: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something the data cannot tell, said aloud: one sentence on what it is, one on what to do about it.

    `code` names the kind of finding for programs, such as "collinear" or "prior-only".
    """

    code: str
    severity: Literal["note", "review", "fail"]
    channels: tuple[str, ...]
    text: str
    advice: str


@dataclass(frozen=True)
class ExperimentCheck:
    """One experiment beside the model: the lift it measured and what the model says of the same weeks and units.

    Lifts are in outcome units. `used` says whether the model was fitted to it; `before` is what the model said
    without any experiment, so that a contradiction is seen even where the fit settled it. `agrees` is false when
    `before` and `lift` differ by more than their uncertainties allow.
    """

    channel: str
    source: str
    lift: float
    standard_error: float
    before: float
    before_sd: float
    after: float
    used: bool
    agrees: bool


@dataclass(frozen=True)
class UnitFit:
    """One unit's fit on held-out weeks; R2 is against the unit's own held-out mean and may be negative.
    All are NaN for a unit without held-out weeks."""

    unit: str
    rmse: float
    mape: float
    r2: float


@dataclass(frozen=True)
class HoldoutFit:
    """Fit on the held-out last weeks. NaN or empty where nothing was held out or a private run does not say.

    `rmse` is in outcome units over all unit-weeks, `nrmse` relative to each unit's mean training outcome,
    `mape` the mean over units of each unit's mean absolute relative error, `r2_counts` the number of units
    below, between and above `R2_EDGES`.
    """

    weeks: int
    units: float
    rmse: float
    nrmse: float
    mape: float
    r2_counts: tuple[float, ...] = ()
    per_unit: tuple[UnitFit, ...] = ()


@dataclass(frozen=True)
class Results:
    """Everything a report needs from one model; `private` says that noise was added to every total.

    `model` names the family; `interval_level` is the probability of all intervals, NaN without any.
    """

    outcome: float
    outcome_unit: str
    revenue: float
    currency: str
    units: float
    channels: tuple[ChannelResult, ...]
    curves: tuple[ResponseCurve, ...]
    holdout: HoldoutFit
    private: bool = False
    model: str = "neural"
    interval_level: float = math.nan
    findings: tuple[Finding, ...] = ()
    experiments: tuple[ExperimentCheck, ...] = ()

    @property
    def media_share(self) -> float:
        """Share of the outcome that all channels contributed."""
        return sum(channel.share for channel in self.channels)
