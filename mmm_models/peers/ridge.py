"""The classical MMM: a ridge regression of the outcome on transformed media, transforms found by search."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mmm_models.panel import Panel
from mmm_models.peers.local_baseline import local_baseline, reduce
from mmm_models.peers.media_effects import AdditiveEffects
from mmm_models.peers.peer_data import prepare_peer
from mmm_models.peers.peer_results import FittedPeer, PeerPrediction, peer_results
from mmm_models.peers.transform_search import search_choices, search_shapes
from mmm_models.spec import BaselineSpec
from mmm_models.training import Progress


@dataclass(frozen=True)
class Ridge:
    """A `ModelFamily`. Media effects are shared by all units, relative to each unit's level, and non-negative;
    fixed effect, trend, season and controls are each unit's own (see `local_baseline`)."""

    baseline: BaselineSpec = field(default_factory=BaselineSpec)

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedPeer:
        """Search and fit on all but the last `holdout_weeks`. Raises NothingToLearnFrom and HistoryTooShort."""
        data = prepare_peer(panel, holdout_weeks=holdout_weeks)
        baseline = local_baseline(panel, data.train, self.baseline)
        found = search_shapes(data, data.outcome - 1.0, baseline)
        reduced = reduce(found.columns(data.media), data.outcome - 1.0, baseline, data.train)
        effects = reduced.solve(np.eye(panel.n_channels) / found.share_sd**2)
        if progress is not None:
            progress(1, reduced.loss(effects))
        prediction = PeerPrediction(
            data.outcome - reduced.error(effects), AdditiveEffects(found.shapes, effects, data.media)
        )
        results, contribution = peer_results("ridge", data, prediction)
        parameters = {"effects": effects, "media scale": data.media_scale}
        return FittedPeer(results, search_choices(found, panel.channel_names), parameters, contribution)
