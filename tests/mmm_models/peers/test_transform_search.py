"""The search finds how media really act, and holds effects back where predictions cannot tell."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.features.carry_over import CarryOver, CarryOverKind
from mmm_models.features.media_transform import MediaTransform
from mmm_models.features.saturation import Saturation, SaturationKind
from mmm_models.peers.local_baseline import local_baseline
from mmm_models.peers.peer_data import PeerData, prepare_peer
from mmm_models.peers.transform_search import search_shapes, strictest_within
from mmm_models.spec import BaselineSpec
from tests.mmm_models.small_panels import small_panel

TRUE = (
    MediaTransform(CarryOver(CarryOverKind.GEOMETRIC, 0.75), Saturation(SaturationKind.HILL, 0.5)),
    MediaTransform(CarryOver(CarryOverKind.GEOMETRIC, 0.0), Saturation(SaturationKind.POWER, 1.0)),
)


def made_panel(noise: float) -> PeerData:
    """Eight units whose outcome is a level, two channels acting as `TRUE` says, and noise."""
    rng = np.random.default_rng(3)
    flights = np.repeat(rng.random((8, 20, 2)) < 0.5, 5, axis=1) * rng.gamma(4.0, 25.0, (8, 100, 2))
    panel = small_panel(units=8, weeks=100, media=flights, spend=0.01 * flights)
    media = prepare_peer(panel, holdout_weeks=8).media
    effect = 0.15 * TRUE[0].apply(media[..., 0]) + 0.1 * TRUE[1].apply(media[..., 1])
    outcome = 100.0 * (1.0 + effect + noise * rng.standard_normal(effect.shape))
    return prepare_peer(replace(panel, outcome=outcome), holdout_weeks=8)


def test_shapes_are_found_where_noise_is_small():
    data = made_panel(noise=0.002)
    baseline = local_baseline(data.panel, data.train, BaselineSpec())
    found = search_shapes(data, data.outcome - 1.0, baseline)

    for index, truth in enumerate(TRUE):
        series = data.media[..., index]
        correlation = np.corrcoef(
            found.shapes[index].column(series)[data.train], truth.apply(series)[data.train]
        )
        assert correlation[0, 1] > 0.995


def test_shapes_have_a_mean_of_one_so_that_effects_are_shares():
    data = made_panel(noise=0.05)
    found = search_shapes(data, data.outcome - 1.0, local_baseline(data.panel, data.train, BaselineSpec()))

    assert found.columns(data.media)[data.train].mean(axis=0) == pytest.approx([1.0, 1.0])


def test_where_errors_hardly_differ_the_strictest_is_taken():
    assert strictest_within([1.004, 1.0, 1.2], tolerance=0.005) == 0
    assert strictest_within([1.006, 1.0, 1.2], tolerance=0.005) == 1
    assert strictest_within([0.0, 0.0], tolerance=0.005) == 0
