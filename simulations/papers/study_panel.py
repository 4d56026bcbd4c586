"""A world as a study's models are shown it: by region or as one nation, by week or by month."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.features.seasonality import fourier_waves
from mmm_models.panel import Panel, pool
from simulations.world import World

Array = NDArray[np.float64]
WEEKS_A_MONTH = 4
SEASON_PAIRS = 2
SUMMED = ("outcome", "media", "spend")


@dataclass(frozen=True, eq=False)
class StudyPanel:
    """What models are fitted to, how many last rows judge them, and what each channel truly sold `[channel]`."""

    name: str
    panel: Panel
    holdout: int
    truth: Array


def study_panels(world: World, *, monthly: bool) -> tuple[StudyPanel, StudyPanel]:
    """The regions, and the one series they add up to; four weeks to a row where `monthly`."""
    regions, holdout = pool(world.panels), world.scenario.holdout_weeks
    truth = np.array([row.contribution for row in world.channel_truths()])
    if monthly:
        regions, holdout = by_month(regions), holdout // WEEKS_A_MONTH
    rows = f"{regions.n_weeks} {'months' if monthly else 'weeks'}"
    return (
        StudyPanel(f"{regions.n_units} regions, {rows}", regions, holdout, truth),
        StudyPanel(f"one series, {rows}", one_series(regions), holdout, truth),
    )


def one_series(panel: Panel) -> Panel:
    """All units added up; controls are their mean by population. Every week of every unit must be observed."""
    weights = panel.population / panel.population.sum()
    arrays = {name: getattr(panel, name).sum(axis=0, keepdims=True) for name in SUMMED}
    return replace(
        panel,
        units=("nation",),
        observed=np.ones((1, panel.n_weeks), dtype=np.bool_),
        controls=np.tensordot(weights, panel.controls, axes=1)[None],
        revenue_per_outcome=panel.revenue_per_outcome[:1],
        population=panel.population.sum(keepdims=True),
        frequency=np.zeros((1, *panel.media.shape[1:])),
        **arrays,
    )


def by_month(panel: Panel) -> Panel:
    """Four weeks added up to a row, controls their mean; a rest of weeks at the end is left out.

    A panel's rows are weeks by their dates, so a model would look for a year in 52 of these. The season is told by
    controls instead, waves at the true dates; the dates are those of as many weeks.
    """
    months = panel.n_weeks // WEEKS_A_MONTH
    whole = panel.select_weeks(0, months * WEEKS_A_MONTH)

    def grouped(array: Array) -> Array:
        return array.reshape(array.shape[0], months, WEEKS_A_MONTH, *array.shape[2:])

    waves = np.broadcast_to(
        fourier_waves(whole.weeks, SEASON_PAIRS), (panel.n_units, whole.n_weeks, 2 * SEASON_PAIRS)
    )
    at = len(panel.control_names) - len(panel.treatment_names)
    names = tuple(f"{wave}_{pair}" for pair in range(1, SEASON_PAIRS + 1) for wave in ("sin", "cos"))
    arrays = {name: grouped(getattr(whole, name)).sum(axis=2) for name in SUMMED}
    return replace(
        whole,
        weeks=whole.weeks[:months],
        observed=np.ones((panel.n_units, months), dtype=np.bool_),
        controls=np.insert(
            grouped(whole.controls).mean(axis=2), [at] * len(names), grouped(waves).mean(axis=2), axis=-1
        ),
        control_names=(*panel.control_names[:at], *names, *panel.control_names[at:]),
        revenue_per_outcome=whole.revenue_per_outcome[:, :months],
        frequency=np.zeros((panel.n_units, months, panel.n_channels)),
        **arrays,
    )
