"""Reach and frequency: the response, its best point, and what a network sees of it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmm_models.errors import ModelError
from mmm_models.reach_frequency import (
    REFERENCE_FREQUENCY,
    FrequencyCurve,
    effective_exposure,
    frequency_advice,
    frequency_response,
    optimal_frequency,
)

HALVES = st.floats(0.2, 20.0)
SLOPES = st.floats(0.2, 6.0)


def response(frequencies, half, slope):
    """Of a list of frequencies, by the module under test."""
    series = torch.tensor(frequencies, dtype=torch.float64)[None, :, None]
    out = frequency_response(
        series,
        torch.tensor([math.log(half)], dtype=torch.float64),
        torch.tensor([math.log(slope)], dtype=torch.float64),
    )
    return out[0, :, 0].numpy()


def plain_hill(f, half, slope):
    return f**slope / (f**slope + half**slope)


def test_the_response_is_a_hill_curve_over_its_value_at_the_reference():
    frequencies = [0.5, 1.0, 2.0, 4.0]

    expected = [plain_hill(f, 2.0, 1.5) / plain_hill(1.0, 2.0, 1.5) for f in frequencies]

    assert response(frequencies, 2.0, 1.5) == pytest.approx(expected, rel=1e-12)


@given(HALVES, SLOPES)
def test_the_response_never_falls_and_is_zero_at_zero(half, slope):
    values = response([0.0, 0.3, 1.0, 2.0, 5.0, 50.0], half, slope)

    assert values[0] == 0.0
    assert (np.diff(values) >= 0).all()
    assert values[2] == pytest.approx(1.0)


@given(HALVES, SLOPES)
def test_the_best_frequency_beats_every_other_on_a_fine_grid(half, slope):
    curve = FrequencyCurve(half, slope)

    best = optimal_frequency(curve, highest=100.0)

    grid = np.geomspace(1.0, 100.0, 2000)
    worth = plain_hill(grid, half, slope) / grid
    assert plain_hill(best, half, slope) / best >= worth.max() * (1 - 1e-12)


def test_the_best_frequency_in_closed_form():
    """k = 2: f / (f^2 + b^2) is largest at f = b."""
    assert optimal_frequency(FrequencyCurve(3.0, 2.0)) == pytest.approx(3.0)


def test_with_ever_smaller_returns_one_contact_is_best():
    assert optimal_frequency(FrequencyCurve(3.0, 0.9)) == 1.0


def test_the_best_frequency_stays_within_bounds():
    curve = FrequencyCurve(3.0, 2.0)

    assert optimal_frequency(curve, lowest=4.0) == 4.0
    assert optimal_frequency(curve, highest=2.0) == 2.0


def test_advice_names_the_gain_of_the_same_impressions():
    """k = 2, b = 2: worth f / (f^2 + 4) is 1/4 at 2 and 8/68 at 8."""
    advice = frequency_advice("video", FrequencyCurve(2.0, 2.0), 8.0)

    assert (advice.channel, advice.frequency) == ("video", 8.0)
    assert advice.best_frequency == pytest.approx(2.0)
    assert advice.gain == pytest.approx((1 / 4) / (8 / 68) - 1)


@given(HALVES, SLOPES, st.floats(0.5, 30.0))
def test_advice_never_makes_matters_worse(half, slope, frequency):
    assert frequency_advice("video", FrequencyCurve(half, slope), frequency).gain >= -1e-12


def test_a_curve_of_parameters_is_the_response_in_contacts():
    """Worth per impression times frequency is the response, up to one constant."""
    curve = FrequencyCurve.of(math.log(0.8), math.log(1.7))
    contacts = np.array([1.0, 3.0, 6.0])

    worth = [curve.worth_of_impression(f) * f for f in contacts]

    seen = response((contacts / REFERENCE_FREQUENCY).tolist(), 0.8, 1.7)
    assert np.array(worth) / worth[1] == pytest.approx(seen, rel=1e-12)


@pytest.mark.parametrize(("half", "slope"), [(0.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf)])
def test_a_curve_that_cannot_be_is_refused(half, slope):
    with pytest.raises(ModelError, match="above 0"):
        FrequencyCurve(half, slope)


def test_bounds_and_frequencies_that_cannot_be_are_refused():
    with pytest.raises(ModelError, match="lowest"):
        optimal_frequency(FrequencyCurve(1.0, 2.0), lowest=3.0, highest=2.0)
    with pytest.raises(ModelError, match="frequency"):
        FrequencyCurve(1.0, 2.0).worth_of_impression(0.0)


def parameters(channels=1, units=None):
    shape = (channels,) if units is None else (units, channels)
    return torch.full(shape, 0.4, dtype=torch.float64), torch.full(shape, 0.6, dtype=torch.float64)


def series(*values):
    return torch.tensor(values, dtype=torch.float64)[None, :, None]


def test_at_the_reference_exposures_count_as_they_are():
    exposure = series(0.5, 1.0, 3.0)

    assert torch.allclose(effective_exposure(exposure, exposure, *parameters()), exposure)


def test_without_reach_the_frequency_counts_as_the_reference():
    exposure = series(0.0, 2.0)

    assert effective_exposure(exposure, torch.zeros_like(exposure), *parameters()).flatten().tolist() == [
        0.0,
        2.0,
    ]


def test_more_media_at_the_same_frequency_count_in_proportion():
    exposure, reach = series(1.0, 4.0), series(0.5, 3.0)

    doubled = effective_exposure(2 * exposure, 2 * reach, *parameters())

    assert torch.allclose(doubled, 2 * effective_exposure(exposure, reach, *parameters()))


def test_effective_exposure_is_reach_times_response():
    exposure, reach = series(6.0), series(3.0)
    log_half, log_slope = parameters()

    expected = 3.0 * response([2.0], math.exp(0.4), math.exp(0.6))[0]

    assert float(effective_exposure(exposure, reach, log_half, log_slope)) == pytest.approx(expected)


def test_units_may_carry_their_own_parameters():
    exposure, reach = torch.rand(3, 5, 2).double(), torch.rand(3, 5, 2).double()
    own = effective_exposure(exposure, reach, *parameters(2, units=3))

    assert torch.allclose(own, effective_exposure(exposure, reach, *parameters(2)))


def test_gradients_are_right_and_finite_where_nobody_was_reached():
    exposure, reach = series(0.0, 2.0, 3.0), series(0.0, 0.0, 1.5)
    log_half, log_slope = (value.requires_grad_() for value in parameters())

    assert torch.autograd.gradcheck(
        lambda h, s: effective_exposure(exposure, reach, h, s), (log_half, log_slope)
    )
