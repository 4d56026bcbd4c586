"""A regression whose media effects drift: each is a chain of straight pieces, its steps held back.

A Bayesian random walk with linear interpolation between knots; a step's standard deviation is tuned on rolling
origins, strictest first, so that effects move only where predictions show it. After the last training week an
effect stays where it was, which is a random walk's forecast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmm_models.panel import Panel
from mmm_models.peers.local_baseline import local_baseline, reduce
from mmm_models.peers.media_effects import AdditiveEffects
from mmm_models.peers.peer_data import prepare_peer
from mmm_models.peers.peer_results import FittedPeer, PeerPrediction, peer_results
from mmm_models.peers.penalty_tuning import tune_penalty
from mmm_models.peers.transform_search import search_choices, search_shapes
from mmm_models.spec import BaselineSpec
from mmm_models.training import Progress

Array = NDArray[np.float64]
KNOT_WEEKS = 13
STEP_SDS = (
    0.001,
    0.003,
    0.01,
    0.03,
)  # of a channel's share of the outcome from knot to knot, strictest first


@dataclass(frozen=True)
class TimeVarying:
    """A `ModelFamily`: `Ridge` with effects that may move from quarter to quarter, alike in all units."""

    baseline: BaselineSpec = field(default_factory=BaselineSpec)
    knot_weeks: int = KNOT_WEEKS

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedPeer:
        """Search and fit on all but the last `holdout_weeks`. Raises NothingToLearnFrom and HistoryTooShort."""
        data = prepare_peer(panel, holdout_weeks=holdout_weeks)
        baseline = local_baseline(panel, data.train, self.baseline)
        found = search_shapes(data, data.outcome - 1.0, baseline)
        basis = walk_basis(data.train, self.knot_weeks)
        responses = found.columns(data.media)
        columns = (responses[..., None] * basis[:, None, :]).reshape(
            *data.outcome.shape, panel.n_channels * basis.shape[1]
        )
        penalties = [_penalty(panel.n_channels, basis.shape[1], found.share_sd, sd) for sd in STEP_SDS]
        tuned = tune_penalty(columns, data.outcome - 1.0, baseline, data.train, penalties)
        reduced = reduce(columns, data.outcome - 1.0, baseline, data.train)
        coefficients = reduced.solve(penalties[tuned.index])
        if progress is not None:
            progress(1, reduced.loss(coefficients))
        walks = coefficients.reshape(panel.n_channels, basis.shape[1])
        effects = AdditiveEffects(found.shapes, (basis @ walks.T)[None], data.media)
        prediction = PeerPrediction(data.outcome - reduced.error(coefficients), effects)
        results, contribution = peer_results("time-varying", data, prediction)
        choices = {
            **search_choices(found, panel.channel_names),
            "step sd": STEP_SDS[tuned.index],
            "step rolling-origin errors": list(tuned.errors),
        }
        parameters = {"effects": walks, "media scale": data.media_scale}
        return FittedPeer(results, choices, parameters, contribution)


def walk_basis(train: NDArray[np.bool_], knot_weeks: int) -> Array:
    """Hat functions `[week, knot]` that add up to one, knots about `knot_weeks` apart over the training weeks."""
    known = np.flatnonzero(train.any(axis=0))
    first, last = int(known[0]), int(known[-1])
    knots = np.linspace(first, max(last, first + 1), max(2, round((last - first) / knot_weeks) + 1))
    week = np.arange(train.shape[1]).clip(first, last)
    return np.stack([np.interp(week, knots, one) for one in np.eye(knots.size)], axis=-1)


def _penalty(channels: int, knots: int, level_sd: float, step_sd: float) -> Array:
    """On every channel's mean and on each of its steps; quadratic form over `channel * knot` coefficients."""
    mean = np.full((1, knots), 1.0 / knots) / level_sd
    steps = np.zeros((knots - 1, knots))
    for row, (before, after) in enumerate(pairwise(range(knots))):
        steps[row, before], steps[row, after] = -1.0 / step_sd, 1.0 / step_sd
    both = np.concatenate([mean, steps])
    return np.asarray(np.kron(np.eye(channels), both.T @ both))
