"""A unit's own baseline: the features it may use and how far each is believed to move."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.spec import BaselineSpec

Array = NDArray[np.float64]
WEEKS_PER_YEAR = 365.25 / 7
SHORTEST_HISTORY_FOR_SEASON = 40  # weeks
SMALLEST_SPREAD = 1e-9  # of a control's largest value; less is a constant with rounding errors
LARGEST_CONTROL = 8.0  # standard deviations


@dataclass(frozen=True, eq=False)
class BaselineBasis:
    """`features` [unit, week, feature], each scaled so that its coefficient has a standard normal prior."""

    features: Array
    names: tuple[str, ...]


def baseline_basis(
    weeks: NDArray[np.datetime64],
    controls: Array,
    control_names: tuple[str, ...],
    train: NDArray[np.bool_],
    spec: BaselineSpec,
) -> BaselineBasis:
    """Intercept, trend, season, slow drift and controls, times their prior standard deviations.

    `controls` [unit, week, control] are standardised by each unit's own training weeks; `train` [unit, week].
    """
    shared, names = _calendar_features(weeks, spec)
    units = controls.shape[0]
    local = spec.control_sd * standardise(controls, train)
    features = np.concatenate([np.broadcast_to(shared, (units, *shared.shape)), local], axis=-1)
    return BaselineBasis(features, (*names, *control_names))


def standardise(controls: Array, train: NDArray[np.bool_]) -> Array:
    """Each unit's series `[unit, week, series]` in standard deviations from its mean, both over its training weeks.

    Zero for a series that does not move; cut off at `LARGEST_CONTROL`.
    """
    weight = train[..., None].astype(np.float64)
    count = np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
    mean = (controls * weight).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(((controls - mean) ** 2 * weight).sum(axis=1, keepdims=True) / count)
    moves = spread > SMALLEST_SPREAD * np.abs(controls).max(axis=1, keepdims=True)
    scaled = (controls - mean) / np.where(moves, spread, 1.0)
    return np.asarray(np.where(moves, scaled, 0.0).clip(-LARGEST_CONTROL, LARGEST_CONTROL))


def _calendar_features(weeks: NDArray[np.datetime64], spec: BaselineSpec) -> tuple[Array, tuple[str, ...]]:
    days = weeks.astype("datetime64[D]")
    day = (days - days.astype("datetime64[Y]")).astype(np.float64)
    index = np.arange(weeks.size, dtype=np.float64)
    columns = [
        np.full(weeks.size, spec.intercept_sd),
        spec.trend_sd_per_year * (index - index.mean()) / WEEKS_PER_YEAR,
    ]
    names = ["intercept", "trend"]
    pairs = spec.season_pairs if weeks.size >= SHORTEST_HISTORY_FOR_SEASON else 0
    for order in range(1, pairs + 1):
        angle = 2 * np.pi * order * day / 365.25
        columns += [spec.season_sd * np.sin(angle) / order, spec.season_sd * np.cos(angle) / order]
        names += [f"season_sin_{order}", f"season_cos_{order}"]
    if spec.drift_sd > 0:
        for centre in np.arange(0.0, weeks.size + spec.drift_weeks, spec.drift_weeks):
            columns.append(spec.drift_sd * np.exp(-0.5 * ((index - centre) / spec.drift_weeks) ** 2))
            names.append(f"drift_{int(centre)}")
    return np.stack(columns, axis=-1), tuple(names)
