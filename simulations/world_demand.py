"""The sales that would have happened without media: level, season, trend, promotions, holidays, shocks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.scenario import Scenario
from simulations.scenario_tables import ControlSpec

WEEKS_PER_YEAR = 365.25 / 7
WEEKS_OF_YEAR = 52

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Demand:
    """Base sales of one silo, relative to each unit's level: `[unit, week]` unless said otherwise."""

    level: Array  # [unit] money per week
    base: Array  # sales without media / level
    noise: Array  # outcome noise / the unit's mean sales
    controls: Array  # [unit, week, control], standardised
    promotion: Array  # 0 or 1
    holiday: Array  # [week] 0 or 1


def draw_demand(scenario: Scenario, units: int, rng: np.random.Generator) -> Demand:
    """Draw one silo's demand; every unit has its own level, season strength, trend and promotions."""
    spec, weeks = scenario.baseline, scenario.weeks
    level = spec.level * np.exp(spec.level_log_sd * rng.standard_normal(units))
    time = np.arange(weeks, dtype=np.float64)
    trend = (spec.trend_per_year + spec.trend_sd * rng.standard_normal((units, 1))) * time / WEEKS_PER_YEAR
    strength = np.exp(spec.season_unit_log_sd * rng.standard_normal((units, 1)))
    season = strength * _season(scenario, time, rng)
    promotion = (rng.random((units, weeks)) < spec.promotion_rate).astype(np.float64)
    holiday = _holidays(scenario)
    shock = autoregressive(rng, (1, weeks), spec.demand_shock_persistence) * spec.demand_shock_sd
    controls = _controls(scenario.controls, rng, (units, weeks))
    effects = np.array([control.effect for control in scenario.controls])
    base = 1.0 + trend + season + shock + spec.promotion_lift * promotion + spec.holiday_lift * holiday
    base = base + controls @ effects
    noise_sd = rng.uniform(spec.noise_low, spec.noise_high, (units, 1))
    noise = noise_sd * rng.standard_normal((units, weeks))
    return Demand(level, np.maximum(base, 0.05), noise, controls, promotion, holiday)


def autoregressive(rng: np.random.Generator, shape: tuple[int, int], persistence: float) -> Array:
    """Stationary AR(1) along the last axis with unit variance."""
    steps = rng.standard_normal(shape)
    series = np.empty(shape)
    series[:, 0] = steps[:, 0]
    for week in range(1, shape[1]):
        series[:, week] = persistence * series[:, week - 1] + np.sqrt(1 - persistence**2) * steps[:, week]
    return series


def _season(scenario: Scenario, time: Array, rng: np.random.Generator) -> Array:
    """One silo's yearly season with the scenario's amplitude; higher harmonics are weaker."""
    harmonics = np.arange(1, scenario.baseline.season_harmonics + 1)
    phases = 0.8 + 0.3 * rng.standard_normal(harmonics.size)
    week = time + scenario.start.timetuple().tm_yday / 7
    waves = np.sin(2 * np.pi * np.outer(harmonics, week) / WEEKS_PER_YEAR + phases[:, None])
    return np.asarray(scenario.baseline.season_amplitude * (waves / harmonics[:, None] ** 1.5).sum(axis=0))


def _holidays(scenario: Scenario) -> Array:
    first = scenario.start.timetuple().tm_yday // 7
    week_of_year = (first + np.arange(scenario.weeks)) % WEEKS_OF_YEAR
    return np.isin(week_of_year, scenario.baseline.holiday_weeks).astype(np.float64)


def _controls(specs: tuple[ControlSpec, ...], rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    series = [autoregressive(rng, shape, spec.persistence) for spec in specs]
    return np.stack(series, axis=-1) if series else np.zeros((*shape, 0))
