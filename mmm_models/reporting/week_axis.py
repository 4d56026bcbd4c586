"""Where an axis of weeks is marked: beginnings of months, quarters or years, as many as there is room for."""

from collections.abc import Sequence
from datetime import date

MOST_MARKS = 9
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def week_marks(first_days: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Index and name of the first whole week of each marked month, of weeks by their ISO first day."""
    days = [date.fromisoformat(day) for day in first_days]
    several = [_marks(days, every) for every in (1, 3, 6, 12)]
    marks = next((found for found in several if len(found) <= MOST_MARKS), several[-1])
    return tuple(marks) or ((0, _name(days[0])),)


def _marks(days: Sequence[date], every: int) -> list[tuple[int, str]]:
    return [
        (index, _name(day)) for index, day in enumerate(days) if day.day <= 7 and (day.month - 1) % every == 0
    ]


def _name(day: date) -> str:
    return f"{MONTHS[day.month - 1]} {day.year}"
