"""Newton's method on noised curvature: exact on a quadratic, and downhill whatever the noise does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mmm_models.curvature import pack_symmetric, packed_size, prior_hessian, typical_information
from mmm_models.network import MediaResponse
from mmm_models.positive_curvature import LARGEST_STEP, LEAST_CURVATURE
from mmm_models.response_prior import prior_weight
from mmm_models.spec import ModelSpec
from mmm_models.training import get_vector, prior_gradient, set_vector
from server.gauss_newton import (
    RIDGE_SHARE,
    curvature_bound,
    learned_information,
    newton_step,
    noise_covariance,
    whitening,
)
from tests.mmm_models.small_panels import scattered_response

Array = NDArray[np.float64]
SPEC, UNITS = ModelSpec(max_lag_weeks=4), 40.0
SIZE = 10  # five parameters for each of two channels
NOTHING = np.zeros((0, 0))
WEIGHT = prior_weight(SPEC.prior, UNITS)
SYMMETRIC = arrays(np.float64, (SIZE, SIZE), elements=st.floats(-50.0, 50.0)).map(lambda half: half + half.T)
GRADIENT = arrays(np.float64, SIZE, elements=st.floats(-100.0, 100.0))


def at_start() -> MediaResponse:
    return MediaResponse(SPEC, [0.05, 0.02])


def positive(seed: int = 0) -> Array:
    """Curvature as data give it: some directions well known, one hardly."""
    roots = np.random.default_rng(seed).normal(size=(SIZE, SIZE)) * np.geomspace(0.03, 3.0, SIZE)
    return np.asarray(roots @ roots.T)


def whole_gradient(response: MediaResponse, gradient: Array) -> Array:
    return gradient + WEIGHT * prior_gradient(response)


class TestWhitening:
    def test_makes_data_and_prior_together_the_identity(self) -> None:
        response, information = at_start(), positive()
        white = whitening(response, information, UNITS)
        whole = information + WEIGHT * prior_hessian(response)

        np.testing.assert_allclose(white.forward @ whole @ white.forward.T, np.eye(SIZE), atol=1e-8)

    def test_starts_from_the_public_rule_channel_by_channel(self) -> None:
        response = scattered_response(SPEC, 2)
        white = whitening(response, NOTHING, UNITS)
        whole = typical_information(response) + WEIGHT * np.diag(prior_hessian(response))

        np.testing.assert_allclose(white.forward @ np.diag(whole) @ white.forward.T, np.eye(SIZE), atol=1e-8)

    @pytest.mark.parametrize("information", [NOTHING, positive()], ids=["public rule", "summed"])
    def test_is_undone_by_its_inverse(self, information: Array) -> None:
        """The coordinator maps the whitened sum back with it."""
        white = whitening(at_start(), information, UNITS)

        np.testing.assert_allclose(white.inverse @ white.forward, np.eye(SIZE), atol=1e-9)

    @given(SYMMETRIC)
    def test_stretches_no_direction_without_end(self, information: Array) -> None:
        """Noise can leave a direction without curvature; units' gradients there must not become all there is."""
        white = whitening(at_start(), information, UNITS)
        longest = np.linalg.norm(white.forward, ord=2)

        assert longest <= LEAST_CURVATURE**-0.5 * (1 + 1e-9)


class TestLearnedInformation:
    @pytest.mark.parametrize("before", [NOTHING, positive(1)], ids=["first", "later"])
    def test_without_noise_is_the_curvature_itself(self, before: Array) -> None:
        truth = positive(2)
        white = whitening(at_start(), before, UNITS)
        packed = pack_symmetric(white.forward @ truth @ white.forward.T)

        np.testing.assert_allclose(
            learned_information(packed, white, deviation=0.0), truth, rtol=1e-8, atol=1e-9
        )

    @given(arrays(np.float64, packed_size(SIZE), elements=st.floats(-1e3, 1e3)), st.floats(0.0, 10.0))
    def test_is_never_negative_whatever_the_noise(self, noised: Array, deviation: float) -> None:
        found = learned_information(noised, whitening(at_start(), NOTHING, UNITS), deviation=deviation)
        values = np.linalg.eigvalsh(found)

        assert values.min() >= -1e-9 * max(1.0, values.max())

    def test_where_only_noise_was_it_is_half_the_largest_eigenvalue_of_that_noise(self) -> None:
        """Nothing summed: the ridge alone, in whitened coordinates."""
        white = whitening(at_start(), NOTHING, UNITS)
        found = learned_information(np.zeros(packed_size(SIZE)), white, deviation=0.3)

        ridge = RIDGE_SHARE * 0.3 * math.sqrt(2 * SIZE)
        np.testing.assert_allclose(white.forward @ found @ white.forward.T, ridge * np.eye(SIZE), atol=1e-9)

    def test_noise_of_that_deviation_has_that_largest_eigenvalue(self) -> None:
        """Wigner's semicircle: off the diagonal deviation / sqrt(2), so a radius of 2 sqrt(n) deviation / sqrt(2)."""
        size, deviation = 200, 0.3
        noise = np.random.default_rng(0).normal(scale=deviation, size=packed_size(size))
        matrix = np.zeros((size, size))
        rows, columns = np.triu_indices(size)
        matrix[rows, columns] = matrix[columns, rows] = noise / np.where(rows == columns, 1.0, math.sqrt(2.0))

        largest = np.linalg.eigvalsh(matrix).max()

        assert largest == pytest.approx(deviation * math.sqrt(2 * size), rel=0.05)


