"""How long engineered features take over millions of records."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from mmm_models.features.feature_set import EVERY_KIND
from mmm_models.features.feature_table import feature_table
from mmm_models.features.holiday_control import public_holidays
from mmm_models.features.seasonality import fourier_waves, years_since_start

RECORDS = 4_000_000  # unit-weeks
WEEKS, CHANNELS, SEASON_PAIRS, COUNTRY = 100, 5, 2, "DE"
FIRST_WEEK = "2024-01-01"


@dataclass(frozen=True)
class FeatureTiming:
    """Seconds of each build of `columns` features for `records` unit-weeks."""

    records: int
    columns: int
    seconds: tuple[float, ...]


def time_features(records: int = RECORDS, *, repetitions: int = 3) -> FeatureTiming:
    """Build `EVERY_KIND` and the calendar (waves, time, public holidays) for made-up media `[unit, 100 weeks, 5]`.

    The media are in memory before the clock starts; the calendar, and room for the table, are within it.
    """
    media = np.random.default_rng(0).gamma(2.0, 0.5, (records // WEEKS, WEEKS, CHANNELS)).astype(np.float32)
    weeks = np.datetime64(FIRST_WEEK) + np.arange(WEEKS) * np.timedelta64(7, "D")
    seconds, columns = [], 0
    for _ in range(repetitions):
        began = time.perf_counter()
        calendar = [
            fourier_waves(weeks, SEASON_PAIRS),
            years_since_start(weeks)[:, None],
            public_holidays(weeks, COUNTRY)[:, None],
        ]
        table = feature_table(media, np.concatenate(calendar, axis=-1), EVERY_KIND)
        seconds.append(time.perf_counter() - began)
        columns = table.shape[-1]
        del table  # two tables at once would ask for twice the memory
    return FeatureTiming(media.shape[0] * WEEKS, columns, tuple(seconds))
