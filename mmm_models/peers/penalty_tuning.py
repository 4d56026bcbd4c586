"""Which of several penalties predicts later weeks best, from training weeks alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.peers.local_baseline import LocalBaseline, reduce
from mmm_models.peers.transform_search import TOLERANCE, strictest_within
from mmm_models.validation.splits import rolling_origin

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TunedPenalty:
    """The penalty chosen, and the squared rolling-origin error of each."""

    index: int
    errors: tuple[float, ...]


def tune_penalty(
    columns: Array,
    target: Array,
    baseline: LocalBaseline,
    train: NDArray[np.bool_],
    penalties: Sequence[Array],
) -> TunedPenalty:
    """The first (strictest) penalty about as good as the best; `columns` [unit, week, column]."""
    errors = np.zeros(len(penalties))
    for split in rolling_origin(train):
        reduced = reduce(columns, target, baseline, split.learn)
        for index, penalty in enumerate(penalties):
            error = reduced.error(reduced.solve(penalty)) * split.judge
            errors[index] += float((error**2).sum())
    return TunedPenalty(strictest_within(errors.tolist(), TOLERANCE), tuple(errors.tolist()))
