"""How media work in a world: carry-over kernels, saturation curves, synergy, drift."""

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from simulations.scenario import Scenario, load_scenario
from simulations.scenario_tables import KERNEL_WEEKS, CarryOver, ChannelSpec, Saturation
from simulations.world import make_world
from simulations.world_response import carry_over, draw_response, saturate


def channel(**settings: Any) -> ChannelSpec:
    return ChannelSpec.model_validate({"name": "tv", "sales_share": 0.1, "spend_share": 0.05} | settings)


def response_of(spec: ChannelSpec, *, units: int = 2, **world: Any):
    """The response of a silo's units to one channel; everybody alike unless `world` says otherwise."""
    size = {"name": "one", "silos": 1, "units_per_silo": units, "weeks": 24, "holdout_weeks": 4}
    alike = {"silo_log_sd": 0.0, "unit_log_sd": 0.0}
    scenario = Scenario.model_validate(size | alike | {"channels": (spec,)} | world)
    return draw_response(scenario, units, np.random.default_rng(scenario.seed))


def kernel_of(**settings: Any):
    return response_of(channel(**settings)).kernel[0, :, 0]


@given(
    shape=st.sampled_from(CarryOver),
    half_life=st.floats(0.1, KERNEL_WEEKS, exclude_max=True),
    peak=st.floats(0.0, KERNEL_WEEKS, exclude_max=True),
    weibull=st.floats(0.2, 5.0),
    spread=st.floats(0.0, 1.0),
    seed=st.integers(0, 99),
)
def test_every_kernel_is_a_distribution_over_lags(shape, half_life, peak, weibull, spread, seed):
    spec = channel(carry_over=shape, half_life_weeks=half_life, peak_week=peak, weibull_shape=weibull)
    kernel = response_of(spec, silo_log_sd=spread, unit_log_sd=spread, seed=seed).kernel

    assert kernel.shape == (2, KERNEL_WEEKS, 1)
    assert (kernel >= 0).all()
    assert_allclose(kernel.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("weeks", [1, 2, 5])
def test_a_geometric_kernel_halves_every_half_life(weeks):
    kernel = kernel_of(carry_over="geometric", half_life_weeks=weeks)

    assert_allclose(kernel[weeks:], kernel[:-weeks] / 2)


@pytest.mark.parametrize("weeks", [1, 2, 3])
def test_a_delayed_kernel_peaks_late_and_has_half_of_that_one_half_life_away(weeks):
    kernel = kernel_of(carry_over="delayed", half_life_weeks=weeks, peak_week=4)

    assert kernel.argmax() == 4
    assert_allclose(kernel[[4 - weeks, 4 + weeks]], kernel[4] / 2)


def test_a_short_delayed_kernel_between_two_weeks_falls_on_both_of_them():
    """The least half-life of 500 varied units is near 0.1 / e^3: both weights, 2^-(0.5 / 0.005)^2, are 0 in
    floating point unless taken relative to each other."""
    spec = channel(carry_over="delayed", half_life_weeks=0.1, peak_week=2.5)
    kernel = response_of(spec, units=500, unit_log_sd=1.0).kernel[..., 0]

    assert_allclose(kernel.sum(axis=1), 1.0)
    assert_allclose(kernel[:, 2], kernel[:, 3])


@pytest.mark.parametrize(("weeks", "shape"), [(1, 1.0), (2, 1.5), (4, 3.0)])
def test_half_of_a_weibull_effect_has_come_by_its_half_life(weeks, shape):
    kernel = kernel_of(carry_over="weibull", half_life_weeks=weeks, weibull_shape=shape)
    cut_off = 2 ** -((KERNEL_WEEKS / weeks) ** shape)  # what would have come after the last lag

    assert_allclose(kernel[:weeks].sum(), 0.5 / (1 - cut_off))


def test_carry_over_is_the_convolution_with_each_units_own_kernel():
    rng = np.random.default_rng(1)
    media, kernel = rng.random((3, 30, 2)), rng.random((3, KERNEL_WEEKS, 2))

    carried = carry_over(media, kernel)

    for unit, index in np.ndindex(3, 2):
        full = np.convolve(media[unit, :, index], kernel[unit, :, index])
        assert_allclose(carried[unit, :, index], full[:30])


@pytest.mark.parametrize("saturation", Saturation)
@pytest.mark.parametrize("half", [0.3, 1.0, 4.0])
def test_each_saturation_is_zero_at_zero_one_half_at_half_saturation_and_rises(saturation, half):
    spec = channel(saturation=saturation, slope=1.7)
    curve = saturate(np.linspace(0, 8 * half, 81), np.array(half), spec)

    assert curve[0] == 0
    assert curve[10] == pytest.approx(0.5)  # the tenth of 80 steps to 8 half-saturations
    assert (np.diff(curve) > 0).all()
    assert (curve.max() < 1) == (saturation is not Saturation.POWER)


def test_saturations_are_the_curves_the_documentation_writes():
    x, h = np.array([0.5, 2.0, 3.0]), np.array(1.5)
    written = {
        Saturation.HILL: (x / h) ** 2 / (1 + (x / h) ** 2),
        Saturation.EXPONENTIAL: 1 - 2 ** (-x / h),
        Saturation.LOGISTIC: np.tanh(x / h * np.log(3) / 2),
        Saturation.POWER: np.sqrt(x / h) / 2,
    }
    for saturation, expected in written.items():
        assert_allclose(saturate(x, h, channel(saturation=saturation, slope=2.0)), expected)


def test_contributions_are_the_exact_shapley_values_of_the_game_of_switching_channels_off():
    """By enumeration of every subset of the six channels of a world with two overlapping synergies."""
    scenario = load_scenario("everything")
    both = [*scenario.synergies, scenario.synergies[0].model_copy(update={"second": "social"})]
    silo = make_world(scenario.model_copy(update={"synergies": tuple(both), "units_per_silo": 2})).silos[0]
    n = len(scenario.channels)

    def worth(channels: tuple[int, ...]):
        on = np.isin(np.arange(n), channels).astype(float)
        return silo.response.contributions(silo.intensity * on).sum(axis=-1)  # [unit, week]

    values = {subset: worth(subset) for size in range(n + 1) for subset in combinations(range(n), size)}
    for index in range(n):
        others = [subset for subset in values if index not in subset]
        shapley = sum(
            factorial(len(subset)) * factorial(n - len(subset) - 1) / factorial(n)
            * (values[tuple(sorted((*subset, index)))] - values[subset])
            for subset in others
        )  # fmt: skip
        assert_allclose(silo.contribution[..., index], shapley * silo.level[:, None], rtol=1e-9)


def test_a_drifting_effect_swings_around_its_mean_by_the_stated_share():
    drift = response_of(channel(effect_drift=0.25), weeks=400).drift[:, 0]

    assert drift.mean() == pytest.approx(1.0)
    assert drift.max() == pytest.approx(1.25, abs=1e-4)
    assert drift.min() == pytest.approx(0.75, abs=1e-4)


def test_without_drift_or_spread_every_unit_and_week_responds_alike():
    response = response_of(channel())

    assert (response.drift == 1).all()
    assert (response.kernel[0] == response.kernel[1]).all()
    assert (response.effect == 1).all()
    assert (response.half_saturation == 1).all()
