"""Where every unit has rows on the calendar, and what its steps without one are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.intake.panel_calendar import Calendar
from mmm_models.intake.panel_gaps import Gaps, find_gaps
from mmm_models.intake.panel_report import MAX_EXAMPLES, Example, Finding, counted
from mmm_models.intake.panel_rows import PanelRows
from mmm_models.intake.panel_weeks import closed_days, whole_weeks
from mmm_models.intake.silo_spec import SiloSpec


@dataclass(frozen=True, eq=False)
class Layout:
    """Masks are [unit, step] on `calendar`; every step is present, closed, or one of the gaps' kinds."""

    units: tuple[str, ...]
    calendar: Calendar
    present: NDArray[np.bool_]
    closed: NDArray[np.bool_]  # days without a row on a weekday the unit never has one
    gaps: Gaps

    @property
    def usable(self) -> NDArray[np.bool_]:
        return self.present | self.closed | self.gaps.filled

    @property
    def observed_weeks(self) -> NDArray[np.bool_]:
        """[unit, week] weeks of which every step is usable."""
        return whole_weeks(self.usable) if self.calendar.step_days == 1 else self.usable


def lay_out(rows: PanelRows, calendar: Calendar, spec: SiloSpec) -> Layout:
    """Classify every step of every unit. Rows without a place are ignored."""
    placed = rows.placed
    present = np.zeros((len(rows.units), calendar.n_steps), dtype=bool)
    present[rows.unit_codes[placed], calendar.steps(rows.days[placed])] = True
    closed = closed_days(present) if calendar.step_days == 1 else np.zeros_like(present)
    gaps = find_gaps(present, closed, calendar.step_days, spec.data.fill_gaps)
    return Layout(rows.units, calendar, present, closed, gaps)


def check_layout(layout: Layout, column: str) -> tuple[Finding, ...]:
    """Units that have days but not one whole week."""
    empty = np.flatnonzero(~layout.observed_weeks.any(axis=1))
    if not len(empty):
        return ()
    examples = tuple(Example(0, layout.units[u]) for u in empty[:MAX_EXAMPLES])
    message = f"{counted(len(empty), 'unit')} of {len(layout.units)} without one whole week"
    return (Finding("short_history", message, column, 0, examples, "give more days, or remove the unit"),)
