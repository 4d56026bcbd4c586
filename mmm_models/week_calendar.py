"""The weeks that all silos have in common, agreed on without any silo saying which are its own.

Each silo marks the weeks in which it observed an outcome, and the weekday its weeks start on; marks are only ever seen
as sums over silos. The calendar is weeks in a row that every silo marked, and a silo answers about no other
(`has_all_weeks`): so a sum of any of its weeks is over as many silos as the whole sum, whoever chose the calendar.
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
EPOCH = date(1990, 1, 1)  # a Monday
WEEKS_MARKED = 3652  # up to the end of 2059
MARKS = WEEKS_MARKED + DAYS_PER_WEEK
MOST_WEEKS = 260
MOST_SHIFTED_DAYS = DAYS_PER_WEEK // 2
FIRST_START = EPOCH - timedelta(days=MOST_SHIFTED_DAYS)
LAST_START = EPOCH + timedelta(weeks=WEEKS_MARKED)


class CalendarInvalid(ModelError):
    """What was sent as a calendar is none: no date, or too many weeks."""


class Calendar(BaseModel):
    """So many weeks in a row; `start` is the first day of the first, on the weekday that most silos' weeks start on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Annotated[date, Field(ge=FIRST_START, le=LAST_START)]
    weeks: Annotated[int, Field(ge=1, le=MOST_WEEKS)]

    @property
    def first_days(self) -> NDArray[np.datetime64]:
        """The first day of each week `[week]`."""
        start = np.datetime64(self.start, "D")
        return np.asarray(start + DAYS_PER_WEEK * np.arange(self.weeks).astype("timedelta64[D]"))

    def places(self, weeks: NDArray[np.datetime64]) -> NDArray[np.int_]:
        """Index of the calendar week for each of `weeks` `[week]`; -1 outside.

        A week belongs to the Monday nearest to its first day, whatever weekday the calendar starts on: else two
        calendars a day apart would differ by the weeks of the silos that start on that day.
        """
        places = _nearest_monday(weeks) - _nearest_monday(np.array([self.start], dtype="datetime64[D]"))
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
        if not (days.is_integer() and weeks.is_integer()):
            raise ValueError("parts of days or weeks")
        return Calendar(start=EPOCH + timedelta(days=int(days)), weeks=int(weeks))
    except (ValidationError, ValueError, OverflowError) as error:
        raise CalendarInvalid(
            f"the calendar sent is none of 1 to {MOST_WEEKS} weeks; nothing was sent",
            hint="run the same version everywhere",
        ) from error


def calendar_marks(panel: Panel) -> Array:
    """One silo's marks `[MARKS]`, each 0 or 1: the weeks it observed, then the weekday they start on."""
    observed = _observed(panel)
    weeks, weekdays = np.zeros(WEEKS_MARKED), np.zeros(DAYS_PER_WEEK)
    places = _nearest_monday(observed)
    weeks[places[(places >= 0) & (places < WEEKS_MARKED)]] = 1.0
    weekdays[np.unique(_days(observed) % DAYS_PER_WEEK)] = 1.0
    return np.concatenate([weeks, weekdays])


def calendar_from(marks: Array, *, silos: int) -> Calendar | None:
    """The calendar from marks summed over so many silos: the longest row of weeks that all of them marked, the most
    recent `MOST_WEEKS` of it at most. None where there is no such week."""
    shared = np.concatenate([[False], marks[:WEEKS_MARKED] > silos - 0.5, [False]])
    edges = np.flatnonzero(np.diff(shared.astype(np.int64)))
    starts, ends = edges[::2], edges[1::2]
    if not starts.size:
        return None
    longest = int(np.flatnonzero(ends - starts == (ends - starts).max())[-1])  # of equal ones the last
    first, end = int(starts[longest]), int(ends[longest])
    first = max(first, end - MOST_WEEKS)
    weekday = int(marks[WEEKS_MARKED:].argmax())
    from_monday = (weekday + MOST_SHIFTED_DAYS) % DAYS_PER_WEEK - MOST_SHIFTED_DAYS
    return Calendar(start=EPOCH + timedelta(weeks=first, days=from_monday), weeks=end - first)


def weeks_of_any(marks: Array) -> int:
    """How many weeks at least one silo marked."""
    return int((marks[:WEEKS_MARKED] > 0.5).sum())


def has_all_weeks(panel: Panel, calendar: Calendar) -> bool:
    """Whether some unit's outcome was observed in every week of the calendar."""
    places = calendar.places(_observed(panel))
    return np.unique(places[places >= 0]).size == calendar.weeks


def _observed(panel: Panel) -> NDArray[np.datetime64]:
    """First days of the weeks in which any unit was observed."""
    return np.asarray(panel.weeks[panel.observed.any(axis=0)])


def _days(weeks: NDArray[np.datetime64]) -> NDArray[np.int_]:
    """From `EPOCH` to each first day."""
    return np.asarray((weeks.astype("datetime64[D]") - np.datetime64(EPOCH, "D")).astype(np.int64))


def _nearest_monday(weeks: NDArray[np.datetime64]) -> NDArray[np.int_]:
    """Weeks from `EPOCH` to the Monday nearest to each first day, at most three days away."""
    return np.asarray((_days(weeks) + MOST_SHIFTED_DAYS) // DAYS_PER_WEEK)
