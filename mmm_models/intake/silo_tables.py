"""The tables of a silo file, one frozen spec each; docs/data-format.md describes every setting."""

from __future__ import annotations

import math
import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Currency = Annotated[str, Field(pattern=r"^([A-Z]{3})?$")]
ColumnName = Annotated[str, Field(min_length=1)]
Measurement = Annotated[str, Field(pattern=r"^[0-9a-f]{96}$")]
CURRENCY = re.compile(r"^[A-Z]{3}$")


class Cadence(StrEnum):
    """How far apart the rows of one unit are."""

    WEEKLY = "weekly"
    DAILY = "daily"


class GapFill(StrEnum):
    """What is put into a gap shorter than two weeks."""

    ZERO_MEDIA = "zero-media"
    INTERPOLATE = "interpolate"
    EXCLUDE = "exclude"


class Weekday(StrEnum):
    """First day of a week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def number(self) -> int:
        """Monday is 0, as in `datetime.date.weekday`."""
        return list(Weekday).index(self)


class SiloTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSpec(SiloTable):
    """Where the rows are and how to read them."""

    path: str = ""
    url: SecretStr = SecretStr("")
    url_env: str = ""
    query: str = ""
    cadence: Cadence = Cadence.WEEKLY
    week_starts: Weekday = Weekday.MONDAY
    fill_gaps: GapFill = GapFill.ZERO_MEDIA
    empty_media: Literal["refuse", "zero"] = "refuse"
    min_weeks: int = Field(default=26, ge=1)
    only_units: tuple[str, ...] = ()
    short_units: Literal["refuse", "exclude"] = "refuse"
    date_format: str = ""
    delimiter: str = Field(default="", max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    encoding: str = "utf-8"

    @field_validator("date_format")
    @classmethod
    def _parses_what_it_prints(cls, value: str) -> str:
        day = datetime(2021, 11, 23)
        try:
            readable = not value or datetime.strptime(day.strftime(value), value) == day
        except ValueError:
            readable = False
        if not readable:
            raise ValueError("must name year, month and day, e.g. '%d/%m/%Y'")
        return value

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError as error:
            raise ValueError("is not an encoding Python knows; try 'utf-8', 'cp1252' or 'utf-16'") from error
        return value

    @model_validator(mode="after")
    def _has_one_source(self) -> DataSpec:
        named = [name for name in ("path", "url", "url_env") if _plain(getattr(self, name))]
        if len(named) != 1:
            found = " and ".join(named) or "none of them"
            raise ValueError(f"needs exactly one of path, url, url_env; found {found}")
        if (named[0] != "path") != bool(self.query):
            raise ValueError("query belongs to url or url_env: give both, or path alone")
        if self.thousands == self.decimal:
            raise ValueError("thousands and decimal are the same character")
        return self


class ColumnsSpec(SiloTable):
    """Which columns hold the week, the unit and the outcome, and what the outcome is worth."""

    week: ColumnName
    unit: str = ""
    outcome: ColumnName
    outcome_unit: str = ""
    revenue_per_outcome: str | float = 1.0
    population: str = ""
    currency: Currency = ""
    currency_column: str = ""

    @field_validator("revenue_per_outcome", mode="before")
    @classmethod
    def _is_column_or_number(cls, value: object) -> object:
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
            return float(value)
        raise ValueError("must be a column name or a number above 0")


class ChannelSpec(SiloTable):
    """One paid channel: what it cost, what it delivered, or both."""

    spend: str = ""
    exposure: str = ""
    reach: str = ""
    frequency: str = ""
    exposure_unit: str = ""
    currency: Currency = ""
    allow_constant: bool = False

    @model_validator(mode="after")
    def _has_a_series(self) -> ChannelSpec:
        _check_exposure(self.exposure, self.reach, self.frequency)
        if not (self.spend or self.exposure or self.reach):
            raise ValueError("needs spend, exposure, or reach and frequency")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c for c in (self.spend, self.exposure, self.reach, self.frequency) if c))

    @property
    def has_exposure(self) -> bool:
        return bool(self.exposure or self.reach)


class OrganicSpec(SiloTable):
    """One organic channel: exposure without spend."""

    exposure: str = ""
    reach: str = ""
    frequency: str = ""
    exposure_unit: str = ""
    allow_constant: bool = False

    @model_validator(mode="after")
    def _has_a_series(self) -> OrganicSpec:
        _check_exposure(self.exposure, self.reach, self.frequency)
        if not (self.exposure or self.reach):
            raise ValueError("needs exposure, or reach and frequency")
        return self

    def as_channel(self) -> ChannelSpec:
        """The same channel in the shape of a paid one, with no spend column."""
        return ChannelSpec(**self.model_dump())


class ColumnList(SiloTable):
    """Columns taken as they are."""

    columns: tuple[ColumnName, ...] = ()


class PrivacyRules(SiloTable):
    """What this silo itself insists on; parsed here, enforced by the client that trains."""

    lifetime_epsilon: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    lifetime_delta: float = Field(default=1e-4, gt=0, lt=1)
    minimum_mode: Literal["none", "distributed", "local"] = "none"
    min_colluding: int = Field(default=1, ge=0)
    secure_aggregation: Literal["optional", "required"] = "optional"
    enclave: Literal["optional", "required"] = "optional"
    enclave_isolation: Literal["full", "reduced"] = "full"
    enclave_measurements: tuple[Measurement, ...] = ()
    production: bool = False
    min_silos: int = Field(default=3, ge=2)
    min_modulus_bits: int = Field(default=3072, ge=2048)
    state: str = Field(default=".mixroom", min_length=1)
    ledger_witness: str = ""


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _check_exposure(exposure: str, reach: str, frequency: str) -> None:
    if bool(reach) != bool(frequency):
        raise ValueError("reach and frequency go together; their product is the exposure")
    if reach and exposure:
        raise ValueError("give exposure, or reach and frequency, not both")
