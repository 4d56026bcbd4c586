"""What channels add, as a function of the shared parameters: its derivatives are true ones."""

import copy

import numpy as np
import pytest
import torch

from mmm_models.contribution_totals import COLUMNS, MULTIPLIERS, STEP, ContributionTotals
from mmm_models.network import MediaResponse
from mmm_models.spec import ModelSpec
from mmm_models.training import get_vector
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPECS = [
    pytest.param(ModelSpec(max_lag_weeks=4), id="plain"),
    pytest.param(ModelSpec(max_lag_weeks=4, synergy=True), id="synergy"),
    pytest.param(ModelSpec(max_lag_weeks=4, effect_waves=2), id="waves"),
]


def totals_of(spec: ModelSpec) -> tuple[ContributionTotals, MediaResponse]:
    panel = small_panel(units=3)
    scales, data = prepared(panel, spec)
    response = copy.deepcopy(scattered_response(spec, 2)).double()
    return ContributionTotals(response, panel, data.double(), scales), response


@pytest.mark.parametrize("spec", SPECS)
def test_slopes_are_what_small_changes_of_parameters_do(spec: ModelSpec) -> None:
    totals, response = totals_of(spec)
    slopes = totals.slopes().numpy()
    point = get_vector(response)

    def at(vector: np.ndarray) -> np.ndarray:
        torch.nn.utils.vector_to_parameters(torch.as_tensor(vector), response.parameters())
        with torch.no_grad():
            return totals.at(response.parameters_by_name).numpy()

    assert slopes.shape == (3, 2, COLUMNS, point.size)
    for index in range(point.size):
        little = np.zeros(point.size)
        little[index] = 1e-5
        change = (at(point + little) - at(point - little)) / 2e-5
        np.testing.assert_allclose(slopes[..., index], change, rtol=1e-4, atol=1e-5)
    assert np.abs(slopes).max() > 1.0


def test_a_channels_totals_do_not_move_with_anothers_parameters_unless_they_reinforce_each_other() -> None:
    for spec, moves in (
        (ModelSpec(max_lag_weeks=4), False),
        (ModelSpec(max_lag_weeks=4, synergy=True), True),
    ):
        totals, response = totals_of(spec)
        half = list(response.parameters_by_name).index("log_half_saturation") * 2
        others = totals.slopes()[:, 0, MULTIPLIERS.index(1.0), half + 1]
        assert bool((others != 0).any()) is moves


def test_one_step_more_is_worth_what_the_curve_gains() -> None:
    totals, response = totals_of(ModelSpec(max_lag_weeks=4, synergy=True))
    with torch.no_grad():
        found = totals.at(response.parameters_by_name)
    curve, step = found[..., : len(MULTIPLIERS)], found[..., -1]

    assert (curve[..., 0] == 0).all()
    assert (curve.diff(dim=-1) > 0).all()
    assert ((step * STEP) < curve[..., 5] - curve[..., 4]).all()  # one per cent is less than 25
