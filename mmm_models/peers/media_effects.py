"""What a fitted peer can be asked about its media, and the answer of models that add channels up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmm_models.peers.transform_search import ChannelShape

Array = NDArray[np.float64]


@runtime_checkable
class MediaEffects(Protocol):
    """Effects in multiples of each unit's level, over all weeks, held-out ones included."""

    @property
    def contributions(self) -> Array:
        """`[unit, week, channel]`: the outcome with all media less that with none, divided among channels."""
        ...

    def change(self, channel: int, multiplier: float) -> Array:
        """`[unit, week]`: what is added to the outcome when all media of one channel are multiplied."""
        ...


@dataclass(frozen=True, eq=False)
class AdditiveEffects:
    """Each channel's shape times its effect; `effects` [channel] or, where they vary, [unit or 1, week, channel]."""

    shapes: tuple[ChannelShape, ...]
    effects: Array
    media: Array

    @property
    def contributions(self) -> Array:
        """Every channel by itself: nothing has to be divided."""
        found = [self._effect(channel, 1.0) for channel in range(len(self.shapes))]
        return np.stack(found, axis=-1) if found else np.zeros(self.media.shape)

    def change(self, channel: int, multiplier: float) -> Array:
        """See `MediaEffects`."""
        return self._effect(channel, multiplier) - self._effect(channel, 1.0)

    def _effect(self, channel: int, multiplier: float) -> Array:
        column = self.shapes[channel].column(self.media[..., channel] * multiplier)
        return np.asarray(column * self.effects[..., channel])
