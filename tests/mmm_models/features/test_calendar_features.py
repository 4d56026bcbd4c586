"""Waves of the year and public holidays."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.errors import ModelError
from mmm_models.features.holiday_control import HOLIDAYS, CountryUnknown, with_public_holidays
from mmm_models.features.seasonality import fourier_waves, years_since_start
from tests.mmm_models.small_panels import small_panel

WEEKS = np.datetime64("2023-01-02") + 7 * np.arange(60).astype("timedelta64[D]")


def test_waves_are_those_of_the_day_of_the_year():
    waves = fourier_waves(WEEKS, 2)
    angle = 2 * np.pi * 8 / 365.25  # the second week starts on the ninth of January

    assert waves[1] == pytest.approx([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
    assert years_since_start(WEEKS)[-1] == pytest.approx(59 * 7 / 365.25)


def test_no_pairs_are_no_columns():
    assert fourier_waves(WEEKS, 0).shape == (60, 0)


def test_public_holidays_are_counted_in_their_weeks():
    """Germany 2023: Good Friday on April 7, Easter Monday on April 10, Labour Day on Monday, May 1."""
    panel = with_public_holidays(small_panel(weeks=20), "DE")
    counts = dict(zip(panel.weeks.astype(str), panel.controls[0, :, 1], strict=True))

    assert panel.control_names == ("price", HOLIDAYS)
    assert (counts["2023-04-03"], counts["2023-04-10"], counts["2023-04-17"], counts["2023-05-01"]) == (
        1,
        1,
        0,
        1,
    )


def test_holidays_stand_before_treatments():
    panel = with_public_holidays(replace(small_panel(), treatment_names=("price",)), "US")

    assert panel.control_names == (HOLIDAYS, "price")
    assert panel.controls[..., 1] == pytest.approx(small_panel().controls[..., 0])


def test_an_unknown_country_is_refused_with_what_is_meant():
    with pytest.raises(CountryUnknown, match="no public holidays are known for 'DEE'") as caught:
        with_public_holidays(small_panel(), "DEE")

    assert caught.value.hint == "use a two-letter country code (ISO 3166), such as DE or US"


def test_holidays_are_added_once():
    with pytest.raises(ModelError, match="named twice"):
        with_public_holidays(with_public_holidays(small_panel(), "DE"), "DE")
