"""Gradient boosting on engineered features, its trees explained by SHAP values (Lundberg et al. 2020).

What a contribution means here: the prediction for a unit's week with its media as they were, less the prediction
for the same unit and week had no medium ever run, divided among all media columns by their Shapley values
(interventional, against one background row without media) and added up per channel. So contributions of a week
add up to exactly what the model would miss without media. Trees may not mix media with calendar, unit or
controls in one path, which is what makes one background row without media the right one for every week, and
may never fall in a media column, so that no contribution is negative.

What it cannot know: trees do not extrapolate. A channel that never stopped has no weeks that show what happens
without it; its contribution is what lies above its quietest week, which a finding says.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.panel import Panel
from mmm_models.peers.peer_data import PeerData, prepare_peer
from mmm_models.peers.peer_results import FittedPeer, PeerPrediction, peer_results
from mmm_models.peers.tree_features import TreeFeatures, tree_features
from mmm_models.results import Finding
from mmm_models.training import Progress
from mmm_models.validation.early_stopping import EarlyStopping
from mmm_models.validation.splits import Split, inner_validation, rolling_origin

Array = NDArray[np.float64]
MANY_ROWS = 50_000
STEP = 0.25  # of media: over one per cent, most trees do not move at all


@dataclass(frozen=True)
class Boosting:
    """A `ModelFamily`. Leaves and number of trees are tuned on rolling origins, trees with early stopping.

    With `trees` it grows so many with the first of `leaves`, and nothing is tuned: a history too short to show a year
    twice stops growth at its first few trees.
    """

    learning_rate: float = 0.05
    leaves: tuple[int, ...] = (8, 16)
    most_trees: int = 800
    trees_a_step: int = 100
    patience: int = 60  # trees
    l2: float = 1.0
    trees: int = 0

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedPeer:
        """Tune and fit on all but the last `holdout_weeks`. Raises NothingToLearnFrom and HistoryTooShort."""
        data = prepare_peer(panel, holdout_weeks=holdout_weeks)
        with _threads_for(int(data.train.sum())):
            return self._fit(data, progress)

    def _fit(self, data: PeerData, progress: Progress | None) -> FittedPeer:
        features = tree_features(data)
        rows = features.rows(data.media)
        tuned = [] if self.trees else [self._tuned_trees(data, features, rows, one) for one in self.leaves]
        best = min(range(len(tuned)), key=lambda index: tuned[index].best_error, default=0)
        trees = max(tuned[best].best_step, 1) if tuned else self.trees
        model = self._model(features, rows.shape[1], self.leaves[best], int(data.train.sum()))
        model.set_params(max_iter=trees).fit(rows[data.train.ravel()], data.outcome[data.train])
        effects = TreeEffects(model, features, data.media)
        if progress is not None:
            own = float(((effects.predicted - data.outcome)[data.train] ** 2).mean())
            progress(1, tuned[best].best_error if tuned else own)
        prediction = PeerPrediction(effects.predicted, effects, STEP, _always_on(data))
        results, contribution = peer_results("boosting", data, prediction)
        choices = {
            "leaves": self.leaves[best],
            "trees": trees,
            "rolling-origin errors": [stopping.best_error for stopping in tuned],
        }
        parameters = {"training prediction": effects.predicted[data.train], "media scale": data.media_scale}
        return FittedPeer(results, choices, parameters, contribution)

    def _tuned_trees(self, data: PeerData, features: TreeFeatures, rows: Array, leaves: int) -> EarlyStopping:
        """Grow one ensemble per rolling origin, all at the same pace, until none predicts later weeks better."""
        splits = rolling_origin(data.train) or (inner_validation(data.train),)
        models = [
            self._model(features, rows.shape[1], leaves, int(split.learn.sum()), grows=True)
            for split in splits
        ]
        stopping = EarlyStopping(self.patience)
        for trees in range(self.trees_a_step, self.most_trees + 1, self.trees_a_step):
            errors = np.mean(
                [
                    _errors_by_tree(model, trees, rows, data, split)
                    for model, split in zip(models, splits, strict=True)
                ],
                axis=0,
            )
            if any(stopping.should_stop(error) for error in errors[stopping.step :].tolist()):
                break
        return stopping

    def _model(
        self, features: TreeFeatures, columns: int, leaves: int, rows: int, *, grows: bool = False
    ) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        local, media = range(features.n_local), range(features.n_local, columns)
        return HistGradientBoostingRegressor(
            learning_rate=self.learning_rate,
            max_leaf_nodes=leaves,
            min_samples_leaf=int(np.clip(rows // 40, 3, 20)),
            l2_regularization=self.l2,
            early_stopping=False,  # scikit-learn's own draws the weeks that judge at random: later ones would leak
            monotonic_cst=[0] * len(local) + [1] * len(media),
            interaction_cst=[set(group) for group in (local, media) if len(group)],
            warm_start=grows,
            random_state=0,
        )


@dataclass(frozen=True, eq=False)
class TreeEffects:
    """`MediaEffects` of an ensemble in which media never share a path with anything else."""

    model: Any
    features: TreeFeatures
    media: Array

    @cached_property
    def predicted(self) -> Array:
        """Outcome with media as they were `[unit, week]`."""
        return self._predict(self.media)

    @property
    def contributions(self) -> Array:
        """SHAP values of all media columns against no media at all, added up per channel."""
        if not self.media.shape[-1]:
            return np.zeros(self.media.shape)
        from shap import TreeExplainer

        rows, silent = self.features.rows(self.media), self._silent_row()
        explainer = TreeExplainer(self.model, data=silent, feature_perturbation="interventional")
        values = explainer.shap_values(rows)[:, self.features.n_local :]
        by_channel = self.features.channel_of[:, None] == np.arange(self.media.shape[-1])
        return np.asarray((values @ by_channel).reshape(self.media.shape))

    def change(self, channel: int, multiplier: float) -> Array:
        """See `MediaEffects`."""
        factors = np.ones(self.media.shape[-1])
        factors[channel] = multiplier
        return self._predict(self.media * factors) - self.predicted

    def _silent_row(self) -> Array:
        """The first unit's first week without media; which unit and week makes no difference."""
        return self.features.rows(np.zeros_like(self.media))[:1]

    def _predict(self, media: Array) -> Array:
        return np.asarray(self.model.predict(self.features.rows(media)).reshape(media.shape[:2]))


