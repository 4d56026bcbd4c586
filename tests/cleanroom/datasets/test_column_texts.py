"""Numbers and times written as text are read as Python reads them, and nothing more liberal than that."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.datasets.number_texts import read_numbers
from cleanroom.datasets.time_texts import keep_usual_years, read_times

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1901, 1, 1), datetime(2198, 12, 31))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_from_their_texts(numbers):
    assert read_numbers(pa.array([repr(number) for number in numbers])).to_pylist() == numbers


@given(st.lists(st.integers(-(10**15), 10**15)))
def test_one_unreadable_text_does_not_change_how_the_others_are_read(numbers):
    texts = [*(f" {number} " for number in numbers), "much", None]

    assert read_numbers(pa.array(texts, pa.string())).to_pylist() == [*map(float, numbers), None, None]


@given(
    st.lists(st.one_of(MOMENTS, st.datetimes(datetime(1901, 1, 1), datetime(2198, 12, 31), timezones=ZONES)))
)
def test_moments_come_back_from_their_texts_as_utc(moments):
    """Whether all have a zone, none has, or some have."""
    texts = pa.array([moment.isoformat() for moment in moments], pa.string())
    expected = [
        moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment for moment in moments
    ]

    assert keep_usual_years(read_times(texts)).to_pylist() == expected


@pytest.mark.parametrize(
    "text, moment",
    [
        ("2026-03-31", datetime(2026, 3, 31)),
        ("2026-03-31T13:45", datetime(2026, 3, 31, 13, 45)),
        ("2026-03-31 13:45:10.123456789", datetime(2026, 3, 31, 13, 45, 10, 123456)),
        ("2026-03-31T13:45:10+0530", datetime(2026, 3, 31, 8, 15, 10)),
        ("2026-03-31T23:59:59-01:00", datetime(2026, 4, 1, 0, 59, 59)),
    ],
)
def test_a_text_is_read_as_the_moment_it_says(text, moment):
    assert keep_usual_years(read_times(pa.array([text]))).to_pylist() == [moment]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260331",
        "2026-W14-2",
        "31.03.2026",
        "03/31/2026",
        "1774915200",
        "2026-02-30",
        "2026-03-31T25:00",
    ],
)
def test_other_notations_are_not_guessed_at(text):
    assert keep_usual_years(read_times(pa.array([text]))).to_pylist() == [None]


@pytest.mark.parametrize(
    "text, kept",
    [("1899-12-31T23:59:59", False), ("1900-01-01", True), ("2199-12-31", True), ("2200-01-01", False)],
)
def test_the_first_and_the_last_year_are_inside(text, kept):
    assert keep_usual_years(read_times(pa.array([text]))).null_count == (not kept)
