"""The history without which nothing is fitted; it needs no model, so that every family can ask."""

import math

from mmm_models.errors import HistoryTooShort
from mmm_models.panel import Panel
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import split_weeks

LEVEL_AND_TREND = 2


def require_history(panel: Panel, *, holdout_weeks: int, spec: ModelSpec) -> None:
    """Raises `HistoryTooShort` when training weeks are fewer than one carry-over, or than levels, trends and
    one effect a channel have numbers. What passes may still be little: see `history_length`."""
    train, _ = split_weeks(panel, spec, holdout_weeks)
    per_unit = train.sum(axis=1)
    units = int((per_unit > 0).sum())
    if not units:
        return
    channels = int((panel.media > 0).any(axis=(0, 1)).sum())
    needed = max(spec.max_lag_weeks, LEVEL_AND_TREND + math.ceil(channels / units) + 1)
    if per_unit.max() < needed:
        raise HistoryTooShort(panel.silo, have=int(per_unit.max()), needed=needed)
