"""Scales from counts per octave: by hand, and the same whether silos report together or apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmm_models.errors import ScalesUnknown
from mmm_models.scaling import (
    LOWEST_OCTAVE,
    OCTAVES,
    UNUSED,
    MediaPer,
    Scales,
    octave_counts,
    scale_quantities,
    scales_from,
)
from tests.mmm_models.small_panels import small_panel


def octave(value: float) -> int:
    """Index of the power of two at or below a value."""
    return int(np.flatnonzero(octave_counts(np.array([[value]]))[0, 0])[0]) + LOWEST_OCTAVE


def histogram(**quantities: dict[int, float]) -> np.ndarray:
    """Rows media, spend, revenue, outcome, price of one channel: counts by octave."""
    counts = np.zeros((5, OCTAVES))
    for row, name in enumerate(("media", "spend", "revenue", "outcome", "price")):
        for place, count in quantities.get(name, {0: 1.0}).items():
            counts[row, place - LOWEST_OCTAVE] = count
    return counts


def test_values_fall_into_powers_of_two():
    assert [octave(value) for value in (1.0, 1.99, 2.0, 0.5, 1000.0)] == [0, 0, 1, -1, 9]


def test_values_beyond_the_range_count_at_its_ends_and_nothing_counts_as_nothing():
    assert octave(1e-30) == LOWEST_OCTAVE
    assert octave(1e30) == LOWEST_OCTAVE + OCTAVES - 1
    assert not octave_counts(np.zeros((2, 3))).any()


def test_a_median_is_placed_within_its_octave():
    # 1 + 2 + 1 units: half of them is the middle of octave 3, on the log scale
    scales = scales_from(histogram(media={2: 1, 3: 2, 4: 1}), MediaPer.OUTCOME)
    assert scales.media.tolist() == pytest.approx([2.0**3.5])
    # 3 of 4 in octave 5: two thirds of the way through it
    scales = scales_from(histogram(media={5: 3, 6: 1}), MediaPer.OUTCOME)
    assert scales.media.tolist() == pytest.approx([2.0 ** (5 + 2 / 3)])


def test_no_spend_stays_none_and_no_media_become_one():
    scales = scales_from(histogram(media={}, spend={}), MediaPer.OUTCOME)
    assert scales.media.tolist() == [1.0]
    assert scales.spend_per_revenue.tolist() == [0.0]


def test_spend_is_compared_with_revenue():
    scales = scales_from(histogram(spend={-3: 7}, revenue={2: 9}), MediaPer.OUTCOME)
    assert scales.spend_per_revenue.tolist() == pytest.approx([2.0**-5])


def test_counts_that_may_be_noise_are_ignored():
    clean = histogram(media={3: 50, 4: 50}, revenue={0: 100}, outcome={0: 100}, price={0: 100})
    noise = np.random.default_rng(0).uniform(-4.0, 4.0, clean.shape)
    noised = scales_from(clean + noise, MediaPer.OUTCOME, ignore_below=5.0)
    exact = scales_from(clean, MediaPer.OUTCOME)
    assert noised.media[0] / exact.media[0] == pytest.approx(1.0, abs=0.06)
    careless = scales_from(clean + noise, MediaPer.OUTCOME)
    assert abs(np.log2(careless.media[0] / exact.media[0])) > abs(np.log2(noised.media[0] / exact.media[0]))


def test_a_channel_lost_in_the_noise_gets_a_scale_at_which_it_has_no_effect():
    counts = histogram(media={3: 4}, revenue={0: 100}, outcome={0: 100}, price={0: 100})
    assert scales_from(counts, MediaPer.OUTCOME, ignore_below=5.0).media.tolist() == [UNUSED]


def test_outcomes_lost_in_the_noise_are_an_error_that_says_how_many_units_it_takes():
    counts = histogram(media={3: 100}, revenue={0: 4}, outcome={0: 4}, price={0: 4})
    with pytest.raises(ScalesUnknown, match="about 5 units") as refused:
        scales_from(counts, MediaPer.OUTCOME, ignore_below=5.0)
    assert "15 units" in refused.value.hint


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60))
def test_a_scale_is_within_an_octave_of_the_median(values):
    counts = octave_counts(np.array(values)[:, None]).sum(axis=0)
    counts = np.concatenate([counts] * 5)
    scale = scales_from(counts, MediaPer.OUTCOME).media[0]
    ordered = np.sort(values)
    low, high = ordered[(len(values) - 1) // 2], ordered[len(values) // 2]
    assert low / 2 <= scale * (1 + 1e-9)
    assert scale <= high * 2 * (1 + 1e-9)


@pytest.mark.parametrize("per", list(MediaPer))
def test_silos_apart_agree_on_the_scales_of_their_pool(per):
    panel = small_panel(units=7, population=np.geomspace(1e3, 1e5, 7), seed=4)
    level, train = panel.outcome.mean(axis=1), panel.observed
    whole = octave_counts(scale_quantities(panel, per, level=level, train=train)).sum(axis=0)
    parts = [
        octave_counts(
            scale_quantities(panel.select_units(units), per, level=level[units], train=train[units])
        ).sum(axis=0)
        for units in ([0, 1], [2, 3, 4], [5, 6])
    ]
    assert np.array_equal(sum(parts), whole)
    assert whole.sum(axis=1).tolist() == [7.0] * 7


def test_quantities_are_means_of_active_weeks_per_head():
    media = np.zeros((1, 10, 1))
    media[0, :4, 0] = [100.0, 200.0, 300.0, 400.0]
    panel = small_panel(
        units=1,
        weeks=10,
        channels=1,
        media=media,
        spend=media / 10,
        outcome=np.full((1, 10), 60.0),
        population=np.array([50.0]),
        revenue_per_outcome=np.full((1, 10), 0.5),
    )
    known = {"level": np.array([60.0]), "train": panel.observed}
    found = scale_quantities(panel, MediaPer.POPULATION, **known)[0]
    assert found.tolist() == pytest.approx([250 / 50, 25 / 50, 60 * 0.5 / 50, 60.0, 0.5])
    found = scale_quantities(panel, MediaPer.OUTCOME, **known)[0]
    assert found.tolist() == pytest.approx([250 / 60, 25 / 60, 0.5, 60.0, 0.5])


def test_only_training_weeks_count_unless_a_channel_never_ran_in_them():
    media = np.zeros((1, 10, 2))
    media[0, :, 0] = [10.0] * 8 + [1000.0] * 2
    media[0, 8:, 1] = 500.0
    panel = small_panel(
        units=1,
        weeks=10,
        media=media,
        spend=media / 10,
        revenue_per_outcome=np.array([[1.0] * 8 + [9.0] * 2]),
    )
    train = np.arange(10)[None] < 8

    found = scale_quantities(panel, MediaPer.OUTCOME, level=np.array([50.0]), train=train)[0]

    assert found.tolist() == pytest.approx([10 / 50, 500 / 50, 1 / 50, 50 / 50, 1.0, 50.0, 1.0])


def test_scales_survive_their_vector():
    scales = Scales(MediaPer.POPULATION, np.array([1.0, 2.0]), np.array([0.0, 3.0]), 4.0, 5.0, 6.0)
    again = Scales.from_vector(scales.to_vector(), MediaPer.POPULATION)
    assert again.to_vector().tolist() == [1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 6.0]
    assert (again.spend.tolist(), again.money) == ([0.0, 3.0], 30.0)
