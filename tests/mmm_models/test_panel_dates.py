"""Dates in the forms people export; nothing ambiguous is guessed."""

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmm_models.intake.panel_dates import NO_DAY, parse_days

FORMATS = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%Y-%m-%d 00:00:00",
    "%G-W%V",
]
WEEKS = [date(2024, 1, 1) + timedelta(weeks=i) for i in range(30)]


def read(texts, date_format=""):
    return parse_days(pd.Series(texts), date_format)


def numbers(days):
    return [(day - date(1970, 1, 1)).days for day in days]


@pytest.mark.parametrize("date_format", FORMATS)
def test_unambiguous_formats_are_read(date_format):
    assert read([day.strftime(date_format) for day in WEEKS]).days.tolist() == numbers(WEEKS)


@pytest.mark.parametrize("date_format", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m/%d/%y"])
def test_a_day_above_twelve_settles_day_and_month(date_format):
    parsed = read([day.strftime(date_format) for day in WEEKS])
    assert parsed.formats == (date_format,)
    assert parsed.days.tolist() == numbers(WEEKS)


def test_day_and_month_that_could_be_swapped_are_ambiguous():
    texts = ["01/02/2024", "08/02/2024"]
    assert read(texts).formats == ("%d/%m/%Y", "%m/%d/%Y")
    assert read(texts, "%d/%m/%Y").days.tolist() == numbers([date(2024, 2, 1), date(2024, 2, 8)])


def test_the_same_day_both_ways_is_not_ambiguous():
    assert not read(["05/05/2024"]).ambiguous


def test_one_bad_date_does_not_change_how_the_others_are_read():
    parsed = read([day.strftime("%d/%m/%Y") for day in WEEKS] + ["2024-13-45", None, " "])
    assert parsed.days[:-3].tolist() == numbers(WEEKS)
    assert (parsed.days[-3:] == NO_DAY).all()
    assert parsed.missing[-3:].tolist() == [False, True, True]


def test_mistyped_centuries_are_no_dates():
    assert read(["0024-01-01", "2024-01-01", "9024-01-08"]).days.tolist() == [NO_DAY, 19723, NO_DAY]


def test_timestamps_dates_and_integers_are_read():
    expected = numbers([date(2024, 1, 1), date(2024, 1, 8)])
    stamps = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-08"]))
    assert parse_days(stamps).days.tolist() == expected
    assert parse_days(stamps.dt.tz_localize("Europe/Berlin")).days.tolist() == expected  # local day, not UTC
    assert read([date(2024, 1, 1), date(2024, 1, 8)]).days.tolist() == expected
    assert read([20240101, 20240108]).days.tolist() == expected
    assert parse_days(pd.Series([pd.NaT, stamps[0]])).missing.tolist() == [True, False]


@given(
    st.lists(st.dates(date(1950, 1, 1), date(2090, 1, 1)), min_size=1, max_size=20),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%m-%d-%Y"]),
)
def test_a_date_is_never_silently_read_as_another_day(days, date_format):
    parsed = read([day.strftime(date_format) for day in days])
    assert parsed.ambiguous or parsed.days.tolist() == numbers(days)
