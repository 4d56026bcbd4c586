"""A regression on media and on products of two channels' media: what they do beyond what each does alone.

Contributions are Shapley values, which for products are exact without any sampling: each of the two gets half.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmm_models.features.interactions import channel_pairs, pair_products
from mmm_models.panel import Panel
from mmm_models.peers.local_baseline import local_baseline, reduce
from mmm_models.peers.peer_data import PeerData, prepare_peer
from mmm_models.peers.peer_results import FittedPeer, PeerPrediction, peer_results
from mmm_models.peers.penalty_tuning import tune_penalty
from mmm_models.peers.transform_search import ChannelShape, search_choices, search_shapes
from mmm_models.spec import BaselineSpec
from mmm_models.training import Progress

Array = NDArray[np.float64]
PRODUCT_SDS = (0.001, 0.003, 0.01, 0.03)  # of a product's share of the outcome, strictest first


@dataclass(frozen=True)
class InteractionRegression:
    """A `ModelFamily`: `Ridge` with a product of every pair of channels, each held back on its own."""

    baseline: BaselineSpec = field(default_factory=BaselineSpec)

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedPeer:
        """Search and fit on all but the last `holdout_weeks`. Raises NothingToLearnFrom and HistoryTooShort."""
        data = prepare_peer(panel, holdout_weeks=holdout_weeks)
        baseline = local_baseline(panel, data.train, self.baseline)
        found = search_shapes(data, data.outcome - 1.0, baseline)
        responses = found.columns(data.media)
        products = pair_products(responses)
        scale = _means(products, data)
        columns = np.concatenate([responses, products / scale], axis=-1)
        penalties = [
            np.diag([found.share_sd**-2] * panel.n_channels + [sd**-2] * products.shape[-1])
            for sd in PRODUCT_SDS
        ]
        tuned = tune_penalty(columns, data.outcome - 1.0, baseline, data.train, penalties)
        reduced = reduce(columns, data.outcome - 1.0, baseline, data.train)
        coefficients = reduced.solve(penalties[tuned.index])
        if progress is not None:
            progress(1, reduced.loss(coefficients))
        own, together = coefficients[: panel.n_channels], coefficients[panel.n_channels :] / scale
        effects = ProductEffects(found.shapes, own, _pair_matrix(together, panel.n_channels), data.media)
        prediction = PeerPrediction(data.outcome - reduced.error(coefficients), effects)
        results, contribution = peer_results("interactions", data, prediction)
        choices = {
            **search_choices(found, panel.channel_names),
            "product sd": PRODUCT_SDS[tuned.index],
            "product rolling-origin errors": list(tuned.errors),
        }
        parameters = {"effects": coefficients, "media scale": data.media_scale}
        return FittedPeer(results, choices, parameters, contribution)


@dataclass(frozen=True, eq=False)
class ProductEffects:
    """`MediaEffects` of own responses and products; `together` [channel, channel] is symmetric and hollow."""

    shapes: tuple[ChannelShape, ...]
    own: Array
    together: Array
    media: Array

    @property
    def contributions(self) -> Array:
        """Own effects and half of every product."""
        responses = self._responses
        return np.asarray(responses * (self.own + responses @ self.together / 2))

    def change(self, channel: int, multiplier: float) -> Array:
        """See `MediaEffects`."""
        responses = self._responses
        scaled = self.shapes[channel].column(self.media[..., channel] * multiplier)
        slope = self.own[channel] + responses @ self.together[channel]
        return np.asarray((scaled - responses[..., channel]) * slope)

    @property
    def _responses(self) -> Array:
        found = [shape.column(self.media[..., index]) for index, shape in enumerate(self.shapes)]
        return np.stack(found, axis=-1) if found else np.zeros(self.media.shape)


def _means(products: Array, data: PeerData) -> Array:
    """Mean of each product in training weeks; one for channels that never ran together."""
    means = products[data.train].mean(axis=0)
    return np.asarray(np.where(means > 0, means, 1.0))


def _pair_matrix(together: Array, channels: int) -> Array:
    matrix = np.zeros((channels, channels))
    for (first, second), value in zip(channel_pairs(channels), together.tolist(), strict=True):
        matrix[first, second] = matrix[second, first] = value
    return matrix
