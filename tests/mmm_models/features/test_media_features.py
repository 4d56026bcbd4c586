"""Carry-over, saturation, lags and products, by hand and by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmm_models.features.carry_over import CarryOver, CarryOverKind, carry_over
from mmm_models.features.feature_table import media_column_names, media_columns
from mmm_models.features.interactions import channel_pairs, pair_products
from mmm_models.features.lags import lagged
from mmm_models.features.media_transform import CARRY_OVERS, SATURATIONS, transform_grid, transformed
from mmm_models.features.saturation import Saturation, SaturationKind

GEOMETRIC, DELAYED, WEIBULL = CarryOverKind.GEOMETRIC, CarryOverKind.DELAYED, CarryOverKind.WEIBULL


def test_geometric_weights_halve_and_add_up_to_one():
    assert CarryOver(GEOMETRIC, 0.5, lags=3).kernel == pytest.approx(np.array([4, 2, 1]) / 7)


def test_delayed_weights_peak_where_they_are_told_to():
    kernel = CarryOver(DELAYED, 0.5, 2.0, lags=5).kernel

    assert kernel == pytest.approx(np.array([1 / 16, 1 / 2, 1, 1 / 2, 1 / 16]) / (2 + 1 / 8))


def test_weibull_weights_are_differences_of_its_survival():
    """With shape one it is exponential: every week keeps the same share."""
    kernel = CarryOver(WEIBULL, 1.0, 2.0, lags=4).kernel

    assert kernel[1:] / kernel[:-1] == pytest.approx(np.exp(-0.5) * np.ones(3))
    assert kernel.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong", [(GEOMETRIC, 1.0, 0.0), (DELAYED, 0.5, -1.0), (WEIBULL, 0.0, 1.0), (WEIBULL, 1.0, 0.0)]
)
def test_a_carry_over_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="no carry-over is"):
        CarryOver(*wrong)


def test_carry_over_is_a_causal_convolution():
    series = np.random.default_rng(0).gamma(2.0, 1.0, (3, 30))
    kernel = CarryOver(DELAYED, 0.7, 1.0).kernel
    expected = [np.convolve(row, kernel)[:30] for row in series]

    assert carry_over(series, kernel) == pytest.approx(np.array(expected))


def test_a_kernel_longer_than_the_history_is_cut():
    assert carry_over(np.ones((1, 2)), np.full(5, 0.2)) == pytest.approx(np.array([[0.2, 0.4]]))


@given(st.sampled_from(SATURATIONS), st.floats(0, 1e6), st.floats(0, 1e6))
def test_saturation_is_nothing_at_nothing_and_never_falls(curve, one, other):
    low, high = sorted((one, other))
    found = curve.apply(np.array([0.0, low, high]))

    assert found[0] == 0
    assert 0 <= found[1] <= found[2]


def test_saturation_by_hand():
    at_two = np.array([2.0])

    assert Saturation(SaturationKind.HILL, 2.0, 1.5).apply(at_two) == pytest.approx(0.5)
    assert Saturation(SaturationKind.HILL, 4.0).apply(at_two) == pytest.approx(1 / 3)
    assert Saturation(SaturationKind.POWER, 0.5).apply(at_two) == pytest.approx(np.sqrt(2))
    assert Saturation(SaturationKind.POWER, 0.75).apply(at_two) == pytest.approx(2**0.75)
    assert Saturation(SaturationKind.EXPONENTIAL, 2.0).apply(at_two) == pytest.approx(1 - np.exp(-1))


@pytest.mark.parametrize("wrong", [(SaturationKind.POWER, 1.5), (SaturationKind.HILL, 0.0)])
def test_a_saturation_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="no saturation is"):
        Saturation(*wrong)


def test_a_thinned_grid_still_spans_every_carry_over():
    whole, thin = transform_grid(1000), transform_grid(len(CARRY_OVERS) * 3)

    assert len(whole) == len(CARRY_OVERS) * len(SATURATIONS)
    assert len(thin) == len(CARRY_OVERS) * 3
    assert {item.carry_over for item in thin} == set(CARRY_OVERS)


def test_columns_of_many_transforms_are_those_of_each():
    series = np.random.default_rng(0).gamma(2.0, 1.0, (2, 20))
    grid = transform_grid(7)

    assert transformed(series, grid) == pytest.approx(np.stack([one.apply(series) for one in grid], axis=-1))


def test_lags_look_back_and_see_nothing_before_the_first_week():
    series = np.arange(1.0, 5.0)[None]

    assert lagged(series, (0, 1, 3))[0].T.tolist() == [[1, 2, 3, 4], [0, 1, 2, 3], [0, 0, 0, 1]]


def test_products_are_in_the_order_of_pairs():
    columns = np.array([2.0, 3.0, 5.0])[None, None]

    assert pair_products(columns)[0, 0].tolist() == [2 * 3, 2 * 5, 3 * 5]
    assert channel_pairs(3) == ((0, 1), (0, 2), (1, 2))


def test_every_media_column_has_a_name_and_reads_its_own_channel():
    media = np.random.default_rng(0).gamma(2.0, 1.0, (2, 30, 2))
    names = media_column_names(("tv", "search"))
    without_tv = media * np.array([0.0, 1.0])
    changed = (media_columns(media) != media_columns(without_tv)).any(axis=(0, 1))

    assert len(names.names) == len(names.channel) == media_columns(media).shape[-1]
    assert changed.tolist() == [channel == 0 for channel in names.channel]
    assert all(name.startswith(("tv, ", "search, ")) for name in names.names)
