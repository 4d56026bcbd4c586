"""A model and an experiment that disagree are never silent about it."""

from datetime import date
from math import nan, sqrt

import pytest

from mmm_models.experiments.contradiction import (
    CONTRADICTS_AT,
    ModelPrediction,
    compare_experiment,
    contradictions,
)
from mmm_models.experiments.lift import LiftTest

LIFT = LiftTest("search", date(2024, 3, 4), date(2024, 3, 25), None, 100.0, 3.0, source="spring test")


@pytest.mark.parametrize("sign", [1, -1])
def test_the_line_is_where_both_uncertainties_together_say(sign):
    """Standard errors 3 and 4 make 5 for the difference."""
    inside, outside = (100 + sign * 5 * factor * CONTRADICTS_AT for factor in (0.999, 1.001))

    assert compare_experiment(LIFT, ModelPrediction(inside, 4.0, 100.0)).agrees
    assert not compare_experiment(LIFT, ModelPrediction(outside, 4.0, 100.0)).agrees


def test_chance_alone_crosses_the_line_one_time_in_a_hundred():
    from scipy.stats import norm

    assert 2 * norm.sf(CONTRADICTS_AT) == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("sd", [nan, 0.0])
def test_a_model_without_uncertainty_is_held_to_the_experiments_alone(sd):
    assert not compare_experiment(LIFT, ModelPrediction(100 + 3 * 2.6, sd, 100.0)).agrees
    assert compare_experiment(LIFT, ModelPrediction(100 + 3 * 2.5, sd, 100.0)).agrees


def test_a_contradiction_is_said_with_both_numbers_and_what_to_do():
    agreeing = compare_experiment(LIFT, ModelPrediction(104.0, sqrt(7), 101.0))
    contradicting = compare_experiment(LIFT, ModelPrediction(400.0, 10.0, 110.0))

    (finding,) = contradictions([agreeing, contradicting])

    assert (finding.code, finding.severity, finding.channels) == ("contradiction", "review", ("search",))
    for words in (
        "spring test (search)",
        "measured 100",
        "says 400: more, and further apart",
        "now says 110",
    ):
        assert words in finding.text
    assert finding.advice


def test_an_experiment_that_was_not_used_is_said_not_to_be():
    check = compare_experiment(LIFT, ModelPrediction(-50.0, 10.0, -50.0, used=False))

    (finding,) = contradictions([check])

    assert "says -50: less, and further" in finding.text
    assert "The fit did not use it." in finding.text
