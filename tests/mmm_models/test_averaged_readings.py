"""Two readings of a single series become one posterior; several units have one reading only."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from mmm_models.averaged_readings import CAREFUL, averaged, fit_readings
from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.placed_lift import place
from mmm_models.lift_likelihood import lift_term
from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.posterior import Posterior, fit_posterior
from mmm_models.same_week_media import with_same_week_media
from mmm_models.spec import BaselineSpec, ModelSpec, TrainingSpec
from mmm_models.training import get_vector
from mmm_models.unit_data import UnitData
from tests.mmm_models.small_panels import prepared, small_panel

SPEC = ModelSpec(max_lag_weeks=4)
TRUSTING = SPEC.model_copy(update={"baseline": BaselineSpec(same_week_media_sd=0.0)})


def records(units: int, spec: ModelSpec = SPEC) -> tuple[MediaResponse, UnitData]:
    scales, data = prepared(small_panel(units=units), spec)
    return MediaResponse(spec, scales.spend_per_revenue.tolist()), data


def test_mean_and_covariance_are_those_of_many_draws_from_the_mixture() -> None:
    rng = np.random.default_rng(0)
    one = Posterior(np.array([0.0, 1.0]), np.array([[1.0, 0.3], [0.3, 0.5]]))
    two = Posterior(np.array([2.0, -1.0]), np.array([[0.2, 0.0], [0.0, 2.0]]))
    draws = np.concatenate(
        [
            rng.multivariate_normal(each.mode, each.covariance, n)
            for each, n in ((one, 50_000), (two, 150_000))
        ]
    )

    found = averaged((one, two), (0.25, 0.75))

    np.testing.assert_allclose(found.mode, draws.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found.covariance, np.cov(draws.T), atol=0.03)


def test_readings_that_agree_are_left_as_they_are() -> None:
    one = Posterior(np.array([0.5, -0.2]), np.array([[1.0, 0.3], [0.3, 0.5]]))
    found = averaged((one, one), (0.4, 0.6))

    np.testing.assert_allclose(found.mode, one.mode)
    np.testing.assert_allclose(found.covariance, one.covariance)


def test_a_single_unit_is_read_both_ways() -> None:
    response, data = records(units=1)
    found = fit_readings(response, data)
    np.testing.assert_allclose(get_vector(response), found.mode, rtol=1e-6)

    trusting = fit_posterior(response, data)
    careful = fit_posterior(response, with_same_week_media(data, response))

    assert np.abs(trusting.mode - careful.mode).max() > 0.05  # else this would show nothing
    apart = (1.0 - CAREFUL) * trusting.mode + CAREFUL * careful.mode
    np.testing.assert_allclose(found.mode, apart, atol=0.02)  # wherever they start from
    within = (1.0 - CAREFUL) * trusting.covariance + CAREFUL * careful.covariance
    assert (np.diag(found.covariance) > 0.95 * np.diag(within)).all()


@pytest.mark.parametrize(("units", "spec"), [(2, SPEC), (1, TRUSTING)])
def test_one_reading_alone_is_the_posterior_to_the_last_bit(units: int, spec: ModelSpec) -> None:
    (one, data), (two, _) = records(units, spec), records(units, spec)
    found, alone = fit_readings(one, data), fit_posterior(two, data)

    assert found.mode.tolist() == alone.mode.tolist()
    assert found.covariance.tolist() == alone.covariance.tolist()
    assert get_vector(one).tolist() == get_vector(two).tolist()


def test_a_lift_is_evidence_in_either_reading() -> None:
    """A sure experiment leaves the readings nothing to disagree about: what it measured is what both predict."""
    panel = small_panel(units=1)
    response, data = records(units=1)
    week = date.fromisoformat(str(panel.weeks[20].astype("datetime64[D]")))
    lift = LiftTest("c0", week, week + timedelta(weeks=5), None, 1.0, 1e9)
    without = fit_readings(response, data)
    term = lift_term(place((lift,), panel)[0], data, response)
    wanted = 1.5 * float(term.predicted(response).detach())
    sure = replace(term, lift=replace(lift, lift=wanted, standard_error=0.01 * wanted), sd=0.01 * wanted)

    found = fit_readings(response, data, [sure])

    assert float(sure.predicted(response).detach()) == pytest.approx(wanted, rel=0.03)
    slope = sure.slope(response)
    assert slope @ found.covariance @ slope < 0.05 * (slope @ without.covariance @ slope)


def test_an_experiment_on_a_channel_without_comparable_spend_opens_the_second_reading() -> None:
    panel = small_panel(units=1)
    panel = replace(panel, spend=1000.0 * panel.spend)
    scales, data = prepared(panel, SPEC)
    response = MediaResponse(SPEC, scales.spend_per_revenue.tolist())
    week = date.fromisoformat(str(panel.weeks[20].astype("datetime64[D]")))
    lift = LiftTest("c0", week, week + timedelta(weeks=5), None, 1.0, 1e9)  # itself says nothing
    term = lift_term(place((lift,), panel)[0], data, response)

    trusting = fit_readings(response, data)
    both = fit_readings(response, data, [term])

    careful = fit_posterior(response, with_same_week_media(data, response, {0}))
    apart = (1.0 - CAREFUL) * trusting.mode + CAREFUL * careful.mode
    np.testing.assert_allclose(both.mode, apart, atol=0.02)
    assert np.abs(trusting.mode - careful.mode).max() > 0.05  # else this would show nothing


def test_what_a_fit_of_one_series_says_follows_from_the_average() -> None:
    panel, quick = small_panel(units=1), TrainingSpec(steps=60)
    both, one = (NeuralMmm(spec, quick).fit(panel, holdout_weeks=8) for spec in (SPEC, TRUSTING))

    assert get_vector(both.trained.response) == pytest.approx(both.posterior.mode, rel=1e-6)
    wider = [
        np.log(a.contribution_interval.high / a.contribution_interval.low)
        / np.log(b.contribution_interval.high / b.contribution_interval.low)
        for a, b in zip(both.results.channels, one.results.channels, strict=True)
    ]
    assert min(wider) > 1.0
