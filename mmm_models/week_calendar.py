"""The weeks that silos have in common, agreed on without any silo saying which are its own.

Each silo marks the seasons (quarters of 13 weeks) in which it observed an outcome and the weekday its weeks start on;
marks are only ever seen as sums over silos. The calendar is whole seasons in a row, each marked by so many silos that
a sum of its weeks is a sum over that many.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmm_models.errors import ModelError
from mmm_models.panel import DAYS_PER_WEEK, Panel

Array = NDArray[np.float64]
EPOCH = date(1970, 1, 5)  # a Monday
WEEKS_PER_SEASON = 13
DAYS_PER_SEASON = WEEKS_PER_SEASON * DAYS_PER_WEEK
SEASONS = 520  # 130 years of marks, up to 2099
MARKS = SEASONS + DAYS_PER_WEEK
MOST_SEASONS = 20
MOST_WEEKS = MOST_SEASONS * WEEKS_PER_SEASON
MOST_SHIFTED_DAYS = DAYS_PER_WEEK // 2
LAST_START = EPOCH + timedelta(days=SEASONS * DAYS_PER_SEASON)


class CalendarInvalid(ModelError):
    """What was sent as a calendar is none: no date, or too many weeks."""


class Calendar(BaseModel):
    """So many weeks in a row; `start` is the first day of the first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Annotated[date, Field(ge=EPOCH, le=LAST_START)]
    weeks: Annotated[int, Field(ge=1, le=MOST_WEEKS)]

    @property
    def first_days(self) -> NDArray[np.datetime64]:
        """The first day of each week `[week]`."""
        start = np.datetime64(self.start, "D")
        return np.asarray(start + DAYS_PER_WEEK * np.arange(self.weeks).astype("timedelta64[D]"))

    def places(self, weeks: NDArray[np.datetime64]) -> NDArray[np.int_]:
        """Index of the nearest calendar week for each of `weeks` `[week]`, at most three days away; -1 outside."""
        days = (weeks.astype("datetime64[D]") - np.datetime64(self.start, "D")).astype(np.int64)
        places = (days + MOST_SHIFTED_DAYS) // DAYS_PER_WEEK
        return np.asarray(np.where((places >= 0) & (places < self.weeks), places, -1))

    def to_vector(self) -> Array:
        """For `calendar_of`: days from `EPOCH` to the start, and the number of weeks."""
        return np.array([float((self.start - EPOCH).days), float(self.weeks)])


def calendar_of(vector: Array) -> Calendar | None:
    """The inverse of `Calendar.to_vector`; None for an empty one. Raises CalendarInvalid."""
    if not vector.size:
        return None
    try:
        days, weeks = vector.tolist()
        return Calendar(start=EPOCH + timedelta(days=int(days)), weeks=int(weeks))
    except (ValidationError, ValueError, OverflowError) as error:
        raise CalendarInvalid(
            f"the calendar sent is none of 1 to {MOST_WEEKS} weeks; nothing was sent",
            hint="run the same version everywhere",
        ) from error


def calendar_marks(panel: Panel) -> Array:
    """One silo's marks `[MARKS]`, each 0 or 1: its seasons, then the weekday its weeks start on.

    Seasons that its weeks touch when they are moved to another weekday count as well.
    """
    observed = panel.weeks[panel.observed.any(axis=0)]
    seasons, weekdays = np.zeros(SEASONS), np.zeros(DAYS_PER_WEEK)
    days = (observed.astype("datetime64[D]") - np.datetime64(EPOCH, "D")).astype(np.int64)
    for moved in (-MOST_SHIFTED_DAYS, MOST_SHIFTED_DAYS):
        touched = (days + moved) // DAYS_PER_SEASON
        seasons[touched[(touched >= 0) & (touched < SEASONS)]] = 1.0
    weekdays[np.unique(days % DAYS_PER_WEEK)] = 1.0
    return np.concatenate([seasons, weekdays])


def calendar_from(marks: Array, *, fewest: int = 1) -> Calendar | None:
    """The calendar from marks summed over silos: the most recent seasons in a row that at least `fewest` silos marked,
    `MOST_WEEKS` at most, from the weekday that most silos start on. None where there is no such season.

    A season that fewer marked would be those silos' own weeks, and one silo's stray date would move everybody's.
    """
    marked = np.flatnonzero(marks[:SEASONS] > fewest - 0.5)
    if not marked.size:
        return None
    last = int(marked[-1])
    gaps = np.flatnonzero(np.diff(marked) > 1) if fewest > 1 else marked[:0]
    first = int(marked[gaps[-1] + 1]) if gaps.size else int(marked[0])
    first = max(first, last + 1 - MOST_SEASONS)
    weekday = int(marks[SEASONS:].argmax())
    start = EPOCH + timedelta(days=first * DAYS_PER_SEASON + weekday)
    return Calendar(start=start, weeks=(last + 1 - first) * WEEKS_PER_SEASON)
