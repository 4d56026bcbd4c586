"""Curvature against derivatives taken in other ways, and its packing, which must keep lengths."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.curvature import (
    TYPICAL_STEEPNESS,
    pack_symmetric,
    packed_size,
    prior_hessian,
    typical_information,
    unit_information,
    unpack_symmetric,
)
from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, pack, training_records
from mmm_models.response_prior import negative_log_prior
from mmm_models.spec import BaselineSpec, ModelSpec
from mmm_models.training import get_vector
from mmm_models.unit_data import UnitData
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

Array = NDArray[np.float64]
TIGHT = BaselineSpec(intercept_sd=0.5)  # so that the mean counts too
PLAIN = ModelSpec(max_lag_weeks=4, baseline=TIGHT)
WHOLE = ModelSpec(max_lag_weeks=4, baseline=TIGHT, synergy=True, effect_waves=2)
SPECS = pytest.mark.parametrize("spec", [PLAIN, WHOLE], ids=["plain", "synergies and waves"])


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    """For differences of gradients; training itself runs in single precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def units_and_response(spec: ModelSpec) -> tuple[UnitData, MediaResponse]:
    """Three units, one with a gap, and a response with all parameters different, in double precision."""
    observed = np.ones((3, 60), dtype=np.bool_)
    observed[1, 10:20] = False
    panel = small_panel(observed=observed, outcome=small_panel().outcome * observed)
    return prepared(panel, spec)[1].double(), scattered_response(spec, 2).double()


def with_vector(response: MediaResponse, vector: Tensor) -> dict[str, Tensor]:
    """The response's parameters by name, cut from one vector."""
    shapes = {name: value.shape for name, value in response.named_parameters()}
    parts = torch.split(vector, [shape.numel() for shape in shapes.values()])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


@SPECS
def test_is_the_losses_second_derivative_where_residuals_vanish(spec: ModelSpec) -> None:
    """Outcomes made by the response itself, so that Gauss-Newton leaves nothing out; by differences of the loss's
    gradient, one parameter a time."""
    data, response = units_and_response(spec)
    with torch.no_grad():
        data = replace(data, outcome=1.0 + response(data.media))
    objective, records = UnitObjective(response), pack(data)

    def gradient(vector: Tensor, unit: int) -> Tensor:
        moved = vector.requires_grad_()
        named = {f"response.{name}": value for name, value in with_vector(response, moved).items()}
        row = records[unit : unit + 1]
        loss = objective.unit_loss(objective.forward_per_unit(named, row), row).sum()
        return torch.autograd.grad(loss, moved)[0]

    point, step = torch.from_numpy(get_vector(response)), 1e-4
    information = unit_information(response, data)
    for unit in range(3):
        rows = [
            gradient(point + step * unit_step, unit) - gradient(point - step * unit_step, unit)
            for unit_step in torch.eye(len(point), dtype=torch.float64)
        ]
        hessian = (torch.stack(rows) / (2 * step)).numpy()
        np.testing.assert_allclose(information[unit], hessian, rtol=1e-4, atol=1e-5 * np.abs(hessian).max())