def _threads_for(rows: int) -> AbstractContextManager[Any]:
    """One thread for small tables: others would wait for each other at every leaf, minutes on a busy machine."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1 if rows < MANY_ROWS else None)  # type: ignore[no-any-return]


def _errors_by_tree(model: Any, trees: int, rows: Array, data: PeerData, split: Split) -> list[float]:
    """Mean squared error on the weeks that judge after each tree, the ensemble grown to `trees`."""
    learn, judge = split.learn.ravel(), split.judge.ravel()
    model.set_params(max_iter=trees).fit(rows[learn], data.outcome[split.learn])
    truth = data.outcome[split.judge]
    return [float(((predicted - truth) ** 2).mean()) for predicted in model.staged_predict(rows[judge])]


def _always_on(data: PeerData) -> tuple[Finding, ...]:
    """Channels without a silent training week in any unit."""
    silent = ((data.media == 0) & data.train[..., None]).any(axis=(0, 1))
    names: Sequence[str] = data.panel.channel_names
    return tuple(
        Finding(
            code="always-on",
            severity="review",
            channels=(name,),
            text=f"{name} never stopped in the training weeks; trees credit it only above its quietest week.",
            advice="Compare with a model that has a response curve, or stop the channel somewhere for some weeks.",
        )
        for name, has_silence in zip(names, silent.tolist(), strict=True)
        if not has_silence
    )