class TestStep:
    def test_lands_at_the_optimum_of_a_quadratic(self) -> None:
        """Data loss 1/2 (x - t)' H (x - t) and the prior, which is quadratic too: one step, and no slope is left."""
        response, information = at_start(), positive()
        start = get_vector(response)
        target = start + 0.3 * np.random.default_rng(4).uniform(-1, 1, SIZE)

        step = newton_step(response, information @ (start - target), information, UNITS)

        set_vector(response, start + step)
        left = whole_gradient(response, information @ (start + step - target))
        before = whole_gradient(at_start(), information @ (start - target))
        assert np.abs(step).max() < LARGEST_STEP
        assert np.abs(left).max() < 1e-5 * np.abs(before).max()

    @given(SYMMETRIC, GRADIENT)
    def test_never_goes_uphill(self, information: Array, gradient: Array) -> None:
        """Negative eigenvalues, which noise makes, must not turn a direction round."""
        response = at_start()
        step = newton_step(response, gradient, information, UNITS)

        assert step @ whole_gradient(response, gradient) <= 1e-9

    def test_with_negative_curvature_left_in_would_go_uphill(self) -> None:
        """The control: the same formula without the floor."""
        response, information = at_start(), -0.5 * np.eye(SIZE)
        gradient = np.ones(SIZE)
        whole = whole_gradient(response, gradient)
        naive = -np.linalg.solve(information + WEIGHT * prior_hessian(response), whole)

        assert naive @ whole > 0 > newton_step(response, gradient, information, UNITS) @ whole

    @given(GRADIENT, st.floats(1.0, 1e6))
    def test_moves_no_parameter_by_more_than_the_limit(self, gradient: Array, factor: float) -> None:
        step = newton_step(at_start(), factor * gradient, positive(), UNITS)

        assert np.abs(step).max() <= LARGEST_STEP * (1 + 1e-12)

    def test_too_long_keeps_its_direction(self) -> None:
        response, gradient, information = at_start(), 100.0 * np.ones(SIZE), 5.0 * np.eye(SIZE)
        step = newton_step(response, gradient, information, UNITS)
        free = -np.linalg.solve(
            information + WEIGHT * prior_hessian(response), whole_gradient(response, gradient)
        )

        assert np.abs(step).max() == pytest.approx(LARGEST_STEP)
        assert step / np.linalg.norm(step) == pytest.approx(free / np.linalg.norm(free), rel=1e-9)

    def test_before_any_curvature_was_summed_is_measured_by_the_public_rule(self) -> None:
        response, gradient = at_start(), 0.01 * np.ones(SIZE)
        typical = np.diag(typical_information(response))

        first = newton_step(response, gradient, NOTHING, UNITS)

        assert first == pytest.approx(newton_step(response, gradient, typical, UNITS))

    def test_at_the_priors_centre_without_data_stays_there(self) -> None:
        step = newton_step(at_start(), np.zeros(SIZE), positive(), UNITS)

        assert np.abs(step).max() < 1e-6


def test_curvature_that_was_whitened_before_needs_less_room() -> None:
    assert 0 < curvature_bound(SIZE, positive()) < curvature_bound(SIZE, NOTHING)
    assert curvature_bound(4 * SIZE, NOTHING) == pytest.approx(2 * curvature_bound(SIZE, NOTHING))


def test_noise_in_gradients_moves_the_mean_of_damped_steps_as_far_as_said() -> None:
    """Twenty-five steps of one half down a quadratic, the last fifteen averaged, three thousand times over."""
    response, information, deviation = at_start(), positive(), 0.01
    white = whitening(response, information, UNITS)
    curvature = information + WEIGHT * prior_hessian(response)
    step = np.linalg.inv(curvature) @ white.inverse
    noise = deviation * np.random.default_rng(0).standard_normal((25, 3_000, SIZE)) @ step.T
    at, visited = np.zeros((3_000, SIZE)), []
    for shock in noise:
        at = 0.5 * at + 0.5 * shock
        visited.append(at)
    found = np.mean(visited[-15:], axis=0).var(axis=0)

    said = noise_covariance(response, information, UNITS, deviation=deviation, averaged=15)
    assert found == pytest.approx(np.diag(said), rel=0.25)
    assert (found < np.diag(said)).mean() > 0.5  # the first steps remember that they started at the end
