"""What an entry of a lift file may say: a lift that was worked out, a clean-room release, a geographic experiment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from mmm_models.experiments.geo_design import GeoDesign, GeoMethod
from mmm_models.experiments.lift import SWITCHED_OFF
from mmm_models.panel import DAYS_PER_WEEK

Word = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Entry(_Strict):
    """What every kind of entry says: which channel, and from which first to which last day, in whole weeks."""

    channel: Word
    start: date
    end: date
    source: str = ""

    @model_validator(mode="after")
    def _whole_weeks(self) -> _Entry:
        days = (self.end - self.start).days + 1
        if days < 1:
            raise ValueError(f"end {self.end} is before start {self.start}")
        if days % DAYS_PER_WEEK:
            fitting = self.end - timedelta(days=days % DAYS_PER_WEEK)
            weeks = [day for day in (fitting, fitting + timedelta(days=DAYS_PER_WEEK)) if day > self.start]
            raise ValueError(
                f"start to end are {days} days, which is no whole number of weeks; give the lift until "
                + " or ".join(map(str, weeks))
            )
        return self

    @property
    def last_week(self) -> date:
        """First day of the last week."""
        return self.end - timedelta(days=DAYS_PER_WEEK - 1)


class TypedLift(_Entry):
    """A lift and its standard error, as somebody worked them out."""

    units: Annotated[list[Word], Field(min_length=1)] | None = None
    lift: Annotated[float, Field(allow_inf_nan=False)]
    standard_error: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    change: Annotated[float, Field(ge=SWITCHED_OFF, allow_inf_nan=False)] = SWITCHED_OFF

    @model_validator(mode="after")
    def _some_change(self) -> TypedLift:
        if self.change == 0:
            raise ValueError("change is 0: -1 means none of the media, 0.5 half as much again")
        return self


class ReleasedLift(_Entry):
    """A clean-room release of a randomised experiment, read and verified by whoever may read the clean room's files.

    home: folder of a party of the room, whose pinned root and record tell a genuine release. allow: measurements of
    code that is trusted besides this installation's. people: whom the campaign could reach in those units, so that
    lift per person becomes lift. outcome_per_buyer: outcome units that one more buyer is worth; None: as the release's
    own sums of value say. spread: standard deviation over mean of what buyers are worth.
    """

    release: Path
    home: Path
    allow: list[Word] = []
    people: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    outcome_per_buyer: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    spread: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    units: Annotated[list[Word], Field(min_length=1)] | None = None
    change: Annotated[float, Field(ge=SWITCHED_OFF, lt=0)] = SWITCHED_OFF


class GeoTable(_Strict):
    """`geo = {...}` of an entry."""

    treated: Annotated[list[Word], Field(min_length=1)]
    controls: Annotated[list[Word], Field(min_length=1)] | None = None
    pre_start: date
    method: Literal["did", "synthetic-control"] = "did"


class GeoLift(_Entry):
    """A geographic experiment in the panel itself, to be measured there."""

    geo: GeoTable

    @model_validator(mode="after")
    def _before(self) -> GeoLift:
        if self.geo.pre_start >= self.start:
            raise ValueError(f"geo.pre_start {self.geo.pre_start} is not before start {self.start}")
        return self

    @property
    def design(self) -> GeoDesign:
        """As the measuring of it wants it."""
        table = self.geo
        return GeoDesign(
            channel=self.channel,
            treated=tuple(table.treated),
            controls=None if table.controls is None else tuple(table.controls),
            pre_start=table.pre_start,
            first_week=self.start,
            last_week=self.last_week,
            method=GeoMethod(table.method),
        )


KINDS: dict[str, type[_Entry]] = {"typed": TypedLift, "release": ReleasedLift, "geo": GeoLift}


def _kind(entry: object) -> str:
    """An entry is of the kind whose own key it has."""
    keys = entry if isinstance(entry, Mapping) else vars(entry) if isinstance(entry, BaseModel) else {}
    return next((kind for kind in ("release", "geo") if kind in keys), "typed")


LiftEntry = Annotated[
    Annotated[TypedLift, Tag("typed")]
    | Annotated[ReleasedLift, Tag("release")]
    | Annotated[GeoLift, Tag("geo")],
    Discriminator(_kind),
]


class LiftFile(_Strict):
    """All experiments of a lift file, in its order."""

    lift: Annotated[list[LiftEntry], Field(min_length=1)]
