"""The tables of a scenario file, one frozen spec each; docs/worlds.md describes every setting."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mmm_models.panel import ChannelKind

KERNEL_WEEKS = 13

Share = Annotated[float, Field(gt=0.0, lt=1.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]
LogSd = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]


class CarryOver(StrEnum):
    """Shape of a channel's lag distribution; every kernel sums to one."""

    GEOMETRIC = "geometric"
    DELAYED = "delayed"
    WEIBULL = "weibull"


class Saturation(StrEnum):
    """Shape of diminishing returns; each gives one half at `half_saturation`."""

    HILL = "hill"
    EXPONENTIAL = "exponential"
    LOGISTIC = "logistic"
    POWER = "power"


class Flight(StrEnum):
    """How a channel's media move over the weeks."""

    ALWAYS_ON = "always_on"
    FLIGHTED = "flighted"
    FOLLOWS_DEMAND = "follows_demand"
    FOLLOWS_CHANNEL = "follows_channel"


class ScenarioTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ChannelSpec(ScenarioTable):
    """One channel of a world; `half_saturation` is in multiples of its typical weekly media per head."""

    name: Name
    kind: ChannelKind = ChannelKind.PAID
    sales_share: Share
    spend_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    cost_per_thousand: Positive = 10.0
    exposures_per_head: Positive = 1.0
    exposure_unit: Name = "impressions"
    carry_over: CarryOver = CarryOver.GEOMETRIC
    half_life_weeks: Annotated[float, Field(ge=0.1, lt=KERNEL_WEEKS)] = 1.0
    peak_week: Annotated[float, Field(ge=0.0, lt=KERNEL_WEEKS)] = 0.0
    weibull_shape: Annotated[float, Field(ge=0.2, le=5.0)] = 1.5
    saturation: Saturation = Saturation.HILL
    half_saturation: Annotated[float, Field(ge=0.01, le=100.0)] = 1.0
    slope: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    effect_drift: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    flight: Flight = Flight.ALWAYS_ON
    weeks_on: Annotated[int, Field(ge=1)] = 6
    weeks_off: Annotated[int, Field(ge=1)] = 8
    demand_elasticity: Annotated[float, Field(ge=-5.0, le=5.0)] = 1.5
    follows: str = ""
    follow_strength: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9
    weekly_log_sd: LogSd = 0.3
    unit_log_sd: LogSd = 0.25
    unit_weekly_log_sd: LogSd = 0.15
    absent_in: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.kind is ChannelKind.PAID and self.spend_share == 0.0:
            raise ValueError("a paid channel needs a spend_share above 0; free media are kind = 'organic'")
        if self.kind is ChannelKind.ORGANIC and self.spend_share > 0.0:
            raise ValueError("an organic channel costs nothing: remove spend_share, or make it kind = 'paid'")
        if self.follows and self.flight is not Flight.FOLLOWS_CHANNEL:
            raise ValueError("follows needs flight = 'follows_channel'; remove it or set that flight")
        return self

    @property
    def spend_column(self) -> str:
        """Its column of money in a silo's table; "" for organic channels."""
        return f"{self.name}_spend" if self.kind is ChannelKind.PAID else ""

    @property
    def exposure_column(self) -> str:
        """Its column of exposures in a silo's table."""
        return f"{self.name}_{self.exposure_unit}"


class SynergySpec(ScenarioTable):
    """Extra sales when two channels run together, as a share of total sales."""

    first: str
    second: str
    sales_share: Share


class ControlSpec(ScenarioTable):
    """A driver of sales; `effect` is the change of base sales per standard deviation, relative to level.

    Unless `observed` it works all the same, but no table has its column: a hidden confounder where media follow demand.
    """

    name: Name
    effect: float
    persistence: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.7
    observed: bool = True


class BaselineSpec(ScenarioTable):
    """Everything that would have been sold without media, relative to a unit's level."""

    level: Annotated[float, Field(ge=100.0, le=1e9)] = 20_000.0
    level_log_sd: LogSd = 0.4
    season_amplitude: NonNegative = 0.12
    season_harmonics: Annotated[int, Field(ge=0, le=6)] = 3
    season_unit_log_sd: LogSd = 0.3
    trend_per_year: float = 0.03
    trend_sd: NonNegative = 0.03
    promotion_lift: NonNegative = 0.08
    promotion_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.12
    holiday_lift: NonNegative = 0.15
    holiday_weeks: tuple[Annotated[int, Field(ge=0, le=51)], ...] = (13, 21, 46, 50, 51)
    demand_shock_sd: NonNegative = 0.01
    demand_shock_persistence: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.6
    noise_low: NonNegative = 0.06
    noise_high: NonNegative = 0.08

    @model_validator(mode="after")
    def _noise_is_a_range(self) -> Self:
        if self.noise_low > self.noise_high:
            raise ValueError(
                f"noise_low {self.noise_low:g} is above noise_high {self.noise_high:g}: swap them"
            )
        return self
