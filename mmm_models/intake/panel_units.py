"""Which units stay: those the silo file names, and those with enough history. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmm_models.intake.nearest_name import nearest_name
from mmm_models.intake.panel_report import MAX_EXAMPLES, Example, Finding, Findings, counted
from mmm_models.intake.panel_rows import PanelRows
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.intake.silo_tables import Cadence
from mmm_models.panel import DAYS_PER_WEEK


def choose_units(rows: PanelRows, spec: SiloSpec) -> tuple[PanelRows, Findings]:
    """The rows of the units that stay, with every unit left out accounted for."""
    rows, asked = _only_named(rows, spec)
    rows, history = _with_history(rows, spec)
    return rows, asked + history


def _only_named(rows: PanelRows, spec: SiloSpec) -> tuple[PanelRows, Findings]:
    wanted = spec.data.only_units
    if not wanted or not rows.units:
        return rows, Findings()
    unknown = [name for name in wanted if name not in rows.units]
    problems = tuple(
        Finding(
            "unknown_unit",
            f"data.only_units names {name!r}, which has no rows",
            spec.columns.unit,
            hint=_like(name, rows),
        )
        for name in unknown
    )
    kept = np.array([name in wanted for name in rows.units])
    if kept.all() or not kept.any():
        return rows, Findings(problems)
    message = f"{counted(int((~kept).sum()), 'unit')} not in data.only_units left out"
    out = ~np.append(kept, False)[rows.unit_codes] & (rows.unit_codes >= 0)
    return _without(rows, ~kept), Findings(
        problems, (Finding("units_left_out", message, spec.columns.unit, int(out.sum())),)
    )


def _like(name: str, rows: PanelRows) -> str:
    close = nearest_name(name, rows.units)
    return f"did you mean {close!r}?" if close else f"e.g. {rows.units[0]!r} has rows"


def _with_history(rows: PanelRows, spec: SiloSpec) -> tuple[PanelRows, Findings]:
    """A week counts once, however many of its days have rows."""
    if not rows.placed.any():
        return rows, Findings()
    weeks = _weeks_per_unit(rows, spec)
    short = weeks < spec.data.min_weeks
    if not short.any():
        return rows, Findings()
    finding = _short_history(rows, spec, weeks, short)
    if spec.data.short_units == "refuse" or short.all():
        return rows, Findings((finding,))
    return _without(rows, short), Findings((), (finding,))


def _without(rows: PanelRows, out: NDArray[np.bool_]) -> PanelRows:
    """Rows without these units; rows without any unit stay, they are a problem of their own."""
    units = tuple(name for name, gone in zip(rows.units, out, strict=True) if not gone)
    return rows.select(~np.append(out, False)[rows.unit_codes], units)


def _weeks_per_unit(rows: PanelRows, spec: SiloSpec) -> NDArray[np.int64]:
    """Distinct weeks (daily rows) or distinct dates (weekly rows) of every unit."""
    step = DAYS_PER_WEEK if spec.data.cadence is Cadence.DAILY else 1
    codes, steps = rows.unit_codes[rows.placed], rows.days[rows.placed] // step
    steps = steps - steps.min()
    span = int(steps.max()) + 1
    return np.bincount(np.unique(codes * span + steps) // span, minlength=len(rows.units))


def _short_history(
    rows: PanelRows, spec: SiloSpec, weeks: NDArray[np.int64], short: NDArray[np.bool_]
) -> Finding:
    where = np.flatnonzero(short)
    n_rows = int(np.isin(rows.unit_codes, where).sum())
    examples = tuple(
        Example(0, f"{rows.units[i]}: {counted(int(weeks[i]), 'week')}") for i in where[:MAX_EXAMPLES]
    )
    message = (
        f"{counted(len(where), 'unit')} of {len(rows.units)} with fewer than {spec.data.min_weeks} weeks"
    )
    column = spec.columns.unit or spec.columns.week
    if spec.data.short_units == "exclude" and not short.all():
        return Finding("short_history", f"{message}: left out", column, n_rows, examples)
    hint = "give more weeks, leave such units out (data.short_units = 'exclude'), or lower data.min_weeks"
    return Finding("short_history", message, column, n_rows, examples, hint)
