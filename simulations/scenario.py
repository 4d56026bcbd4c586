"""Scenarios: TOML files that describe a known-truth world; the seed fixes everything."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from simulations.errors import ScenarioInvalid, ScenarioNotFound
from simulations.scenario_problems import problem_sentences
from simulations.scenario_tables import (
    BaselineSpec,
    ChannelSpec,
    ControlSpec,
    Flight,
    LogSd,
    ScenarioTable,
    SynergySpec,
)

WEEK_COLUMN, UNIT_COLUMN, OUTCOME_COLUMN, POPULATION_COLUMN = "week", "store", "sales", "population"
HOLIDAY, PROMOTION = "holiday", "promotion"
MAX_SILOS, MAX_WEEKS, MAX_CELLS = 10_000, 5_200, 100_000_000
RESERVED_COLUMNS = (WEEK_COLUMN, UNIT_COLUMN, OUTCOME_COLUMN, POPULATION_COLUMN, HOLIDAY, PROMOTION)


class Scenario(ScenarioTable):
    """A whole world: who has which data, and how sales really come about."""

    name: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)] = 1
    silos: Annotated[int, Field(ge=1, le=MAX_SILOS)]
    units_per_silo: int | tuple[int, ...]
    weeks: Annotated[int, Field(ge=12, le=MAX_WEEKS)]
    holdout_weeks: Annotated[int, Field(ge=1)]
    start: date = date(2024, 1, 1)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    silo_log_sd: LogSd = 0.15
    unit_log_sd: LogSd = 0.20
    media_silo_log_sd: LogSd = 0.2
    baseline: BaselineSpec = BaselineSpec()
    channels: Annotated[tuple[ChannelSpec, ...], Field(min_length=1)]
    synergies: tuple[SynergySpec, ...] = ()
    controls: tuple[ControlSpec, ...] = ()

    @field_validator("units_per_silo", mode="before")
    @classmethod
    def _counts_units(cls, value: object) -> object:
        counts = value if isinstance(value, list | tuple) and value else [value]
        if not all(isinstance(count, int) and not isinstance(count, bool) and count >= 1 for count in counts):
            raise ValueError(f"must be a whole number from 1, or a list with one per silo, found {value!r}")
        return tuple(counts) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [*_size_problems(self), *_channel_problems(self), *_synergy_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def silo_names(self) -> tuple[str, ...]:
        return tuple(f"silo-{number}" for number in range(1, self.silos + 1))

    @property
    def unit_counts(self) -> tuple[int, ...]:
        """Units of each silo, in the order of `silo_names`."""
        counts = self.units_per_silo
        return (counts,) * self.silos if isinstance(counts, int) else counts

    @property
    def channel_names(self) -> tuple[str, ...]:
        return tuple(channel.name for channel in self.channels)


_TABLES: dict[str, type[ScenarioTable]] = {
    "": Scenario,
    "baseline": BaselineSpec,
    "channels": ChannelSpec,
    "synergies": SynergySpec,
    "controls": ControlSpec,
}


def load_scenario(name_or_path: str, *, seed: int | None = None) -> Scenario:
    """Read a scenario by built-in name (such as "default") or from a TOML file; `seed` replaces its seed.

    Raises `ScenarioNotFound`, or `ScenarioInvalid` with every problem of the file.
    """
    text = _scenario_text(name_or_path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(name_or_path, (f"not valid TOML: {error}",)) from error
    if seed is not None:
        content["seed"] = seed
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise _invalid(name_or_path, problem_sentences(error, content, _TABLES)) from error


def built_in_scenarios() -> tuple[str, ...]:
    """Names that `load_scenario` knows without a file."""
    folder = files("simulations") / "scenarios"
    names = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def _scenario_text(name_or_path: str) -> str:
    if name_or_path in built_in_scenarios():
        return (files("simulations") / "scenarios" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if not path.is_file():
        raise ScenarioNotFound(
            f"no scenario {name_or_path!r}",
            hint=f"give a TOML file or one of: {', '.join(built_in_scenarios())}",
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(name_or_path, ("not a UTF-8 text file",)) from error
    except OSError as error:
        raise _invalid(name_or_path, (f"cannot be read: {error.strerror}",)) from error


def _size_problems(scenario: Scenario) -> Iterator[str]:
    counts = len(scenario.unit_counts)
    if counts != scenario.silos:
        yield f"units_per_silo lists {counts} numbers for silos = {scenario.silos}: give one per silo"
    cells = sum(scenario.unit_counts) * scenario.weeks * len(scenario.channels)
    if cells > MAX_CELLS:
        yield f"units x weeks x channels are {cells:,}: a world holds {MAX_CELLS:,} at most, take fewer units"
    if scenario.holdout_weeks > scenario.weeks // 2:
        yield f"holdout_weeks must leave half of the {scenario.weeks} weeks: {scenario.weeks // 2} at most"


def _channel_problems(scenario: Scenario) -> Iterator[str]:
    names, silos = scenario.channel_names, set(scenario.silo_names)
    columns = [column for channel in scenario.channels for column in _columns(channel)]
    columns += [*(control.name for control in scenario.controls), *RESERVED_COLUMNS]
    for what, used in (("channel", names), ("table column", columns)):
        for name in (name for name, count in Counter(used).items() if count > 1):
            yield f"{what} {name!r} is there twice: rename a channel or control"
    for position, channel in enumerate(scenario.channels):
        if channel.flight is Flight.FOLLOWS_CHANNEL and channel.follows not in names[:position]:
            yield f"channel {channel.name!r}: follows must name a channel listed before it"
        if unknown := sorted(set(channel.absent_in) - silos):
            yield (
                f"channel {channel.name!r}: absent_in names {', '.join(unknown)}; "
                f"silos are silo-1 to silo-{scenario.silos}"
            )
        elif silos <= set(channel.absent_in):
            yield f"channel {channel.name!r}: absent_in names every silo; leave the channel out instead"
    for silo in scenario.silo_names:
        if all(silo in channel.absent_in for channel in scenario.channels):
            yield f"{silo} would have no channel at all: take it out of one absent_in"


def _synergy_problems(scenario: Scenario) -> Iterator[str]:
    pairs = [frozenset((synergy.first, synergy.second)) for synergy in scenario.synergies]
    for synergy, pair in zip(scenario.synergies, pairs, strict=True):
        if len(pair) < 2 or not pair <= set(scenario.channel_names):
            yield f"synergy {synergy.first!r} x {synergy.second!r} must name two different known channels"
    if len(set(pairs)) < len(pairs):
        yield "a synergy is there twice: give each pair one sales_share"
    total = sum(item.sales_share for item in scenario.channels)
    total += sum(item.sales_share for item in scenario.synergies)
    if total >= 1.0:
        yield f"sales_share of channels and synergies sum to {total:.3g}: they must stay below 1"


def _columns(channel: ChannelSpec) -> tuple[str, ...]:
    return tuple(column for column in (channel.spend_column, channel.exposure_column) if column)


def _invalid(name_or_path: str, problems: tuple[str, ...]) -> ScenarioInvalid:
    return ScenarioInvalid(
        f"scenario {name_or_path!r} is not valid: {'; '.join(problems)}",
        hint="docs/worlds.md lists every setting; the built-in scenarios are examples",
        problems=problems,
    )
