"""The posterior's mode and width."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.errors import TrainingDiverged
from mmm_models.objective import UnitObjective, training_records
from mmm_models.partial_pooling import with_unit_deviations
from mmm_models.posterior import fit_posterior, laplace
from mmm_models.response_prior import coarsening
from mmm_models.spec import ModelSpec, ResponsePrior
from mmm_models.training import get_vector
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)


@pytest.mark.parametrize("spec", [SPEC, ModelSpec(max_lag_weeks=4, synergy=True)])
def test_at_the_mode_no_direction_helps(spec: ModelSpec) -> None:
    _, data = prepared(small_panel(units=5), spec)
    response = scattered_response(spec, 2)
    fit_posterior(response, data)
    exact = copy.deepcopy(response).double()
    pooled = with_unit_deviations(data.double(), exact)
    objective, records = UnitObjective(exact), training_records(exact, pooled)

    def loss() -> float:
        with torch.no_grad():
            share = coarsening(spec.prior, 5)
            return float(share * objective.losses(records).sum() + exact.negative_log_prior())

    lowest, point = loss(), get_vector(exact)
    rng = np.random.default_rng(0)
    for _ in range(40):
        step = rng.standard_normal(point.size)
        step *= 0.2 / np.linalg.norm(step)
        torch.nn.utils.vector_to_parameters(torch.as_tensor(point + step), exact.parameters())
        assert loss() > lowest - 0.01


def test_where_it_starts_from_does_not_matter() -> None:
    _, data = prepared(small_panel(units=5), SPEC)
    found = [fit_posterior(scattered_response(SPEC, 2, seed=seed), data).mode for seed in (0, 1, 2)]
    np.testing.assert_allclose(found[1], found[0], atol=0.05)
    np.testing.assert_allclose(found[2], found[0], atol=0.05)


@pytest.mark.parametrize(
    ("units_per_prior", "least", "most"),
    [pytest.param(1e6, 0.0, 0.75, id="all units count"), pytest.param(1.0, 0.8, 1.1, id="one does")],
)
def test_more_units_make_it_surer_as_far_as_the_prior_lets_them(
    units_per_prior: float, least: float, most: float
) -> None:
    spec = ModelSpec(max_lag_weeks=4, prior=ResponsePrior(units_per_prior=units_per_prior))
    few, many = (
        fit_posterior(scattered_response(spec, 2), prepared(small_panel(units=units), spec)[1]).covariance
        for units in (4, 16)
    )
    ratio = np.sqrt(np.trace(many[:2, :2]) / np.trace(few[:2, :2]))  # of the effects
    assert least < ratio < most


def test_the_laplace_covariance_is_the_inverse_of_data_and_prior() -> None:
    response = scattered_response(SPEC, 2).double()
    size = get_vector(response).size
    nothing = laplace(np.zeros((size, size)), response, 1.0)
    much = laplace(1e6 * np.eye(size), response, 1.0)

    names = list(response.parameters_by_name)
    slope = names.index("log_slope") * 2
    assert np.sqrt(nothing[slope, slope]) == pytest.approx(SPEC.prior.log_slope_sd)
    np.testing.assert_allclose(np.diag(much), (1 + 1 / SPEC.prior.units_per_prior) / 1e6, rtol=1e-3)


def test_a_loss_that_is_no_number_is_refused() -> None:
    _, data = prepared(small_panel(), SPEC)
    response = scattered_response(SPEC, 2)
    with torch.no_grad():
        response.parameters_by_name["log_effect"].fill_(float("nan"))
    with pytest.raises(TrainingDiverged):
        fit_posterior(response, data)


def test_without_channels_there_is_nothing_to_know() -> None:
    panel = small_panel(channels=1)
    none = {name: getattr(panel, name)[..., :0] for name in ("media", "spend", "frequency")}
    empty = replace(panel, channels=(), **none)
    _, data = prepared(empty, SPEC)
    found = fit_posterior(scattered_response(SPEC, 0), data)
    assert (found.mode.size, found.covariance.shape) == (0, (0, 0))