@SPECS
def test_is_the_jacobian_weighed_by_the_dense_covariance_of_baseline_and_noise(spec: ModelSpec) -> None:
    data, response = units_and_response(spec)
    information = unit_information(response, data)

    for unit in range(3):
        train = data.train[unit] > 0
        media = data.media[unit : unit + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda vector, media=media: response.effects(with_vector(response, vector), media).sum(-1)[0],
            torch.from_numpy(get_vector(response)),
        )[train].numpy()
        features = data.features[unit][train].numpy()
        covariance = float(data.noise[unit]) ** 2 * np.eye(len(features)) + features @ features.T
        expected = jacobian.T @ np.linalg.inv(covariance) @ jacobian
        np.testing.assert_allclose(information[unit], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@SPECS
def test_never_speaks_for_a_direction_in_which_the_loss_falls_off(spec: ModelSpec) -> None:
    """Also far from the optimum, where the true second derivative may."""
    data, response = units_and_response(spec)
    values = np.linalg.eigvalsh(unit_information(response, data))

    assert (values >= -1e-9 * values.max(axis=1, keepdims=True)).all()


def test_of_a_unit_depends_on_its_own_data_alone() -> None:
    data, response = units_and_response(PLAIN)
    others = data.media.clone()
    others[1:] = others[1:].flip(1) * 3.0

    before, after = (unit_information(response, item) for item in (data, replace(data, media=others)))

    assert before[0].tolist() == after[0].tolist()
    assert before[1].tolist() != after[1].tolist()


def test_does_not_depend_on_outcomes_or_on_held_out_weeks() -> None:
    data, response = units_and_response(PLAIN)
    held_out = data.media.clone()
    held_out[:, training_records(response, data).shape[1] :] *= 7.0
    changed = replace(data, outcome=3.0 * data.outcome, media=held_out)

    assert unit_information(response, changed).tolist() == unit_information(response, data).tolist()


@SPECS
def test_the_priors_is_that_of_automatic_differentiation_done_twice(spec: ModelSpec) -> None:
    response = scattered_response(spec, 3).double()

    def prior(vector: Tensor) -> Tensor:
        return negative_log_prior(spec.prior, with_vector(response, vector), response.spend_per_revenue)

    expected = torch.autograd.functional.hessian(prior, torch.from_numpy(get_vector(response))).numpy()
    np.testing.assert_allclose(prior_hessian(response), expected, rtol=1e-6, atol=1e-9)


def test_the_priors_is_symmetric_and_couples_effects_only() -> None:
    """Log ROIs share a mean; every other parameter has a prior of its own: its precision on the diagonal."""
    response = MediaResponse(PLAIN, [0.05, 0.05])
    hessian = prior_hessian(response)
    place = {name: slice(2 * k, 2 * k + 2) for k, (name, _) in enumerate(response.named_parameters())}
    decay = hessian[place["decay_logit"], place["decay_logit"]]

    assert np.array_equal(hessian, hessian.T)
    assert decay == pytest.approx(np.eye(2) / PLAIN.prior.decay_logit_sd**2)
    assert hessian[0, 1] != 0.0
    assert not hessian[2:, :2].any()


@SPECS
def test_typical_curvature_is_positive_in_every_direction(spec: ModelSpec) -> None:
    response = scattered_response(spec, 2)
    typical = typical_information(response)

    assert typical.shape == get_vector(response).shape
    assert (typical > 0).all()


def test_typical_curvature_grows_with_the_square_of_a_channels_effect() -> None:
    """Effects of one and three have a mean of two: relative 1/2 and 3/2, for each of a channel's parameters."""
    response = MediaResponse(PLAIN, [0.05, 0.05])
    with torch.no_grad():
        response.parameters_by_name["log_effect"].copy_(torch.tensor([1.0, 3.0]).log())

    expected = [
        (TYPICAL_STEEPNESS[name] * relative) ** 2
        for name, _ in response.named_parameters()
        for relative in (0.5, 1.5)
    ]
    assert typical_information(response) == pytest.approx(expected, rel=1e-5)


def test_every_parameter_has_a_typical_steepness() -> None:
    whole = WHOLE.model_copy(update={"reach_frequency": True})
    names = {name for name, _ in MediaResponse(whole, [0.1, 0.1]).named_parameters()}

    assert names == set(TYPICAL_STEEPNESS)


@given(st.integers(1, 6).flatmap(lambda n: arrays(np.float64, (3, n, n), elements=st.floats(-1e6, 1e6))))
def test_packing_keeps_the_length_and_comes_back(halves: Array) -> None:
    matrices = halves + np.swapaxes(halves, 1, 2)
    packed = pack_symmetric(matrices)
    size = matrices.shape[1]

    assert packed.shape == (3, packed_size(size))
    assert np.linalg.norm(packed, axis=1) == pytest.approx(np.linalg.norm(matrices, axis=(1, 2)), rel=1e-12)
    for vector, matrix in zip(packed, matrices, strict=True):
        assert unpack_symmetric(vector, size) == pytest.approx(matrix, rel=1e-12)


def test_packing_counts_what_is_off_the_diagonal_twice() -> None:
    """1, 2 sqrt(2), 3: its square is 1 + 2 * 4 + 9 = 18, the sum of squares of [[1, 2], [2, 3]]."""
    packed = pack_symmetric(np.array([[1.0, 2.0], [2.0, 3.0]]))

    assert packed == pytest.approx([1.0, 2.0 * 2**0.5, 3.0])
    assert packed @ packed == pytest.approx(18.0)
