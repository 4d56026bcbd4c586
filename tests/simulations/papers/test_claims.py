"""A claim comes out in every measurement, in some, or in none."""

import math

import pytest

from simulations.papers.claims import CLAIMS, Reading, Unit, Verdict, in_words, verdict_of


def test_doing_better_than_published_agrees():
    assert CLAIMS["boosting-rmse"].agrees(0.4)
    assert CLAIMS["shap-contributions"].agrees(0.01)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.18, 0.3), Verdict.YES),
        ((0.17, 0.3), Verdict.PARTLY),
        ((0.17, -1.0), Verdict.NO),
        ((math.nan,), Verdict.NO),
    ],
)
def test_the_verdict_counts_every_seed(values, verdict):
    assert Reading("boosting-rmse", "somewhere", values).verdict is verdict


def test_what_stands_beside_is_not_judged():
    good, bad = Reading("features", "ours", (1.0,)), Reading("features", "beside", (99.0,), judged=False)

    assert bad.verdict is None
    assert verdict_of([good, bad]) is Verdict.YES
    assert verdict_of([bad]) is None


def test_a_reading_needs_a_known_claim_and_a_value():
    with pytest.raises(ValueError, match="no reading"):
        Reading("features", "nothing measured", ())
    with pytest.raises(ValueError, match="no reading"):
        Reading("unheard-of", "somewhere", (1.0,))


def test_the_middle_and_both_ends():
    reading = Reading("features", "ours", (1.0, 4.0, 1.0))

    assert (reading.mean, reading.lowest, reading.highest) == (2.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.1234, Unit.SHARE, "12.3 %"), (-2.5, Unit.SHARE, "-250.0 %"), (0.0000078, Unit.SHARE, "0.00078 %"),
        (0.0123, Unit.SECONDS, "12 ms"), (1.25, Unit.SECONDS, "1.2 s"), (480.0, Unit.SECONDS, "480 s"),
        (math.nan, Unit.SHARE, "-"),
    ],
)  # fmt: skip
def test_numbers_in_words(value, unit, words):
    assert in_words(value, unit) == words
