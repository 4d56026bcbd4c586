"""A silo's own response: where its rows say so, and no further than they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.network import MediaResponse
from mmm_models.own_response import own_response
from mmm_models.spec import ModelSpec, PoolingSpec
from mmm_models.training import get_vector
from mmm_models.unit_data import UnitData, prepare
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)


def silo(factor: float, *, noise: float, units: int = 12) -> tuple[MediaResponse, UnitData]:
    """Units whose first channel does `factor` times what the shared response says, everything else as it says."""
    response = scattered_response(SPEC, 2)
    panel = small_panel(units=units)
    scales, data = prepared(panel, SPEC)
    with torch.no_grad():
        effects = response.effects(response.parameters_by_name, data.media)
        whole = factor * effects[..., 0] + effects[..., 1]
        drawn = noise * torch.randn(whole.shape, generator=torch.Generator().manual_seed(0))
        outcome = 1.0 + whole - whole.mean(dim=1, keepdim=True) + drawn
    sold = replace(panel, outcome=100.0 * outcome.double().numpy())
    return response, prepare(sold, scales, SPEC, holdout_weeks=8)


def log_effects(response: MediaResponse) -> np.ndarray:
    return response.parameters_by_name["log_effect"].detach().double().numpy()


@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_a_silo_that_differs_is_found_and_only_in_what_differs(factor: float) -> None:
    shared, data = silo(factor, noise=0.002)
    moved = log_effects(own_response(shared, data)) - log_effects(shared)

    assert 0.5 < moved[0] / np.log(factor) < 1.1  # two standard deviations away, so shrunk even by clear data
    assert abs(moved[1]) < 0.1


def test_little_data_move_little() -> None:
    shared, loud = silo(1.3, noise=0.5, units=2)
    moved = log_effects(own_response(shared, loud)) - log_effects(shared)

    assert abs(moved[0]) < 0.5 * np.log(1.3)


def test_the_shared_response_is_left_as_it_is() -> None:
    shared, data = silo(1.3, noise=0.01)
    before = get_vector(shared)
    own_response(shared, data)

    np.testing.assert_array_equal(get_vector(shared), before)


def test_silos_that_may_not_differ_respond_alike() -> None:
    alike = SPEC.model_copy(update={"pooling": PoolingSpec(silo_effect_sd=0.0, silo_shape_sd=0.0)})
    _, data = silo(1.3, noise=0.01)
    response = scattered_response(alike, 2)

    assert own_response(response, data) is response
