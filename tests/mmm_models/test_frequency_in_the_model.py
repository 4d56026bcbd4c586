"""A channel whose reach and frequency are known, in a panel whose best frequency is known too."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.reach_frequency import FrequencyCurve, optimal_frequency
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import prepare
from tests.mmm_models.small_panels import prepared, small_panel

HALF, SLOPE = 2.5, 2.0  # best at HALF: half (slope - 1)^(1 / slope)
EFFECTS = np.array([0.08, 0.06, 0.04])
UNITS, WEEKS = 20, 104


def frequency_world(seed):
    """Panel and true contributions `[channel]`: the first channel acts through reach x Hill of frequency."""
    rng = np.random.default_rng(seed)
    on = np.repeat(rng.random((UNITS, WEEKS // 4)) < 0.6, 4, axis=1)
    reach = rng.gamma(3.0, 1 / 3, (UNITS, WEEKS)) * on
    frequency = 1.0 + rng.gamma(2.0, 1.5, (UNITS, WEEKS))
    media = rng.gamma(3.0, 1 / 3, (UNITS, WEEKS, 3))
    media[..., 0] = reach * frequency
    acting = media.copy()
    acting[..., 0] = reach * hill(frequency) / hill(4.0)
    weights = 0.4 ** np.arange(13) / (0.4 ** np.arange(13)).sum()
    carried = sum(weight * shifted(acting, lag) for lag, weight in enumerate(weights))
    contribution = EFFECTS * carried / (carried + 1.0) / 0.5
    noise = 0.05 * rng.standard_normal((UNITS, WEEKS))
    panel = small_panel(
        UNITS,
        WEEKS,
        3,
        outcome=100.0
        * (1.0 + 0.1 * np.sin(2 * np.pi * np.arange(WEEKS) / 52) + contribution.sum(-1) + noise),
        media=1000.0 * media,
        spend=100.0 * media * np.array([0.01, 0.03, 0.02]),
        frequency=np.stack([np.where(reach > 0, frequency, 0.0), *np.zeros((2, UNITS, WEEKS))], axis=-1),
    )
    return panel, 100.0 * contribution.sum(axis=(0, 1))


def hill(frequency):
    return frequency**SLOPE / (frequency**SLOPE + HALF**SLOPE)


def shifted(series, lag):
    return np.concatenate([np.zeros((UNITS, lag, 3)), series[:, : WEEKS - lag]], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_best_frequency_is_found(seed):
    panel, truth = frequency_world(seed)

    fitted = NeuralMmm().fit(panel, holdout_weeks=24)

    own = {name: value.detach() for name, value in fitted.trained.response.named_parameters()}
    curve = FrequencyCurve.of(float(own["log_half_frequency"][0]), float(own["log_slope_frequency"][0]))
    assert optimal_frequency(curve) == pytest.approx(HALF, abs=0.7)
    found = np.array([channel.contribution for channel in fitted.results.channels])
    assert found[0] == pytest.approx(truth[0], rel=0.25)


def test_without_frequency_the_model_has_no_response_of_it():
    panel, _ = frequency_world(0)
    spec = ModelSpec()
    _, data = prepared(replace(panel, frequency=np.zeros_like(panel.media)), spec)

    assert data.media.shape[-1] == 3
    assert not any("frequency" in name for name, _ in MediaResponse(spec, [0.1] * 3).named_parameters())


def test_more_of_a_channel_is_more_reach_at_the_same_frequency():
    """Scaling a channel's own columns is what scaling its exposures in the panel does."""
    panel, _ = frequency_world(0)
    spec = ModelSpec(reach_frequency=True)
    scales, data = prepared(panel, spec)
    response = MediaResponse(spec, scales.spend_per_revenue.tolist())
    factors = torch.ones(response.columns)
    factors[response.own_columns(0)] = 1.5
    more = replace(panel, media=panel.media * np.array([1.5, 1.0, 1.0]))

    again = prepare(more, scales, spec, holdout_weeks=8)

    assert torch.allclose(data.media * factors, again.media)
