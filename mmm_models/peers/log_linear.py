"""A log-linear regression: the outcome's logarithm adds channels up, so that the channels themselves multiply.

Contributions are Shapley values of the channels, every week's exactly. For effects that multiply they are a
polynomial's integral (Owen 1972), which Gauss-Legendre quadrature gives without error: no orders need sampling,
however many channels there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmm_models.evaluation import SMALLEST_OUTCOME
from mmm_models.panel import Panel
from mmm_models.peers.local_baseline import local_baseline, reduce
from mmm_models.peers.media_effects import AdditiveEffects
from mmm_models.peers.peer_data import prepare_peer
from mmm_models.peers.peer_results import FittedPeer, PeerPrediction, peer_results
from mmm_models.peers.transform_search import search_choices, search_shapes
from mmm_models.spec import BaselineSpec
from mmm_models.training import Progress

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogLinear:
    """A `ModelFamily`: `Ridge` of the logarithm. Outcomes below a tenth of a unit's mean count as a tenth."""

    baseline: BaselineSpec = field(default_factory=BaselineSpec)

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedPeer:
        """Search and fit on all but the last `holdout_weeks`. Raises NothingToLearnFrom and HistoryTooShort."""
        data = prepare_peer(panel, holdout_weeks=holdout_weeks)
        target = np.log(np.maximum(data.outcome, SMALLEST_OUTCOME))
        baseline = local_baseline(panel, data.train, self.baseline)
        found = search_shapes(data, target, baseline)
        reduced = reduce(found.columns(data.media), target, baseline, data.train)
        effects = reduced.solve(np.eye(panel.n_channels) / found.share_sd**2)
        if progress is not None:
            progress(1, reduced.loss(effects))
        logarithm = target - reduced.error(effects)
        smear = _smear(data.outcome[data.train], logarithm[data.train])
        predicted = smear * np.exp(logarithm)
        exponents = AdditiveEffects(found.shapes, effects, data.media)
        media = MultiplyingEffects(exponents, predicted)
        results, contribution = peer_results("log-linear", data, PeerPrediction(predicted, media))
        choices = {**search_choices(found, panel.channel_names), "smear": smear}
        parameters = {"effects": effects, "media scale": data.media_scale}
        return FittedPeer(results, choices, parameters, contribution)


@dataclass(frozen=True, eq=False)
class MultiplyingEffects:
    """`MediaEffects` of a model in which each channel multiplies the outcome by exp(its exponent)."""

    exponents: AdditiveEffects
    predicted: Array  # [unit, week], with all media

    @property
    def contributions(self) -> Array:
        """Shapley values: base (e^a_i - 1) times the integral over t in [0, 1] of prod_{j != i} (1 + t (e^a_j - 1))."""
        gains = np.expm1(self.exponents.contributions)
        without_media = self.predicted / np.prod(1.0 + gains, axis=-1)
        nodes, weights = np.polynomial.legendre.leggauss(max(1, (gains.shape[-1] + 1) // 2))
        values = np.zeros_like(gains)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            factors = 1.0 + node * gains
            values += weight * np.prod(factors, axis=-1, keepdims=True) / factors
        return np.asarray(without_media[..., None] * gains * values)

    def change(self, channel: int, multiplier: float) -> Array:
        """See `MediaEffects`."""
        return np.asarray(self.predicted * np.expm1(self.exponents.change(channel, multiplier)))


def _smear(outcome: Array, logarithm: Array) -> float:
    """What the mean of exponentials is above the exponential of the mean (Duan 1983), from training weeks."""
    return float(np.mean(outcome / np.exp(logarithm)))
