"""A panel made ready for the peers: outcomes by each unit's level, media by size and typical training week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from mmm_models.diagnostics.required_history import require_history
from mmm_models.panel import Panel
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import unit_level
from mmm_models.validation.splits import Split, hold_out

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PeerData:
    """What all peers learn from; every scale comes from training weeks alone.

    `outcome` is in multiples of `level` (the unit's mean training outcome, 0 for a unit that takes no part).
    `media` are divided by the unit's population, or its level where a population is unknown, and then by
    `media_scale` [channel], what a typical active week of training holds, so that 1 is typical.
    """

    panel: Panel
    split: Split
    level: Float[np.ndarray, " unit"]
    outcome: Float[np.ndarray, "unit week"]
    media: Float[np.ndarray, "unit week channel"]
    media_scale: Float[np.ndarray, " channel"]

    @property
    def train(self) -> Bool[np.ndarray, "unit week"]:
        return self.split.learn


def prepare_peer(panel: Panel, *, holdout_weeks: int) -> PeerData:
    """Scale a panel; its last weeks are held out. Raises NothingToLearnFrom and HistoryTooShort."""
    require_history(panel, holdout_weeks=holdout_weeks, spec=ModelSpec())
    split = hold_out(panel, holdout_weeks)
    level = unit_level(panel, split.learn)
    known = level > 0
    divisor = np.where(known, level, 1.0)
    size = divisor if np.isnan(panel.population).any() else panel.population
    media = panel.media * known[:, None, None] / size[:, None, None]
    scale = _typical_week(media, split.learn)
    return PeerData(
        panel=panel,
        split=split,
        level=level,
        outcome=panel.outcome * known[:, None] / divisor[:, None],
        media=media / scale,
        media_scale=scale,
    )


def _typical_week(media: Array, train: NDArray[np.bool_]) -> Array:
    """Median over units of their mean active training week `[channel]`; one where a channel never ran."""
    learnt = media * train[..., None]
    weeks = (learnt > 0).sum(axis=1)
    mean = learnt.sum(axis=1) / np.maximum(weeks, 1)
    typical = [
        np.median(column[column > 0]) if (column > 0).any() else 1.0
        for column in mean.T  # one channel at a time: each has units of its own in which it ran
    ]
    return np.asarray(typical, dtype=np.float64)
