"""Hold-out and rolling-origin splits: always earlier weeks to learn from, later ones to judge by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.errors import NothingToLearnFrom
from mmm_models.panel import Panel
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import split_weeks

Mask = NDArray[np.bool_]
FOLDS = 3
FOLD_WEEKS = 8
SMALLEST_SHARE_LEARNT_FROM = 0.5


@dataclass(frozen=True, eq=False)
class Split:
    """Unit-weeks to learn from and later ones to judge by, both `[unit, week]`."""

    learn: Mask
    judge: Mask


def hold_out(panel: Panel, weeks: int) -> Split:
    """The panel's last `weeks`, a quarter of it at most, judge what was learnt from the others.

    Raises NothingToLearnFrom.
    """
    train, test = split_weeks(panel, ModelSpec(), weeks)
    if not train.any():
        raise NothingToLearnFrom(panel.silo)
    return Split(train, test)


def rolling_origin(learn: Mask, *, folds: int = FOLDS, weeks: int = FOLD_WEEKS) -> tuple[Split, ...]:
    """Splits of the weeks in `learn` alone: each block of last weeks is judged by what was learnt before it.

    Blocks are as long as `weeks`, shorter where less than half of a short history would be learnt from; none
    where it has no room for blocks.
    """
    known = np.flatnonzero(learn.any(axis=0))
    length = min(weeks, int(known.size * (1 - SMALLEST_SHARE_LEARNT_FROM)) // folds)
    if length < 1:
        return ()
    starts = known.size - length * np.arange(folds, 0, -1)
    week = np.arange(learn.shape[1])
    splits = (
        Split(
            learn & (week < known[start]),
            learn & (week >= known[start]) & (week <= known[start + length - 1]),
        )
        for start in starts
    )
    return tuple(split for split in splits if split.learn.any() and split.judge.any())


def inner_validation(learn: Mask, *, weeks: int = FOLD_WEEKS) -> Split:
    """The last block of `rolling_origin`, for early stopping; everything on both sides where there is no room."""
    splits = rolling_origin(learn, folds=1, weeks=weeks)
    return splits[0] if splits else Split(learn, learn)
