"""The same comparison with rows held out at random instead of the last ones: what a study that shuffles would see.

Neighbouring weeks of the same unit stay on the learning side, so a model that interpolates looks as if it predicted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmm_models.peers.peer_data import prepare_peer
from mmm_models.peers.tree_features import tree_features
from simulations.papers.linear_mmm import linear_columns
from simulations.papers.study_panel import StudyPanel

Array = NDArray[np.float64]
HELD_OUT = 0.25
TREES, LEAVES, LEARNING_RATE = 200, 8, 0.05  # those of the boosting family; nothing is tuned here


def boosting_below_linear(study: StudyPanel, *, seed: int) -> float:
    """By how much gradient boosting's RMSE on a random quarter of all rows is below a linear MMM's; both see the rest.

    Errors are relative to each unit's mean.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    data = prepare_peer(study.panel, holdout_weeks=0)
    outcome = data.outcome.ravel()
    test = np.random.default_rng(seed).random(outcome.size) < HELD_OUT
    columns = linear_columns(data).reshape(outcome.size, -1)
    coefficients = np.linalg.lstsq(columns[~test], outcome[~test], rcond=None)[0]
    rows = tree_features(data).rows(data.media)
    trees = HistGradientBoostingRegressor(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=int(np.clip(outcome.size // 40, 3, 20)),
        early_stopping=False,
        random_state=0,
    ).fit(rows[~test], outcome[~test])
    linear = _rmse(columns[test] @ coefficients, outcome[test])
    return 1.0 - _rmse(trees.predict(rows[test]), outcome[test]) / linear


def _rmse(predicted: Array, outcome: Array) -> float:
    return float(np.sqrt(((predicted - outcome) ** 2).mean()))
