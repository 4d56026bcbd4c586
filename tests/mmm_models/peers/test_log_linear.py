"""Channels that multiply."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.peers.log_linear import LogLinear, MultiplyingEffects
from mmm_models.peers.media_effects import AdditiveEffects
from mmm_models.peers.ridge import Ridge
from mmm_models.peers.shapley import shapley_values
from tests.mmm_models.peers.made_shapes import PLAIN
from tests.mmm_models.small_panels import small_panel


@pytest.mark.parametrize("channels", [1, 2, 5, 6])
def test_contributions_are_the_shapley_values_of_all_orders(channels):
    rng = np.random.default_rng(channels)
    media = rng.gamma(2.0, 0.5, (2, 3, channels))
    effects = rng.uniform(0.0, 0.8, channels)
    base = rng.uniform(0.5, 2.0, (2, 3))
    exponents = AdditiveEffects((PLAIN,) * channels, effects, media)
    model = MultiplyingEffects(exponents, base * np.exp(media @ effects))
    expected = shapley_values(lambda on: base * np.exp(media @ (effects * on)), channels, weight=base)

    assert model.contributions == pytest.approx(expected.values)
    assert model.contributions.sum(axis=-1) == pytest.approx(base * np.expm1(media @ effects))


def test_twice_the_media_multiply_twice():
    media = np.ones((1, 1, 2))
    exponents = AdditiveEffects((PLAIN, PLAIN), np.log([2.0, 3.0]), media)
    model = MultiplyingEffects(exponents, np.array([[60.0]]))  # a base of 10, times two, times three

    assert model.change(0, 2.0) == pytest.approx(60.0)
    assert model.change(1, 0.0) == pytest.approx(-40.0)


def test_an_outcome_that_is_a_product_is_predicted_better_than_by_a_sum():
    panel = small_panel(units=6, weeks=100)
    rng = np.random.default_rng(2)
    typical = panel.media / 200.0
    outcome = 100.0 * np.exp(0.3 * typical.sum(axis=-1) + 0.3 * panel.controls[..., 0])
    made = replace(panel, outcome=outcome * np.exp(0.01 * rng.standard_normal(outcome.shape)))
    log_linear = LogLinear().fit(made, holdout_weeks=12).results
    ridge = Ridge().fit(made, holdout_weeks=12).results

    assert log_linear.holdout.nrmse < 0.5 * ridge.holdout.nrmse
