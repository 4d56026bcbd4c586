"""Experiments as evidence: what the model predicts for one, and how far one moves it."""

from datetime import date

import numpy as np
import pytest
import torch

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.placed_lift import place
from mmm_models.lift_likelihood import LiftTerm, lift_term, predicted_lift
from mmm_models.neural_mmm import FittedNeuralMmm, NeuralMmm
from mmm_models.panel import Panel
from mmm_models.spec import ModelSpec, PoolingSpec, TrainingSpec
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)
PANEL = small_panel(units=4)
FIRST, LAST = date(2023, 5, 1), date(2023, 6, 26)  # nine weeks, from week 17


def term_for(lift: LiftTest, panel: Panel = PANEL) -> LiftTerm:
    _, data = prepared(panel, SPEC)
    return lift_term(place([lift], panel)[0], data, scattered_response(SPEC, 2))


def lift_of(
    value: float, error: float, *, units: tuple[str, ...] | None = None, change: float = -1.0
) -> LiftTest:
    return LiftTest("c0", FIRST, LAST, units, value, error, change)


def test_the_prediction_is_the_outcome_with_less_what_is_without() -> None:
    _, data = prepared(PANEL, SPEC)
    response = scattered_response(SPEC, 2)
    term = term_for(lift_of(100.0, 10.0, units=("s1", "s2")))
    without = data.media.clone()
    without[:, 17:26, 0] = 0.0
    with torch.no_grad():
        own = response.parameters_by_name
        gain = (response.effects(own, data.media) - response.effects(own, without))[1:3, 17:26].sum(
            dim=(1, 2)
        )
        expected = float((gain * data.level[1:3]).sum())

    assert float(term.predicted(response).detach()) == pytest.approx(expected, rel=1e-5)
    assert expected > 0


def test_more_media_are_a_gain_whatever_the_sign_of_the_change() -> None:
    response = scattered_response(SPEC, 2)
    half_more, half_less = (term_for(lift_of(1.0, 1.0, change=change)) for change in (0.5, -0.5))
    more, less = (float(term.predicted(response).detach()) for term in (half_more, half_less))
    assert 0 < more < less  # diminishing returns


def test_a_test_in_few_units_is_less_sure_of_all_than_its_own_error_says() -> None:
    everywhere, some = term_for(lift_of(1000.0, 10.0)), term_for(lift_of(1000.0, 10.0, units=("s0",)))
    assert everywhere.sd == 10.0
    assert some.sd == pytest.approx(np.hypot(10.0, SPEC.pooling.unit_effect_sd * 1000.0 * np.sqrt(1 - 1 / 4)))


def test_the_slope_is_what_small_changes_do() -> None:
    response = scattered_response(SPEC, 2).double()
    term = term_for(lift_of(100.0, 10.0))
    slope = term.slope(response)
    before = float(term.predicted(response).detach())
    with torch.no_grad():
        response.parameters_by_name["log_half_saturation"][0] += 1e-5
    change = (float(term.predicted(response).detach()) - before) / 1e-5
    place_of = list(response.parameters_by_name).index("log_half_saturation") * 2
    assert slope[place_of] == pytest.approx(change, rel=1e-3)


def test_the_information_of_a_test_is_that_of_a_normal_measurement() -> None:
    response, term = scattered_response(SPEC, 2).double(), term_for(lift_of(100.0, 10.0))
    slope = term.slope(response)
    np.testing.assert_allclose(term.information(response), np.outer(slope, slope) / 100.0)


def test_the_models_own_uncertainty_of_a_test_comes_from_its_parameters() -> None:
    response = scattered_response(SPEC, 2).double()
    term = term_for(lift_of(100.0, 10.0))
    slope = term.slope(response)
    _, deviation = predicted_lift(term, response, 0.01 * np.eye(slope.size))
    assert deviation == pytest.approx(0.1 * np.linalg.norm(slope))


def fitted(*lifts: LiftTest) -> FittedNeuralMmm:
    family = NeuralMmm(SPEC, TrainingSpec(steps=20), lifts)
    return family.fit(PANEL, holdout_weeks=8)


def test_a_precise_experiment_is_believed_and_an_imprecise_one_is_not() -> None:
    free = fitted().results
    predicted = fitted(lift_of(1.0, 1e9)).results.experiments[0]
    doubled = 2.0 * predicted.before
    precise = fitted(lift_of(doubled, 0.02 * doubled)).results
    vague = fitted(lift_of(doubled, 50.0 * doubled)).results

    assert precise.experiments[0].after == pytest.approx(doubled, rel=0.05)
    assert vague.experiments[0].after == pytest.approx(predicted.before, rel=0.02)
    assert precise.channels[0].contribution > 1.5 * free.channels[0].contribution
    widths = [
        np.log(r.channels[0].contribution_interval.high / r.channels[0].contribution_interval.low)
        for r in (precise, free)
    ]
    assert widths[0] < widths[1]


def test_a_contradiction_is_said_aloud_though_the_fit_settles_it() -> None:
    predicted = fitted(lift_of(1.0, 1e9)).results.experiments[0]
    far = predicted.before + 10.0 * predicted.before_sd
    results = fitted(lift_of(far, 0.1 * predicted.before_sd)).results

    assert not results.experiments[0].agrees
    assert results.findings[0].code == "contradiction"
    assert fitted(lift_of(predicted.before, predicted.before_sd)).results.experiments[0].agrees


def test_units_that_respond_alike_add_no_doubt_to_a_test_in_few_of_them() -> None:
    _, data = prepared(PANEL, SPEC)
    placed = place([lift_of(1000.0, 10.0, units=("s0",))], PANEL)[0]
    alike = SPEC.model_copy(update={"pooling": PoolingSpec(unit_effect_sd=0.0)})
    assert lift_term(placed, data, scattered_response(alike, 2)).sd == 10.0
