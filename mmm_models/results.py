"""What a trained model says: fit, contributions, ROI and response curves, for one model over all units."""

from dataclasses import dataclass

R2_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8)


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


@dataclass(frozen=True)
class ResponseCurve:
    """Contribution of one channel when all its media are scaled by each multiplier; 1.0 is what happened."""

    channel: str
    multiplier: tuple[float, ...]
    spend: tuple[float, ...]
    contribution: tuple[float, ...]


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
    """Everything a report needs from one model; `private` says that noise was added to every total."""

    outcome: float
    outcome_unit: str
    revenue: float
    currency: str
    units: float
    channels: tuple[ChannelResult, ...]
    curves: tuple[ResponseCurve, ...]
    holdout: HoldoutFit
    private: bool = False

    @property
    def media_share(self) -> float:
        """Share of the outcome that all channels contributed."""
        return sum(channel.share for channel in self.channels)
