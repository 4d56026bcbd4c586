"""The linear MMM that studies compare with: least squares on media with one fixed carry-over and no saturation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.baseline_basis import SHORTEST_HISTORY_FOR_SEASON
from mmm_models.features.carry_over import CarryOver, CarryOverKind
from mmm_models.features.media_transform import MediaTransform
from mmm_models.features.saturation import Saturation, SaturationKind
from mmm_models.features.seasonality import fourier_waves
from mmm_models.panel import Panel
from mmm_models.peers.media_effects import AdditiveEffects
from mmm_models.peers.peer_data import PeerData, prepare_peer
from mmm_models.peers.peer_results import FittedPeer, PeerPrediction, peer_results
from mmm_models.peers.transform_search import ChannelShape
from mmm_models.training import Progress

Array = NDArray[np.float64]
SEASON_PAIRS = 2
AS_IT_IS = ChannelShape(
    (MediaTransform(CarryOver(CarryOverKind.GEOMETRIC, 0.5), Saturation(SaturationKind.POWER, 1.0)),), (1.0,)
)


@dataclass(frozen=True)
class LinearMmm:
    """A `ModelFamily`: effects shared by all units, relative to each unit's level, with any sign; a level for each
    unit; trend, season and controls alike in all. Ordinary least squares, nothing tuned, nothing held back.

    `media_only` leaves out trend, season and controls.
    """

    media_only: bool = False

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedPeer:
        """Fit on all but the last `holdout_weeks`. Raises NothingToLearnFrom and HistoryTooShort."""
        data = prepare_peer(panel, holdout_weeks=holdout_weeks)
        columns = linear_columns(data, media_only=self.media_only)
        coefficients = np.linalg.lstsq(columns[data.train], data.outcome[data.train], rcond=None)[0]
        effects = AdditiveEffects(
            (AS_IT_IS,) * panel.n_channels, coefficients[: panel.n_channels], data.media
        )
        predicted = columns @ coefficients
        if progress is not None:
            progress(1, float(((predicted - data.outcome)[data.train] ** 2).mean()))
        results, contribution = peer_results("linear", data, PeerPrediction(predicted, effects))
        return FittedPeer(results, {}, {"coefficients": coefficients}, contribution)


def linear_columns(data: PeerData, *, media_only: bool = False) -> Array:
    """What outcomes are regressed on `[unit, week, column]`: channels first, in the panel's order."""
    channels = range(data.media.shape[-1])
    media = np.stack([AS_IT_IS.column(data.media[..., index]) for index in channels], axis=-1)
    others = [] if media_only else [_calendar(data), data.panel.controls]
    return np.concatenate([media, _levels(data), *others], axis=-1)


def _levels(data: PeerData) -> Array:
    """One for each unit: `[unit, week, unit]`."""
    units, weeks = data.outcome.shape
    return np.broadcast_to(np.eye(units)[:, None, :], (units, weeks, units))


def _calendar(data: PeerData) -> Array:
    """Trend, and season where the history has room for it: `[unit, week, column]`, the same for all units."""
    units, weeks = data.outcome.shape
    time = np.linspace(-0.5, 0.5, weeks)[:, None]
    pairs = SEASON_PAIRS if weeks >= SHORTEST_HISTORY_FOR_SEASON else 0
    shared = np.concatenate([time, fourier_waves(data.panel.weeks, pairs)], axis=-1)
    return np.broadcast_to(shared, (units, *shared.shape))
