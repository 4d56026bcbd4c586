"""Scenarios: TOML files that describe a known-truth world; the seed fixes everything."""

import tomllib
from datetime import date
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulations.errors import ScenarioInvalid, ScenarioNotFound

Share = Annotated[float, Field(gt=0.0, lt=1.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]


class CarryOver(StrEnum):
    """Shape of a channel's lag distribution; every kernel sums to one."""

    GEOMETRIC = "geometric"
    DELAYED = "delayed"
    WEIBULL = "weibull"


class Saturation(StrEnum):
    """Shape of diminishing returns; each maps typical media (1.0) to 1/2 at `half_saturation`."""

    HILL = "hill"
    EXPONENTIAL = "exponential"
    LOGISTIC = "logistic"
    POWER = "power"


class Flight(StrEnum):
    """How a channel's money moves over the weeks."""

    ALWAYS_ON = "always_on"
    FLIGHTED = "flighted"
    FOLLOWS_DEMAND = "follows_demand"
    FOLLOWS_CHANNEL = "follows_channel"


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelSpec(_Spec):
    """One channel of a world. Half-saturation is in multiples of the channel's typical weekly media per head."""

    name: str
    sales_share: Share
    spend_share: Share
    carry_over: CarryOver = CarryOver.GEOMETRIC
    half_life_weeks: Positive = 1.0
    peak_week: NonNegative = 0.0
    weibull_shape: Positive = 1.5
    saturation: Saturation = Saturation.HILL
    half_saturation: Positive = 1.0
    slope: Positive = 1.0
    flight: Flight = Flight.ALWAYS_ON
    weeks_on: Annotated[int, Field(ge=1)] = 6
    weeks_off: Annotated[int, Field(ge=1)] = 8
    demand_elasticity: float = 1.5
    follows: str = ""
    follow_strength: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9
    weekly_log_sd: NonNegative = 0.3
    unit_log_sd: NonNegative = 0.25
    unit_weekly_log_sd: NonNegative = 0.15
    cost_per_thousand: Positive = 10.0
    effect_drift: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    absent_in: tuple[str, ...] = ()


class SynergySpec(_Spec):
    """Extra sales when two channels run together, as a share of total sales."""

    first: str
    second: str
    sales_share: Share


class ControlSpec(_Spec):
    """An observed driver; `effect` is the relative change of base sales per standard deviation."""

    name: str
    effect: float
    persistence: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.7


class BaselineSpec(_Spec):
    """Everything that would have been sold without media, relative to a unit's level."""

    level: Positive = 20_000.0
    level_log_sd: NonNegative = 0.4
    season_amplitude: NonNegative = 0.12
    season_harmonics: Annotated[int, Field(ge=0, le=6)] = 3
    season_unit_log_sd: NonNegative = 0.3
    trend_per_year: float = 0.03
    trend_sd: NonNegative = 0.03
    promotion_lift: NonNegative = 0.08
    promotion_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.12
    holiday_lift: NonNegative = 0.15
    demand_shock_sd: NonNegative = 0.01
    demand_shock_persistence: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.6
    noise_low: NonNegative = 0.06
    noise_high: NonNegative = 0.08


class Scenario(_Spec):
    """A whole world: who has which data, and how sales really come about."""

    name: str
    seed: int = 1
    silos: Annotated[int, Field(ge=1)]
    units_per_silo: Annotated[int, Field(ge=1)]
    weeks: Annotated[int, Field(ge=12)]
    holdout_weeks: Annotated[int, Field(ge=1)]
    start: date = date(2024, 1, 1)
    currency: str = "EUR"
    silo_log_sd: NonNegative = 0.15
    unit_log_sd: NonNegative = 0.20
    media_silo_log_sd: NonNegative = 0.2
    baseline: BaselineSpec = BaselineSpec()
    channels: Annotated[tuple[ChannelSpec, ...], Field(min_length=1)]
    synergies: tuple[SynergySpec, ...] = ()
    controls: tuple[ControlSpec, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [channel.name for channel in self.channels]
        if len(set(names)) != len(names):
            raise ValueError("channel names must differ")
        for position, channel in enumerate(self.channels):
            if channel.flight is Flight.FOLLOWS_CHANNEL and channel.follows not in names[:position]:
                raise ValueError(f"channel {channel.name!r} must follow a channel listed before it")
        for synergy in self.synergies:
            if synergy.first == synergy.second or not {synergy.first, synergy.second} <= set(names):
                raise ValueError(f"synergy {synergy.first!r} x {synergy.second!r} must name two known channels")
        if self.holdout_weeks > self.weeks // 2:
            raise ValueError("holdout_weeks must leave at least half of the weeks for training")
        return self

    @property
    def silo_names(self) -> tuple[str, ...]:
        return tuple(f"silo-{number}" for number in range(1, self.silos + 1))


def load_scenario(name_or_path: str, *, seed: int | None = None) -> Scenario:
    """Read a scenario by built-in name ("default", "demo") or from a TOML file; `seed` replaces its seed."""
    text = _scenario_text(name_or_path)
    try:
        scenario = Scenario.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ScenarioInvalid(
            f"scenario {name_or_path!r} is not valid: {error}",
            hint="compare it with the built-in scenarios described in docs/worlds.md",
        ) from error
    return scenario if seed is None else scenario.model_copy(update={"seed": seed})


def built_in_scenarios() -> tuple[str, ...]:
    """Names that `load_scenario` knows without a file."""
    folder = files("simulations") / "scenarios"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def _scenario_text(name_or_path: str) -> str:
    if name_or_path in built_in_scenarios():
        return (files("simulations") / "scenarios" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if not path.is_file():
        raise ScenarioNotFound(
            f"no scenario {name_or_path!r}",
            hint=f"give a TOML file or one of: {', '.join(built_in_scenarios())}",
        )
    return path.read_text(encoding="utf-8")
