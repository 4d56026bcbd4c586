"""Carry-over and saturation against closed forms and plain loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmm_models.transforms import carry_over, gamma_kernel, hill

numbers = st.floats(-4.0, 4.0)


def row(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(decay=numbers, delay=numbers, lags=st.integers(1, 30))
def test_a_kernel_is_positive_and_sums_to_one(decay, delay, lags):
    kernel = gamma_kernel(row(decay), row(delay), lags)
    assert (kernel > 0).all()
    assert kernel.sum().item() == pytest.approx(1.0)


@given(decay=numbers)
def test_without_delay_a_kernel_is_geometric(decay):
    rate = 1.0 / (1.0 + math.exp(-decay))
    kernel = gamma_kernel(row(decay), row(-60.0), 8)[:, 0].numpy()
    expected = rate ** np.arange(8)
    np.testing.assert_allclose(kernel, expected / expected.sum(), rtol=1e-9)


def test_a_delay_moves_the_peak_where_the_gamma_distribution_has_it():
    # (l + 1)^3 / 2^l peaks near l + 1 = 3 / ln 2 = 4.33: 3^3/4 = 6.75, 4^3/8 = 8, 5^3/16 = 7.8
    power = 3.0
    kernel = gamma_kernel(row(0.0), row(math.log(math.expm1(power))), 13)[:, 0]
    assert int(kernel.argmax()) == 3
    assert (kernel[2] / kernel[3]).item() == pytest.approx(6.75 / 8.0)


def test_carry_over_matches_a_plain_loop_with_shared_and_with_own_kernels():
    rng = np.random.default_rng(0)
    media = torch.as_tensor(rng.gamma(1.0, 1.0, (4, 20, 3)))
    kernel = gamma_kernel(torch.as_tensor(rng.normal(size=3)), torch.as_tensor(rng.normal(size=3)), 6)
    expected = np.zeros((4, 20, 3))
    for week in range(20):
        for lag in range(min(6, week + 1)):
            expected[:, week] += media.numpy()[:, week - lag] * kernel.numpy()[lag]
    np.testing.assert_allclose(carry_over(media, kernel), expected, rtol=1e-12)
    np.testing.assert_allclose(carry_over(media, kernel.expand(4, 6, 3)), expected, rtol=1e-12)


def test_every_unit_is_carried_over_by_its_own_kernel():
    media = torch.zeros(2, 4, 1)
    media[:, 0] = 1.0
    kernels = torch.tensor([[[1.0], [0.0]], [[0.25], [0.75]]])
    carried = carry_over(media, kernels)[..., 0]
    assert carried.tolist() == [[1.0, 0.0, 0.0, 0.0], [0.25, 0.75, 0.0, 0.0]]


@pytest.mark.parametrize("own", [False, True])
def test_a_kernel_longer_than_the_panel_is_cut(own):
    kernel = gamma_kernel(torch.zeros(1), torch.zeros(1), 10)
    media = torch.ones(2, 3, 1)
    carried = carry_over(media, kernel.expand(2, 10, 1) if own else kernel)
    torch.testing.assert_close(carried[0, :, 0], kernel[:3, 0].cumsum(0))


@given(weeks=st.integers(1, 12), week=st.integers(0, 11))
def test_media_never_act_before_they_run(weeks, week):
    media = torch.zeros(1, 12, 1)
    media[:, week] = 1.0
    carried = carry_over(media, gamma_kernel(torch.zeros(1), torch.zeros(1), weeks))
    assert not carried[:, :week].any()
    assert carried[:, week].item() > 0


@given(
    half=st.floats(-2.0, 2.0),
    slope=st.floats(-1.0, 1.0),
    low=st.floats(1e-3, 50.0),
    high=st.floats(1e-3, 50.0),
)
def test_saturation_never_falls_and_is_one_at_typical_media(half, slope, low, high):
    low, high = sorted((low, high))
    carried = torch.tensor([0.0, 1.0, low, high], dtype=torch.float64).reshape(1, 4, 1)
    zero, one, first, second = hill(carried, row(half), row(slope))[0, :, 0].tolist()
    assert zero == 0.0
    assert one == pytest.approx(1.0)
    assert first <= second


def test_saturation_is_hill_with_its_limit():
    # x^n / (x^n + k^n) with n = 2 and k = 3: at 3 a half, at 1 a tenth, far out one; relative to that at 1
    carried = torch.tensor([3.0, 1.0, 1e6], dtype=torch.float64).reshape(1, 3, 1)
    values = hill(carried, row(math.log(3.0)), row(math.log(2.0)))[0, :, 0]
    assert values.tolist() == pytest.approx([5.0, 1.0, 10.0])


def test_saturation_has_finite_gradients_where_media_are_zero():
    half, slope = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    hill(torch.zeros(1, 3, 1), half, slope).sum().backward()
    assert half.grad is not None
    assert slope.grad is not None
    assert half.grad.item() == slope.grad.item() == 0.0
