"""Which step of one regular calendar each row belongs to; duplicates and mixed cadence are problems. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.intake.column_cells import ColumnCells
from mmm_models.intake.panel_report import MAX_EXAMPLES, Example, Finding, counted
from mmm_models.intake.panel_rows import PanelRows
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.intake.silo_tables import Cadence, Weekday
from mmm_models.panel import DAYS_PER_WEEK

MAX_WEEKS = 1600  # thirty years; a longer calendar is a mistyped year
MAX_TWO_WEEK_STEPS = 0.2  # share of a unit's steps; above it the unit is no longer weekly with gaps
MIN_ODD_STEPS = 4  # fewer odd steps than this are gaps, however short the unit
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class Calendar:
    """Steps of `step_days` days (1 or 7) from `first_day` on; a daily calendar covers whole weeks."""

    first_day: int  # days since 1970-01-01
    step_days: int
    n_steps: int

    def steps(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        return (days - self.first_day) // self.step_days


def find_calendar(rows: PanelRows, spec: SiloSpec) -> tuple[Calendar | None, tuple[Finding, ...]]:
    """The union calendar of all units; None exactly when the problems leave none."""
    placed = np.flatnonzero(rows.placed)
    if not len(placed):
        return None, ()
    order = placed[np.lexsort((rows.days[placed], rows.unit_codes[placed]))]
    same_unit = rows.unit_codes[order][1:] == rows.unit_codes[order][:-1]
    steps = np.where(
        same_unit, np.diff(rows.days[order]), -1
    )  # days since the unit's row before; -1 at its first
    days = rows.days[placed]
    if int(days.max() - days.min()) > MAX_WEEKS * DAYS_PER_WEEK:
        return None, (_implausible(rows, spec),)
    if spec.data.cadence is Cadence.DAILY:
        problems = _not_daily(rows, spec, order, steps)
    else:
        problems = _not_weekly(rows, spec, order, steps)
    problems = _duplicates(rows, spec, order, steps) + problems
    return (None if problems else _calendar(days, spec)), problems


def weekday_name(day: int) -> str:
    return list(Weekday)[(day + _EPOCH_WEEKDAY) % DAYS_PER_WEEK].value.capitalize()


def date_text(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _calendar(days: NDArray[np.int64], spec: SiloSpec) -> Calendar:
    first, last = int(days.min()), int(days.max())
    if spec.data.cadence is Cadence.WEEKLY:
        return Calendar(first, DAYS_PER_WEEK, (last - first) // DAYS_PER_WEEK + 1)
    first -= (first + _EPOCH_WEEKDAY - spec.data.week_starts.number) % DAYS_PER_WEEK
    return Calendar(first, 1, ((last - first) // DAYS_PER_WEEK + 1) * DAYS_PER_WEEK)


def _duplicates(
    rows: PanelRows, spec: SiloSpec, order: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[Finding, ...]:
    repeated = np.zeros(len(rows.days), dtype=bool)
    repeated[order[1:][steps == 0]] = True
    labels = _labels(rows, np.flatnonzero(repeated)[:MAX_EXAMPLES])
    hint = "keep one row per unit and date" if spec.columns.unit else "one row per date, or name columns.unit"
    shown = ColumnCells(spec.columns.week, rows.row_numbers, labels)
    return shown.find("duplicate_date", repeated, "a second row for the same unit and date", hint)


def _labels(rows: PanelRows, chosen: NDArray[np.intp]) -> NDArray[np.object_]:
    labels = np.full(len(rows.days), "", dtype=object)
    for i in chosen:
        labels[i] = f"{rows.units[rows.unit_codes[i]]} {date_text(int(rows.days[i]))}"
    return labels


def _implausible(rows: PanelRows, spec: SiloSpec) -> Finding:
    days = np.where(rows.placed, rows.days, np.median(rows.days[rows.placed]).astype(np.int64))
    ends = [int(np.argmin(days)), int(np.argmax(days))]
    return Finding(
        "implausible_date",
        f"the dates span more than {MAX_WEEKS} weeks",
        spec.columns.week,
        0,
        tuple(Example(int(rows.row_numbers[i]), date_text(int(rows.days[i]))) for i in ends),
        "correct the year",
    )


def _not_daily(
    rows: PanelRows, spec: SiloSpec, order: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[Finding, ...]:
    taken = steps[steps > 0]
    if len(taken) and np.mean(taken == DAYS_PER_WEEK) > 0.5:
        hint = "set data.cadence = 'weekly'"
        return (
            Finding("weekly_data", "most rows are a week apart, not a day", spec.columns.week, 0, (), hint),
        )
    share = _share_per_unit(rows, order, steps, steps != 1)
    sparse = np.flatnonzero(share > 0.5)
    message = f"most rows are more than a day apart in {counted(len(sparse), 'unit')}"
    return _units_problem(rows, spec, sparse, message)


def _not_weekly(
    rows: PanelRows, spec: SiloSpec, order: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[Finding, ...]:
    taken = steps[steps > 0]
    column = spec.columns.week
    if not len(taken):
        return ()
    if np.mean(taken == 1) > 0.5:
        hint = "set data.cadence = 'daily' to have days summed to weeks"
        return (Finding("daily_data", "most rows are a day apart, not a week", column, 0, (), hint),)
    if np.mean((taken >= 28) & (taken <= 31)) > 0.5:
        hint = "weekly or daily rows are needed: a month is too coarse for carry-over"
        return (Finding("monthly_data", "most rows are a month apart, not a week", column, 0, (), hint),)
    uneven = np.zeros(len(rows.days), dtype=bool)
    uneven[order[1:][steps % DAYS_PER_WEEK > 0]] = True
    uneven[order[1:][steps < 0]] = False
    if uneven.any():
        labels = np.full(len(rows.days), "", dtype=object)
        labels[order[1:]] = [f"{step} days after the row before" for step in steps]
        hint = "every row of a unit must be a multiple of seven days after the one before"
        shown = ColumnCells(column, rows.row_numbers, labels)
        return shown.find("mixed_cadence", uneven, "steps that are not whole weeks", hint)
    share = _share_per_unit(rows, order, steps, steps == 2 * DAYS_PER_WEEK)
    sparse = np.flatnonzero(share > MAX_TWO_WEEK_STEPS)
    message = f"many steps are two weeks long, not one, in {counted(len(sparse), 'unit')}"
    return _units_problem(rows, spec, sparse, message) or _mixed_weekdays(rows, spec)


def _share_per_unit(
    rows: PanelRows, order: NDArray[np.int64], steps: NDArray[np.int64], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of a unit's steps that are so; 0 where they are too few to say."""
    real = steps > 0
    codes = rows.unit_codes[order][1:]
    found = np.bincount(codes[real & where], minlength=len(rows.units))
    share: NDArray[np.float64] = found / np.maximum(1, np.bincount(codes[real], minlength=len(rows.units)))
    return np.where(found >= MIN_ODD_STEPS, share, 0.0)


def _units_problem(
    rows: PanelRows, spec: SiloSpec, units: NDArray[np.intp], message: str
) -> tuple[Finding, ...]:
    if not len(units):
        return ()
    examples = tuple(Example(0, rows.units[i]) for i in units[:MAX_EXAMPLES])
    hint = "every unit needs a row per week, or a row per day with data.cadence = 'daily'"
    return (Finding("mixed_cadence", message, spec.columns.week, 0, examples, hint),)


def _mixed_weekdays(rows: PanelRows, spec: SiloSpec) -> tuple[Finding, ...]:
    weekdays = rows.days[rows.placed] % DAYS_PER_WEEK
    found, counts = np.unique(weekdays, return_counts=True)
    if len(found) < 2:
        return ()
    examples = tuple(
        Example(0, f"{weekday_name(int(day))}: {count} rows")
        for day, count in zip(found, counts, strict=True)
    )
    hint = "move all units to weeks that start on the same day"
    return (Finding("mixed_weekdays", "weeks start on different days", spec.columns.week, 0, examples, hint),)
