"""How held-out weeks are predicted and judged."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.evaluation import holdout_errors, predict
from mmm_models.spec import BaselineSpec, ModelSpec
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)


def test_a_prediction_is_the_gaussian_posterior_mean():
    _, data = prepared(small_panel(), SPEC)
    response = scattered_response(SPEC, 2)
    predicted = predict(response, data).double().numpy()
    with torch.no_grad():
        effect = response(data.media).double().numpy()
    for unit in range(3):
        train = data.train[unit].numpy() > 0
        features = data.features[unit].double().numpy()
        residual = (data.outcome[unit].double().numpy() - 1.0 - effect[unit])[train]
        covariance = float(data.noise[unit]) ** 2 * np.eye(train.sum()) + features[train] @ features[train].T
        posterior = features @ features[train].T @ np.linalg.solve(covariance, residual)
        np.testing.assert_allclose(predicted[unit], 1.0 + effect[unit] + posterior, atol=1e-4)


def test_held_out_outcomes_do_not_reach_the_prediction():
    _, data = prepared(small_panel(), SPEC)
    response = scattered_response(SPEC, 2)
    other = replace(data, outcome=torch.where(data.test > 0, 9.0, data.outcome))
    assert torch.equal(predict(response, data), predict(response, other))


def test_errors_by_hand():
    panel = small_panel(units=2, weeks=16)
    _, data = prepared(panel, SPEC, holdout_weeks=4)
    response = scattered_response(SPEC, 2)
    predicted = predict(response, data)
    off = torch.tensor([0.1, -0.1, 0.2, 0.0])
    outcome = data.outcome.clone()
    outcome[0, -4:] = predicted[0, -4:] + off
    outcome[1, -4:] = torch.tensor([0.0, 0.5, 1.0, 0.5])
    errors = holdout_errors(response, replace(data, outcome=outcome))
    assert errors.weeks.tolist() == [4.0, 4.0]
    assert errors.squared[0] == pytest.approx(0.06, rel=1e-4)
    assert errors.mape[0] == pytest.approx(float((off.abs() / outcome[0, -4:]).mean()), rel=1e-4)
    # mean 1/2, so squares around it 1/4 + 0 + 1/4 + 0
    assert errors.r2[1] == pytest.approx(1.0 - errors.squared[1] / 0.5)


def test_a_week_without_sales_keeps_the_relative_error_finite():
    panel = small_panel(units=1)
    outcome = panel.outcome.copy()
    outcome[0, -1] = 0.0
    _, data = prepared(replace(panel, outcome=outcome), SPEC)
    response = scattered_response(SPEC, 2)
    error = (predict(response, data) - data.outcome)[0, -8:].abs()
    # that week's error counts against a tenth of a mean week
    expected = (error[:-1] / data.outcome[0, -8:-1]).sum() + error[-1] / 0.1
    assert holdout_errors(response, data).mape[0] == pytest.approx(float(expected) / 8, rel=1e-4)


def test_r2_is_undefined_where_nothing_varies_or_nothing_is_held_out():
    panel = small_panel()
    outcome, observed = panel.outcome.copy(), panel.observed.copy()
    outcome[0, -8:] = 90.0
    outcome[1, -8:] = 0.0
    observed[1, -8:] = False
    _, data = prepared(replace(panel, outcome=outcome, observed=observed), SPEC)
    errors = holdout_errors(scattered_response(SPEC, 2), data)
    assert np.isnan(errors.r2).tolist() == [True, True, False]
    assert (errors.weeks.tolist(), errors.squared[1], errors.mape[1]) == ([8.0, 0.0, 8.0], 0.0, 0.0)


def test_a_baseline_follows_a_season_into_held_out_weeks():
    weeks = 130
    season = 0.2 * np.sin(2 * np.pi * np.arange(weeks) * 7 / 365.25)
    panel = small_panel(
        units=1, weeks=weeks, outcome=100.0 * (1.0 + season)[None], media=np.zeros((1, weeks, 2))
    )
    _, with_season = prepared(panel, ModelSpec(), 26)
    _, without = prepared(panel, ModelSpec(baseline=BaselineSpec(season_pairs=0)), 26)
    response = scattered_response(ModelSpec(), 2)
    assert holdout_errors(response, with_season).r2[0] > 0.95
    assert holdout_errors(response, without).r2[0] < 0.5
