"""One row per unit-week for models that take any table: calendar, unit, controls and several views of media."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.features.carry_over import CarryOver, CarryOverKind, carry_over
from mmm_models.features.lags import lagged

Array = NDArray[np.float64]

CARRY_OVERS = (
    CarryOver(CarryOverKind.GEOMETRIC, 0.3),
    CarryOver(CarryOverKind.GEOMETRIC, 0.6),
    CarryOver(CarryOverKind.DELAYED, 0.7, 1.0),
    CarryOver(CarryOverKind.WEIBULL, 2.0, 3.0),
)
LAGS = (0, 1)


@dataclass(frozen=True)
class MediaColumns:
    """Names of what `media_columns` makes, and the channel each belongs to."""

    names: tuple[str, ...]
    channel: tuple[int, ...]


def media_columns(media: Array) -> Array:
    """Every channel `[unit, week, channel]` as lags and under several carry-overs `[unit, week, column]`."""
    views = [
        np.concatenate(
            [
                lagged(media[..., channel], LAGS),
                *(carry_over(media[..., channel], lag.kernel)[..., None] for lag in CARRY_OVERS),
            ],
            axis=-1,
        )
        for channel in range(media.shape[-1])
    ]
    return np.concatenate(views, axis=-1) if views else np.zeros((*media.shape[:2], 0))


def media_column_names(channels: tuple[str, ...]) -> MediaColumns:
    """What `media_columns` holds, in order."""
    views = (
        *(f"lag {lag}" for lag in LAGS),
        *(f"{lag.kind} {lag.first:g} {lag.second:g}" for lag in CARRY_OVERS),
    )
    return MediaColumns(
        tuple(f"{name}, {view}" for name in channels for view in views),
        tuple(index for index in range(len(channels)) for _ in views),
    )
