"""Gaps, closed days and incomplete weeks in words, so that nothing is filled or left out silently. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmm_models.intake.panel_calendar import date_text, weekday_name
from mmm_models.intake.panel_layout import Layout
from mmm_models.intake.panel_report import MAX_EXAMPLES, Example, Finding, counted
from mmm_models.intake.panel_weeks import some_of_week
from mmm_models.intake.silo_tables import GapFill
from mmm_models.panel import DAYS_PER_WEEK

_FILLED_WITH = {
    GapFill.ZERO_MEDIA: "media 0, outcome and controls on a straight line",
    GapFill.INTERPOLATE: "media, outcome and controls on a straight line",
    GapFill.EXCLUDE: "",
}


def gap_notes(layout: Layout, fill: GapFill, column: str) -> tuple[Finding, ...]:
    """One note per kind of step without a row; `column` is the one that holds the dates."""
    filled, excluded = layout.gaps.filled, layout.gaps.excluded
    length = "" if fill is GapFill.EXCLUDE else "two weeks or more, so "
    return (
        *_gaps(
            layout,
            filled,
            Finding("gap_filled", f"under two weeks, so filled with {_FILLED_WITH[fill]}", column),
        ),
        *_gaps(layout, excluded, Finding("gap_excluded", f"{length}excluded: not observed", column)),
        *_closed(layout, column),
        *_incomplete(layout, column),
        *_shorter(layout, column),
    )


def _gaps(layout: Layout, mask: NDArray[np.bool_], kind: Finding) -> tuple[Finding, ...]:
    unit, step = np.nonzero(mask)
    if not len(unit):
        return ()
    before, after = layout.gaps.before[unit, step], layout.gaps.after[unit, step]
    runs = np.unique(np.stack([unit, before, after], axis=1), axis=0)
    noun = "missing week" if layout.calendar.step_days == DAYS_PER_WEEK else "missing day"
    units = counted(len(np.unique(unit)), "unit")
    message = f"{counted(len(unit), noun)} in {counted(len(runs), 'gap')} of {units}: {kind.message}"
    examples = tuple(
        Example(0, f"{layout.units[u]}: {_day(layout, first + 1)} to {_day(layout, end, -1)}")
        for u, first, end in runs[:MAX_EXAMPLES].tolist()
    )
    return (Finding(kind.code, message, kind.column, len(unit), examples),)


def _closed(layout: Layout, column: str) -> tuple[Finding, ...]:
    unit, step = np.nonzero(layout.closed)
    if not len(unit):
        return ()
    weekdays = np.unique((layout.calendar.first_day + step) % DAYS_PER_WEEK)
    names = ", ".join(weekday_name(int(day)) for day in weekdays)
    units = np.unique(unit)
    message = f"{counted(len(units), 'unit')} without rows on {names}: read as closed, outcome and media 0"
    examples = tuple(Example(0, layout.units[u]) for u in units[:MAX_EXAMPLES])
    return (Finding("closed_weekday", message, column, len(unit), examples),)


def _incomplete(layout: Layout, column: str) -> tuple[Finding, ...]:
    """Daily data only: weeks a unit starts or ends in the middle of."""
    if layout.calendar.step_days == DAYS_PER_WEEK:
        return ()
    unit, week = np.nonzero(some_of_week(layout.gaps.outside) & some_of_week(~layout.gaps.outside))
    if not len(unit):
        return ()
    pairs = list(zip(unit.tolist(), week.tolist(), strict=True))[:MAX_EXAMPLES]
    examples = tuple(
        Example(0, f"{layout.units[u]}: week of {_day(layout, w * DAYS_PER_WEEK)}") for u, w in pairs
    )
    message = f"{counted(len(unit), 'first or last week')} without all seven days, left out"
    return (Finding("incomplete_week", message, column, 0, examples),)


def _shorter(layout: Layout, column: str) -> tuple[Finding, ...]:
    """Units that start later or end earlier than the silo."""
    outside = layout.gaps.outside
    if layout.calendar.step_days == 1:
        outside = ~some_of_week(~outside)
    units = np.flatnonzero(outside.any(axis=1))
    if not len(units):
        return ()
    first, last = layout.gaps.after[:, 0], layout.gaps.before[:, -1]
    examples = tuple(
        Example(0, f"{layout.units[u]}: {_day(layout, int(first[u]))} to {_day(layout, int(last[u]))}")
        for u in units[:MAX_EXAMPLES]
    )
    message = (
        f"{counted(len(units), 'unit')} of {len(layout.units)} start later or end earlier: not observed there"
    )
    return (Finding("shorter_series", message, column, 0, examples),)


def _day(layout: Layout, step: int, offset_days: int = 0) -> str:
    return date_text(layout.calendar.first_day + step * layout.calendar.step_days + offset_days)
