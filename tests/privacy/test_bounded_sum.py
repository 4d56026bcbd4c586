"""A bounded sum: one unit moves it by at most the bound, and the noise has the promised size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from privacy.bounded_sum import exact_sum, noisy_sum
from privacy.secure_noise import SeededNoise

Array = NDArray[np.float64]
BOUND = 2.0
RECORDS = arrays(
    np.float64, (4, 3), elements=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf])
)


class NoNoise:
    """Shows the clipped sum itself."""

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> Array:
        return np.zeros(shape)

    def coin_flips(self, count: int, probability: float) -> NDArray[np.bool_]:
        raise AssertionError("a full-batch sum flips no coins")


def clipped_sum(records: Array) -> Array:
    return noisy_sum(records, BOUND, 1.0, NoNoise())


@given(RECORDS, st.integers(0, 3))
def test_one_unit_more_moves_the_sum_by_at_most_the_bound(records: Array, unit: int) -> None:
    moved = clipped_sum(records) - clipped_sum(np.delete(records, unit, axis=0))

    assert np.linalg.norm(moved) <= BOUND * (1 + 1e-12)


def test_records_within_the_bound_are_summed_as_they_are() -> None:
    assert clipped_sum(np.array([[1.0, 1.0], [0.0, -2.0]])).tolist() == [1.0, -1.0]


def test_a_record_above_the_bound_keeps_its_direction() -> None:
    assert clipped_sum(np.array([[30.0, 40.0]])) == pytest.approx([1.2, 1.6])  # 2 * (3, 4) / 5


@pytest.mark.parametrize("nonsense", [np.nan, np.inf])
def test_a_record_that_is_not_finite_counts_as_zero_and_raises_nothing(nonsense: float) -> None:
    assert clipped_sum(np.array([[nonsense, 1.0], [0.5, 0.5]])).tolist() == [0.5, 0.5]


def test_no_records_still_give_noise() -> None:
    assert noisy_sum(np.zeros((0, 2)), BOUND, 1.0, SeededNoise(b"k" * 16)).shape == (2,)


def test_noise_has_multiplier_times_bound_as_deviation() -> None:
    noise = noisy_sum(np.zeros((1, 40_000)), BOUND, 1.5, SeededNoise(b"k" * 16))

    assert noise.std() == pytest.approx(
        3.0, rel=0.02
    )  # 40,000 draws: one deviation of the estimate is 0.35 %
    assert abs(noise.mean()) < 5 * 3.0 / 200


def test_an_exact_sum_is_the_sum_over_units() -> None:
    assert exact_sum(np.array([[1.0, 2.0], [3.0, 5.0]])).tolist() == [4.0, 7.0]
