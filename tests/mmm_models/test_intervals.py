"""Intervals by hand: a logarithm's standard deviation, and what it makes of a number."""

import numpy as np
import pytest

from mmm_models.intervals import NoisedUncertainty, uncertainty

COVARIANCE = np.array([[0.04, 0.0], [0.0, 0.01]])


def test_a_total_that_is_the_exponential_of_a_parameter_has_its_standard_deviation() -> None:
    totals = np.array([[3.0]])
    slopes = np.array([[[3.0, 0.0]]])  # d exp(p) / dp
    found = uncertainty(totals, slopes, COVARIANCE)

    assert found.log_sd[0, 0] == pytest.approx(0.2)
    interval = found.interval(3.0, 0, 0, per=1.0)
    assert interval.low == pytest.approx(3.0 * np.exp(-1.6448536 * 0.2))
    assert interval.high == pytest.approx(3.0 * np.exp(1.6448536 * 0.2))


def test_parameters_add_up_in_squares() -> None:
    slopes = np.array([[[1.0, 1.0]]])
    assert uncertainty(np.array([[1.0]]), slopes, COVARIANCE).log_sd[0, 0] == pytest.approx(np.sqrt(0.05))


def test_nothing_is_nothing_for_sure_and_no_number_stays_none() -> None:
    found = uncertainty(np.array([[0.0, 2.0]]), np.ones((1, 2, 2)), COVARIANCE)

    assert (found.interval(0.0, 0, 0, per=1.0).low, found.interval(0.0, 0, 0, per=1.0).high) == (0.0, 0.0)
    assert np.isnan(found.interval(np.nan, 0, 1, per=1.0).low)


def test_noise_adds_to_what_the_model_leaves_open_and_nothing_goes_below_zero() -> None:
    found = NoisedUncertainty(log_sd=np.array([[0.3], [0.3]]), noise=np.array([40.0, 40.0]))

    share = found.interval(0.1, 0, 0, per=0.001)
    assert share.high == pytest.approx(0.1 + 1.6448536 * 0.05)  # hypot(0.1 * 0.3, 0.001 * 40)
    assert share.low == pytest.approx(0.1 - 1.6448536 * 0.05)
    lost = found.interval(0.0, 1, 0, per=1.0)
    assert lost.low == 0.0
    assert lost.high == pytest.approx(1.6448536 * 40.0)
