"""How a channel ran is said when it says too little."""

import numpy as np
import pytest

from tests.mmm_models.diagnostics.made_panels import (
    HOLDOUT,
    UNITS,
    WEEKS,
    found,
    independent_media,
    made_panel,
    the_finding,
)

CODES = ("never-on", "held-out-only", "rarely-on", "off-for-long", "few-units", "little-variation")


def with_second(second):
    media = independent_media(2)
    media[..., 1] = second
    return made_panel(media)


def on_in(weeks, level=1.0, units=UNITS):
    """The second channel's media: on in these weeks of the first `units` units."""
    media = np.zeros((UNITS, WEEKS))
    media[:units, weeks] = level
    return media


def test_channels_that_vary_have_nothing_said_about_them():
    assert found(made_panel(independent_media(3)), *CODES) == {}


@pytest.mark.parametrize(
    ("weeks", "code"),
    [
        (slice(0, 0), "never-on"),
        (slice(WEEKS - HOLDOUT, WEEKS), "held-out-only"),
        (slice(30, 36), "rarely-on"),
    ],
)
def test_a_channel_with_few_training_weeks_is_named(weeks, code):
    says = found(with_second(on_in(weeks)), "never-on", "held-out-only", "rarely-on")

    assert says == {code: ("c1",)}


def test_how_rarely_is_said_in_numbers():
    text = the_finding(with_second(on_in(slice(30, 36), units=3)), "rarely-on").text

    assert "6 of 120 training weeks and 3 of 12 units, 1 % of all unit-weeks" in text  # 18 of 1,440


def test_a_channel_that_ran_long_ago_is_named_with_its_silence():
    finding = the_finding(with_second(on_in(slice(10, 40))), "off-for-long")

    assert finding.channels == ("c1",)
    assert "80 weeks from 2023-10-09" in finding.text  # weeks 40 to 119; 2023-01-02 + 40 weeks
    assert "30 other weeks" in finding.text


def test_a_channel_that_began_late_is_named_too():
    assert (
        "60 weeks from 2023-01-02" in the_finding(with_second(on_in(slice(60, WEEKS))), "off-for-long").text
    )


def test_a_pause_of_half_a_year_is_none():
    media = on_in(slice(0, 40)) + on_in(slice(66, WEEKS))

    assert found(with_second(media), "off-for-long") == {}


def test_a_channel_in_few_units_is_named():
    media = on_in(slice(0, WEEKS, 2), units=2)

    assert "2 of 12 units" in the_finding(with_second(media), "few-units").text
    assert found(with_second(on_in(slice(0, WEEKS, 2), units=6)), "few-units") == {}


@pytest.mark.parametrize(("swing", "is_said"), [(0.05, True), (0.4, False)])
def test_always_on_at_one_level_is_named(swing, is_said):
    media = 1.0 + swing * np.random.default_rng(3).uniform(-1, 1, (UNITS, WEEKS)) * np.sqrt(3)

    says = found(with_second(media), "little-variation")

    assert says == ({"little-variation": ("c1",)} if is_said else {})


def test_steady_media_in_flights_vary_enough():
    weeks = np.flatnonzero(np.arange(WEEKS) // 8 % 2)

    assert found(with_second(on_in(weeks)), "little-variation") == {}
