"""Typed rows on a calendar -> panel, saying what was filled, excluded and left out. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.intake.panel_calendar import Calendar
from mmm_models.intake.panel_checks import channel_media, channel_reach, channel_spend
from mmm_models.intake.panel_gaps import hold_nearest, interpolate
from mmm_models.intake.panel_layout import Layout
from mmm_models.intake.panel_rows import PanelRows
from mmm_models.intake.panel_weeks import some_of_week, weekly_mean, weekly_sum
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.intake.silo_tables import GapFill
from mmm_models.panel import DAYS_PER_WEEK, Channel, ChannelKind, Panel


@dataclass(frozen=True, eq=False)
class _Grid:
    """Values [unit, step, column]: `flows` are summed over days, `levels` averaged."""

    flows: NDArray[np.float64]  # outcome, then media, spend and reach per channel
    levels: NDArray[np.float64]  # revenue per outcome, then controls
    observed: NDArray[np.bool_]  # [unit, step]


def build_panel(rows: PanelRows, layout: Layout, spec: SiloSpec) -> Panel:
    """The panel. `rows` must have passed every check."""
    grid = _fill(_place(rows, layout, spec), layout, spec)
    if layout.calendar.step_days == 1:
        grid = _to_weeks(grid, layout)
    media, spend, reach = np.split(grid.flows[..., 1:], 3, axis=-1)
    panel = Panel(
        silo=spec.silo,
        units=rows.units,
        weeks=_week_starts(layout.calendar),
        outcome=np.where(grid.observed, grid.flows[..., 0], 0.0),
        observed=grid.observed,
        media=media.copy(),
        spend=spend.copy(),
        controls=grid.levels[..., 1:].copy(),
        revenue_per_outcome=grid.levels[..., 0].copy(),
        population=_population(rows, spec),
        channels=_channels(spec),
        control_names=spec.control_columns,
        treatment_names=spec.treatments.columns,
        currency=spec.currency,
        outcome_unit=spec.columns.outcome_unit or (spec.currency if spec.outcome_is_money else ""),
        frequency=np.where(reach > 0, media / np.where(reach > 0, reach, 1.0), 0.0),
    )
    observed_weeks = np.flatnonzero(panel.observed.any(axis=0))
    return panel.select_weeks(int(observed_weeks[0]), int(observed_weeks[-1]) + 1)


def _place(rows: PanelRows, layout: Layout, spec: SiloSpec) -> _Grid:
    """Rows at their (unit, step); everything else 0."""
    channels = list(spec.all_channels.values())
    flows = [rows.numbers[spec.columns.outcome]]
    for series in (channel_media, channel_spend, channel_reach):
        flows += [series(rows, item) for item in channels]
    levels = [_revenue(rows, spec)] + [rows.numbers[column] for column in spec.control_columns]
    grid = _Grid(
        flows=np.zeros((*layout.present.shape, len(flows))),
        levels=np.zeros((*layout.present.shape, len(levels))),
        observed=layout.usable,
    )
    at = (rows.unit_codes, layout.calendar.steps(rows.days))
    grid.flows[at] = np.stack(flows, axis=1)
    grid.levels[at] = np.stack(levels, axis=1)
    return grid


def _revenue(rows: PanelRows, spec: SiloSpec) -> NDArray[np.float64]:
    revenue = spec.columns.revenue_per_outcome
    return rows.numbers[revenue] if isinstance(revenue, str) else np.full(len(rows.days), revenue)


def _fill(grid: _Grid, layout: Layout, spec: SiloSpec) -> _Grid:
    """Short gaps filled as the silo file says; levels carried over wherever there is no row."""
    gaps = layout.gaps
    hold_nearest(grid.levels, gaps, ~layout.present & ~gaps.filled)
    interpolate(grid.levels, gaps)
    interpolate(grid.flows, gaps)
    if spec.data.fill_gaps is GapFill.ZERO_MEDIA:
        grid.flows[gaps.filled, 1:] = 0.0
    return grid


def _to_weeks(grid: _Grid, layout: Layout) -> _Grid:
    """Days -> weeks. A week that is not whole is not observed; at a unit's ends it is dropped altogether,
    in the middle what is known of its media stays, because it still carries over."""
    flows = weekly_sum(grid.flows)
    flows[some_of_week(layout.gaps.outside)] = 0.0
    return replace(grid, flows=flows, levels=weekly_mean(grid.levels), observed=layout.observed_weeks)


def _week_starts(calendar: Calendar) -> NDArray[np.datetime64]:
    n_weeks = calendar.n_steps * calendar.step_days // DAYS_PER_WEEK
    days = calendar.first_day + DAYS_PER_WEEK * np.arange(n_weeks)
    return days.astype("datetime64[D]")


def _population(rows: PanelRows, spec: SiloSpec) -> NDArray[np.float64]:
    """Each unit's last value; NaN without a column."""
    population = np.full(len(rows.units), np.nan)
    if spec.columns.population:
        order = np.lexsort((rows.days, rows.unit_codes))
        codes = rows.unit_codes[order]
        last = np.append(codes[1:] != codes[:-1], True)
        population[codes[last]] = rows.numbers[spec.columns.population][order][last]
    return population


def _channels(spec: SiloSpec) -> tuple[Channel, ...]:
    return tuple(
        Channel(
            name,
            ChannelKind.PAID if name in spec.channels else ChannelKind.ORGANIC,
            item.exposure_unit or ("" if item.has_exposure else spec.currency),
        )
        for name, item in spec.all_channels.items()
    )
