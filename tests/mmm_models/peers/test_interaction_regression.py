"""Products of channels."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.peers.interaction_regression import InteractionRegression, ProductEffects
from mmm_models.peers.peer_results import FittedPeer
from mmm_models.peers.ridge import Ridge
from mmm_models.peers.shapley import shapley_values
from tests.mmm_models.peers.made_shapes import PLAIN
from tests.mmm_models.small_panels import small_panel


def test_contributions_are_the_shapley_values_of_all_orders():
    rng = np.random.default_rng(0)
    media = rng.gamma(2.0, 0.5, (2, 3, 4))
    own = rng.uniform(0, 1, 4)
    together = np.triu(rng.uniform(0, 1, (4, 4)), k=1)
    model = ProductEffects((PLAIN,) * 4, own, together + together.T, media)

    def total(on):
        running = media * on
        return running @ own + np.einsum("uti,ij,utj->ut", running, together, running)

    assert model.contributions == pytest.approx(shapley_values(total, 4, weight=np.ones((2, 3))).values)
    scaled = media * np.array([1.0, 3.0, 1.0, 1.0])
    expected = scaled @ own + np.einsum("uti,ij,utj->ut", scaled, together, scaled) - total(np.ones(4))
    assert model.change(1, 3.0) == pytest.approx(expected)


def test_channels_that_reinforce_each_other_are_found_and_predicted():
    panel = small_panel(units=8, weeks=100)
    rng = np.random.default_rng(1)
    typical = panel.media / 200.0
    outcome = 100.0 * (1.0 + 0.2 * typical[..., 0] * typical[..., 1])
    made = replace(panel, outcome=outcome + 0.5 * rng.standard_normal(outcome.shape))
    fitted = InteractionRegression().fit(made, holdout_weeks=12)

    assert isinstance(fitted, FittedPeer)
    assert fitted.choices["product sd"] == 0.03
    assert fitted.parameters["effects"][2] > 0.1
    assert fitted.results.holdout.nrmse < 0.5 * Ridge().fit(made, holdout_weeks=12).results.holdout.nrmse
