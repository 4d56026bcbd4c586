"""Fixed point: exact to sum, bounded loss, no overflow, nothing out of range."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import CapacityExceeded, InvalidSetting, ValueOutOfRange
from privacy.quantization import FixedPoint

IN_RANGE = st.floats(min_value=-(2.0**20), max_value=2.0**20)


def test_values_become_multiples_of_the_resolution_in_twos_complement():
    quantized = FixedPoint(fraction_bits=2, max_abs=10.0).quantize(np.array([0.0, 1.0, -1.0, 0.25, -10.0]))
    assert quantized.tolist() == [0, 4, 2**64 - 4, 1, 2**64 - 40]


def test_ties_go_to_the_even_neighbour():
    quantized = FixedPoint(fraction_bits=0, max_abs=10.0).quantize(np.array([0.5, 1.5, 2.5, -0.5]))
    assert quantized.tolist() == [0, 2, 2, 0]


@given(st.lists(IN_RANGE, min_size=1, max_size=20))
def test_the_loss_is_at_most_half_the_resolution(values):
    scale = FixedPoint()
    restored = scale.dequantize(scale.quantize(np.array(values)))
    for value, back in zip(values, restored.tolist(), strict=True):
        assert abs(Fraction(value) - Fraction(back)) <= Fraction(1, 2**35)


@given(st.lists(st.lists(st.floats(1e-4, 1e4), min_size=3, max_size=3), min_size=1, max_size=30))
def test_sums_of_values_from_a_ten_thousandth_to_ten_thousand_are_right_to_one_in_a_million(rows):
    scale = FixedPoint()
    total = np.zeros(3, dtype=np.uint64)
    for row in rows:
        total += scale.quantize(np.array(row))
    expected = [math.fsum(column) for column in zip(*rows, strict=True)]
    np.testing.assert_allclose(scale.dequantize(total), expected, rtol=1e-6)


def test_the_largest_allowed_sum_does_not_overflow_and_one_more_silo_would():
    scale = FixedPoint(fraction_bits=34, max_abs=2.0**20)  # L = 2^54, so 2^63 - 1 holds 2^9 - 1 of them
    assert scale.max_silos == 511
    extreme = scale.quantize(np.array([2.0**20, -(2.0**20)]))
    total = extreme * np.uint64(511)
    assert scale.dequantize(total).tolist() == [511 * 2.0**20, -511 * 2.0**20]
    assert scale.dequantize(extreme * np.uint64(512)).tolist()[0] == -(2.0**29)  # wrapped: why 512 is refused
    scale.require_capacity(511)
    with pytest.raises(CapacityExceeded, match="512 silos"):
        scale.require_capacity(512)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 10.001, -1e300])
def test_a_value_out_of_range_is_refused_by_its_place_and_never_shown(bad):
    values = np.array([0.0, 1.0, bad, 2.0, bad, 3.0])
    with pytest.raises(ValueOutOfRange) as refused:
        FixedPoint(max_abs=10.0).quantize(values)
    assert "2 of 6 values, at positions 2 to 4" in str(refused.value)
    assert str(bad) not in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize("bits, max_abs", [(-1, 1.0), (53, 1.0), (10, 0.0), (10, math.nan), (10, math.inf)])
def test_settings_outside_the_proved_range_are_refused(bits, max_abs):
    with pytest.raises(InvalidSetting):
        FixedPoint(bits, max_abs)


def test_a_range_that_not_even_one_silo_fits_is_refused():
    with pytest.raises(CapacityExceeded):
        FixedPoint(fraction_bits=44, max_abs=2.0**19)  # L = 2^63
