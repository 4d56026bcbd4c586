"""What gradient boosting sees of a unit-week: calendar, unit and controls on one side, views of media on the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.features.feature_table import media_column_names, media_columns
from mmm_models.features.seasonality import fourier_waves, years_since_start
from mmm_models.peers.peer_data import PeerData

Array = NDArray[np.float64]
SEASON_PAIRS = 2
GRID = 4096.0


@dataclass(frozen=True, eq=False)
class TreeFeatures:
    """Rows are unit-weeks; columns are `local` ones, then media. Media are logged, which trees do not notice.

    Everything is rounded to multiples of 1 / `GRID`: shap compares in single precision, so that a value equal
    to a threshold in one precision and above it in the other would be sent to the wrong leaf.
    """

    local: Array  # [unit, week, column]
    channel_of: NDArray[np.int_]  # channel of each media column

    @property
    def n_local(self) -> int:
        return int(self.local.shape[-1])

    def rows(self, media: Array) -> Array:
        """`[unit * week, column]` for media `[unit, week, channel]`."""
        both = np.concatenate([self.local, _on_grid(np.log1p(media_columns(media)))], axis=-1)
        return np.asarray(both.reshape(-1, both.shape[-1]))


def tree_features(data: PeerData) -> TreeFeatures:
    """Waves of the year, time, the unit's number, and controls in their training standard deviations."""
    panel = data.panel
    units, weeks = data.outcome.shape
    calendar = np.concatenate(
        [fourier_waves(panel.weeks, SEASON_PAIRS), years_since_start(panel.weeks)[:, None]], axis=-1
    )
    numbers = np.broadcast_to(np.arange(units, dtype=np.float64)[:, None, None], (units, weeks, 1))
    local = [
        np.broadcast_to(calendar, (units, *calendar.shape)),
        numbers,
        standardised_controls(data),
    ]
    names = media_column_names(panel.channel_names)
    return TreeFeatures(_on_grid(np.concatenate(local, axis=-1)), np.array(names.channel, dtype=np.int_))


def standardised_controls(data: PeerData) -> Array:
    """Controls `[unit, week, control]` less their mean, by their spread, both over all units' training weeks."""
    learnt = data.panel.controls[data.train]
    spread = learnt.std(axis=0)
    moves = spread > np.finfo(np.float64).eps * np.abs(learnt).max(axis=0, initial=0.0)
    return np.asarray((data.panel.controls - learnt.mean(axis=0)) / np.where(moves, spread, np.inf)).clip(
        -GRID, GRID
    )


def _on_grid(values: Array) -> Array:
    return np.asarray(np.round(values * GRID) / GRID)
