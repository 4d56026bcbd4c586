"""Numbers as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmm_models.reporting import number_format as shown


def plain(text: str) -> str:
    return text.replace(shown.SPACE, " ").replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_940_000, "1.94 M EUR"),
        (929_563_218, "930 M EUR"),
        (999_999, "1.00 M EUR"),  # rounding moves it up one magnitude word
        (12_345, "12.3 k EUR"),
        (5, "5.00 EUR"),
        (0.1234, "0.123 EUR"),
        (0, "0 EUR"),
        (-31_700_000, "-31.7 M EUR"),
        (math.nan, "n/a"),
        (math.inf, "n/a"),
        (None, "n/a"),
    ],
)
def test_amounts_have_three_digits_and_a_magnitude_word(value: float | None, text: str) -> None:
    assert plain(shown.amount(value, "EUR")) == text


@pytest.mark.parametrize(
    ("low", "high", "show", "text"),
    [
        (4_510_000, 6_280_000, shown.amount, "4.51–6.28 M"),  # a magnitude both share is said once
        (929_000, 1_240_000, shown.amount, "929 k–1.24 M"),
        (1.0, 2.0, shown.amount, "1.00–2.00"),
        (1_000.0, 2_000.0, shown.decimal, "1 000.00–2 000.00"),  # digits in groups are no unit
        (12_000.5, 13_000.5, shown.decimal, "12 000.50–13 000.50"),
        (0.067, 0.094, shown.percent, "6.7–9.4 %"),
        (-0.02, 0.01, shown.percent, "-2.0 to 1.0 %"),
        (0.0, 0.0, shown.amount, "0"),
        (math.nan, 1.0, shown.amount, ""),
        (1.0, math.inf, shown.amount, ""),
    ],
)
def test_a_span_says_what_its_ends_share_once(low: float, high: float, show, text: str) -> None:
    assert plain(shown.span(low, high, show)) == text


@given(st.floats(1e-3, 1e14))
def test_an_amount_is_within_half_a_unit_of_its_third_digit(value: float) -> None:
    number, _, word = plain(shown.amount(value)).partition(" ")
    read = float(number) * {"": 1, "k": 1e3, "M": 1e6, "bn": 1e9, "tn": 1e12}[word]

    assert read == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (shown.percent(0.248), "24.8 %"),
        (shown.percent(-0.0001), "0.0 %"),
        (shown.percent(math.nan), "n/a"),
        (shown.signed_percent(0.15), "+15 %"),
        (shown.signed_percent(-0.286), "-29 %"),
        (shown.signed_percent(-0.001), "0 %"),
        (shown.signed_percent(None), "n/a"),
        (shown.signed_points(-1.72), "-1.7"),
        (shown.signed_points(0.5), "+0.5"),
        (shown.decimal(12345.678), "12 345.68"),
        (shown.count(-3.0), "0"),  # a noised count
        (shown.count(1234.4), "1 234"),
        (shown.count(math.nan), "n/a"),
        (shown.significant(0.0005), "0.0005"),
        (shown.seconds(0.82), "0.8 s"),
        (shown.seconds(59.7), "1 min"),
        (shown.seconds(200), "3 min 20 s"),
        (shown.size_in_bytes(1_430_000), "1.43 MB"),
        (shown.size_in_bytes(0), "0 B"),
        (shown.size_in_bytes(math.nan), "n/a"),
    ],
)
def test_each_kind_of_number_reads_well(text: str, expected: str) -> None:
    assert plain(text) == expected
