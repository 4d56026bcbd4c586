"""Noise costs what was asked for, has the stated distribution, and hides what a person alone brings in."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import InvalidSetting, ValueOutOfRange
from privacy.mechanisms import (
    KeyThreshold,
    expected_error,
    key_threshold,
    laplace_scale,
    noise_reaches,
    noisy_integers,
    noisy_key_counts,
    price_of_integers,
)

# A test of random numbers fails by chance with less than this probability.
CHANCE = 1e-7


@given(st.integers(1, 10**6), st.floats(1e-4, 100))
def test_the_scale_is_sensitivity_over_epsilon_and_never_costs_more(l1_sensitivity, epsilon):
    scale = laplace_scale(l1_sensitivity, epsilon)
    assert price_of_integers(scale, l1_sensitivity) <= epsilon
    assert scale == pytest.approx(l1_sensitivity / epsilon, rel=1e-12)


def test_a_price_rounded_against_us_by_a_digit_is_answered_with_a_wider_scale():
    assert price_of_integers(1 / 3, 1) > 3
    assert laplace_scale(1, 3) > 1 / 3


def tail(least: int, scale: float) -> float:
    """P(noise >= least), summed from the definition: weights a**|k| over all integers."""
    a = math.exp(-1 / scale)
    total = 1 + 2 * math.fsum(a**k for k in range(1, 4000))
    return math.fsum(a**k for k in range(least, least + 4000)) / total


@pytest.mark.parametrize(("least", "scale"), [(1, 0.5), (3, 2.0), (40, 8.0)])
def test_the_tail_is_the_sum_of_its_terms(least, scale):
    assert noise_reaches(least, scale) == pytest.approx(tail(least, scale), rel=1e-9)


@pytest.mark.parametrize("scale", [0.1, 0.7, 3.0, 25.0])
def test_the_expected_error_is_that_of_the_definition(scale):
    error = expected_error(scale)
    a = math.exp(-1 / scale)
    total = 1 + 2 * math.fsum(a**k for k in range(1, 4000))
    variance = 2 * math.fsum(k * k * a**k for k in range(1, 4000)) / total
    assert error.standard_deviation == pytest.approx(math.sqrt(variance), rel=1e-9)
    assert 2 * tail(error.half_width_95 + 1, scale) <= 0.05
    assert error.half_width_95 == 0 or 2 * tail(error.half_width_95, scale) > 0.05


def test_the_noise_has_the_stated_distribution():
    """Kolmogorov's distance of 20,000 samples; by Massart's bound P(distance > d) <= 2 exp(-2 n d**2)."""
    n, scale = 20_000, 4.0
    noise = Counter(noisy_integers([0] * n, l1_sensitivity=4, epsilon=1.0))
    bound = math.sqrt(math.log(2 / CHANCE) / (2 * n))
    assert bound < 0.021
    seen = 0
    for value in range(-60, 61):
        seen += noise[value]
        below = 1 - noise_reaches(value + 1, scale) if value >= 0 else noise_reaches(-value, scale)
        if value > -60:
            assert abs(seen / n - below) <= bound + noise_reaches(61, scale)


def test_noise_is_added_to_each_value_anew():
    values = [10**9, -5, 0] * 50
    first, second = (noisy_integers(values, l1_sensitivity=100, epsilon=1.0) for _ in range(2))
    assert all(type(value) is int for value in first)
    # With a = exp(-1/100), all 150 pairs agree with probability below 0.01**150.
    assert first != second
    # P(|noise| > 3000) = 2 exp(-30): 300 draws miss it with probability above 1 - 6e-11.
    assert all(
        abs(noisy - value) <= 3000 for noisy, value in zip(first + second, values + values, strict=True)
    )


def test_a_seed_does_not_repeat_the_noise():
    drawn = []
    for _ in range(2):
        random.seed(1)
        drawn.append(noisy_integers([0] * 40, l1_sensitivity=1000, epsilon=1.0))
    assert drawn[0] != drawn[1]


def test_no_values_give_no_values():
    assert noisy_integers([], l1_sensitivity=1, epsilon=1.0) == []
    assert noisy_key_counts({}, max_groups=1, max_count=1, epsilon=1.0, delta=1e-8) == {}


@given(
    st.integers(1, 1000),
    st.integers(1, 1000),
    st.floats(0.01, 20),
    st.sampled_from([1e-12, 1e-8, 1e-5, 0.01]),
)
def test_the_threshold_is_the_least_that_hides_one_person(max_groups, max_count, epsilon, delta):
    terms = key_threshold(max_groups=max_groups, max_count=max_count, epsilon=epsilon, delta=delta)
    assert max_groups * noise_reaches(terms.threshold - max_count, terms.scale) <= delta
    assert terms.scale == pytest.approx(max_groups * max_count / epsilon, rel=1e-12)
    if terms.threshold > max_count + 1:
        # One lower would not do, but for the rounding of OpenDP's price, near 1e-16 a group.
        shown = max_groups * noise_reaches(terms.threshold - 1 - max_count, terms.scale)
        assert shown > delta - 1e-15 * max_groups


def test_the_threshold_in_closed_form():
    """One group, one count, epsilon 1, delta 1e-8: least t with exp(-(t - 1)) / (1 + exp(-1)) <= 1e-8."""
    least = 1 + math.ceil(math.log(1e8 / (1 + math.exp(-1))))
    assert least == 20
    assert key_threshold(max_groups=1, max_count=1, epsilon=1.0, delta=1e-8) == KeyThreshold(1.0, 20)


def test_keys_of_one_person_show_no_more_often_than_delta():
    """50,000 such keys at a delta of 0.01: shown X times, X at most binomial; Hoeffding's bound on its excess.

    OpenDP's own price of this threshold, which ignores counts equal to it, would let 1.6 % through.
    """
    n, delta = 50_000, 0.01
    threshold = key_threshold(max_groups=1, max_count=1, epsilon=0.5, delta=delta)
    expected = noise_reaches(threshold.threshold - 1, threshold.scale)
    slack = math.sqrt(math.log(1 / CHANCE) / (2 * n))
    assert slack < 0.013
    keys = {f"k{i}": 1 for i in range(n)}
    shown = len(noisy_key_counts(keys, max_groups=1, max_count=1, epsilon=0.5, delta=delta))
    assert expected <= delta
    assert abs(shown / n - expected) <= slack
    # A multiplicative Chernoff bound is tighter: P(X >= 1.3 n delta) <= exp(-n delta 0.3**2 / 2.3) < 1e-8.
    assert shown < 1.3 * n * delta


def test_large_counts_appear_near_their_value_in_order_of_their_keys():
    counts = {"zebra": 10_000, "ant": 20_000, "ox": 1}
    noisy = noisy_key_counts(counts, max_groups=2, max_count=3, epsilon=1.0, delta=1e-10)
    assert list(noisy) == ["ant", "zebra"]
    assert all(type(value) is int for value in noisy.values())
    # scale 6: P(|noise| > 200) < 2 exp(-33)
    assert all(abs(noisy[key] - counts[key]) <= 200 for key in noisy)
    again = noisy_key_counts(
        {f"k{i}": 10**6 for i in range(30)}, max_groups=50, max_count=50, epsilon=1.0, delta=1e-6
    )
    assert len(set(again.values())) > 1


def test_no_shown_count_lies_below_the_threshold():
    terms = key_threshold(max_groups=1, max_count=1, epsilon=0.5, delta=0.01)
    shown = noisy_key_counts(
        {f"k{i}": terms.threshold for i in range(2000)}, max_groups=1, max_count=1, epsilon=0.5, delta=0.01
    )
    assert min(shown.values()) == terms.threshold


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.inf, math.nan])
def test_an_epsilon_that_is_none_is_refused(epsilon):
    with pytest.raises(InvalidSetting, match="epsilon"):
        noisy_integers([1], l1_sensitivity=1, epsilon=epsilon)
    with pytest.raises(InvalidSetting, match="epsilon"):
        noisy_key_counts({"a": 1}, max_groups=1, max_count=1, epsilon=epsilon, delta=1e-8)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0, math.nan])
def test_a_delta_that_is_none_is_refused(delta):
    with pytest.raises(InvalidSetting, match="delta"):
        key_threshold(max_groups=1, max_count=1, epsilon=1.0, delta=delta)


def test_a_delta_below_what_opendp_can_price_is_refused():
    with pytest.raises(InvalidSetting, match="no threshold"):
        key_threshold(max_groups=1, max_count=1, epsilon=1.0, delta=1e-20)


@pytest.mark.parametrize(("groups", "count"), [(0, 1), (1, 0), (2**21, 1), (1, 2**41), (2**20, 2**40)])
def test_bounds_that_are_none_are_refused(groups, count):
    with pytest.raises(InvalidSetting):
        key_threshold(max_groups=groups, max_count=count, epsilon=1.0, delta=1e-8)


def test_values_that_noise_could_push_over_the_edge_are_refused_unseen():
    for value in (2**62 + 1, -(2**62) - 1):
        with pytest.raises(ValueOutOfRange) as refused:
            noisy_integers([value], l1_sensitivity=1, epsilon=1.0)
        assert str(value) not in str(refused.value)
    with pytest.raises(ValueOutOfRange):
        noisy_key_counts({"a": -1}, max_groups=1, max_count=1, epsilon=1.0, delta=1e-8)
